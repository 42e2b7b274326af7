use jiff::{SignedDuration, Timestamp};

use super::commit::Rounds;
use super::{ConflictCode, Service, ServiceError};
use crate::access::Actor;
use crate::store::{Change, Committed, Expect, Idempotent, StoreError, StoredResponse, Violation, Write};

/// How long answers are kept.
const KEPT: SignedDuration = SignedDuration::from_hours(24);
/// After so long, a request that was not answered yet is taken for one whose server died. One that has changed nothing,
/// should it still be at work, changes nothing any more.
const STALE: SignedDuration = SignedDuration::from_secs(30);
/// In the place of the status of an answer: what was asked for is done, and the answer is not kept yet. In the place of
/// the answer stands what it was done to.
const DONE: u16 = 0;
const LONGEST_KEY: usize = 255;

/// What is known of an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Idempotency {
    /// Nothing: do the request, then finish or abandon the reservation.
    Fresh(Reservation),
    /// It was done: answer this again.
    Replay {
        /// The HTTP status.
        status: u16,
        /// The answer's body.
        body: Vec<u8>,
    },
}

/// The right to do the request of an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    principal: String,
    key: String,
    request: [u8; 32],
    begun_at: Timestamp,
}

tokio::task_local! {
    /// What the task that runs has reserved.
    static RESERVED: Reservation;
}

impl Reservation {
    /// Does the request. What it changes says in the same transaction that the request is done: whoever asks again
    /// does it no second time, even if this server ends before it answers.
    pub async fn scope<T>(&self, request: impl Future<Output = T>) -> T {
        RESERVED.scope(self.clone(), request).await
    }
}

impl Service {
    /// Commits; under an idempotency key with the word that its request is done.
    pub(super) async fn commit_under_key(&self, change: Change) -> Result<Committed, StoreError> {
        let Ok(reserved) = RESERVED.try_with(Clone::clone) else { return self.store().commit(change).await };
        let Reservation { principal, key, request, begun_at } = reserved;
        let held = Expect::IdempotencyHeld(principal.clone(), key.clone(), begun_at);
        let subject = change.events.first().map_or_else(String::new, |event| event.subject.to_string());
        let sealed = self.inner.keyring.seal(&context(&principal, &key), subject.as_bytes());
        let sealed = sealed.map_err(|error| StoreError::Unavailable(Box::new(error)))?;
        let response = Some(StoredResponse { status: DONE, sealed });
        let word = Write::PutIdempotent(Idempotent { principal, key, request, begun_at, response });
        self.store().commit(change.expect(held).write(word)).await
    }

