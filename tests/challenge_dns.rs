//! The DNS that Debian has beside Pebble: every name leads to this machine, and texts are what it is told.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::ports::free_port;

pub struct ChallengeDns {
    child: Child,
    /// Where it answers.
    pub at: SocketAddr,
    /// Where it is told.
    pub management: SocketAddr,
}

impl ChallengeDns {
    pub fn start() -> Self {
        let [at, management] =
            [free_port(), free_port()].map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let mut command = Command::new("pebble-challtestsrv");
        command.args(["-dns01", &at.to_string(), "-management", &management.to_string(), "-defaultIPv6", ""]);
        for other in ["-http01", "-https01", "-tlsalpn01"] {
            command.args([other, ""]);
        }
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut dns = Self { child, at, management };
        while [at, management].iter().any(|address| TcpStream::connect(address).is_err()) {
            assert_eq!(dns.child.try_wait().unwrap(), None, "the DNS server ended");
            std::thread::sleep(Duration::from_millis(20));
        }
        dns
    }
}

impl Drop for ChallengeDns {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _waited = self.child.wait();
    }
}
