use std::cell::Cell;

use jiff::{SignedDuration, Timestamp};

use super::{ConflictCode, Service, ServiceError};
use crate::access::Actor;
use crate::store::{
    Change, Committed, Expect, Idempotent, Mode, StoreError, StoredResponse, Violation, Write,
};

/// How long answers are kept.
const KEPT: SignedDuration = SignedDuration::from_hours(24);
/// After so long, a request that was done and not answered is taken for one whose server died.
const STALE: SignedDuration = SignedDuration::from_secs(30);
/// In the place of the status of an answer: what was asked for is done, and the answer is not kept yet. In the place of
/// the answer stands what it was done to.
const DONE: u16 = 0;
const LONGEST_KEY: usize = 255;

/// What is known of an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Idempotency {
    /// Nothing: do the request.
    Fresh(Keyed),
    /// It was done: answer this again.
    Replay {
        /// The HTTP status.
        status: u16,
        /// The answer's body.
        body: Vec<u8>,
    },
}

/// A request under an idempotency key under which nothing was done yet. Several may be at work under one key; one of
/// them changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyed {
    principal: String,
    key: String,
    request: [u8; 32],
    begun_at: Timestamp,
}

/// A request that has changed something, so that its key is used: its answer is to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Performed {
    keyed: Keyed,
    answered: bool,
}

impl Performed {
    /// Whether its answer was kept in the transaction that changed something: nothing is left to keep.
    #[must_use]
    pub const fn is_answered(&self) -> bool {
        self.answered
    }
}

/// An answer to a request, as it is given again to whoever sends that again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The answer's body.
    pub body: Vec<u8>,
}

/// What a request has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    Nothing,
    /// Something, and its answer is not kept yet.
    Changed,
    Answered,
}

tokio::task_local! {
    /// The request that the task does, and what of it is done.
    static AT_WORK: (Keyed, Cell<Done>);
}

impl Keyed {
    /// Does the request. What it changes says in the same transaction that the request is done: whoever asks again
    /// does it no second time, even if this server ends before it answers. A request that changed nothing leaves its
    /// key as it was.
    pub async fn perform<T>(self, request: impl Future<Output = T>) -> (T, Option<Performed>) {
        let work = async {
            let result = request.await;
            (result, AT_WORK.with(|(keyed, done)| keyed.clone().performed(done.get())))
        };
        AT_WORK.scope((self, Cell::new(Done::Nothing)), work).await
    }

    fn performed(self, done: Done) -> Option<Performed> {
        (done != Done::Nothing).then(|| Performed { keyed: self, answered: done == Done::Answered })
    }

    /// What must be so for it to change something: the first time, that nobody has.
    fn expects(&self, done: Done, now: Timestamp) -> Expect {
        let (principal, key) = (self.principal.clone(), self.key.clone());
        match done {
            Done::Nothing => Expect::IdempotencyUnused(principal, key, forgotten(now)),
            Done::Changed | Done::Answered => Expect::IdempotencyHeld(principal, key, self.begun_at),
        }
    }

    fn kept(&self, response: StoredResponse) -> Write {
        let Self { principal, key, request, begun_at } = self.clone();
        Write::PutIdempotent(Idempotent { principal, key, request, begun_at, response })
    }

    fn context(&self) -> String {
        context(&self.principal, &self.key)
    }
}

