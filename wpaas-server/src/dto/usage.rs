//! What orgs used.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use wpaas_core::converge::Part;
use wpaas_core::id::{OrgId, SiteId, SpaceId};
use wpaas_core::metering::{UsageFilter, UsageKind, UsageRecord, UsageSum};
use wpaas_core::name::Cid;

use super::list::{Cursor, Limit};
use crate::problem::Problem;

/// Something ran, or was there, from one time to another within one hour, as the backend tells it. Never changed once
/// it is shown. Of what happened while no server ran, a backend does not tell all: what was removed by hand then counts
/// up to when it was last seen, and the pauses of several restarts but the last one count, too.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct UsageView {
    /// Grows with every record.
    seq: u64,
    cid: Cid,
    org_id: OrgId,
    space_id: SpaceId,
    site_id: SiteId,
    /// `wordpress`, `database`, `gateway` or `storage`.
    kind: UsageKind,
    #[schema(value_type = String)]
    part: Part,
    /// The backend's id of what ran.
    object: String,
    from: Timestamp,
    to: Timestamp,
    /// Between them.
    seconds: f64,
    /// The size of a volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    gib: Option<u32>,
}

impl From<UsageRecord> for UsageView {
    fn from(record: UsageRecord) -> Self {
        let seconds = seconds(record.millis());
        let UsageRecord { seq, cid, org, space, site, part, kind, object, gib, from, to } = record;
        let gib = (kind == UsageKind::Storage).then_some(gib);
        let object = object.to_string();
        Self {
            seq,
            cid,
            org_id: org,
            space_id: space,
            site_id: site,
            kind,
            part,
            object,
            from,
            to,
            seconds,
            gib,
        }
    }
}

/// What was used of one kind.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct UsageSumView {
    kind: UsageKind,
    /// Over all that ran, or was there.
    seconds: f64,
    /// Of storage: each volume's size times how long it was there.
    #[serde(skip_serializing_if = "Option::is_none")]
    gib_seconds: Option<f64>,
}

impl From<UsageSum> for UsageSumView {
    fn from(UsageSum { kind, millis, gib_millis }: UsageSum) -> Self {
        let gib_seconds = (kind == UsageKind::Storage).then(|| seconds(gib_millis));
        Self { kind, seconds: seconds(millis), gib_seconds }
    }
}

/// Sums of what was used.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct UsageSumsView {
    /// One each kind of which anything was used.
    pub items: Vec<UsageSumView>,
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 285,000 years of milliseconds")]
fn seconds(millis: u64) -> f64 {
    millis as f64 / 1000.0
}

/// Which records.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct UsageQuery {
    cid: Option<Cid>,
    org_id: Option<OrgId>,
    site_id: Option<SiteId>,
    /// Those that begin then or later.
    from: Option<Timestamp>,
    /// Those that begin before.
    to: Option<Timestamp>,
    /// Where the page before ended.
    #[param(value_type = Option<String>, max_length = 512)]
    pub cursor: Option<Cursor<u64>>,
    /// How many at a time.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 500)]
    pub limit: Option<Limit>,
}

impl UsageQuery {
    /// Of the customer that the query names, else that of the caller; of all for the operator.
    pub fn filter(&self, own: Option<&Cid>) -> Result<UsageFilter, Problem> {
        let cid = self.cid.as_ref().or(own).cloned();
        if cid.is_none() && self.org_id.is_some() {
            return Err(Problem::bad_request("invalid_query", "must be given").at("cid"));
        }
        Ok(UsageFilter { cid, ..self.of(self.org_id) })
    }

    /// Of the org that the path names.
    pub fn filter_in(&self, cid: &Cid, org: OrgId) -> Result<UsageFilter, Problem> {
        let other = self.cid.as_ref().is_some_and(|named| named != cid);
        let other_org = self.org_id.is_some_and(|named| named != org);
        if other || other_org {
            let field = if other { "cid" } else { "org_id" };
            return Err(Problem::bad_request("invalid_query", "differs from the path").at(field));
        }
        Ok(UsageFilter { cid: Some(cid.clone()), ..self.of(Some(org)) })
    }

    fn of(&self, org: Option<OrgId>) -> UsageFilter {
        UsageFilter { cid: None, org, site: self.site_id, from: self.from, to: self.to }
    }
}
