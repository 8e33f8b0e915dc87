//! Waits with a limit for what has no wait of its own: the end of a process, and the state of files.

use std::process::{Child, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits for what must come; long, since it matters only when the test fails.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How long what is done promptly may take on a busy machine. What it would take if it were waited for is minutes.
pub const PROMPTLY: Duration = Duration::from_secs(10);

/// The status of a process once it has ended; `None` when it has not within the limit.
pub fn wait_for_exit(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().expect("a child process") {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(5));
    }
    None
}

/// Wait until this is so, as soon as can be seen; fails the test, naming what was waited for, when it does not come.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + 2 * PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(Duration::from_micros(500));
    }
}
