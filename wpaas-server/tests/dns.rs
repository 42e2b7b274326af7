//! The DNS server, as `dig` and `kdig` see it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use wpaas_core::fleet::Zone;

#[path = "../../tests/ports.rs"]
mod ports;

/// Whether there is `dig` and `kdig`, which `scripts/test` installs and demands.
fn has_tools() -> bool {
    let there = |tool: &str| {
        Command::new(tool).arg("-v").output().is_ok() || Command::new(tool).arg("-V").output().is_ok()
    };
    let found = there("dig") && there("kdig");
    assert!(
        found || std::env::var("WPAAS_TEST_DIG").as_deref() != Ok("1"),
        "WPAAS_TEST_DIG=1, and no dig or kdig"
    );
    if !found {
        println!("skipped: no dig or kdig (packages bind9-dnsutils, knot-dnsutils)");
    }
    found
}

struct Dns {
    child: Child,
    port: u16,
    zone: PathBuf,
    folder: tempfile::TempDir,
}

impl Dns {
    fn start(zone: &str) -> Self {
        let folder = tempfile::TempDir::new().unwrap();
        let port = ports::free_port();
        let file = folder.path().join("zone");
        std::fs::write(&file, zone).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_wpaas-server"))
            .args(["dns", "--dns-listen", &format!("127.0.0.1:{port}"), "--dns-zone"])
            .arg(&file)
            .stdout(log.try_clone().unwrap())
            .stderr(Stdio::from(log))
            .spawn()
            .unwrap();
        let dns = Self { child, port, zone: file, folder };
        dns.until("it answers", |dns| dns.dig(&["+short", "www.example.com", "SOA"]).contains("hostmaster"));
        dns
    }

