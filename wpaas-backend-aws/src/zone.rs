//! The sites' names in a hosted zone: what is to be there is compared with what is, and changed in batches, one at
//! a time, as Route 53 takes them. The zone is wpaas's own: A records that nobody wants are removed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;
use tokio::time::Instant;
use wpaas_core::converge::{BackendError, ErrorClass};
use wpaas_core::fleet::NameService;
use wpaas_core::name::Hostname;

use crate::cloud::{CloudError, Page, Record, RecordChange, TextRecord, Zone};

mod paced;

use paced::Paced;

/// How long a name's address may be kept by others, in seconds.
const TTL: u32 = 60;
/// Changes of one request: half of what Route 53 takes, as a changed record counts twice.
const BATCH: usize = 500;
/// Of the records there are, at most one part in this many is removed at once; few are, whatever their share.
const SHARE: usize = 5;
const FEW: usize = 10;
/// What nobody has wanted for so long is removed, however much it is: the address may be a stranger's by now.
const PATIENCE: Duration = Duration::from_secs(900);
/// How long a text may take to be with all servers of the zone: mostly that is within a minute.
const SPREADING: Duration = Duration::from_secs(120);
/// How often that is asked.
const PACE: Duration = Duration::from_secs(3);

/// Keeps one hosted zone.
#[derive(Debug, Clone)]
pub struct ZoneKeeper {
    zone: Arc<Paced>,
    /// The end of the names that are wpaas's: what is not below it is left alone.
    domain: String,
    /// One change at a time: Route 53 refuses a second. Whose turn it is knows the texts that were put there.
    turn: Arc<Mutex<BTreeMap<String, BTreeSet<String>>>>,
    /// The records that nobody wants, and since when that is seen.
    stale: Arc<Mutex<BTreeMap<String, Instant>>>,
}

impl ZoneKeeper {
    /// Of the names below this domain.
    #[must_use]
    pub fn new(zone: Arc<dyn Zone>, domain: &str) -> Self {
        let zone = Arc::new(Paced::new(zone));
        Self { zone, domain: domain.to_ascii_lowercase(), turn: Arc::default(), stale: Arc::default() }
    }

    /// From now on so many servers, this one among them, share what Route 53 allows the account.
    pub fn share(&self, servers: NonZeroU32) {
        self.zone.share(servers);
    }

    /// Puts a text into the TXT record of this name, and returns once all servers of the zone answer with it.
    ///
    /// # Errors
    ///
    /// What Route 53 says; transient, when the text is not everywhere within two minutes.
    pub async fn publish(&self, name: &str, text: &str) -> Result<(), BackendError> {
        let change = {
            let mut published = self.turn.lock().await;
            let mut texts = published.get(name).cloned().unwrap_or_default();
            texts.insert(text.to_owned());
            let record = TextRecord { name: name.to_owned(), texts: texts.clone(), ttl: TTL };
            let change = self.zone.change(&[RecordChange::UpsertTexts(record)]).await;
            let change = change.map_err(|error| error.because("changing the zone"))?;
            published.insert(name.to_owned(), texts);
            change
        };
        for _ in 0..SPREADING.as_secs() / PACE.as_secs() {
            tokio::time::sleep(PACE).await;
            match self.zone.in_sync(&change).await {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) if matches!(error.class(), ErrorClass::Throttled { .. }) => {}
                Err(error) => return Err(error.because("asking about the zone")),
            }
        }
        let late = format!("the text of {name} is not with all servers of the zone after {SPREADING:?}");
        Err(BackendError::new(ErrorClass::Transient, late))
    }

    /// Takes a text away that was put there.
    ///
    /// # Errors
    ///
    /// What Route 53 says; the text stays, then, until the next one of that name.
    pub async fn withdraw(&self, name: &str, text: &str) -> Result<(), BackendError> {
        let mut published = self.turn.lock().await;
        let Some(there) = published.remove(name) else { return Ok(()) };
        let record =
            |texts: &BTreeSet<String>| TextRecord { name: name.to_owned(), texts: texts.clone(), ttl: TTL };
        let mut left = there.clone();
        left.remove(text);
        let change = if left.is_empty() {
            RecordChange::DeleteTexts(record(&there))
        } else {
            let change = RecordChange::UpsertTexts(record(&left));
            published.insert(name.to_owned(), left);
            change
        };
        self.zone.change(&[change]).await.map(drop).map_err(|error| error.because("changing the zone"))
    }

    /// The records that are wpaas's.
    async fn ours(&self) -> Result<BTreeMap<String, Record>, BackendError> {
        let found = self.records().await.map_err(|error| error.because("reading the zone"))?;
        let ours = found.into_iter().filter(|record| is_below(&record.name, &self.domain));
        Ok(ours.map(|record| (record.name.clone(), record)).collect())
    }

    async fn records(&self) -> Result<Vec<Record>, CloudError> {
        let (mut records, mut at) = (Vec::new(), None);
        loop {
            let Page { items, unreadable: _, next } = self.zone.records(at.as_deref()).await?;
            records.extend(items);
            if next.is_none() {
                return Ok(records);
            }
            at = next;
        }
    }
}