impl Service {
    /// Commits; under an idempotency key with the answer to its request, if that is known already, else with the word
    /// that the request is done.
    pub(super) async fn commit_under_key(
        &self,
        mut change: Change,
        answer: impl FnOnce() -> Option<Answer>,
    ) -> Result<Committed, StoreError> {
        let at_work = AT_WORK.try_with(|(keyed, done)| (keyed.clone(), done.get()));
        let (keyed, done) = match at_work {
            Ok(at_work) if change.mode == Mode::Commit => at_work,
            _ => return self.store().commit(change).await,
        };
        let subject = || change.events.first().map_or_else(String::new, |event| event.subject.to_string());
        let (now_done, Answer { status, body }) = match answer() {
            Some(answer) => (Done::Answered, answer),
            None => (Done::Changed, Answer { status: DONE, body: subject().into_bytes() }),
        };
        let sealed = self.inner.keyring.seal(&keyed.context(), &body);
        let sealed = sealed.map_err(|error| StoreError::Unavailable(Box::new(error)))?;
        // Before all else: of two that do the same, the second is told so, and not what the first left in its way.
        change.expect.insert(0, keyed.expects(done, change.at));
        let word = keyed.kept(StoredResponse { status, sealed });
        let expire = Write::ExpireIdempotent(forgotten(change.at));
        let committed = self.store().commit(change.write(word).write(expire)).await?;
        AT_WORK.with(|(_, done)| done.set(now_done));
        Ok(committed)
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
        // Of a request that holds a password its digest alone would tell whether a guess is right.
        let request = self.inner.keyring.digest("idempotency/", &request);
        let keyed =
            Keyed { principal: principal(actor, request), key: key.to_owned(), request, begun_at: now };
        Ok(self.done_under(&keyed, now).await?.unwrap_or(Idempotency::Fresh(keyed)))
    }

    /// What has been done under the key of a request that has changed nothing: where another of its kind was quicker,
    /// that one's answer counts, and not what this one found in its way.
    ///
    /// # Errors
    ///
    /// As [`Service::begin_idempotent`].
    pub async fn done_under(
        &self,
        keyed: &Keyed,
        now: Timestamp,
    ) -> Result<Option<Idempotency>, ServiceError> {
        let found = self.store().idempotent(&keyed.principal, &keyed.key).await?;
        // What it has done itself, where the store could not tell it so, is not another's.
        let counts =
            |found: &Idempotent| found.begun_at >= forgotten(now) && found.begun_at != keyed.begun_at;
        found.filter(counts).map(|found| self.replay(found, keyed.request, now)).transpose()
    }

    /// Keeps the answer, sealed, for a day, in the place of what was kept before.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn finish_idempotent(
        &self,
        Performed { keyed, answered: _ }: Performed,
        status: u16,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let sealed = self.inner.keyring.seal(&keyed.context(), body).map_err(ServiceError::Keyring)?;
        let kept = keyed.kept(StoredResponse { status, sealed });
        match self.store().commit(Change::at(now).expect(keyed.expects(Done::Changed, now)).write(kept)).await
        {
            Ok(_) | Err(StoreError::Violated(Violation::IdempotencyLost)) => Ok(()),
            Err(error) => Err(error.into()),
        }
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
        let StoredResponse { status, sealed } = response;
        // What is done has its answer a moment later, unless its server has ended.
        if status == DONE && now.duration_since(begun_at) <= STALE {
            let message =
                "the first request with this idempotency key is still being done: try again shortly";
            return Err(ServiceError::conflict(ConflictCode::IdempotencyKeyInUse, message));
        }
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

/// What began before this counts no more.
fn forgotten(now: Timestamp) -> Timestamp {
    now.saturating_sub(KEPT).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::super::test::{NOW, settings};
    use super::*;
    use crate::keyring::Keyring;
    use crate::store::memory::MemoryStore;
    use std::sync::Arc;

    #[tokio::test]
    async fn what_is_kept_of_a_request_tells_nothing_without_the_keys() {
        let store = Arc::new(MemoryStore::default());
        let kept = async |keyring: Keyring| {
            let service = Service::new(Arc::clone(&store) as _, Arc::new(keyring), settings());
            match service.begin_idempotent(None, "k", [1; 32], NOW).await {
                Ok(Idempotency::Fresh(keyed)) => keyed,
                other => panic!("is fresh: {other:?}"),
            }
        };
        let (one, other) = (kept(Keyring::ephemeral()).await, kept(Keyring::ephemeral()).await);
        assert_ne!(one.request, [1; 32]);
        assert_ne!(one, other, "another installation keeps another digest");
        assert!(!one.principal.contains(&hex::encode([1; 32])), "{}", one.principal);
    }
}
