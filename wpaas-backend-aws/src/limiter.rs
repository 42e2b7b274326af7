//! Our own limiter: the documented token buckets of EC2, so that AWS never has to throttle. Pure: time is an argument; only
//! `passed` waits.

use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::Instant;

/// A call of EC2; each has a bucket of its own per account and region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "named as EC2 names them")]
pub enum Call {
    DescribeImages,
    DescribeInstances,
    RunInstances,
    StartInstances,
    TerminateInstances,
    DescribeVolumes,
    CreateVolume,
    AttachVolume,
    DeleteVolume,
    DescribeSecurityGroups,
    CreateSecurityGroup,
    AuthorizeSecurityGroupIngress,
    DeleteSecurityGroup,
    DescribeAddresses,
    AllocateAddress,
    AssociateAddress,
    ReleaseAddress,
}

/// A bucket as AWS documents it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Calls at once.
    pub capacity: u32,
    /// Calls a second, in the long run.
    pub refill: u32,
}

impl Call {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::DescribeImages,
        Self::DescribeInstances,
        Self::RunInstances,
        Self::StartInstances,
        Self::TerminateInstances,
        Self::DescribeVolumes,
        Self::CreateVolume,
        Self::AttachVolume,
        Self::DeleteVolume,
        Self::DescribeSecurityGroups,
        Self::CreateSecurityGroup,
        Self::AuthorizeSecurityGroupIngress,
        Self::DeleteSecurityGroup,
        Self::DescribeAddresses,
        Self::AllocateAddress,
        Self::AssociateAddress,
        Self::ReleaseAddress,
    ];

    /// As policies name it.
    #[must_use]
    pub fn action(self) -> String {
        format!("ec2:{self:?}")
    }

    /// What AWS documents for it.
    #[must_use]
    pub const fn quota(self) -> Quota {
        let (capacity, refill) = match self {
            Self::RunInstances | Self::StartInstances => (5, 2),
            Self::TerminateInstances => (100, 5),
            Self::DescribeImages
            | Self::DescribeInstances
            | Self::DescribeVolumes
            | Self::DescribeSecurityGroups
            | Self::DescribeAddresses => (100, 20),
            Self::CreateVolume
            | Self::AttachVolume
            | Self::DeleteVolume
            | Self::CreateSecurityGroup
            | Self::AuthorizeSecurityGroupIngress
            | Self::DeleteSecurityGroup
            | Self::AllocateAddress
            | Self::AssociateAddress
            | Self::ReleaseAddress => (50, 5),
        };
        Quota { capacity, refill }
    }
}

/// How much a call matters when there are not enough for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// What is new: leaves a fifth of each bucket to repairs.
    Bulk,
    /// What mends or moves what serves, and what looks.
    Repair,
}

/// The buckets of one account and region.
#[derive(Debug, Clone)]
pub struct Limiter {
    buckets: Vec<Bucket>,
}

/// A bucket; what is in it is counted in thousand-millionths of a call, so that nothing is lost by rounding.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    quota: Quota,
    /// How many servers take from it, each its part.
    servers: u32,
    left: u64,
    at: Instant,
}

const CALL: u64 = 1_000_000_000;

impl Bucket {
    /// A full one.
    #[must_use]
    pub const fn new(quota: Quota, now: Instant) -> Self {
        Self { quota, servers: 1, left: quota.capacity as u64 * CALL, at: now }
    }

    /// From now on so many servers take from it, each its part.
    pub const fn share(&mut self, servers: NonZeroU32) {
        self.servers = servers.get();
    }

    /// Takes a call out, if one is in it beyond the reserve.
    ///
    /// # Errors
    ///
    /// When to ask again.
    pub fn take(&mut self, reserve: u32, now: Instant) -> Result<(), Instant> {
        self.take_many(1, reserve, now)
    }

    /// Takes so many out, if as many are in it beyond the reserve; at most what it can hold.
    ///
    /// # Errors
    ///
    /// When to ask again.
    pub fn take_many(&mut self, many: u32, reserve: u32, now: Instant) -> Result<(), Instant> {
        let passed = u64::try_from(now.saturating_duration_since(self.at).as_nanos()).unwrap_or(u64::MAX);
        let (refill, servers) = (u64::from(self.quota.refill), u64::from(self.servers));
        // One call at least, or there would never be any.
        let full = (u64::from(self.quota.capacity) * CALL / servers).max(CALL);
        self.left = self.left.saturating_add(passed.saturating_mul(refill) / servers).min(full);
        self.at = self.at.max(now);
        let taken = (u64::from(many) * CALL).min(full);
        let needed = (taken + u64::from(reserve) * CALL / servers).min(full);
        if self.left < needed {
            let missing = (needed - self.left).saturating_mul(servers);
            return Err(self.at + Duration::from_nanos(missing.div_ceil(refill)));
        }
        self.left -= taken;
        Ok(())
    }
}

