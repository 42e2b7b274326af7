use jiff::Timestamp;

use super::ahead::Ahead;
use super::db::Db;
use super::query::{Query, query};
use super::{Users, micros, usage};
use crate::account::{Customer, Lifecycle, Org, Space, Version};
use crate::id::{OrgId, SiteId, SpaceId};
use crate::name::{Cid, Hostname, Slug};
use crate::quota::{Quota, Usage};
use crate::store::row::{CustomerRow, OrgRow, SpaceRow, read};
use crate::store::{Expect, Record, StoreError, Violation};

type Checked = Result<(), StoreError>;

/// What [`check`] asks of the database first, as far as that gives one value at most.
pub(super) fn asks(expect: &Expect) -> Vec<Query> {
    match expect {
        Expect::CustomerActive(cid) | Expect::CustomerPresent(cid) => vec![customer(cid)],
        Expect::Version(record, _) | Expect::Present(record) => vec![version_of(record)],
        Expect::Absent(record) => vec![once_there(record)],
        Expect::CidUnused(cid) => vec![version_of(&Record::Customer(cid.clone()))],
        Expect::QuotaAllows { org, space, .. } => vec![org_doc(*org), space_doc(*space)],
        Expect::IdempotencyUnused(principal, key, since) => vec![kept(principal, key, *since)],
        Expect::IdempotencyHeld(principal, key, begun_at) => vec![its_own(principal, key, *begun_at)],
        named => taken(named).into_iter().collect(),
    }
}

/// Whether what is expected is so, on a connection that is in a transaction.
pub(super) async fn check(ahead: &Ahead, db: &mut Db, expect: &Expect, at: Timestamp) -> Checked {
    match expect {
        Expect::CustomerActive(cid) => lifecycle(ahead, db, cid, |found| found == Lifecycle::Active).await,
        Expect::CustomerPresent(cid) => {
            lifecycle(ahead, db, cid, |found| matches!(found, Lifecycle::Active | Lifecycle::Suspended)).await
        }
        Expect::Version(record, expected) => match version(ahead, db, record).await? {
            Some(found) if found == *expected => Ok(()),
            found => violated(Violation::Version { record: record.clone(), found }),
        },
        Expect::Present(record) if version(ahead, db, record).await?.is_none() => {
            violated(Violation::Absent(record.clone()))
        }
        Expect::Absent(record) if ahead.number(once_there(record), db).await?.is_some() => {
            violated(Violation::Present(record.clone()))
        }
        Expect::Present(_) | Expect::Absent(_) => Ok(()),
        Expect::CidUnused(cid) => match version(ahead, db, &Record::Customer(cid.clone())).await? {
            Some(_) => violated(Violation::CidUsed(cid.clone())),
            None => Ok(()),
        },
        Expect::LoginFree(_)
        | Expect::OrgNameFree(..)
        | Expect::SpaceNameFree(..)
        | Expect::SiteNameFree(..)
        | Expect::UsernameFree(..)
        | Expect::ExternalLoginFree(..) => free(ahead, db, expect).await,
        Expect::DomainsFree(site, domains) => domains_free(db, *site, domains, expect).await,
        Expect::LoginPending(state) => pending(db, state).await,
        Expect::SpareKept(id) => spare_kept(db, *id).await,
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
        Expect::QuotaAllows { org, space, site, usage } => {
            quota(ahead, db, *org, *space, *site, *usage).await
        }
        Expect::QuotaFitsOrg(org, quota) => {
            let org = org_quota(ahead, db, *org).await?;
            fits(quota.fits_in(&org))
        }
        Expect::QuotaCoversSpaces(org, quota) => covers(db, *org, quota).await,
        Expect::WebhooksBelow(most) => match query("SELECT COUNT(*) FROM webhooks").count(db).await? {
            fewer if fewer < *most => Ok(()),
            _ => violated(Violation::WebhooksAt(*most)),
        },
        Expect::PaymentAccount(cid, name) => payment_account(db, cid, name).await,
        Expect::PaymentAccountUnused(cid, name) => no_org_pays_by(db, cid, name).await,
        Expect::IdempotencyUnused(principal, key, since) => {
            match ahead.count(kept(principal, key, *since), db).await? {
                0 => Ok(()),
                _ => violated(Violation::IdempotencyUsed),
            }
        }
        Expect::IdempotencyHeld(principal, key, begun_at) => {
            match ahead.count(its_own(principal, key, *begun_at), db).await? {
                0 => violated(Violation::IdempotencyLost),
                _ => Ok(()),
            }
        }
    }
}

fn violated<T>(violation: Violation) -> Result<T, StoreError> {
    Err(StoreError::Violated(violation))
}

