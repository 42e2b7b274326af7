use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::IpAddr;

use jiff::Timestamp;

use crate::name::Hostname;

/// Seconds that a resolver keeps an answer: an address changes only when a site moves.
const TTL: u32 = 60;
/// Seconds that it keeps the answer that a name is not there, so that a new site is found soon.
const NEGATIVE_TTL: u32 = 5;

/// The zone below which sites have their names, as a DNS server reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// Its top, such as `www.example.com`.
    pub origin: Hostname,
    /// Where its name server answers, as the world sees it.
    pub server: IpAddr,
    /// What the names in it lead to. A name outside is left out.
    pub records: BTreeMap<Hostname, IpAddr>,
    /// Texts in it, by their whole name. A name outside is left out, as is a text that would need quoting.
    pub texts: BTreeMap<String, BTreeSet<String>>,
}

impl Zone {
    /// The master file of this serial. The last line is `; end`: a file without was caught half written.
    #[must_use]
    pub fn file(&self, serial: u32) -> String {
        let Self { origin, server, records, texts } = self;
        let mut file = format!(
            "$ORIGIN {origin}.\n$TTL {TTL}\n\
             @ {NEGATIVE_TTL} IN SOA ns.{origin}. hostmaster.{origin}. {serial} 3600 600 604800 {NEGATIVE_TTL}\n\
             @ IN NS ns.{origin}.\n"
        );
        let _infallible = writeln!(file, "{}", record(&format!("ns.{origin}"), *server));
        let inside = |name: &str| name.strip_suffix(origin.as_str()).is_some_and(|rest| rest.ends_with('.'));
        for (name, to) in records.iter().filter(|(name, _)| inside(name.as_str())) {
            let _infallible = writeln!(file, "{}", record(name.as_str(), *to));
        }
        let plain =
            |text: &&String| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_=".contains(&byte));
        for (name, texts) in texts.iter().filter(|(name, _)| inside(name)) {
            for text in texts.iter().filter(plain) {
                let _infallible = writeln!(file, "{name}. {NEGATIVE_TTL} IN TXT \"{text}\"");
            }
        }
        file.push_str("; end\n");
        file
    }
}

fn record(name: &str, to: IpAddr) -> String {
    let kind = if to.is_ipv4() { "A" } else { "AAAA" };
    format!("{name}. IN {kind} {to}")
}

/// The serial of a zone's file that was written here before.
#[must_use]
pub fn serial_of(file: &str) -> Option<u32> {
    let soa = file.lines().find(|line| line.contains(" SOA "))?;
    soa.split_whitespace().nth(6)?.parse().ok()
}

/// A serial after the one before: the time in seconds, or one more, should the clock be behind.
#[must_use]
pub fn next_serial(before: Option<u32>, now: Timestamp) -> u32 {
    // RFC 1982's arithmetic wraps, and so do the seconds since 1970, in 2106.
    let now = u32::try_from(now.as_second() & i64::from(u32::MAX)).unwrap_or(0);
    match before {
        Some(before) if now.wrapping_sub(before).wrapping_sub(1) >= 1 << 31 => before.wrapping_add(1),
        _ => now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_zone_has_an_authority_and_the_names_below_it() {
        let records = [
            ("blog.acm.www.example.com", [10, 0, 0, 2]),
            ("preview.blog.acm.www.example.com", [10, 0, 0, 2]),
            ("evil.example.org", [10, 0, 0, 3]),
            ("evilwww.example.com", [10, 0, 0, 3]),
        ];
        let texts = [
            ("_acme-challenge.acm.www.example.com", "gfj9Xq-_"),
            ("_acme-challenge.example.org", "gfj9Xq"),
            ("_acme-challenge.x.www.example.com", "a\" b"),
        ];
        let zone = Zone {
            origin: "www.example.com".parse().unwrap(),
            server: IpAddr::from([192, 0, 2, 1]),
            records: records.map(|(name, ip)| (name.parse().unwrap(), IpAddr::from(ip))).into(),
            texts: texts.map(|(name, text)| (name.to_owned(), [text.to_owned()].into())).into(),
        };
        let file = zone.file(7);
        assert_eq!(
            file,
            "$ORIGIN www.example.com.\n$TTL 60\n\
             @ 5 IN SOA ns.www.example.com. hostmaster.www.example.com. 7 3600 600 604800 5\n\
             @ IN NS ns.www.example.com.\nns.www.example.com. IN A 192.0.2.1\n\
             blog.acm.www.example.com. IN A 10.0.0.2\npreview.blog.acm.www.example.com. IN A 10.0.0.2\n\
             _acme-challenge.acm.www.example.com. 5 IN TXT \"gfj9Xq-_\"\n; end\n"
        );
        assert_eq!(serial_of(&file), Some(7));
        assert_eq!(serial_of("no zone"), None);
    }

    #[test]
    fn serials_grow_even_when_the_clock_goes_back() {
        assert_eq!(next_serial(None, at(1000)), 1000);
        assert_eq!(next_serial(Some(999), at(1000)), 1000);
        assert_eq!(next_serial(Some(1000), at(1000)), 1001);
        assert_eq!(next_serial(Some(5000), at(1000)), 5001);
        assert_eq!(next_serial(Some(u32::MAX), at(i64::from(u32::MAX))), 0);
    }
}
