//! Ports of this machine that nothing listens at.

use std::net::TcpListener;
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the ports that systems lend to whoever asks for any, so that none of these is lent before it is used.
const PORTS: std::ops::Range<u16> = 10_000..30_000;

/// A port that nothing listens at, and that no other test of this process is given.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let all = u32::from(PORTS.end - PORTS.start);
    // Test programs at work at the same time begin at different ones.
    let first = process::id().wrapping_mul(97) % all;
    loop {
        let next = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = PORTS.start + u16::try_from((first + next) % all).expect("below the number of ports");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