    /// Commits what ends a reservation, unless the key's row says that it is not for it to end.
    async fn end_reservation(&self, change: Change) -> Result<(), ServiceError> {
        match self.store().commit(change).await {
            Ok(_) | Err(StoreError::Violated(Violation::IdempotencyLost | Violation::IdempotencyUsed)) => {
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Begins a request under an idempotency key; `request` is the SHA-256 of all of it that matters.
    ///
    /// # Errors
    ///
    /// `idempotency_key_reused`, `idempotency_key_in_use`, `AnswerLost`, `Invalid`.
    pub async fn begin_idempotent(
        &self,
        actor: Option<&Actor>,
        key: &str,
        request: [u8; 32],
        now: Timestamp,
    ) -> Result<Idempotency, ServiceError> {
        if key.is_empty() || key.len() > LONGEST_KEY {
            let why = format!("must have 1 to {LONGEST_KEY} characters");
            return Err(ServiceError::invalid("Idempotency-Key", why));
        }
        let (principal, key) = (principal(actor, request), key.to_owned());
        let reservation = Reservation { principal, key, request, begun_at: now };
        let mut rounds = Rounds::default();
        loop {
            let found = self.store().idempotent(&reservation.principal, &reservation.key).await?;
            if let Some(found) = found.filter(|found| !is_stale(found, now)) {
                return self.replay(found, request, now);
            }
            if self.commit(reserve(&reservation, now), &mut rounds).await? {
                return Ok(Idempotency::Fresh(reservation));
            }
        }
    }

    /// Keeps the answer, sealed, for a day.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn finish_idempotent(
        &self,
        reservation: Reservation,
        status: u16,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let Reservation { principal, key, request, begun_at } = reservation;
        let sealed =
            self.inner.keyring.seal(&context(&principal, &key), body).map_err(ServiceError::Keyring)?;
        let response = Some(StoredResponse { status, sealed });
        let held = Expect::IdempotencyHeld(principal.clone(), key.clone(), begun_at);
        let kept = Idempotent { principal, key, request, begun_at, response };
        self.end_reservation(Change::at(now).write(Write::PutIdempotent(kept)).expect(held)).await
    }

    /// Gives the key free again, after a failure that may not come again. One under which something was changed all
    /// the same stays used.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn abandon_idempotent(
        &self,
        reservation: Reservation,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let Reservation { principal, key, request: _, begun_at } = reservation;
        // Only its own, which began no later, and only if nothing was changed under it.
        let later = begun_at.saturating_add(SignedDuration::from_micros(1)).unwrap_or(Timestamp::MAX);
        let unanswered = Expect::IdempotencyUnused(principal.clone(), key.clone(), later);
        let change = Change::at(now).write(Write::DeleteIdempotent { principal, key }).expect(unanswered);
        self.end_reservation(change).await
    }

    fn replay(
        &self,
        found: Idempotent,
        request: [u8; 32],
        now: Timestamp,
    ) -> Result<Idempotency, ServiceError> {
        let Idempotent { principal, key, request: first, begun_at, response } = found;
        if first != request {
            let message = "this idempotency key was used for another request: use a new one";
            return Err(ServiceError::conflict(ConflictCode::IdempotencyKeyReused, message));
        }
        // What is done has its answer a moment later, unless its server has ended.
        let at_work =
            |response: &StoredResponse| response.status == DONE && now.duration_since(begun_at) <= STALE;
        let Some(StoredResponse { status, sealed }) = response.filter(|response| !at_work(response)) else {
            let message =
                "the first request with this idempotency key is still being done: try again shortly";
            return Err(ServiceError::conflict(ConflictCode::IdempotencyKeyInUse, message));
        };
        let body = self.inner.keyring.open(&context(&principal, &key), &sealed);
        let body = body.map_err(ServiceError::Keyring)?.to_vec();
        if status == DONE {
            return Err(ServiceError::AnswerLost { subject: String::from_utf8_lossy(&body).into_owned() });
        }
        Ok(Idempotency::Replay { status, body })
    }
}

/// Keys are told apart by who uses them; one who has not signed in is known by the request only.
fn principal(actor: Option<&Actor>, request: [u8; 32]) -> String {
    match actor {
        Some(Actor::Operator) => "operator".to_owned(),
        Some(Actor::Customer(cid)) => format!("customer/{cid}"),
        Some(Actor::User { id, .. }) => id.to_string(),
        None => format!("anonymous/{}", hex::encode(request)),
    }
}

fn context(principal: &str, key: &str) -> String {
    format!("idempotency/{principal}/{key}")
}

fn is_stale(found: &Idempotent, now: Timestamp) -> bool {
    let age = now.duration_since(found.begun_at);
    age > KEPT || (found.response.is_none() && age > STALE)
}

fn reserve(reservation: &Reservation, now: Timestamp) -> Change {
    let Reservation { principal, key, request, begun_at } = reservation.clone();
    let stale = now.saturating_sub(STALE).unwrap_or(now);
    let forgotten = now.saturating_sub(KEPT).unwrap_or(now);
    Change::at(now).write(Write::ExpireIdempotent(forgotten)).write(Write::ReserveIdempotent(
        Idempotent { principal, key, request, begun_at, response: None },
        stale,
    ))
}