impl Limiter {
    /// Full buckets of what is documented, less one call of capacity: calls do not arrive at AWS exactly as far
    /// apart as they were sent.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        let bucket = |call: Call| {
            let quota = call.quota();
            Bucket::new(Quota { capacity: quota.capacity - 1, ..quota }, now)
        };
        Self { buckets: Call::ALL.map(bucket).to_vec() }
    }

    /// From now on so many servers share what AWS allows the account.
    pub fn share(&mut self, servers: NonZeroU32) {
        self.buckets.iter_mut().for_each(|bucket| bucket.share(servers));
    }

    /// Lets a call through.
    ///
    /// # Errors
    ///
    /// When to ask again.
    pub fn take(&mut self, call: Call, urgency: Urgency, now: Instant) -> Result<(), Instant> {
        let at = Call::ALL.iter().position(|other| *other == call);
        // Every call is in the list: a test sees to it.
        let Some(bucket) = at.and_then(|at| self.buckets.get_mut(at)) else { return Ok(()) };
        let reserve = match urgency {
            Urgency::Bulk => bucket.quota.capacity.div_ceil(5).min(bucket.quota.capacity - 1),
            Urgency::Repair => 0,
        };
        bucket.take(reserve, now)
    }
}

/// Waits until this lets something through; it says when to ask again.
pub(crate) async fn passed(mut take: impl FnMut(Instant) -> Result<(), Instant>) {
    while let Err(later) = take(Instant::now()) {
        tokio::time::sleep_until(later).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_has_a_bucket() {
        let mut limiter = Limiter::new(Instant::now());
        for call in Call::ALL {
            assert!(limiter.take(call, Urgency::Repair, Instant::now()).is_ok());
        }
        assert_eq!(Call::ALL.last(), Some(&Call::ReleaseAddress));
        assert_eq!(Call::ALL.len(), Call::ReleaseAddress as usize + 1);
    }

    #[test]
    fn servers_give_together_what_one_gives_alone() {
        let start = Instant::now();
        let given = |servers: u32| {
            let mut all: Vec<_> = (0..servers).map(|_| Limiter::new(start)).collect();
            let mut given = [0, 0];
            for limiter in &mut all {
                limiter.share(NonZeroU32::new(servers).unwrap());
                for (at, given) in [0, 60].into_iter().zip(&mut given) {
                    let mut now = start + Duration::from_secs(at);
                    let end = now + Duration::from_secs(at);
                    while now <= end {
                        match limiter.take(Call::RunInstances, Urgency::Bulk, now) {
                            Ok(()) => *given += 1,
                            Err(later) if at == 0 || later > end => break,
                            Err(later) => now = later,
                        }
                    }
                }
            }
            given
        };
        assert_eq!(given(1), [3, 123], "at once, and within the minute after a pause");
        for servers in [2, 3, 4] {
            let [at_once, in_a_minute] = given(servers);
            assert!(
                at_once <= 5 && (100..=125).contains(&in_a_minute),
                "{servers}: {at_once}, {in_a_minute}"
            );
        }
    }

    #[test]
    fn as_many_calls_pass_as_the_bucket_allows_and_not_one_more() {
        let start = Instant::now();
        let mut bucket = Bucket::new(Quota { capacity: 5, refill: 2 }, start);
        let (mut passed, mut now) = (0_u32, start);
        while now < start + Duration::from_secs(60) {
            match bucket.take(0, now) {
                Ok(()) => passed += 1,
                Err(later) => {
                    assert!(later > now && later <= now + Duration::from_millis(500), "{later:?}");
                    now = later;
                }
            }
        }
        assert_eq!(passed, 5 + 2 * 60 - 1);
    }

    #[test]
    fn many_at_once_wait_until_as_many_are_there() {
        let now = Instant::now();
        let mut bucket = Bucket::new(Quota { capacity: 1500, refill: 100 }, now);
        assert!(bucket.take_many(1000, 0, now).is_ok());
        assert_eq!(bucket.take_many(1000, 0, now), Err(now + Duration::from_secs(5)));
        assert!(bucket.take_many(500, 0, now).is_ok());
        assert!(bucket.take_many(9999, 0, now + Duration::from_secs(15)).is_ok(), "what it can hold");
    }

    #[test]
    fn what_is_new_leaves_room_for_repairs() {
        let now = Instant::now();
        let mut limiter = Limiter::new(now);
        let mut bulk = 0;
        while limiter.take(Call::CreateVolume, Urgency::Bulk, now).is_ok() {
            bulk += 1;
        }
        assert_eq!(bulk, 49 - 10);
        for _ in 0..10 {
            assert!(limiter.take(Call::CreateVolume, Urgency::Repair, now).is_ok());
        }
        let later = limiter.take(Call::CreateVolume, Urgency::Repair, now).unwrap_err();
        assert_eq!(later, now + Duration::from_millis(200));
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing() {
        let now = Instant::now() + Duration::from_secs(100);
        let mut bucket = Bucket::new(Quota { capacity: 1, refill: 1 }, now);
        assert!(bucket.take(0, now).is_ok());
        assert!(bucket.take(0, now - Duration::from_secs(50)).is_err());
        assert!(bucket.take(0, now + Duration::from_millis(500)).is_err());
        assert!(bucket.take(0, now + Duration::from_secs(1)).is_ok());
    }
}
