//! Ports for processes that a test starts.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below those that the system gives to connections (from 32768 on Linux): no client of another test sits on one, not
/// even while the process is dead that is to have it again.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;
/// Two processes with numbers near each other begin this far from each other.
const STEP: u16 = 120;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A port of 127.0.0.1 that nothing has, for TCP and UDP; no other call in this process gets it. Two processes begin
/// at different ones.
pub fn free_port() -> u16 {
    let begin = u16::try_from(std::process::id() % u32::from(COUNT / STEP)).unwrap_or(0) * STEP;
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        assert!(step < COUNT, "no port is free from {FIRST} on");
        let port = FIRST + (begin + step) % COUNT;
        let at = (Ipv4Addr::LOCALHOST, port);
        if TcpListener::bind(at).is_ok() && UdpSocket::bind(at).is_ok() {
            return port;
        }
    }
}
