//! What the language server costs before it does anything, and how soon it says where things stand when it does much.
//!
//! `cargo bench --bench language_server` prints: the time from the start of the process until `initialize` is answered,
//! the resident memory of a server that has nothing to do, how long `baton.status` takes while 16 tasks run, and what 2,000
//! issues cost: until they are shown, at every move of the cursor, and at a keystroke above them. With
//! `BATON_BENCH_OTHER="ruff server"`, or the command of any other language server, the first two are measured of both, in
//! turns, on the same folder: `BATON_BENCH_FOLDER`, or an empty one.

#![allow(clippy::disallowed_methods, reason = "a bench makes the files it measures with")]
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints, and stops at the first surprise")]

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
#[path = "../../../tests/e2e/support/mod.rs"]
mod support;

fn main() {
    #[cfg(target_os = "linux")]
    linux::measure();
    #[cfg(not(target_os = "linux"))]
    println!("the memory of a process is measured on Linux only");
}