    fn ask(&self, tool: &str, question: &[&str]) -> String {
        let output = Command::new(tool)
            .args(["@127.0.0.1", "-p", &self.port.to_string()])
            .args(question)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn dig(&self, question: &[&str]) -> String {
        self.ask("dig", &[&["+time=2", "+tries=1", "+norecurse"], question].concat())
    }

    fn kdig(&self, question: &[&str]) -> String {
        self.ask("kdig", &[&["+time=2", "+retry=0", "+norec"], question].concat())
    }

    fn replace(&self, text: &str) {
        let new = self.folder.path().join("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, &self.zone).unwrap();
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !holds(self) {
            assert!(began.elapsed() < Duration::from_secs(30), "still not: {what}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn zone(records: &[(&str, [u8; 4])]) -> Zone {
    let records: BTreeMap<_, _> =
        records.iter().map(|(name, ip)| (name.parse().unwrap(), IpAddr::from(*ip))).collect();
    Zone {
        origin: "www.example.com".parse().unwrap(),
        server: IpAddr::from([192, 0, 2, 53]),
        records,
        texts: BTreeMap::new(),
    }
}

const BLOG: (&str, [u8; 4]) = ("blog.acm.www.example.com", [10, 208, 0, 2]);
const PREVIEW: (&str, [u8; 4]) = ("preview.blog.acm.www.example.com", [10, 208, 0, 2]);

/// The line of a record, its white space made one.
fn lines(answer: &str) -> Vec<String> {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    answer.lines().map(words).collect()
}

#[track_caller]
fn has(answer: &str, expected: &str) {
    assert!(lines(answer).iter().any(|line| line.contains(expected)), "{expected:?} is not in\n{answer}");
}

#[test]
fn names_are_answered_with_authority_and_what_is_not_there_is_said_so() {
    if !has_tools() {
        return;
    }
    let dns = Dns::start(&zone(&[BLOG, PREVIEW]).file(7));
    for transport in ["+notcp", "+tcp"] {
        for name in [BLOG.0, PREVIEW.0] {
            let answer = dns.dig(&[transport, name, "A"]);
            has(&answer, "status: NOERROR");
            has(&answer, "flags: qr aa");
            has(&answer, &format!("{name}. 60 IN A 10.208.0.2"));
        }
        // Not there: with the SOA, whose last number is how long that may be believed.
        let answer = dns.dig(&[transport, "nobody.acm.www.example.com", "A"]);
        has(&answer, "status: NXDOMAIN");
        has(&answer, "flags: qr aa");
        has(
            &answer,
            "www.example.com. 5 IN SOA ns.www.example.com. hostmaster.www.example.com. 7 3600 600 604800 5",
        );
    }
    // There, but nothing of that kind; and a name that only has names below it.
    for (name, kind) in [(BLOG.0, "AAAA"), (BLOG.0, "TXT"), ("acm.www.example.com", "A")] {
        let answer = dns.dig(&[name, kind]);
        has(&answer, "status: NOERROR");
        has(&answer, "ANSWER: 0, AUTHORITY: 1");
        has(&answer, "IN SOA ns.www.example.com.");
    }
    has(&dns.dig(&["www.example.com", "NS"]), "www.example.com. 60 IN NS ns.www.example.com.");
    has(&dns.dig(&["ns.www.example.com", "A"]), "ns.www.example.com. 60 IN A 192.0.2.53");
    // Whatever the case, and the question is repeated as it was asked.
    let answer = dns.dig(&["BLOG.aCm.WWW.example.COM", "A"]);
    has(&answer, "10.208.0.2");
    has(&answer, ";BLOG.aCm.WWW.example.COM.");
    // Of other zones it knows nothing, and it hands its own to nobody.
    has(&dns.dig(&["www.example.org", "A"]), "status: REFUSED");
    assert!(!dns.dig(&["www.example.com", "AXFR"]).contains("blog"), "a transfer is refused");
    // EDNS: a version from the future is told so.
    has(&dns.dig(&["+edns=1", "+noednsnegotiation", BLOG.0, "A"]), "BADVERS");
    has(&dns.dig(&["+bufsize=1232", BLOG.0, "A"]), "EDNS: version: 0");
    // Another program's eyes.
    let answer = dns.kdig(&[BLOG.0, "A"]);
    has(&answer, "status: NOERROR");
    has(&answer, "Flags: qr aa;");
    has(&answer, "blog.acm.www.example.com. 60 IN A 10.208.0.2");
    has(&dns.kdig(&["+tcp", "nobody.www.example.com", "A"]), "status: NXDOMAIN");
    let soa = "www.example.com. 5 IN SOA ns.www.example.com. hostmaster.www.example.com. 7 3600 600 604800 5";
    has(&dns.dig(&["www.example.com", "SOA"]), soa);
    has(&dns.kdig(&["www.example.com", "SOA"]), soa);
    has(&dns.kdig(&["www.example.com", "NS"]), "www.example.com. 60 IN NS ns.www.example.com.");
}

#[test]
fn a_broken_zone_is_not_taken_and_a_large_answer_is_cut_over_udp_alone() {
    if !has_tools() {
        return;
    }
    let first = zone(&[BLOG]).file(7);
    let dns = Dns::start(&first);
    let serves = |dns: &Dns, serial: &str| {
        dns.dig(&["+short", "www.example.com", "SOA"]).contains(&format!(" {serial} "))
    };
    assert!(serves(&dns, "7"));
    for (broken, said) in [
        (first.replace("; end\n", ""), "has no end"),
        ("no zone\n; end\n".to_owned(), "is refused"),
        (first.replace("IN A 10.208.0.2", "IN A not-an-address").replace(" 7 ", " 8 "), "is refused"),
        ("$ORIGIN www.example.com.\nblog 60 IN A 10.0.0.1\n; end\n".to_owned(), "is refused"),
    ] {
        let before = dns.log().matches(said).count();
        dns.replace(&broken);
        dns.until("it has looked at the broken file", |dns| dns.log().matches(said).count() > before);
        assert!(serves(&dns, "7"), "the last good one is served on: {broken}");
        assert!(dns.dig(&["+short", BLOG.0, "A"]).contains("10.208.0.2"));
    }
    std::fs::remove_file(&dns.zone).unwrap();
    dns.until("it has seen that the file is gone", |dns| dns.log().contains("can't be read"));
    assert!(serves(&dns, "7"));

    let mut large = zone(&[PREVIEW]).file(9).replace("; end\n", "");
    for n in 0..60 {
        let _infallible = writeln!(large, "large IN A 10.0.0.{n}");
    }
    large.push_str("; end\n");
    dns.replace(&large);
    dns.until("the next zone is served", |dns| serves(dns, "9"));
    // Its own record is gone; that names are below it is still so.
    let answer = dns.dig(&[BLOG.0, "A"]);
    has(&answer, "status: NOERROR");
    has(&answer, "ANSWER: 0, AUTHORITY: 1");
    let cut = dns.dig(&["+noedns", "+ignore", "large.www.example.com", "A"]);
    has(&cut, "flags: qr aa tc");
    let whole = |answer: &str| answer.lines().filter(|line| line.contains("10.0.0.")).count();
    assert_eq!(whole(&dns.dig(&["+noedns", "large.www.example.com", "A"])), 60, "asked again over TCP");
    assert_eq!(whole(&dns.dig(&["+bufsize=4096", "+notcp", "large.www.example.com", "A"])), 60);
}

#[test]
fn an_address_in_use_is_said() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_wpaas-server"))
        .args(["dns", "--dns-listen", &address, "--dns-zone"])
        .arg(Path::new("/nowhere"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains(&address) && said.contains("--dns-listen"), "{said}");
}
