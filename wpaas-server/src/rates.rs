//! How often one may ask: a principal at all, an address in vain or with a password. Each server counts for itself and
//! gives its part: with three that live, what is asked of one counts three times there, so that all of them together give
//! what is configured, and each its part of it at most. What protects an account, wrong passwords in a row, is counted for all servers by the service.

use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use wpaas_core::access::Actor;
use wpaas_core::claim::{Peers, servers};

use crate::config::LimitSettings;
use crate::problem::Problem;

mod address;

pub use address::{Address, Peer};

/// What is kept of those who ask more seldom than this costs nothing: it is forgotten.
const MANY: usize = 10_000;
/// How often they are forgotten.
const SWEEP: Duration = Duration::from_secs(1);

/// Counts who asks how often.
#[derive(Debug)]
pub struct Rates {
    principals: Option<Counter<String>>,
    addresses: Option<Counter<IpAddr>>,
    /// The other servers that live.
    others: Peers,
}

#[derive(Debug)]
struct Counter<K: Hash + Eq + Clone> {
    counts: DefaultKeyedRateLimiter<K>,
    burst: NonZeroU32,
    /// When those who ask seldom were last forgotten.
    swept: Mutex<Instant>,
}

impl Rates {
    /// As configured, for this server and these others together; 0 is no limit.
    #[must_use]
    pub fn new(settings: &LimitSettings, others: Peers) -> Self {
        let a_second = NonZeroU32::new(settings.principal_rate);
        let a_minute = NonZeroU32::new(settings.attempts_per_minute);
        Self {
            // A burst may take what four seconds give.
            principals: a_second
                .map(|rate| Counter::new(Quota::per_second(rate).allow_burst(rate.saturating_mul(FOUR)))),
            addresses: a_minute.map(|rate| Counter::new(Quota::per_minute(rate))),
            others,
        }
    }

    /// One more request of somebody who has signed in. The operator is not counted.
    ///
    /// # Errors
    ///
    /// 429.
    pub fn request(&self, actor: &Actor) -> Result<(), Problem> {
        let principal = match actor {
            Actor::Operator => return Ok(()),
            Actor::Customer(cid) => format!("customer/{cid}"),
            Actor::User { id, .. } => id.to_string(),
        };
        let waits = self.principals.as_ref().and_then(|counter| counter.one_more(&principal, self.servers()));
        let detail = "you send more requests than one may here; slow down";
        waits.map_or(Ok(()), |wait| Err(too_many("rate_limited", detail, wait)))
    }

    /// One more password, one more login that begins at a provider, or one more thing presented in vain, from this
    /// address.
    ///
    /// # Errors
    ///
    /// 429.
    pub fn attempt(&self, address: IpAddr) -> Result<(), Problem> {
        let place = place(address);
        let waits = self.addresses.as_ref().and_then(|counter| counter.one_more(&place, self.servers()));
        let detail = "too many attempts to sign in from your address; sign in once with POST /sessions, or use an API key";
        waits.map_or(Ok(()), |wait| Err(too_many("too_many_attempts", detail, wait)))
    }

    /// How many live.
    fn servers(&self) -> NonZeroU32 {
        servers(&self.others.borrow())
    }
}

const FOUR: NonZeroU32 = NonZeroU32::MIN.saturating_add(3);

impl<K: Hash + Eq + Clone> Counter<K> {
    fn new(quota: Quota) -> Self {
        Self {
            counts: RateLimiter::keyed(quota),
            burst: quota.burst_size(),
            swept: Mutex::new(Instant::now()),
        }
    }

