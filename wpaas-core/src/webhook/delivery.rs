use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::account::Version;
use crate::id::WebhookId;

/// From the first failure to the next try; twice as long after each.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// Between two tries at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// What fails for so long is given up …
const PATIENCE: SignedDuration = SignedDuration::from_hours(72);
/// … if it was tried so often: a time in which this system did not run counts for nothing.
const TRIES: u32 = 20;
/// Attempts that are kept.
const KEPT: usize = 10;

/// How far a webhook is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Of which.
    pub webhook: WebhookId,
    /// The last event that is done with: it was taken, or not to be told.
    pub after: u64,
    /// Failures in a row.
    pub failures: u32,
    /// When the first of them was.
    pub failing_since: Option<Timestamp>,
    /// Nothing is sent before.
    pub next_at: Option<Timestamp>,
    /// The last ones, the oldest first.
    pub attempts: Vec<Attempt>,
    /// Grows by one with every change.
    pub version: Version,
}

/// A try to tell an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Attempt {
    /// When.
    pub at: Timestamp,
    /// The event's number.
    pub seq: u64,
    /// What was answered; `null` when nothing was.
    pub status: Option<u16>,
    /// Why nothing was.
    pub error: Option<String>,
}

/// What came of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// An answer.
    Status {
        /// Of HTTP.
        status: u16,
        /// When the receiver wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// No answer.
    None {
        /// Why, for the operator.
        why: String,
    },
}

/// What follows from a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The event is told: the next one.
    Taken,
    /// The same again, later.
    TryAgain,
    /// Nothing more is sent until a person says so.
    GiveUp {
        /// Why, for the operator.
        reason: String,
    },
}

impl Delivery {
    /// One that begins after this event.
    #[must_use]
    pub const fn after(webhook: WebhookId, after: u64) -> Self {
        Self {
            webhook,
            after,
            failures: 0,
            failing_since: None,
            next_at: None,
            attempts: Vec::new(),
            version: 1,
        }
    }

    /// The next one, after what a message came to. `jitter`, from 0 to 1, is where in its second half a pause ends, so
    /// that what failed together is not tried again together.
    #[must_use]
    pub fn answered(&self, seq: u64, reply: &Reply, now: Timestamp, jitter: f64) -> (Self, Verdict) {
        let (status, error) = match reply {
            Reply::Status { status, .. } => (Some(*status), None),
            Reply::None { why } => (None, Some(why.clone())),
        };
        let mut attempts = self.attempts.clone();
        attempts.push(Attempt { at: now, seq, status, error });
        attempts.drain(..attempts.len().saturating_sub(KEPT));
        let next = Self { attempts, ..self.afresh() };
        if status.is_some_and(|status| (200..300).contains(&status)) {
            return (Self { after: seq, ..next }, Verdict::Taken);
        }
        let failures = self.failures.saturating_add(1);
        let since = self.failing_since.unwrap_or(now);
        let pause = pause(failures, reply, jitter);
        let next_at = now.saturating_add(pause).unwrap_or(Timestamp::MAX);
        let next = Self { failures, failing_since: Some(since), next_at: Some(next_at), ..next };
        (next, verdict(status, failures, now.duration_since(since)))
    }

    /// The next one, which begins after another event.
    #[must_use]
    pub fn moved_to(&self, after: u64) -> Self {
        Self { after, ..self.afresh() }
    }

    /// The next one, as if nothing had failed.
    #[must_use]
    pub fn afresh(&self) -> Self {
        let version = self.version + 1;
        Self { failures: 0, failing_since: None, next_at: None, version, ..self.clone() }
    }
}

fn verdict(status: Option<u16>, failures: u32, failing: SignedDuration) -> Verdict {
    if status == Some(410) {
        return Verdict::GiveUp { reason: "the receiver answered 410: it is gone".to_owned() };
    }
    if failures < TRIES || failing < PATIENCE {
        return Verdict::TryAgain;
    }
    let (hours, last) =
        (failing.as_hours(), status.map_or("no answer".to_owned(), |status| status.to_string()));
    Verdict::GiveUp { reason: format!("{failures} tries in {hours} hours failed, the last with {last}") }
}

fn pause(failures: u32, reply: &Reply, jitter: f64) -> SignedDuration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(20)).min(LONGEST_PAUSE);
    let pause = doubled.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0);
    let asked = match reply {
        Reply::Status { retry_after, .. } => retry_after.unwrap_or_default().min(LONGEST_PAUSE),
        Reply::None { .. } => Duration::ZERO,
    };
    SignedDuration::try_from(pause.max(asked)).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan as _;

    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

    fn status(status: u16) -> Reply {
        Reply::Status { status, retry_after: None }
    }

    fn begun() -> Delivery {
        Delivery::after(WebhookId::new(), 7)
    }

    #[test]
    fn what_is_taken_moves_on_and_ends_a_failure() {
        let (failed, verdict) = begun().answered(8, &status(500), NOW, 1.0);
        assert_eq!((failed.after, failed.failures, failed.version, verdict), (7, 1, 2, Verdict::TryAgain));
        assert_eq!((failed.failing_since, failed.next_at), (Some(NOW), Some(NOW + 5.seconds())));
        let (taken, verdict) = failed.answered(8, &status(204), NOW, 1.0);
        assert_eq!((taken.after, taken.failures, taken.version, verdict), (8, 0, 3, Verdict::Taken));
        assert_eq!((taken.failing_since, taken.next_at), (None, None));
        assert_eq!(taken.attempts.iter().map(|one| one.status).collect::<Vec<_>>(), [Some(500), Some(204)]);
    }

    #[test]
    fn a_redirect_is_no_success_and_pauses_grow_and_end_growing() {
        let (mut delivery, mut pauses) = (begun(), Vec::new());
        for _ in 0..12 {
            delivery = delivery.answered(8, &status(302), NOW, 1.0).0;
            pauses.push((delivery.next_at.unwrap() - NOW).total(jiff::Unit::Second).unwrap());
        }
        assert_eq!(pauses, [5., 10., 20., 40., 80., 160., 320., 640., 1280., 2560., 3600., 3600.]);
        assert_eq!(delivery.attempts.len(), KEPT);
        assert_eq!(pause(3, &status(500), 0.0), SignedDuration::from_secs(10));
    }

    #[test]
    fn a_receiver_may_ask_for_a_longer_pause_within_bounds() {
        let asked = |seconds| {
            let retry_after = Some(Duration::from_secs(seconds));
            pause(1, &Reply::Status { status: 429, retry_after }, 1.0).as_secs()
        };
        assert_eq!([asked(1), asked(600), asked(1_000_000)], [5, 600, 3600]);
    }

    #[test]
    fn it_is_given_up_after_three_days_of_trying_and_at_once_when_gone() {
        let gives_up = |delivery: &Delivery, reply: &Reply, now| {
            matches!(delivery.answered(8, reply, now, 1.0).1, Verdict::GiveUp { .. })
        };
        let none = Reply::None { why: "refused".to_owned() };
        let failing = Delivery { failures: TRIES, failing_since: Some(NOW), ..begun() };
        assert!(!gives_up(&failing, &none, NOW + 71.hours()));
        assert!(gives_up(&failing, &none, NOW + 72.hours()));
        assert!(!gives_up(&Delivery { failures: 3, ..failing.clone() }, &none, NOW + 72.hours()));
        assert!(gives_up(&begun(), &status(410), NOW));
    }
}
