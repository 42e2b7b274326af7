//! Events: who did what to which object.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use wpaas_core::id::{OrgId, SiteId, SpaceId};
use wpaas_core::name::Cid;
use wpaas_core::store::{Event, EventFilter, EventKind, EventScope, NewEvent, Subject, Who};

use super::list::Limit;
use crate::problem::Problem;

/// Something that happened.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct EventView {
    /// Grows with every event; what `after` and `Last-Event-ID` name.
    pub seq: u64,
    at: Timestamp,
    /// What, as `site_created`.
    pub kind: EventKind,
    who: Who,
    subject: Subject,
    cid: Option<Cid>,
    org_id: Option<OrgId>,
    space_id: Option<SpaceId>,
    detail: serde_json::Value,
}

impl From<Event> for EventView {
    fn from(Event { seq, at, event }: Event) -> Self {
        let NewEvent { cid, org, space, who, kind, subject, detail } = event;
        Self { seq, at, kind, who, subject, cid, org_id: org, space_id: space, detail }
    }
}

/// Which events.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct EventQuery {
    cid: Option<Cid>,
    /// In this org; of org, space and site the narrowest counts alone.
    org_id: Option<OrgId>,
    /// In this space; of org, space and site the narrowest counts alone.
    space_id: Option<SpaceId>,
    /// Of this site; of org, space and site it counts alone.
    site_id: Option<SiteId>,
    /// Of this kind alone, as `site_created`.
    kind: Option<EventKind>,
    /// Done by `operator`, `anonymous`, `system`, or by the customer or user of this id, alone.
    #[param(value_type = Option<String>, max_length = 64)]
    who: Option<Doer>,
    /// At this time or later.
    since: Option<Timestamp>,
    /// Those after this number.
    #[serde(alias = "cursor")]
    #[param(value_type = Option<i64>, minimum = 0)]
    pub after: Option<Seq>,
    /// How many at a time.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 500)]
    pub limit: Option<Limit>,
}

/// The number of an event, as far as one can be stored.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "u64")]
pub struct Seq(pub u64);

impl TryFrom<u64> for Seq {
    type Error = &'static str;

    fn try_from(number: u64) -> Result<Self, Self::Error> {
        let fits = i64::try_from(number).is_ok();
        if fits { Ok(Self(number)) } else { Err("must be the number of an event") }
    }
}

/// Who did it, as a query names it.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Doer(Who);

impl TryFrom<String> for Doer {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

impl EventQuery {
    /// The narrowest that the query names; without one, the caller's customer's, or all for the operator.
    pub fn filter(&self, own: Option<&Cid>) -> Result<EventFilter, Problem> {
        let cid = self.cid.as_ref().or(own).cloned();
        let inside =
            || cid.clone().ok_or_else(|| Problem::bad_request("invalid_query", "must be given").at("cid"));
        let of = match (self.org_id, self.space_id, self.site_id) {
            (None, None, None) => cid.map_or(EventScope::All, EventScope::Customer),
            (Some(org), None, None) => EventScope::Org(inside()?, org),
            (_, Some(space), None) => EventScope::Space(inside()?, space),
            (_, _, Some(site)) => EventScope::Site(inside()?, site),
        };
        let who = self.who.as_ref().map(|Doer(who)| who.clone());
        Ok(EventFilter { of, kind: self.kind, who, since: self.since })
    }
}
