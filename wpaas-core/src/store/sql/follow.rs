//! What other programs commit to the same database, told here as if it were our own. Events carry it: each change of a
//! site or a customer has one. A notification only says when to look; without it, it takes a second longer.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, broadcast};

use super::db::Pool;
use super::query::query;
use crate::store::row::{EventRow, read};
use crate::store::{Committed, Event, EventKind, StoreError, Subject};

/// Without a notification it is looked this often.
pub(super) const POLL: Duration = Duration::from_secs(1);
/// Events read at a time.
const PIECE: i64 = 500;

/// The numbers of the events that this program has committed, as far as they are not told apart from others' yet.
#[derive(Debug, Default)]
pub(super) struct Own(Mutex<BTreeSet<u64>>);

impl Own {
    /// These are about to be committed.
    pub(super) fn begin(&self, events: impl Iterator<Item = u64>) {
        self.lock().extend(events);
    }

    /// These were not.
    pub(super) fn failed(&self, events: impl Iterator<Item = u64>) {
        let mut own = self.lock();
        for event in events {
            own.remove(&event);
        }
    }

    /// The number, `last` at most, up to which all after `seen` are our own.
    fn skip(&self, seen: u64, last: u64) -> u64 {
        let mut own = self.lock();
        let mut at = seen;
        while at < last && own.remove(&(at + 1)) {
            at += 1;
        }
        at
    }

    fn take(&self, event: u64) -> bool {
        self.lock().remove(&event)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number of the last event.
pub(super) async fn last_event(readers: &Pool) -> Result<u64, StoreError> {
    query("SELECT COALESCE(MAX(seq), 0) FROM events").count(readers).await
}

/// Tells of what others commit after the event `seen`, for as long as it is polled. Without a hint it looks this often.
pub(super) async fn run(
    readers: Pool,
    mut seen: u64,
    poll: Duration,
    own: std::sync::Arc<Own>,
    hint: std::sync::Arc<Notify>,
    feed: broadcast::Sender<Committed>,
) {
    let mut reachable = true;
    loop {
        // The one or the other: both mean no more than to look.
        drop(tokio::time::timeout(poll, hint.notified()).await);
        match tell(&readers, &mut seen, &own, &feed).await {
            Ok(()) => reachable = true,
            Err(error) if reachable => {
                tracing::warn!(%error, "what other servers commit can't be read; trying again");
                reachable = false;
            }
            Err(_) => {}
        }
    }
}

async fn tell(
    readers: &Pool,
    seen: &mut u64,
    own: &Own,
    feed: &broadcast::Sender<Committed>,
) -> Result<(), StoreError> {
    let last = last_event(readers).await?;
    if last < *seen {
        tracing::error!(
            last,
            seen,
            "the database has lost events that were committed: it was put back to an older state"
        );
        *seen = last;
    }
    loop {
        *seen = own.skip(*seen, last);
        if *seen >= last {
            return Ok(());
        }
        let events = after(readers, *seen).await?;
        let Some(newest) = events.last().map(|event| event.seq) else { return Ok(()) };
        *seen = newest;
        let others: Vec<Event> = events.into_iter().filter(|event| !own.take(event.seq)).collect();
        if !others.is_empty() {
            // Nobody may be listening.
            drop(feed.send(committed(others)));
        }
    }
}

async fn after(readers: &Pool, seen: u64) -> Result<Vec<Event>, StoreError> {
    let rows: Vec<(i64, String)> = query("SELECT seq, doc FROM events WHERE seq > $1 ORDER BY seq LIMIT $2")
        .bind(super::int(seen))
        .bind(PIECE)
        .all(readers)
        .await?;
    let event =
        |(seq, doc): (i64, String)| Ok(read::<EventRow>(&doc)?.event(u64::try_from(seq).unwrap_or(0)));
    rows.into_iter().map(event).collect()
}

/// What a commit must have done to have told this.
fn committed(events: Vec<Event>) -> Committed {
    let mut told = Committed::default();
    for Event { event, .. } in &events {
        match &event.subject {
            // What was found of a site, or done to it, is no change of what is wanted.
            Subject::Site(_)
                if matches!(event.kind, EventKind::SiteConditionChanged | EventKind::SiteStepsTaken) => {}
            Subject::Site(site) => told.sites.push(*site),
            Subject::Customer(cid) => told.customers.push(cid.clone()),
            Subject::Org(_)
            | Subject::Space(_)
            | Subject::User(_)
            | Subject::Key(_)
            | Subject::Webhook(_) => {}
        }
    }
    told.events = events;
    told
}

/// Passes on what `PostgreSQL` notifies of.
#[cfg(feature = "postgres")]
pub(super) async fn listen(pool: sqlx::PgPool, hint: std::sync::Arc<Notify>) {
    loop {
        if let Ok(mut listener) = sqlx::postgres::PgListener::connect_with(&pool).await
            && listener.listen(CHANNEL).await.is_ok()
        {
            // Also after each loss of the connection: what was missed is seen by looking.
            while listener.try_recv().await.is_ok() {
                hint.notify_one();
            }
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Commits, and notifies whoever listens.
#[cfg(feature = "postgres")]
pub(super) const NOTIFY_AND_COMMIT: &str = "NOTIFY wpaas_events; COMMIT";
#[cfg(feature = "postgres")]
const CHANNEL: &str = "wpaas_events";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::id::SiteId;
    use crate::store::{NewEvent, Who};

    #[test]
    fn what_is_found_of_a_site_or_done_to_it_says_nothing_of_what_is_wanted() {
        let changed = |kind| {
            let (who, subject, detail) = (Who::System, Subject::Site(SiteId::new()), json!({}));
            let event = NewEvent { cid: None, org: None, space: None, who, kind, subject, detail };
            committed(vec![Event { seq: 1, at: jiff::Timestamp::UNIX_EPOCH, event }]).sites.len()
        };
        let wanted = [EventKind::SiteUpdated, EventKind::SiteScaled];
        let found = [EventKind::SiteConditionChanged, EventKind::SiteStepsTaken];
        assert_eq!((wanted.map(changed), found.map(changed)), ([1, 1], [0, 0]));
    }
}
