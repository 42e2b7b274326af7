//! The server's program, from its start to its end by SIGTERM.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::ports::free_port;

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _waited = self.0.wait();
    }
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(60), "still not: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Reads until this is there.
fn read_until(connection: &mut TcpStream, end: &str) -> String {
    let mut said = Vec::new();
    let mut byte = [0];
    while !said.ends_with(end.as_bytes()) {
        connection.read_exact(&mut byte).unwrap();
        said.push(byte[0]);
    }
    String::from_utf8(said).unwrap()
}

#[test]
fn sigterm_lets_a_request_under_way_end_and_the_log_is_json() {
    let folder = tempfile::tempdir().unwrap();
    let api: SocketAddr = (Ipv4Addr::LOCALHOST, free_port()).into();
    let reports: SocketAddr = (Ipv4Addr::LOCALHOST, free_port()).into();
    let (data, log) = (folder.path().join("data"), folder.path().join("log"));
    let file = std::fs::File::create(&log).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_wpaas-server"))
        .args(["--backend", "simulated", "--log-format", "json"])
        .args(["--listen", &api.to_string(), "--report-listen", &reports.to_string()])
        .arg("--data")
        .arg(&data)
        .stdout(file.try_clone().unwrap())
        .stderr(Stdio::from(file))
        .spawn()
        .unwrap();
    let mut server = Ended(child);
    until("it listens", || TcpStream::connect(api).is_ok());
    let token = data.join("operator-token");
    let operator = std::fs::read_to_string(&token).unwrap();

    // Under way: the server has read what comes before the body, and asks for that.
    let body = r#"{"name": "Acme", "email": "acme@example.com", "password": "correct horse battery"}"#;
    let mut connection = TcpStream::connect(api).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    write!(
        connection,
        "POST /customers HTTP/1.1\r\nHost: {api}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        operator.trim(),
        body.len()
    )
    .unwrap();
    assert!(read_until(&mut connection, "\r\n\r\n").starts_with("HTTP/1.1 100 "));
    let term = Command::new("kill").args(["-TERM", &server.0.id().to_string()]).status().unwrap();
    assert!(term.success());
    until("it takes no more", || TcpStream::connect(api).is_err());
    connection.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let (head, made) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 201 "), "{answer}");
    let made: Value = serde_json::from_str(made).unwrap();
    assert_eq!(made["cid"], "acm");
    let ended = server.0.wait().unwrap();
    assert_eq!(ended.code(), Some(0), "{ended}");

    let log = std::fs::read_to_string(log).unwrap();
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(line["timestamp"].is_string() && line["level"].is_string(), "{line}");
    }
    for what in [token.to_str().unwrap(), "NOTHING REAL RUNS"] {
        assert!(log.contains(what), "{what} is not in\n{log}");
    }
}