#[async_trait]
impl NameService for ZoneKeeper {
    async fn keep(&self, records: &BTreeMap<Hostname, IpAddr>) -> Result<usize, BackendError> {
        let _turn = self.turn.lock().await;
        let (ours, wanted) = (self.ours().await?, of_v4(records, &self.domain));
        let mut changes = lacking(&ours, &wanted);
        changes.extend(removals(&ours, &wanted, &mut *self.stale.lock().await, Instant::now()));
        for batch in changes.chunks(BATCH) {
            self.zone.change(batch).await.map_err(|error| error.because("changing the zone"))?;
        }
        Ok(changes.len())
    }

    async fn lacks(&self, records: &BTreeMap<Hostname, IpAddr>) -> Result<usize, BackendError> {
        Ok(lacking(&self.ours().await?, &of_v4(records, &self.domain)).len())
    }
}

fn is_below(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|host| host.ends_with('.'))
}

/// Elastic IPs are of IPv4.
fn of_v4(records: &BTreeMap<Hostname, IpAddr>, domain: &str) -> BTreeMap<String, Ipv4Addr> {
    let v4 = |(name, to): (&Hostname, &IpAddr)| match to {
        IpAddr::V4(to) if is_below(name.as_str(), domain) => Some((name.to_string(), *to)),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    };
    records.iter().filter_map(v4).collect()
}

/// What is not there as it is wanted.
fn lacking(ours: &BTreeMap<String, Record>, wanted: &BTreeMap<String, Ipv4Addr>) -> Vec<RecordChange> {
    let same =
        |name: &str, ip: Ipv4Addr| ours.get(name).is_some_and(|record| record.ip == ip && record.ttl == TTL);
    let lacking = wanted.iter().filter(|(name, ip)| !same(name, **ip));
    lacking.map(|(name, ip)| RecordChange::Upsert(Record { name: name.clone(), ip: *ip, ttl: TTL })).collect()
}