fn customer(cid: &Cid) -> Query {
    query("SELECT doc FROM customers WHERE cid = $1").bind(cid.to_string())
}

async fn lifecycle(ahead: &Ahead, db: &mut Db, cid: &Cid, fit: impl Fn(Lifecycle) -> bool) -> Checked {
    let Some(found) = ahead.text(customer(cid), db).await? else {
        return violated(Violation::CustomerAbsent);
    };
    let customer = Customer::from(read::<CustomerRow>(&found)?);
    if fit(customer.lifecycle) { Ok(()) } else { violated(Violation::CustomerInactive(customer.lifecycle)) }
}

async fn payment_account(db: &mut Db, cid: &Cid, name: &Slug) -> Checked {
    let Some(found) = customer(cid).text(db).await? else { return violated(Violation::CustomerAbsent) };
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

fn version_of(record: &Record) -> Query {
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
    query(sql).bind(key)
}

async fn version(ahead: &Ahead, db: &mut Db, record: &Record) -> Result<Option<Version>, StoreError> {
    let found = ahead.number(version_of(record), db).await?;
    Ok(found.map(|version| u64::try_from(version).unwrap_or(0)))
}

/// Gives a number if it is there, or was: ids of sites are never used again.
fn once_there(record: &Record) -> Query {
    let Record::Site(id) = record else { return version_of(record) };
    let found = "SELECT version FROM sites WHERE id = $1 \
                 UNION ALL SELECT generation FROM tombstones WHERE site_id = $1 LIMIT 1";
    query(found).bind(id.to_string())
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

/// Counts who has the name that is to be free.
fn taken(expect: &Expect) -> Option<Query> {
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
        _ => return None,
    };
    Some(query(sql).bind(parent).bind(name))
}

async fn free(ahead: &Ahead, db: &mut Db, expect: &Expect) -> Checked {
    let Some(taken) = taken(expect) else { return Ok(()) };
    match ahead.count(taken, db).await? {
        0 => Ok(()),
        _ => violated(Violation::Taken(Box::new(expect.clone()))),
    }
}

async fn pending(db: &mut Db, state: &[u8; 32]) -> Checked {
    let sql = "SELECT COUNT(*) FROM pending_logins WHERE state = $1";
    match query(sql).bind(state.to_vec()).count(db).await? {
        0 => violated(Violation::LoginNotPending),
        _ => Ok(()),
    }
}

async fn spare_kept(db: &mut Db, id: SiteId) -> Checked {
    let sql = "SELECT COUNT(*) FROM spares WHERE id = $1 AND state = 'kept'";
    match query(sql).bind(id.to_string()).count(db).await? {
        0 => violated(Violation::SpareNotKept),
        _ => Ok(()),
    }
}

fn fits(does: bool) -> Checked {
    if does { Ok(()) } else { violated(Violation::QuotaAboveOrg) }
}

fn org_doc(org: OrgId) -> Query {
    query("SELECT doc FROM orgs WHERE id = $1").bind(org.to_string())
}

fn space_doc(space: SpaceId) -> Query {
    query("SELECT doc FROM spaces WHERE id = $1").bind(space.to_string())
}

async fn org_quota(ahead: &Ahead, db: &mut Db, org: OrgId) -> Result<Quota, StoreError> {
    let found = ahead.text(org_doc(org), db).await?;
    found.map_or(Ok(Quota::default()), |doc| Ok(Org::from(read::<OrgRow>(&doc)?).quota))
}

async fn space_quota(ahead: &Ahead, db: &mut Db, space: SpaceId) -> Result<Quota, StoreError> {
    let found = ahead.text(space_doc(space), db).await?;
    found.map_or(Ok(Quota::default()), |doc| Ok(Space::from(read::<SpaceRow>(&doc)?).quota))
}

async fn quota(
    ahead: &Ahead,
    db: &mut Db,
    org: OrgId,
    space: SpaceId,
    site: Option<SiteId>,
    wanted: Usage,
) -> Checked {
    let (of_org, of_space) = (org_quota(ahead, db, org).await?, space_quota(ahead, db, space).await?);
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

/// Counts what is kept for the key of a request that began since this time.
fn kept(principal: &str, key: &str, since: Timestamp) -> Query {
    let sql = "SELECT COUNT(*) FROM idempotency \
               WHERE principal = $1 AND key = $2 AND status IS NOT NULL AND begun_at >= $3";
    query(sql).bind(principal).bind(key).bind(micros(since))
}

/// Counts the request of this key that began at this time.
fn its_own(principal: &str, key: &str, begun_at: Timestamp) -> Query {
    let sql = "SELECT COUNT(*) FROM idempotency WHERE principal = $1 AND key = $2 AND begun_at = $3";
    query(sql).bind(principal).bind(key).bind(micros(begun_at))
}
