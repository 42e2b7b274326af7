//! What is kept of what was found of a site, and what is told of it.

use jiff::Timestamp;
use serde_json::json;

use crate::service::commit::of_site;
use crate::site::{Condition, ConditionKind, SiteStatus, Truth};
use crate::store::{EventKind, NewEvent, StoredSite, StoredStatus, Who};

/// What is kept of what was found; `None` when nothing differs from what is kept already. A loss of data stays said,
/// though the site serves again, until somebody changes the site.
pub(super) fn merge(
    before: Option<&StoredStatus>,
    found: &SiteStatus,
    now: Timestamp,
) -> Option<StoredStatus> {
    // Of a server that has not read the newest spec yet.
    if before.is_some_and(|before| before.status.observed_generation > found.observed_generation) {
        return None;
    }
    let mut status = found.clone();
    for condition in &mut status.conditions {
        let same = before
            .and_then(|before| before.status.condition(condition.kind))
            .filter(|before| before.status == condition.status);
        if let Some(same) = same {
            condition.since = same.since;
        }
    }
    // A gateway that answers goes on answering: a look that could not tell takes nothing back.
    if status.challenge.is_none() && status.has_gateway() {
        status.challenge = before.and_then(|before| before.status.challenge.clone());
    }
    let lost = before
        .map(|before| &before.status)
        .filter(|old| old.observed_generation == status.observed_generation);
    let lost = lost.and_then(|old| old.condition(ConditionKind::PossibleDataLoss));
    if let Some(lost) = lost.filter(|lost| lost.status == Truth::True) {
        for condition in status.conditions.iter_mut().filter(|condition| condition.kind == lost.kind) {
            condition.clone_from(lost);
        }
    }
    let ready =
        status.condition(ConditionKind::DatabaseReady).is_some_and(|ready| ready.status == Truth::True);
    let founded = ready || before.is_some_and(|before| before.founded);
    if before.is_some_and(|before| before.status == status && before.founded == founded) {
        return None;
    }
    Some(StoredStatus { status, founded, recorded_at: now })
}

/// An event for each condition whose status changed, so that the audit tells what the converger saw and why; and for
/// each new reason why the database is not ready: some ask a person to choose.
pub(super) fn transitions(stored: &StoredSite, status: &SiteStatus) -> Vec<NewEvent> {
    let before = |kind| stored.status.as_ref().and_then(|before| before.status.condition(kind));
    let changed = |condition: &&Condition| match before(condition.kind) {
        Some(before) => {
            let reason = condition.kind == ConditionKind::DatabaseReady && before.reason != condition.reason;
            before.status != condition.status || reason
        }
        None => condition.status == Truth::True,
    };
    let tell = |condition: &Condition| {
        let detail = json!({
            "condition": condition.kind,
            "status": condition.status,
            "reason": condition.reason,
            "message": condition.message,
        });
        of_site(&stored.site, Who::System, EventKind::SiteConditionChanged, detail)
    };
    status.conditions.iter().filter(changed).map(tell).collect()
}

#[cfg(test)]
mod tests;
