//! The sandbox of checks, driven by `baton __sandbox job`.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot continue fails")]
#![expect(clippy::print_stdout, reason = "a test that shows nothing here says so")]

mod attacks;
mod bad_input;
mod bwrap;
mod ignored;
mod kernel;
mod lab;
mod levels;
mod projects;
mod view;
