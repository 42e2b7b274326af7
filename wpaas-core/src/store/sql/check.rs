use jiff::Timestamp;

use super::db::{Db, Query, query};
use super::{Users, micros, usage};
use crate::account::{Customer, Lifecycle, Org, Space, Version};
use crate::id::{OrgId, SiteId, SpaceId};
use crate::name::{Cid, Hostname, Slug};
use crate::quota::{Quota, Usage};
use crate::store::row::{CustomerRow, OrgRow, SpaceRow, read};
use crate::store::{Expect, Record, StoreError, Violation};

type Checked = Result<(), StoreError>;

/// Whether what is expected is so, on a connection that is in a transaction.
pub(super) async fn check(db: &mut Db, expect: &Expect, at: Timestamp) -> Checked {
    match expect {
        Expect::CustomerActive(cid) => lifecycle(db, cid, |found| found == Lifecycle::Active).await,
        Expect::CustomerPresent(cid) => {
            lifecycle(db, cid, |found| matches!(found, Lifecycle::Active | Lifecycle::Suspended)).await
        }
        Expect::Version(record, expected) => match version(db, record).await? {
            Some(found) if found == *expected => Ok(()),
            found => violated(Violation::Version { record: record.clone(), found }),
        },
        Expect::Present(record) if version(db, record).await?.is_none() => {
            violated(Violation::Absent(record.clone()))
        }
        Expect::Absent(record) if was_there(db, record).await? => {
            violated(Violation::Present(record.clone()))
        }
        Expect::Present(_) | Expect::Absent(_) => Ok(()),
        Expect::CidUnused(cid) => match version(db, &Record::Customer(cid.clone())).await? {
            Some(_) => violated(Violation::CidUsed(cid.clone())),
            None => Ok(()),
        },
        Expect::LoginFree(_)
        | Expect::OrgNameFree(..)
        | Expect::SpaceNameFree(..)
        | Expect::SiteNameFree(..)
        | Expect::UsernameFree(..)
        | Expect::ExternalLoginFree(..) => free(db, expect).await,
        Expect::DomainsFree(site, domains) => domains_free(db, *site, domains, expect).await,
        Expect::LoginPending(state) => pending(db, state).await,
        Expect::OrgEmpty(org) => {
            let spaces = query("SELECT COUNT(*) FROM spaces WHERE org_id = $1");
            let sites = query(
                "SELECT COUNT(*) FROM sites \
                 WHERE org_id = $1 AND (purge_after IS NULL OR purge_after > $2)",
            );
            let org = org.to_string();
            nothing_in(db, Some(spaces.bind(org.clone())), sites.bind(org), at).await
        }
        Expect::SpaceEmpty(space) => {
            let sites = query(
                "SELECT COUNT(*) FROM sites \
                 WHERE space_id = $1 AND (purge_after IS NULL OR purge_after > $2)",
            );
            nothing_in(db, None, sites.bind(space.to_string()), at).await
        }
        Expect::QuotaAllows { org, space, site, usage } => quota(db, *org, *space, *site, *usage).await,
        Expect::QuotaFitsOrg(org, quota) => {
            let org = org_quota(db, *org).await?;
            fits(quota.fits_in(&org))
        }
        Expect::QuotaCoversSpaces(org, quota) => covers(db, *org, quota).await,
        Expect::WebhooksBelow(most) => match query("SELECT COUNT(*) FROM webhooks").count(db).await? {
            fewer if fewer < *most => Ok(()),
            _ => violated(Violation::WebhooksAt(*most)),
        },
        Expect::PaymentAccount(cid, name) => payment_account(db, cid, name).await,
        Expect::PaymentAccountUnused(cid, name) => no_org_pays_by(db, cid, name).await,
        Expect::IdempotencyUnused(principal, key, stale) => idempotency(db, principal, key, *stale).await,
        Expect::IdempotencyHeld(principal, key, begun_at) => held(db, principal, key, *begun_at).await,
    }
}

fn violated<T>(violation: Violation) -> Result<T, StoreError> {
    Err(StoreError::Violated(violation))
}

async fn lifecycle(db: &mut Db, cid: &Cid, fit: impl Fn(Lifecycle) -> bool) -> Checked {
    let found = query("SELECT doc FROM customers WHERE cid = $1").bind(cid.to_string()).text(db).await?;
    let Some(found) = found else { return violated(Violation::CustomerAbsent) };
    let customer = Customer::from(read::<CustomerRow>(&found)?);
    if fit(customer.lifecycle) { Ok(()) } else { violated(Violation::CustomerInactive(customer.lifecycle)) }
}

