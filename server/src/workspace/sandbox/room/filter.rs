//! Whether system calls are filtered.

use std::io;
use std::os::unix::net::UnixStream;

use super::wire::{Fault, Report, send, step};

/// Has the kernel refuse what no check has a use for, and says it to baton where that cannot be: the rest holds without.
pub(super) fn refuse_calls(control: &mut UnixStream) -> Result<(), Fault> {
    match refuse() {
        Ok(()) => Ok(()),
        Err(error) => step("say what is not refused", send(control, &Report::Unfiltered(error.to_string()))),
    }
}

#[cfg(all(target_endian = "little", any(target_arch = "x86_64", target_arch = "aarch64")))]
fn refuse() -> io::Result<()> {
    super::calls::refuse()
}

#[cfg(not(all(target_endian = "little", any(target_arch = "x86_64", target_arch = "aarch64"))))]
fn refuse() -> io::Result<()> {
    Err(io::Error::other("there is no list of them for this processor"))
}
