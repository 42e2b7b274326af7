use jiff::Timestamp;

use super::{Service, ServiceError};
use crate::access::Actor;

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

impl Service {
    /// Begins a request under an idempotency key; `request` is the SHA-256 of all of it that matters.
    ///
    /// # Errors
    ///
    /// `idempotency_key_reused`, `idempotency_key_in_use`, `Invalid`.
    pub async fn begin_idempotent(
        &self,
        actor: Option<&Actor>,
        key: &str,
        request: [u8; 32],
        now: Timestamp,
    ) -> Result<Idempotency, ServiceError> {
        todo!()
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
        todo!()
    }

    /// Gives the key free again, after a failure that may not come again.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn abandon_idempotent(
        &self,
        reservation: Reservation,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        todo!()
    }
}