async fn payment_account(db: &mut Db, cid: &Cid, name: &Slug) -> Checked {
    let found = query("SELECT doc FROM customers WHERE cid = $1").bind(cid.to_string()).text(db).await?;
    let Some(found) = found else { return violated(Violation::CustomerAbsent) };
    let has = Customer::from(read::<CustomerRow>(&found)?).payment_accounts.contains_key(name);
    if has { Ok(()) } else { violated(Violation::PaymentAccountAbsent) }
}

async fn no_org_pays_by(db: &mut Db, cid: &Cid, name: &Slug) -> Checked {
    let docs = query("SELECT doc FROM orgs WHERE cid = $1").bind(cid.to_string()).texts(db).await?;
    for doc in docs {
        let org = Org::from(read::<OrgRow>(&doc)?);
        if org.payment_account.as_ref() == Some(name) {
            return violated(Violation::PaymentAccountUsed(org.name));
        }
    }
    Ok(())
}

async fn version(db: &mut Db, record: &Record) -> Result<Option<Version>, StoreError> {
    let (sql, key) = match record {
        Record::Customer(cid) => ("SELECT version FROM customers WHERE cid = $1", cid.to_string()),
        Record::Org(id) => ("SELECT version FROM orgs WHERE id = $1", id.to_string()),
        Record::Space(id) => ("SELECT version FROM spaces WHERE id = $1", id.to_string()),
        Record::User(id) => ("SELECT version FROM users WHERE id = $1", id.to_string()),
        Record::Key(id) => ("SELECT version FROM api_keys WHERE id = $1", id.to_string()),
        Record::Site(id) => ("SELECT version FROM sites WHERE id = $1", id.to_string()),
        Record::Webhook(id) => ("SELECT version FROM webhooks WHERE id = $1", id.to_string()),
        Record::Delivery(id) => ("SELECT delivery_version FROM webhooks WHERE id = $1", id.to_string()),
        Record::AcmeAccount(directory) => {
            ("SELECT version FROM acme_accounts WHERE directory = $1", directory.clone())
        }
    };
    let found = query(sql).bind(key).number(db).await?;
    Ok(found.map(|version| u64::try_from(version).unwrap_or(0)))
}

/// Whether it is there, or was: ids of sites are never used again.
async fn was_there(db: &mut Db, record: &Record) -> Result<bool, StoreError> {
    let Record::Site(id) = record else { return Ok(version(db, record).await?.is_some()) };
    let found = "SELECT (SELECT COUNT(*) FROM sites WHERE id = $1) \
                 + (SELECT COUNT(*) FROM tombstones WHERE site_id = $1)";
    Ok(query(found).bind(id.to_string()).count(db).await? > 0)
}

/// What in a space or an org is in the way of its removal at this time.
async fn nothing_in(db: &mut Db, spaces: Option<Query>, sites: Query, at: Timestamp) -> Checked {
    let spaces = match spaces {
        Some(spaces) => spaces.count(&mut *db).await?,
        None => 0,
    };
    let sites = sites.bind(micros(at)).count(db).await?;
    if spaces + sites == 0 { Ok(()) } else { violated(Violation::NotEmpty { spaces, sites }) }
}

async fn domains_free(db: &mut Db, site: SiteId, domains: &[Hostname], expect: &Expect) -> Checked {
    for domain in domains {
        let others = query("SELECT COUNT(*) FROM domains WHERE domain = $1 AND site_id <> $2");
        if others.bind(domain.to_string()).bind(site.to_string()).count(&mut *db).await? > 0 {
            return violated(Violation::Taken(Box::new(expect.clone())));
        }
    }
    Ok(())
}

