use std::sync::mpsc;

use expect_test::{Expect, expect};
use indicatif::InMemoryTerm;

use super::live::Clock;
use super::*;
use crate::contracts::{PhaseName, Usage};
use crate::workflow::{EventError, EventErrorKind};

/// An event so many seconds after the run began. `at` reads `phase status`, and `phase/task status` for tasks.
fn event(seconds: i64, at: &str, message: &str) -> PhaseEvent {
    let (subject, status) = at.split_once(' ').unwrap();
    let (phase, task) = subject.split_once('/').map_or((subject, None), |(phase, task)| (phase, Some(task)));
    PhaseEvent {
        run: "r1".to_owned(),
        seq: 1,
        at: Timestamp::from_second(seconds).unwrap(),
        workflow: String::new(),
        phase: serde_json::from_value(phase.into()).unwrap(),
        status: serde_json::from_value(status.into()).unwrap(),
        task: task.map(str::to_owned),
        message: message.to_owned(),
        error: None,
        usage: None,
        files: Vec::new(),
        outcome: None,
    }
}

fn used(mut event: PhaseEvent, tokens: u64, cost_usd: Option<f64>) -> PhaseEvent {
    event.usage = Some(Usage { input_tokens: tokens, cost_usd, ..Usage::default() });
    event
}

fn failed(seconds: i64, at: &str, message: &str, error: &str) -> PhaseEvent {
    let error = Some(EventError::new(EventErrorKind::Model, error));
    PhaseEvent { error, ..event(seconds, at, message) }
}

/// A view on a terminal of 60 columns whose clock stands at so many seconds.
fn live(seconds: i64) -> (Progress, InMemoryTerm) {
    live_with(seconds, 60, &[])
}

