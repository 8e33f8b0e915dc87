//! The sandbox of checks, driven by `baton __sandbox job`.

mod attacks;
mod bad_input;
mod lab;
mod projects;
mod view;
