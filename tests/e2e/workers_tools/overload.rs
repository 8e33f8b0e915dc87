//! The coordinator says when a worker may ask its model; without it workers go on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::support::broker::{Link, Trouble, Worker};
use crate::support::messages_api::{Fault, RecordedRequest, Reply, Script};
use crate::support::replies::{but, completed, edits, file_of, own, reads, workspace};
use crate::support::session::Session;
use crate::support::wait::PATIENCE;
use crate::workers::{ACK_WAIT, Lab};

/// How long each turn takes.
const TURN: Duration = Duration::from_millis(1500);

#[test]
fn without_a_coordinator_a_worker_goes_on_after_a_moment_of_silence() {
    let edit = edits("src/t1.rs", "    0\n", "    1\n").after(TURN);
    let script = but(Script::new().on("implement/T1", [edit, completed(&["src/t1.rs"])]), &[&[own("T1")]]);
    let Some(mut lab) = Lab::new(Session::new(&workspace(1)), script, 1) else { return };
    lab.coordinator.start();
    lab.api.wait_for_request("implement/T1");
    lab.coordinator.kill();
    lab.api.wait_for_answer("implement/T1");
    let answered = Instant::now();
    lab.api.wait_for_request(("implement/T1", 0, 1));
    let silence = answered.elapsed();
    assert!((Duration::from_secs(1)..Duration::from_secs(10)).contains(&silence), "{silence:?}");
    lab.coordinator.start();
    lab.ends_well();
    assert_eq!(lab.api.requests_of("implement/T1").len(), 2, "nothing is paid twice");
    assert!(lab.coordinator.session.text("src/t1.rs").contains("    1\n"));
}

/// What an answer of the model waits for.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn open(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }

    /// Waits until it is open. Whether it is: one that stays closed fails the test elsewhere.
    fn wait(&self) -> bool {
        let closed = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.1.wait_timeout_while(closed, 2 * PATIENCE, |is_open| !*is_open);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Two tasks at once, each two looks, an edit and its end, at two workers of one slot each. The first attempt at T1's third turn is
/// an overload, and comes while the first turn of T2 is under way: from then on one turn may be. `then` is asked for a reply first.
/// What goes between the run and its broker takes so long (`away`) each way.
fn two_at_once(
    away: Duration,
    then: impl Fn(&RecordedRequest) -> Option<Reply> + Send + Sync + 'static,
) -> Option<Lab> {
    let turns = |id: &str| {
        let file = file_of(id);
        [reads(&file), reads(&file), edits(&file, "    0\n", "    1\n"), completed(&[&file])]
    };
    let none = || Fault::SlowHeaders(Duration::ZERO);
    let both = Gate::default();
    let script = Script::new()
        .on("implement/T1", turns("T1"))
        .on("implement/T2", turns("T2"))
        .fault("implement/T1", [none(), none(), Fault::overloaded()])
        .by(move |request| {
            match (request.agent.as_str(), request.turn) {
                // T2 begins once T1 was answered for the first time.
                ("implement/T1", 1) => _ = both.wait(),
                ("implement/T2", 0) => both.open(),
                _ => {}
            }
            then(request)
        });
    let script = but(script, &[&[own("T1"), own("T2")]]);
    let mut lab = Lab::new(Session::new(&workspace(2)), script, 0)?;
    for number in 1..=2 {
        let link = Link::to(lab.broker.address(), number, Arc::clone(&lab.acks));
        let mut worker = Worker::new(link, &lab.api, 1, ACK_WAIT).env("BATON_RETRY_BASE", "20ms");
        worker.start();
        lab.fleet.workers.push(worker);
    }
    lab.coordinator.link.begin(Trouble::Delay(away));
    lab.coordinator.start();
    Some(lab)
}

fn wait_for_words(lab: &Lab, task: &str, words: &str) {
    lab.coordinator.wait_for(&format!("{task}: {words}"), |line| {
        line["task"] == task && line["message"].as_str().is_some_and(|message| message.contains(words))
    });
}

/// What people are told of a turn that waits.
const WAITS: &str = "is overloaded; waiting until fewer requests are under way";

#[test]
fn an_overload_at_one_worker_has_the_turns_of_another_wait() {
    overload(Duration::ZERO);
}

#[test]
fn so_it_does_where_what_is_signalled_comes_sooner_than_what_is_in_the_log() {
    // An answer in the log is asked for once it is heard of, and until then the next turn is.
    overload(Duration::from_millis(100));
}

fn overload(away: Duration) {
    let (first, again) = (Gate::default(), Gate::default());
    // Whether T1's second attempt was answered, and whether that was before the second turn of T2 was asked for.
    let (is_answered, has_waited) = (AtomicBool::new(false), Arc::new(AtomicBool::new(false)));
    // Whether both were under way at once after that.
    let (last, were_both) = (Gate::default(), Arc::new(AtomicBool::new(false)));
    let (held, waited, at_once) = ((first.clone(), again.clone()), Arc::clone(&has_waited), Arc::clone(&were_both));
    let lab = two_at_once(away, move |request| {
        match (request.agent.as_str(), request.turn) {
            ("implement/T1", 2) => {
                held.1.wait();
                is_answered.store(true, Ordering::SeqCst);
            }
            ("implement/T2", 0) => _ = held.0.wait(),
            ("implement/T1", 3) => at_once.store(last.wait(), Ordering::SeqCst),
            ("implement/T2", 2) => last.open(),
            ("implement/T2", 1) => waited.store(is_answered.load(Ordering::SeqCst), Ordering::SeqCst),
            _ => {}
        }
        None
    });
    let Some(mut lab) = lab else { return };
    wait_for_words(&lab, "T1", "overloaded (529)");
    wait_for_words(&lab, "T1", "again, try 2");
    // The one turn that may be under way is T1's, once that of T2 is answered.
    first.open();
    wait_for_words(&lab, "T2", WAITS);
    again.open();
    wait_for_words(&lab, "T2", "asking Anthropic API");
    lab.ends_well();
    assert!(has_waited.load(Ordering::SeqCst), "T2 was asked for its second turn while T1 was under way");
    assert!(were_both.load(Ordering::SeqCst), "an answer without an overload lets one more be under way");
    assert_eq!(lab.api.requests_of("implement/T2").len(), 4);
}

#[test]
fn a_worker_that_is_lost_in_a_turn_keeps_no_other_from_asking() {
    let is_stalled = AtomicBool::new(false);
    let lab = two_at_once(Duration::ZERO, move |request| {
        let stalls = (request.agent.as_str(), request.turn) == ("implement/T2", 0);
        let stalls = stalls && !is_stalled.swap(true, Ordering::SeqCst);
        stalls.then(|| Reply::text("too late").after(Duration::from_secs(600)))
    });
    let Some(mut lab) = lab else { return };
    wait_for_words(&lab, "T1", WAITS);
    let has_it = |number: &usize| lab.worker_log(*number).contains("implement/T2 of workflow");
    let at_work = (0..2).find(has_it).expect("a worker has it");
    lab.fleet.workers[at_work].kill();
    // The other one has T1, and no slot for T2 before T1 is done.
    lab.ends_well();
    for file in ["src/t1.rs", "src/t2.rs"] {
        assert!(lab.coordinator.session.text(file).contains("    1\n"), "{file}");
    }
}
