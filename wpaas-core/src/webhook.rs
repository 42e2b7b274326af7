//! Webhooks: where the operator is told of events, as Standard Webhooks has it.
//!
//! A webhook tells events in their order, one at a time, each at least once: how far it is is its [`Delivery`], which
//! is moved by compare-and-swap. What follows from an answer, and how a message is signed, is pure; who sends it is
//! the embedder.

use jiff::Timestamp;

use crate::account::Version;
use crate::id::WebhookId;
use crate::store::{Event, EventKind, Subject};

mod delivery;
mod place;
mod signature;

pub use delivery::{Attempt, Delivery, Reply, Verdict};
pub use place::{InvalidPlace, place};
pub use signature::SigningKey;

/// Where the operator is told of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Names it.
    pub id: WebhookId,
    /// Where messages are posted; checked by [`place`].
    pub url: String,
    /// For people.
    pub description: String,
    /// Of these kinds alone; of all when there is none.
    pub kinds: Vec<EventKind>,
    /// Whether anything is sent.
    pub enabled: bool,
    /// Why this system has disabled it; `None` where a person has, or where it is enabled.
    pub disabled_reason: Option<String>,
    /// What signs, as the keyring sealed it.
    pub key: Vec<u8>,
    /// What signed before, and still does for a while.
    pub former: Option<FormerKey>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Of what people say; its delivery has one of its own.
    pub version: Version,
}

/// A key in whose place there is a new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormerKey {
    /// As the keyring sealed it.
    pub key: Vec<u8>,
    /// From when on it signs nothing.
    pub until: Timestamp,
}

impl Webhook {
    /// Whether it tells this event. None tells of itself, so that no failure feeds itself.
    #[must_use]
    pub fn wants(&self, event: &Event) -> bool {
        let Event { seq: _, at: _, event } = event;
        let of_kind = self.kinds.is_empty() || self.kinds.contains(&event.kind);
        of_kind && event.subject != Subject::Webhook(self.id)
    }

    /// What a receiver knows a message by: the same each time that it is sent.
    #[must_use]
    pub fn message_id(&self, seq: u64) -> String {
        format!("msg_{}_{seq}", self.id.uuid().as_simple())
    }

    /// The sealed keys that sign at this time, the newest first.
    pub fn keys(&self, now: Timestamp) -> impl Iterator<Item = &[u8]> {
        let former = self.former.iter().filter(move |former| former.until > now);
        std::iter::once(&self.key).chain(former.map(|former| &former.key)).map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::id::KeyId;
    use crate::store::{NewEvent, Who};

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

    fn webhook(kinds: Vec<EventKind>) -> Webhook {
        Webhook {
            id: WebhookId::new(),
            url: "https://ops.example/".to_owned(),
            description: String::new(),
            kinds,
            enabled: true,
            disabled_reason: None,
            key: vec![1],
            former: Some(FormerKey { key: vec![0], until: NOW }),
            created_at: NOW,
            version: 1,
        }
    }

    fn event(kind: EventKind, subject: Subject) -> Event {
        let (who, detail) = (Who::System, json!({}));
        Event {
            seq: 1,
            at: NOW,
            event: NewEvent { cid: None, org: None, space: None, who, kind, subject, detail },
        }
    }

    #[test]
    fn a_webhook_tells_what_it_is_for_and_never_of_itself() {
        let (all, some) = (webhook(Vec::new()), webhook(vec![EventKind::WebhookDisabled]));
        let of_key = event(EventKind::KeyIssued, Subject::Key(KeyId::new()));
        assert!(all.wants(&of_key) && !some.wants(&of_key));
        let of_all = event(EventKind::WebhookDisabled, Subject::Webhook(all.id));
        assert!(!all.wants(&of_all) && some.wants(&of_all));
    }

    #[test]
    fn a_former_key_signs_until_its_end() {
        let webhook = webhook(Vec::new());
        let before = NOW - jiff::SignedDuration::from_secs(1);
        assert_eq!(webhook.keys(before).collect::<Vec<_>>(), [[1], [0]]);
        assert_eq!(webhook.keys(NOW).collect::<Vec<_>>(), [[1]]);
    }
}