/// What is there and nobody wants. Of too much at once, only what nobody has wanted for long: at first it is likelier
/// that what is wanted was not read whole.
fn removals(
    ours: &BTreeMap<String, Record>,
    wanted: &BTreeMap<String, Ipv4Addr>,
    since: &mut BTreeMap<String, Instant>,
    now: Instant,
) -> Vec<RecordChange> {
    let stale: Vec<_> = ours.values().filter(|record| !wanted.contains_key(&record.name)).collect();
    let seen = |record: &&Record| (record.name.clone(), since.get(&record.name).copied().unwrap_or(now));
    *since = stale.iter().map(seen).collect();
    let many = stale.len() > FEW && stale.len() * SHARE > ours.len();
    if many {
        tracing::warn!(
            stale = stale.len(),
            of = ours.len(),
            "too many names would go at once; they stay a while"
        );
    }
    let is_due = |record: &&Record| !many || now - since[&record.name] >= PATIENCE;
    stale.into_iter().filter(is_due).map(|record| RecordChange::Delete(record.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Fault, Simulator};

    fn named(name: &str) -> Hostname {
        name.parse().unwrap()
    }

    fn wanted(range: std::ops::Range<u8>) -> BTreeMap<Hostname, IpAddr> {
        let ip = |n| IpAddr::from([203, 0, 113, n]);
        range.map(|n| (named(&format!("s{n:03}.acm.www.example.com")), ip(n))).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn the_zone_says_what_is_wanted_and_keeps_what_is_others() {
        let aws = Simulator::default();
        let other = Record { name: "mail.example.com".to_owned(), ip: Ipv4Addr::LOCALHOST, ttl: 5 };
        aws.change(&[RecordChange::Upsert(other)]).await.unwrap();
        let keeper = ZoneKeeper::new(Arc::new(aws.clone()), "www.example.com");
        assert_eq!(keeper.lacks(&wanted(0..20)).await.unwrap(), 20);
        assert_eq!(keeper.keep(&wanted(0..20)).await.unwrap(), 20);
        assert_eq!(keeper.keep(&wanted(0..20)).await.unwrap(), 0);
        assert_eq!(keeper.lacks(&wanted(1..21)).await.unwrap(), 1, "what is there too much is not lacking");
        let mut moved = wanted(2..20);
        moved.insert(named("s005.acm.www.example.com"), IpAddr::from([203, 0, 113, 200]));
        moved.insert(named("evil.example.org"), Ipv4Addr::LOCALHOST.into());
        assert_eq!(keeper.keep(&moved).await.unwrap(), 3, "two gone, one moved, none outside");
        let left = aws.records(None).await.unwrap().items;
        assert_eq!(left.len(), 19);
        assert!(left.iter().any(|record| record.name == "mail.example.com"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_zone_is_asked_no_faster_than_it_takes() {
        let keeper = ZoneKeeper::new(Arc::new(Simulator::default()), "www.example.com");
        let began = Instant::now();
        for _ in 0..25 {
            keeper.lacks(&wanted(0..1)).await.unwrap();
        }
        assert_eq!(began.elapsed().as_secs(), 7, "two at once, then three a second");
    }

    #[tokio::test(start_paused = true)]
    async fn several_servers_ask_no_faster_together_than_route_53_takes_it() {
        let aws = Simulator::default();
        let servers = [(); 2].map(|()| ZoneKeeper::new(Arc::new(aws.clone()), "www.example.com"));
        for keeper in &servers {
            keeper.share(NonZeroU32::new(2).unwrap());
        }
        let ([one, other], wanted) = (&servers, wanted(0..1));
        for _ in 0..20 {
            tokio::try_join!(one.lacks(&wanted), other.lacks(&wanted)).unwrap();
        }
        assert_eq!(aws.throttled(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_waits_for_one_that_route_53_still_works_on() {
        let aws = Simulator::default();
        let keeper = ZoneKeeper::new(Arc::new(aws.clone()), "www.example.com");
        aws.work_on_a_change(Duration::from_secs(12));
        assert_eq!(keeper.keep(&wanted(0..3)).await.unwrap(), 3);
        assert_eq!(aws.calls()["ChangeResourceRecordSets"], 4, "at once, and every five seconds");
    }

    /// As when the answer to the first was lost, and another server has taken over.
    #[tokio::test(start_paused = true)]
    async fn changes_of_two_servers_are_both_made() {
        let aws = Simulator::default();
        let [one, other] = [(); 2].map(|()| ZoneKeeper::new(Arc::new(aws.clone()), "www.example.com"));
        let wanted = wanted(0..3);
        let name = "_acme-challenge.acm.www.example.com";
        tokio::try_join!(async { one.keep(&wanted).await.map(drop) }, other.publish(name, "text")).unwrap();
        assert_eq!((other.lacks(&wanted).await.unwrap(), aws.texts(name)), (0, vec!["text".to_owned()]));
    }

    /// Asked as the server asks: again ten seconds after each failure.
    #[tokio::test(start_paused = true)]
    async fn a_zone_that_is_busy_for_long_is_said_and_asked_seldom() {
        let aws = Simulator::default();
        let keeper = ZoneKeeper::new(Arc::new(aws.clone()), "www.example.com");
        aws.work_on_a_change(Duration::from_secs(3600));
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(3500) {
            let error = keeper.keep(&wanted(0..3)).await.unwrap_err();
            assert!(matches!(error.class, ErrorClass::Throttled { .. }), "{error}");
            let says = ["PriorRequestNotComplete", "still works on an earlier change"];
            assert!(says.iter().all(|says| error.message.contains(says)), "{error}");
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
        let asked = aws.calls()["ChangeResourceRecordSets"];
        assert!(asked < 3600 / 5, "asked {asked} times in an hour");
        tokio::time::sleep(Duration::from_secs(100)).await;
        assert_eq!(keeper.keep(&wanted(0..3)).await.unwrap(), 3);
        assert_eq!(aws.throttled(), 0, "it was never asked too fast");
    }

    #[tokio::test(start_paused = true)]
    async fn names_of_many_sites_are_changed_no_faster_than_route_53_takes_them() {
        let aws = Simulator::default();
        let keeper = ZoneKeeper::new(Arc::new(aws.clone()), "www.example.com");
        let name = |n: u16| (named(&format!("s{n}.www.example.com")), Ipv4Addr::LOCALHOST.into());
        let all: BTreeMap<_, _> = (0..3000).map(name).collect();
        let began = Instant::now();
        assert_eq!(keeper.keep(&all).await.unwrap(), 3000);
        assert_eq!(aws.throttled(), 0);
        // Each counts twice: 6000, of which 1500 are there at once, and 100 come a second.
        assert!((45..50).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn texts_of_one_name_stand_beside_each_other_until_each_is_withdrawn() {
        let aws = Simulator::default();
        let keeper = ZoneKeeper::new(Arc::new(aws.clone()), "www.example.com");
        let name = "_acme-challenge.acm.www.example.com";
        keeper.publish(name, "one").await.unwrap();
        assert!(aws.calls()["GetChange"] > 1, "it waits until all servers have it");
        keeper.publish(name, "two").await.unwrap();
        assert_eq!(aws.texts(name), ["one", "two"]);
        keeper.keep(&wanted(0..3)).await.unwrap();
        keeper.withdraw(name, "one").await.unwrap();
        assert_eq!(aws.texts(name), ["two"]);
        keeper.withdraw(name, "two").await.unwrap();
        keeper.withdraw(name, "two").await.unwrap();
        assert_eq!(aws.texts(name), Vec::<String>::new());
    }

    #[tokio::test(start_paused = true)]
    async fn a_text_that_a_dead_server_left_is_replaced_by_the_next() {
        let aws = Simulator::default();
        let name = "_acme-challenge.acm.www.example.com";
        let keeper = || ZoneKeeper::new(Arc::new(aws.clone()), "www.example.com");
        keeper().publish(name, "left").await.unwrap();
        let next = keeper();
        next.publish(name, "new").await.unwrap();
        assert_eq!(aws.texts(name), ["new"]);
        next.withdraw(name, "new").await.unwrap();
        assert_eq!(aws.texts(name), Vec::<String>::new());
    }

    #[tokio::test(start_paused = true)]
    async fn a_thousand_names_take_a_handful_of_calls_and_a_lost_answer_does_no_harm() {
        let aws = Simulator::default();
        let keeper = ZoneKeeper::new(Arc::new(aws.clone()), "www.example.com");
        let ip = |n: u16| Ipv4Addr::from_bits(0xcb00_7100 + u32::from(n));
        let name = |n: u16| (named(&format!("s{n}.www.example.com")), IpAddr::V4(ip(n)));
        let all: BTreeMap<_, _> = (0..1200).map(name).collect();
        aws.fail("ChangeResourceRecordSets", Fault::Lose);
        assert!(keeper.keep(&all).await.is_err());
        assert_eq!(keeper.keep(&all).await.unwrap(), 700);
        assert_eq!(aws.calls()["ChangeResourceRecordSets"], 3);
    }

    #[tokio::test(start_paused = true)]
    async fn too_many_removals_at_once_are_none() {
        let aws = Simulator::default();
        let keeper = ZoneKeeper::new(Arc::new(aws.clone()), "www.example.com");
        keeper.keep(&wanted(0..100)).await.unwrap();
        assert_eq!(keeper.keep(&BTreeMap::new()).await.unwrap(), 0);
        assert_eq!(keeper.keep(&wanted(0..85)).await.unwrap(), 15);
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_has_wanted_for_long_goes_however_much_it_is() {
        let aws = Simulator::default();
        let keeper = ZoneKeeper::new(Arc::new(aws.clone()), "www.example.com");
        keeper.keep(&wanted(0..20)).await.unwrap();
        assert_eq!(keeper.keep(&wanted(0..8)).await.unwrap(), 0, "12 of 20");
        tokio::time::advance(PATIENCE / 2).await;
        assert_eq!(keeper.keep(&BTreeMap::new()).await.unwrap(), 0, "and the others");
        tokio::time::advance(PATIENCE / 2).await;
        assert_eq!(keeper.keep(&BTreeMap::new()).await.unwrap(), 12, "the others are few then");
        assert_eq!(keeper.keep(&BTreeMap::new()).await.unwrap(), 8);
        keeper.keep(&wanted(0..20)).await.unwrap();
        tokio::time::advance(PATIENCE).await;
        assert_eq!(keeper.keep(&BTreeMap::new()).await.unwrap(), 0, "they were wanted meanwhile");
    }
}
