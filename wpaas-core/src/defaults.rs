//! The default org and the default space as values: made on the first request that needs them.
//!
//! Their ids are derived (UUID version 5), so a reader can't tell a default that is stored from one that is
//! not yet, and any number of concurrent requests makes the same row.

use jiff::Timestamp;
use uuid::Uuid;

use crate::account::{Org, Space};
use crate::id::{OrgId, SpaceId};
use crate::name::{Cid, Slug};
use crate::quota::Quota;

/// The UUID namespace of derived ids. Changing it would orphan every stored default.
pub(crate) const NAMESPACE: Uuid = Uuid::from_u128(0x6f0e_26c1_5bd4_4b0a_9d0e_77b5_3f1c_2a41);

/// The id of a customer's default org.
#[must_use]
pub fn org_id(cid: &Cid) -> OrgId {
    OrgId::from_uuid(Uuid::new_v5(&NAMESPACE, format!("org/{cid}").as_bytes()))
}

/// The id of an org's default space.
#[must_use]
pub fn space_id(org: OrgId) -> SpaceId {
    SpaceId::from_uuid(Uuid::new_v5(&NAMESPACE, format!("space/{org}").as_bytes()))
}

/// A customer's default org, as it is stored on first use.
#[must_use]
pub fn org(cid: &Cid, now: Timestamp) -> Org {
    Org {
        id: org_id(cid),
        cid: cid.clone(),
        name: Slug::default_name(),
        description: String::new(),
        quota: Quota::default(),
        payment_account: None,
        created_at: now,
        version: 1,
    }
}

/// An org's default space, as it is stored on first use.
#[must_use]
pub fn space(cid: &Cid, org: OrgId, now: Timestamp) -> Space {
    Space {
        id: space_id(org),
        cid: cid.clone(),
        org,
        name: Slug::default_name(),
        description: String::new(),
        quota: Quota::default(),
        created_at: now,
        version: 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_ids_never_change() {
        let cid: Cid = "acm".parse().unwrap();
        assert_eq!(org_id(&cid).to_string(), "org_25d00d8538aa5dfabb1af8655a02ba56");
        assert_eq!(space_id(org_id(&cid)), space_id(org_id(&cid)));
        assert_ne!(org_id(&cid), org_id(&"acme".parse().unwrap()));
    }
}