async fn free(db: &mut Db, expect: &Expect) -> Checked {
    let login = |username: &crate::name::Username| username.as_str().to_ascii_lowercase();
    let (sql, parent, name) = match expect {
        Expect::LoginFree(username) => (
            "SELECT COUNT(*) FROM customers WHERE lifecycle <> $1 AND login = $2",
            "purged".to_owned(),
            login(username),
        ),
        Expect::OrgNameFree(cid, name) => {
            ("SELECT COUNT(*) FROM orgs WHERE cid = $1 AND name = $2", cid.to_string(), name.to_string())
        }
        Expect::SpaceNameFree(org, name) => {
            ("SELECT COUNT(*) FROM spaces WHERE org_id = $1 AND name = $2", org.to_string(), name.to_string())
        }
        Expect::SiteNameFree(org, name) => {
            ("SELECT COUNT(*) FROM sites WHERE org_id = $1 AND name = $2", org.to_string(), name.to_string())
        }
        Expect::UsernameFree(cid, username) => {
            ("SELECT COUNT(*) FROM users WHERE cid = $1 AND login = $2", cid.to_string(), login(username))
        }
        Expect::ExternalLoginFree(issuer, subject) => (
            "SELECT COUNT(*) FROM external_logins WHERE issuer = $1 AND subject = $2",
            issuer.clone(),
            subject.clone(),
        ),
        _ => return Ok(()),
    };
    let taken = query(sql).bind(parent).bind(name).count(db).await?;
    if taken == 0 { Ok(()) } else { violated(Violation::Taken(Box::new(expect.clone()))) }
}

async fn pending(db: &mut Db, state: &[u8; 32]) -> Checked {
    let sql = "SELECT COUNT(*) FROM pending_logins WHERE state = $1";
    match query(sql).bind(state.to_vec()).count(db).await? {
        0 => violated(Violation::LoginNotPending),
        _ => Ok(()),
    }
}

fn fits(does: bool) -> Checked {
    if does { Ok(()) } else { violated(Violation::QuotaAboveOrg) }
}

async fn org_quota(db: &mut Db, org: OrgId) -> Result<Quota, StoreError> {
    let found = query("SELECT doc FROM orgs WHERE id = $1").bind(org.to_string()).text(db).await?;
    found.map_or(Ok(Quota::default()), |doc| Ok(Org::from(read::<OrgRow>(&doc)?).quota))
}

async fn space_quota(db: &mut Db, space: SpaceId) -> Result<Quota, StoreError> {
    let found = query("SELECT doc FROM spaces WHERE id = $1").bind(space.to_string()).text(db).await?;
    found.map_or(Ok(Quota::default()), |doc| Ok(Space::from(read::<SpaceRow>(&doc)?).quota))
}

async fn quota(db: &mut Db, org: OrgId, space: SpaceId, site: Option<SiteId>, wanted: Usage) -> Checked {
    let (of_org, of_space) = (org_quota(db, org).await?, space_quota(db, space).await?);
    if of_org == Quota::default() && of_space == Quota::default() {
        // Without a limit nothing is summed up; with one, the sum is over no more than it allows.
        return Ok(());
    }
    let now = match site {
        Some(site) => usage(&mut *db, Users::Site(site)).await?,
        None => Usage::default(),
    };
    let in_org = usage(&mut *db, Users::Org(org)).await?;
    let in_space = usage(&mut *db, Users::Space(space)).await?;
    of_org.allows(in_org, in_org - now + wanted).or_else(|limit| violated(Violation::OrgQuota(limit)))?;
    of_space.allows(in_space, in_space - now + wanted).or_else(|limit| violated(Violation::SpaceQuota(limit)))
}

async fn covers(db: &mut Db, org: OrgId, quota: &Quota) -> Checked {
    let docs = query("SELECT doc FROM spaces WHERE org_id = $1").bind(org.to_string()).texts(db).await?;
    for doc in docs {
        fits(Space::from(read::<SpaceRow>(&doc)?).quota.fits_in(quota))?;
    }
    Ok(())
}

async fn idempotency(db: &mut Db, principal: &str, key: &str, stale: Timestamp) -> Checked {
    let in_the_way = "SELECT COUNT(*) FROM idempotency \
                      WHERE principal = $1 AND key = $2 AND (status IS NOT NULL OR begun_at >= $3)";
    match of_key(db, in_the_way, principal, key, stale).await? {
        0 => Ok(()),
        _ => violated(Violation::IdempotencyUsed),
    }
}

async fn held(db: &mut Db, principal: &str, key: &str, begun_at: Timestamp) -> Checked {
    let its_own = "SELECT COUNT(*) FROM idempotency WHERE principal = $1 AND key = $2 AND begun_at = $3";
    match of_key(db, its_own, principal, key, begun_at).await? {
        0 => violated(Violation::IdempotencyLost),
        _ => Ok(()),
    }
}

/// Counts what is kept for the key.
async fn of_key(
    db: &mut Db,
    sql: &'static str,
    principal: &str,
    key: &str,
    at: Timestamp,
) -> Result<u64, StoreError> {
    query(sql).bind(principal.to_owned()).bind(key.to_owned()).bind(micros(at)).count(db).await
}