/// A view of a run with these phases on a terminal of so many columns.
fn live_with(seconds: i64, columns: u16, phases: &[&'static str]) -> (Progress, InMemoryTerm) {
    let terminal = InMemoryTerm::new(24, columns);
    let drawn = terminal.clone();
    let target: Target = Box::new(move || Box::new(drawn.clone()));
    let clock: Clock = Arc::new(move || Timestamp::from_second(seconds).unwrap());
    let phases = phases.iter().map(|name| PhaseName::new(name));
    let live = Live::new(target, clock, Arc::new(move || Some(columns.into())), None);
    (Progress::with(View::Live(live.with_room_for(phases))), terminal)
}

fn drawn(progress: &Progress, terminal: &InMemoryTerm, expected: Expect) {
    // Drawing is limited to so many times a second; the last state must not fall to that.
    if let View::Live(live) = &lock(&progress.inner).view {
        live.all_bars().for_each(indicatif::ProgressBar::force_draw);
    }
    expected.assert_eq(&format!("{}\n", terminal.contents()));
}

fn logged(events: &[PhaseEvent], expected: Expect) {
    struct Sent(mpsc::Sender<Vec<u8>>);
    impl Write for Sent {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).unwrap();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (sender, lines) = mpsc::channel();
    let progress = Progress::to(Sent(sender));
    events.iter().for_each(|event| progress.on(event));
    drop(progress);
    expected.assert_eq(&String::from_utf8(lines.iter().flatten().collect()).unwrap());
}

#[test]
fn a_running_phase_stands_below_the_finished_ones() {
    let (progress, terminal) = live(20);
    progress.on(&event(0, "workflow started", "Anthropic API, key from ANTHROPIC_API_KEY"));
    progress.on(&event(0, "context started", ""));
    progress.on(&event(3, "context progress", "reading src/a.rs"));
    progress.on(&used(event(12, "context done", "8 files"), 18_200, Some(0.042)));
    progress.on(&event(12, "plan started", "thinking"));
    drawn(
        &progress,
        &terminal,
        expect![[r#"
        Anthropic API, key from ANTHROPIC_API_KEY
        ✓ context        12 s  8 files
        ⠋ plan            8 s  thinking
          18.2k tokens · $0.042
    "#]],
    );
}

#[test]
fn the_names_of_all_phases_stand_in_one_column_that_leaves_room_on_a_narrow_terminal() {
    let (progress, terminal) = live_with(14, 40, &["plan", "a-phase-with-a-very-long-name"]);
    progress.on(&event(0, "plan started", ""));
    progress.on(&event(9, "plan done", "2 tasks"));
    progress.on(&event(9, "a-phase-with-a-very-long-name started", "Reviewing"));
    drawn(
        &progress,
        &terminal,
        expect![[r#"
        ✓ plan                 9.0 s  2 tasks
        ⠋ a-phase-with-a-…       5 s  Reviewing
    "#]],
    );
}

#[test]
fn every_running_task_has_its_line_and_finished_ones_stay() {
    let (progress, terminal) = live(80);
    progress.on(&event(0, "implement started", "3 tasks"));
    for task in ["T1", "T2", "T3"] {
        progress.on(&event(1, &format!("implement/{task} started"), &format!("Do {task}")));
    }
    progress.on(&event(5, "implement/T1 progress", "editing src/a.rs"));
    progress.on(&event(9, "implement/T2 done", "2 files"));
    progress.on(&failed(9, "implement/T3 failed", "the model gave up", "no answer after 5 attempts"));
    progress.on(&used(event(10, "implement progress", "1 of 3 tasks done"), 900, None));
    drawn(
        &progress,
        &terminal,
        expect![[r#"
              ✓ T2     8.0 s  Do T2 · 2 files
              ✗ T3     8.0 s  Do T3 · the model gave up: no answer after
                              5 attempts
            ⠋ implement  1 m 20 s  1 of 3 tasks done
              ⠋ T1  1 m 19 s  Do T1 · editing src/a.rs
              900 tokens
        "#]],
    );
    progress.on(&event(75, "implement cancelled", "T2 written (2 files)"));
    progress.finish();
    drawn(
        &progress,
        &terminal,
        expect![[r#"
              ✓ T2     8.0 s  Do T2 · 2 files
              ✗ T3     8.0 s  Do T3 · the model gave up: no answer after
                              5 attempts
            – implement  1 m 15 s  T2 written (2 files)
        "#]],
    );
}

#[test]
fn a_pause_leaves_the_terminal_alone_and_loses_nothing() {
    let (progress, terminal) = live(5);
    progress.on(&event(0, "plan started", "thinking"));
    let pause = progress.pause();
    assert_eq!(terminal.contents(), "");
    progress.on(&event(3, "plan waiting", "for approval"));
    progress.on(&event(4, "plan done", "3 tasks"));
    progress.on(&event(5, "implement started", ""));
    assert_eq!(terminal.contents(), "");
    drop(pause);
    drawn(
        &progress,
        &terminal,
        expect![[r#"
        ✓ plan          4.0 s  3 tasks
        ⠋ implement       0 s
    "#]],
    );
    assert_eq!(progress.suspend(|| terminal.contents()), "✓ plan          4.0 s  3 tasks");
}

#[test]
fn the_end_of_a_run_takes_everything_down() {
    let (progress, terminal) = live(5);
    progress.on(&used(event(0, "review started", "reading the diff"), 10, Some(0.5)));
    progress.on(&used(event(61, "workflow done", "Approved."), 10, Some(0.5)));
    drawn(
        &progress,
        &terminal,
        expect![[r#"
            ✓ baton   1 m 1 s  Approved.
        "#]],
    );
}

#[test]
fn nothing_an_event_says_drives_the_terminal() {
    let (progress, terminal) = live(5);
    progress.on(&event(0, "context started", "a\u{1b}[2Jb\nc\u{7}"));
    progress.on(&event(1, "context/T\u{1b}[1A1 done", "d\r\u{1b}]0;title\u{7}e"));
    drawn(
        &progress,
        &terminal,
        expect![[r#"
          ✓ T1     0.0 s  d e
        ⠋ context         5 s  ab c
    "#]],
    );
}

#[test]
fn a_log_has_a_line_for_each_beginning_and_end() {
    logged(
        &[
            event(0, "workflow started", "Anthropic API, key from ANTHROPIC_API_KEY"),
            event(0, "context started", ""),
            used(event(12, "context done", "8 files"), 18_200, Some(0.042)),
            event(13, "plan waiting", "approve with `baton approve`"),
            event(70, "implement/T1 started", "Add the flag"),
            event(72, "implement/T1 done", ""),
            failed(73, "review failed", "the review failed", "no answer\u{1b}[1m after 5 attempts"),
            event(74, "workflow cancelled", "Stopped in review."),
        ],
        expect![[r#"
            [     0 s] workflow started: Anthropic API, key from ANTHROPIC_API_KEY
            [     0 s] context started
            [    12 s] context done: 8 files (18.2k tokens · $0.042)
            [    13 s] plan waiting: approve with `baton approve`
            [1 m 10 s] implement T1 started: Add the flag
            [1 m 12 s] implement T1 done
            [1 m 13 s] review failed: the review failed: no answer after 5 attempts
            [1 m 14 s] workflow cancelled: Stopped in review.
        "#]],
    );
}

#[test]
fn a_log_tells_of_progress_only_what_is_worth_a_line() {
    logged(
        &[
            event(0, "context started", ""),
            event(1, "context progress", "reading a.rs"),
            failed(2, "context progress", "Some API: overloaded (529); waiting 2 s, try 2", "overloaded (529)"),
            failed(3, "context progress", "Some API: overloaded (529); waiting 1 s, try 2", "overloaded (529)"),
            event(4, "context progress", "asking Some API again, try 2"),
            failed(5, "context progress", "Some API: overloaded (529); waiting 1 s, try 3", "overloaded (529)"),
            event(6, "context progress", "reading b.rs"),
            event(20, "context progress", "reading c.rs"),
            event(20, "context progress", "reading d.rs"),
            event(20, "implement/T1 started", "Fix"),
            event(20, "implement/T1 progress", "editing a.rs"),
            event(21, "implement/T1 progress", "wrote a.rs"),
            event(22, "workflow progress", "no checkpoint: not a git repository"),
            event(23, "implement progress", "check test: running"),
            event(24, "implement progress", "check lint: running"),
        ],
        expect![[r#"
            [     0 s] context started
            [     2 s] context: Some API: overloaded (529); waiting 2 s, try 2
            [     5 s] context: Some API: overloaded (529); waiting 1 s, try 3
            [    20 s] context: reading c.rs
            [    20 s] implement T1 started: Fix
            [    21 s] implement T1: wrote a.rs
            [    22 s] workflow: no checkpoint: not a git repository
            [    23 s] implement: check test: running
            [    24 s] implement: check lint: running
        "#]],
    );
}

#[test]
fn a_narrow_terminal_has_what_is_said_below_and_a_mark_where_it_ends() {
    let (progress, terminal) = live_with(0, 40, &[]);
    progress.on(&event(0, "implement started", "Implementing 2 tasks"));
    progress.on(&event(0, "implement/T1 started", "Trim the name that was given"));
    progress.on(&event(0, "implement/T2 started", "Greet with the name that was given, and nobody without"));
    let waits = "Anthropic API: rate limit (429); waiting 8 s, try 2";
    progress.on(&failed(0, "implement/T1 progress", waits, "rate limit (429)"));
    drawn(
        &progress,
        &terminal,
        expect![[r#"
            ⠋ implement       0 s
                Implementing 2 tasks
              ⠋ T1       0 s
                  Anthropic API: rate limit (429);…
              ⠋ T2       0 s
                  Greet with the name that was…
        "#]],
    );
    progress.on(&failed(0, "implement/T1 failed", "the model gave up", "no answer after 5 attempts"));
    progress.on(&event(0, "implement/T2 done", "2 files"));
    progress.on(&event(0, "implement done", ""));
    drawn(
        &progress,
        &terminal,
        expect![[r#"
              ✗ T1     0.0 s  Trim the name that was
                  given · the model gave up: no
                  answer after 5 attempts
              ✓ T2     0.0 s  Greet with the name
                  that was given, and nobody without
                  · 2 files
            ✓ implement     0.0 s
        "#]],
    );
}

#[test]
fn what_was_told_and_a_second_attempt_keep_their_lines() {
    let events = [
        event(0, "plan started", ""),
        event(1, "plan progress", "told plan: Keep it small."),
        event(2, "plan done", "1 task"),
        event(2, "implement started", "Implementing 1 task"),
        event(3, "implement/T1 started", "told to trim"),
        event(4, "implement/T1 progress", "editing a.rs"),
        event(5, "implement/T1 progress", "told T1: Use tabs,\u{1b}[2J not spaces."),
        event(6, "implement/T1 progress", "second attempt by the balanced tier (a:b): failed"),
        event(7, "implement/T1 progress", "thinking"),
    ];
    let (progress, terminal) = live(8);
    events.iter().for_each(|event| progress.on(event));
    drawn(
        &progress,
        &terminal,
        expect![[r#"
            told plan: Keep it small.
            ✓ plan          2.0 s  1 task
              told T1: Use tabs, not spaces.
              T1: second attempt by the balanced tier (a:b): failed
            ⠋ implement       6 s  Implementing 1 task
              ⠋ T1       5 s  told to trim · thinking
        "#]],
    );
    logged(
        &events,
        expect![[r#"
            [     0 s] plan started
            [     1 s] plan: told plan: Keep it small.
            [     2 s] plan done: 1 task
            [     2 s] implement started: Implementing 1 task
            [     3 s] implement T1 started: told to trim
            [     5 s] implement T1: told T1: Use tabs, not spaces.
            [     6 s] implement T1: second attempt by the balanced tier (a:b): failed
        "#]],
    );
}
