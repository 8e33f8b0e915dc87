//! What a person at a terminal sees of workers.

use std::time::{Duration, Instant};

use crate::support::broker::BUS_KEY;
use crate::support::messages_api::Script;
use crate::support::replies::{but, completed, edits, own, workspace};
use crate::support::session::{Running, Session};
use crate::support::terminal::Terminal;
use crate::support::wait::{PATIENCE, wait_until};
use crate::workers::Lab;

const WIDTHS: [u16; 2] = [40, 120];

fn lab(thinking: Duration) -> Option<Lab> {
    let edit = edits("src/t1.rs", "    0\n", "    1\n").after(thinking);
    let script = Script::new().on("implement/T1", [edit, completed(&["src/t1.rs"])]);
    Lab::new(Session::new(&workspace(1)), but(script, &[&[own("T1")]]), 1)
}

/// Start the run at a terminal.
fn start(lab: &Lab, terminal: &mut Terminal) -> Running {
    let url = lab.coordinator.link.url();
    let args = ["run", "--dispatch", &url, "--auto-approve", "--task", "Do it"];
    let baton = lab.coordinator.session.baton(args).api(&lab.unused);
    terminal.start(baton.env("BATON_BUS_KEY", BUS_KEY).env("BATON_ACK_WAIT", "2s"))
}

/// All that the screen shows and has shown, without blank lines at its end.
fn screen(terminal: &Terminal, columns: u16) -> String {
    let mut screen = vt100::Parser::new(300, columns, 0);
    screen.process(&terminal.shown());
    screen.screen().contents().trim_end().to_owned()
}

/// The same as one line: where words are wrapped does not matter.
fn words(terminal: &Terminal, columns: u16) -> String {
    screen(terminal, columns).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Wait for the end of the run, and until the terminal was read to its end.
fn end(running: Running, terminal: &mut Terminal) {
    running.wait().expect(0);
    terminal.shown_at_end();
}

#[test]
fn a_screen_says_whose_models_work_and_at_which_worker() {
    for columns in WIDTHS {
        let Some(lab) = lab(Duration::from_secs(3)) else { return };
        let mut terminal = Terminal::of_columns(columns);
        let running = start(&lab, &mut terminal);
        lab.api.wait_for_request("implement/T1");
        wait_until("the worker to be named", || words(&terminal, columns).contains("at worker"));
        end(running, &mut terminal);
        let shown = screen(&terminal, columns);
        let words = words(&terminal, columns);
        let first = words.split("context").next().unwrap_or_default();
        assert!(first.contains("worker ") && first.contains("at nats://127.0.0.1"), "{first}");
        assert!(words.contains("Approved by reading; no check ran."), "{shown}");
    }
}

#[test]
fn a_broker_that_is_away_is_told_of_once_and_the_run_goes_on() {
    for columns in WIDTHS {
        let Some(mut lab) = lab(Duration::from_secs(3)) else { return };
        let mut terminal = Terminal::of_columns(columns);
        let running = start(&lab, &mut terminal);
        lab.api.wait_for_request("implement/T1");
        lab.broker.kill();
        wait_until("the fault to be told", || words(&terminal, columns).contains("trying again"));
        // It could be told a second time at each try.
        let tries = lab.coordinator.link.turned_away();
        wait_until("the run to try again", || lab.coordinator.link.turned_away() > tries + 1);
        lab.broker.restart();
        end(running, &mut terminal);
        let words = words(&terminal, columns);
        assert_eq!(words.matches("trying again").count(), 1, "{words}");
    }
}

#[test]
fn that_no_worker_takes_the_work_is_told_on_a_line_and_the_run_goes_on_once_one_does() {
    for columns in WIDTHS {
        let Some(mut lab) = lab(Duration::from_secs(2)) else { return };
        let mut terminal = Terminal::of_columns(columns);
        let running = start(&lab, &mut terminal);
        lab.api.wait_for_request("implement/T1");
        lab.fleet.workers[0].kill();
        let begun = Instant::now();
        while !words(&terminal, columns).contains("no worker has taken the work yet; start one: `baton worker --nats") {
            assert!(begun.elapsed() < 2 * PATIENCE, "it is not told:\n{}", screen(&terminal, columns));
            std::thread::sleep(Duration::from_millis(100));
        }
        lab.fleet.workers[0].start();
        end(running, &mut terminal);
        assert_eq!(words(&terminal, columns).matches("no worker has taken").count(), 1);
    }
}