    /// How long the key has to wait, if it asks too often of one of so many servers. Where there are more than a burst
    /// has, each still lets one through.
    fn one_more(&self, key: &K, servers: NonZeroU32) -> Option<Duration> {
        if self.counts.len() > MANY
            && let Ok(mut swept) = self.swept.try_lock()
            && swept.elapsed() >= SWEEP
        {
            // All of them are looked at: not for every one that comes.
            self.counts.retain_recent();
            *swept = Instant::now();
        }
        let refused = self.counts.check_key_n(key, servers.min(self.burst)).ok()?.err()?;
        Some(refused.wait_time_from(DefaultClock::default().now()))
    }
}

/// Whoever has one address of IPv6 has the 2^64 of its network: they count as one.
fn place(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(ip) => IpAddr::from((ip.to_bits() >> 64 << 64).to_be_bytes()),
    }
}

fn too_many(code: &'static str, detail: &str, wait: Duration) -> Problem {
    let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
    Problem::new(StatusCode::TOO_MANY_REQUESTS, code, detail).retry_after(seconds)
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;
    use wpaas_core::claim::{Member, ServerId};

    use super::*;
    use crate::config::{Flags, Settings};

    fn rates(principal_rate: u32, attempts_per_minute: u32) -> Rates {
        rates_beside(principal_rate, attempts_per_minute, 0).0
    }

    /// Of one server beside so many others, whose number can be changed.
    fn rates_beside(
        principal_rate: u32,
        attempts_per_minute: u32,
        others: usize,
    ) -> (Rates, watch::Sender<Vec<Member>>) {
        let limits = Settings::load(Flags::default()).unwrap().limits;
        let limits = LimitSettings { principal_rate, attempts_per_minute, ..limits };
        let (tell, peers) = watch::channel(vec![other(); others]);
        (Rates::new(&limits, peers), tell)
    }

    fn other() -> Member {
        Member { server: ServerId::random(), reports: None, until: jiff::Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn servers_give_together_what_one_would_give_alone() {
        let address = IpAddr::from([192, 0, 2, 1]);
        let given =
            |rates: &Rates, asked: usize| (0..asked).filter(|_| rates.attempt(address).is_ok()).count();
        for (limit, servers, expected) in [(6, 1, 6), (6, 2, 6), (6, 3, 6), (7, 3, 6), (2, 3, 3)] {
            let all: Vec<_> = (0..servers).map(|_| rates_beside(0, limit, servers - 1)).collect();
            let total: usize = all.iter().map(|(rates, _)| given(rates, 10)).sum();
            assert_eq!(total, expected, "{limit} at {servers} servers");
        }
        let (rates, peers) = rates_beside(0, 9, 0);
        assert_eq!(given(&rates, 3), 3, "alone it gives all");
        peers.send_replace(vec![other(); 2]);
        assert_eq!(given(&rates, 9), 2, "of the six that are left two are its part of three");
    }

    #[test]
    fn each_is_counted_apart_and_the_operator_is_not() {
        let rates = rates(1, 2);
        let customer = |cid: &str| Actor::Customer(cid.parse().unwrap());
        let refused = |actor: &Actor| (0..5).filter(|_| rates.request(actor).is_err()).count();
        assert_eq!(
            (refused(&customer("acm")), refused(&customer("blu")), refused(&Actor::Operator)),
            (1, 1, 0)
        );
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let attempts = |text| (0..3).filter(|_| rates.attempt(address(text)).is_err()).count();
        assert_eq!((attempts("192.0.2.1"), attempts("2001:db8::1")), (1, 1));
        assert_eq!((attempts("2001:db8::1:2:3:4"), attempts("2001:db8:0:1::1")), (3, 1), "a network is one");
        assert_eq!(rates.attempt(address("192.0.2.1")).unwrap_err().status(), StatusCode::TOO_MANY_REQUESTS);
    }

    #[test]
    fn zero_is_no_limit() {
        let rates = rates(0, 0);
        assert!((0..1000).all(|_| rates.attempt(IpAddr::from([192, 0, 2, 1])).is_ok()));
        assert!((0..1000).all(|_| rates.request(&Actor::Customer("acm".parse().unwrap())).is_ok()));
    }
}
