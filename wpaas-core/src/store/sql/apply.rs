use super::ahead::Ahead;
use super::check::{asks, check};
use super::db::{Db, Query, made, query};
use super::read::wrong_passwords;
use super::{acme, domains, int, metering, micros, webhooks};
use crate::account::{ApiKey, Customer, ExternalLogin, Identity, Lifecycle, Org, Space, User};
use crate::lockout::{Failures, NameDigest, forgotten};
use crate::quota::Usage;
use crate::secret::SecretName;
use crate::site::{DOMAIN_REMEMBERED, Site, SiteLifecycle, Tombstone};
use crate::store::row::{
    CustomerRow, EventRow, ExternalLoginRow, KeyRow, OrgRow, SiteRow, SpaceRow, StatusRow, UserRow, identity,
    key_kind, write as doc,
};
use crate::store::{
    Change, Committed, Event, Expect, Idempotent, NewEvent, PendingLogin, Record, SealedSecret, StoreError,
    StoredStatus, Write,
};

type Done = Result<(), StoreError>;

/// What is appended in a transaction is numbered so: from the least number on, and after what is in place. Events are
/// counted here, as nobody else writes meanwhile: to ask the database for each number would be one more turn a change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbers {
    pub(super) least: i64,
    next_event: Option<i64>,
}

impl Numbers {
    /// Of a transaction that has begun.
    pub(super) const fn from(least: i64) -> Self {
        Self { least, next_event: None }
    }

    async fn next_event(&mut self, db: &mut Db) -> Result<i64, StoreError> {
        let next = if let Some(next) = self.next_event {
            next
        } else {
            let last = query("SELECT COALESCE(MAX(seq), 0) FROM events").number(db).await?;
            last.map_or(self.least, |last| self.least.max(last + 1))
        };
        self.next_event = Some(next + 1);
        Ok(next)
    }
}

/// Checks and does all of a change on a connection that is in a transaction.
pub(super) async fn apply(
    db: &mut Db,
    change: Change,
    numbers: &mut Numbers,
) -> Result<Committed, StoreError> {
    let mut committed = Committed::default();
    let (mut made, mut secrets) = (Vec::new(), Vec::new());
    let first = change.writes.first().map(Write::implied).unwrap_or_default();
    let mut ahead = Ahead::of(change.expect.iter().chain(&first).flat_map(asks).collect(), db).await?;
    for expect in &change.expect {
        check(&ahead, db, expect, change.at).await?;
    }
    for write in change.writes {
        for expect in write.implied().iter().filter(|expect| !is_so(expect, &made)) {
            check(&ahead, db, expect, change.at).await?;
        }
        // What is written may be what was read.
        ahead = Ahead::default();
        made.extend(write.makes());
        committed.sites.extend(write.changed_site());
        committed.customers.extend(write.changed_customer().cloned());
        if let Write::InsertSecret(secret) = write {
            secrets.push(secret);
        } else {
            insert_secrets(db, &mut secrets).await?;
            do_write(db, write, change.at, numbers.least).await?;
        }
    }
    insert_secrets(db, &mut secrets).await?;
    for event in change.events {
        committed.events.push(append(db, change.at, event, numbers).await?);
    }
    Ok(committed)
}

/// Whether an expectation is met by what the same change has made.
fn is_so(expect: &Expect, made: &[Record]) -> bool {
    matches!(expect, Expect::Present(record) if made.contains(record))
}

async fn append(
    db: &mut Db,
    at: jiff::Timestamp,
    event: NewEvent,
    numbers: &mut Numbers,
) -> Result<Event, StoreError> {
    let seq = numbers.next_event(db).await?;
    let insert = query(
        "INSERT INTO events (seq, cid, org_id, space_id, subject, kind, who, at, doc) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(seq)
    .bind(event.cid.as_ref().map(|cid| cid.as_str().to_owned()))
    .bind(event.org.map(|org| org.to_string()))
    .bind(event.space.map(|space| space.to_string()))
    .bind(event.subject.to_string())
    .bind(event.kind.as_str().to_owned())
    .bind(event.who.to_string())
    .bind(at.as_microsecond())
    .bind(doc(&EventRow::new(at, event.clone()))?);
    run(db, insert).await?;
    Ok(Event { seq: u64::try_from(seq).unwrap_or(0), at, event })
}

async fn do_write(db: &mut Db, write: Write, at: jiff::Timestamp, least: i64) -> Done {
    match write {
        Write::InsertCustomer(customer) | Write::UpdateCustomer(customer) => put_customer(db, customer).await,
        Write::InsertOrg(org) | Write::UpdateOrg(org) => put_org(db, org).await,
        Write::DeleteOrg(id, _) => delete(db, "DELETE FROM orgs WHERE id = $1", id.to_string()).await,
        Write::InsertSpace(space) | Write::UpdateSpace(space) => put_space(db, space).await,
        Write::DeleteSpace(id, _) => delete(db, "DELETE FROM spaces WHERE id = $1", id.to_string()).await,
        Write::InsertUser(user) | Write::UpdateUser(user) => put_user(db, user).await,
        Write::DeleteUser(id, _) => {
            forget(db, id.to_string()).await?;
            delete(db, "DELETE FROM users WHERE id = $1", id.to_string()).await
        }
        Write::SetPassword(owner, hash) => set_password(db, &owner, hash).await,
        Write::CountWrongPassword(name, at) => count_wrong_password(db, &name, at).await,
        Write::ForgetWrongPasswords(name) => {
            run(db, query("DELETE FROM wrong_passwords WHERE name = $1").bind(name.to_vec())).await
        }
        Write::DeleteCredentials(owner) => forget(db, identity(&owner)).await,
        Write::InsertExternalLogin(login) => insert_external_login(db, login).await,
        Write::DeleteExternalLogin(owner, issuer, subject) => {
            let sql = "DELETE FROM external_logins WHERE identity = $1 AND issuer = $2 AND subject = $3";
            run(db, query(sql).bind(identity(&owner)).bind(issuer).bind(subject)).await
        }
        Write::InsertPendingLogin(login) => insert_pending_login(db, login).await,
        Write::TakePendingLogin(state) => {
            run(db, query("DELETE FROM pending_logins WHERE state = $1").bind(state.to_vec())).await
        }
        Write::ExpirePendingLogins(before) => {
            run(db, query("DELETE FROM pending_logins WHERE expires_at < $1").bind(micros(before))).await
        }
        Write::DeleteKey(id) => delete(db, "DELETE FROM api_keys WHERE id = $1", id.to_string()).await,
        Write::DeleteSessions(owner) => {
            let sql = "DELETE FROM api_keys WHERE identity = $1 AND kind = 'session'";
            delete(db, sql, identity(&owner)).await
        }
        Write::InsertKey(key) | Write::UpdateKey(key) => put_key(db, key).await,
        Write::TouchKey(id, at) => {
            let touch = "UPDATE api_keys SET last_used_at = $2 \
                         WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)";
            run(db, query(touch).bind(id.to_string()).bind(micros(at))).await
        }
        Write::InsertSite(site, usage) => put_site(db, site, usage).await,
        Write::UpdateSite(site, usage) => {
            domains::let_go(db, site.id, at).await?;
            put_site(db, site, usage).await
        }
        Write::PurgeSite(stone, _) => {
            domains::let_go(db, stone.id, at).await?;
            domains::forget(db, at - DOMAIN_REMEMBERED).await?;
            purge_site(db, &stone).await
        }
        Write::RecordStatus(site, status) => record_status(db, site.to_string(), *status).await,
        Write::Meter(look, sizes) => metering::meter(db, &look, sizes, least).await,
        Write::InsertSecret(secret) => insert_secrets(db, &mut vec![secret]).await,
        Write::DeleteSecret(site, name, version) => delete_secret(db, site.to_string(), name, version).await,
        Write::HashPassword(hash) => hash_password(db, hash).await,
        Write::InsertWebhook(webhook, delivery) => webhooks::insert(db, webhook, delivery).await,
        Write::UpdateWebhook(webhook) => webhooks::update(db, webhook).await,
        Write::DeleteWebhook(id, _) => delete(db, "DELETE FROM webhooks WHERE id = $1", id.to_string()).await,
        Write::UpdateDelivery(delivery) => webhooks::deliver(db, delivery).await,
        Write::InsertAcmeAccount(account) | Write::UpdateAcmeAccount(account) => acme::put(db, account).await,
        Write::CountIssuance(name, at) => acme::count(db, &name, at).await,
        Write::PutIdempotent(kept) => put_idempotent(db, kept).await,
        Write::ExpireIdempotent(before) => {
            let expire = "DELETE FROM idempotency WHERE begun_at < $1";
            run(db, query(expire).bind(micros(before))).await
        }
    }
}

async fn run(db: &mut Db, query: Query) -> Done {
    query.run_by_the_next(db).await
}

async fn delete(db: &mut Db, sql: &'static str, key: String) -> Done {
    run(db, query(sql).bind(key)).await
}

async fn forget(db: &mut Db, identity: String) -> Done {
    delete(db, "DELETE FROM passwords WHERE identity = $1", identity.clone()).await?;
    delete(db, "DELETE FROM external_logins WHERE identity = $1", identity.clone()).await?;
    delete(db, "DELETE FROM api_keys WHERE identity = $1", identity).await
}

async fn put_customer(db: &mut Db, customer: Customer) -> Done {
    let (lifecycle, purge_after) = match customer.lifecycle {
        Lifecycle::Active => ("active", None),
        Lifecycle::Suspended => ("suspended", None),
        Lifecycle::ToBeRemoved { purge_after, .. } => ("to_be_removed", Some(micros(purge_after))),
        Lifecycle::Purged => ("purged", None),
    };
    let put = query(
        "INSERT INTO customers (cid, login, email, lifecycle, purge_after, version, doc) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (cid) DO UPDATE SET login = excluded.login, email = excluded.email, \
         lifecycle = excluded.lifecycle, purge_after = excluded.purge_after, version = excluded.version, doc = excluded.doc",
    )
    .bind(customer.cid.to_string())
    .bind(customer.username.as_str().to_ascii_lowercase())
    .bind(customer.email.as_str().to_ascii_lowercase())
    .bind(lifecycle)
    .bind(purge_after)
    .bind(int(customer.version))
    .bind(doc(&CustomerRow::from(customer))?);
    run(db, put).await
}

async fn put_org(db: &mut Db, org: Org) -> Done {
    let put = query(
        "INSERT INTO orgs (id, cid, name, version, doc) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (id) DO UPDATE SET version = excluded.version, doc = excluded.doc",
    )
    .bind(org.id.to_string())
    .bind(org.cid.to_string())
    .bind(org.name.to_string())
    .bind(int(org.version))
    .bind(doc(&OrgRow::from(org))?);
    run(db, put).await
}

async fn put_space(db: &mut Db, space: Space) -> Done {
    let put = query(
        "INSERT INTO spaces (id, cid, org_id, name, version, doc) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (id) DO UPDATE SET version = excluded.version, doc = excluded.doc",
    )
    .bind(space.id.to_string())
    .bind(space.cid.to_string())
    .bind(space.org.to_string())
    .bind(space.name.to_string())
    .bind(int(space.version))
    .bind(doc(&SpaceRow::from(space))?);
    run(db, put).await
}

async fn put_user(db: &mut Db, user: User) -> Done {
    let put = query(
        "INSERT INTO users (id, cid, login, email, version, doc) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (id) DO UPDATE SET email = excluded.email, version = excluded.version, doc = excluded.doc",
    )
    .bind(user.id.to_string())
    .bind(user.cid.to_string())
    .bind(user.username.as_str().to_ascii_lowercase())
    .bind(user.email.as_str().to_ascii_lowercase())
    .bind(int(user.version))
    .bind(doc(&UserRow::from(user))?);
    run(db, put).await
}

async fn set_password(db: &mut Db, owner: &Identity, hash: String) -> Done {
    let put = "INSERT INTO passwords (identity, hash) VALUES ($1, $2) \
               ON CONFLICT (identity) DO UPDATE SET hash = excluded.hash";
    run(db, query(put).bind(identity(owner)).bind(hash)).await
}

async fn put_key(db: &mut Db, key: ApiKey) -> Done {
    let put = query(
        "INSERT INTO api_keys (id, identity, kind, last_used_at, version, doc) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (id) DO UPDATE SET version = excluded.version, doc = excluded.doc",
    )
    .bind(key.id.to_string())
    .bind(identity(&key.identity))
    .bind(key_kind(key.kind))
    .bind(key.last_used_at.map(micros))
    .bind(int(key.version))
    .bind(doc(&KeyRow::from(key))?);
    run(db, put).await
}

async fn insert_external_login(db: &mut Db, login: ExternalLogin) -> Done {
    let put = "INSERT INTO external_logins (issuer, subject, identity, doc) VALUES ($1, $2, $3, $4)";
    let put = query(put)
        .bind(login.issuer.clone())
        .bind(login.subject.clone())
        .bind(identity(&login.identity))
        .bind(doc(&ExternalLoginRow::from(login))?);
    run(db, put).await
}

async fn insert_pending_login(db: &mut Db, login: PendingLogin) -> Done {
    let PendingLogin { state, expires_at, sealed } = login;
    let put = "INSERT INTO pending_logins (state, expires_at, sealed) VALUES ($1, $2, $3)";
    run(db, query(put).bind(state.to_vec()).bind(micros(expires_at)).bind(sealed)).await
}

async fn count_wrong_password(db: &mut Db, name: &NameDigest, at: jiff::Timestamp) -> Done {
    let Failures { count, last } = Failures::and_one(wrong_passwords(&mut *db, name).await?, at);
    let put = "INSERT INTO wrong_passwords (name, failures, last_at) VALUES ($1, $2, $3) ON CONFLICT (name) \
               DO UPDATE SET failures = excluded.failures, last_at = excluded.last_at";
    run(&mut *db, query(put).bind(name.to_vec()).bind(i64::from(count)).bind(micros(last))).await?;
    let expire = query("DELETE FROM wrong_passwords WHERE last_at <= $1");
    run(db, expire.bind(micros(forgotten(at)))).await
}

async fn put_site(db: &mut Db, site: Site, usage: Usage) -> Done {
    let purge_after = match site.lifecycle {
        SiteLifecycle::Live => None,
        SiteLifecycle::Deleting { purge_after, .. } => Some(micros(purge_after)),
    };
    let site_id = site.id;
    let held: Vec<String> = site.domains.held().map(ToString::to_string).collect();
    let put = query(
        "INSERT INTO sites (id, cid, org_id, space_id, name, purge_after, fetch_at, look_at, is_scaling, \
         use_sites, use_wordpress, use_database, use_storage, version, doc) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
         ON CONFLICT (id) DO UPDATE SET purge_after = excluded.purge_after, fetch_at = excluded.fetch_at, \
         look_at = excluded.look_at, is_scaling = excluded.is_scaling, use_sites = excluded.use_sites, use_wordpress = excluded.use_wordpress, \
         use_database = excluded.use_database, use_storage = excluded.use_storage, \
         version = excluded.version, doc = excluded.doc",
    )
    .bind(site_id.to_string())
    .bind(site.cid.to_string())
    .bind(site.org.to_string())
    .bind(site.space.to_string())
    .bind(site.name.to_string())
    .bind(purge_after)
    .bind(site.fetch_at().map(micros))
    .bind(site.look_at().map(micros))
    .bind(site.is_scaling())
    .bind(i64::from(usage.sites))
    .bind(i64::from(usage.wordpress_instances))
    .bind(i64::from(usage.database_instances))
    .bind(i64::from(usage.storage_gib))
    .bind(int(site.version))
    .bind(doc(&SiteRow::from(site))?);
    run(db, put).await?;
    domains::hold(db, site_id, held).await
}

/// Status and secrets go with the site.
async fn purge_site(db: &mut Db, stone: &Tombstone) -> Done {
    delete(db, "DELETE FROM sites WHERE id = $1", stone.id.to_string()).await?;
    let put = query(
        "INSERT INTO tombstones (site_id, cid, org_id, generation, purged_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(stone.id.to_string())
    .bind(stone.cid.to_string())
    .bind(stone.org.to_string())
    .bind(int(stone.generation))
    .bind(micros(stone.purged_at));
    run(db, put).await
}

async fn record_status(db: &mut Db, site: String, status: StoredStatus) -> Done {
    let put = query(
        "INSERT INTO site_status (site_id, founded, challenge, doc) SELECT id, $2, $3, $4 FROM sites WHERE id = $1 \
         ON CONFLICT (site_id) DO UPDATE \
         SET founded = excluded.founded, challenge = excluded.challenge, doc = excluded.doc",
    )
    .bind(site)
    .bind(status.founded)
    .bind(status.status.challenge.clone())
    .bind(doc(&StatusRow::from(status))?);
    run(db, put).await
}

/// All of them in one statement, as each costs a word of the database.
async fn insert_secrets(db: &mut Db, secrets: &mut Vec<SealedSecret>) -> Done {
    if secrets.is_empty() {
        return Ok(());
    }
    let rows: Vec<String> = (0..secrets.len())
        .map(|n| format!("(${}, ${}, ${}, ${})", 4 * n + 1, 4 * n + 2, 4 * n + 3, 4 * n + 4))
        .collect();
    let sql = "INSERT INTO secrets (site_id, name, version, sealed) VALUES ";
    let mut put = made(format!("{sql}{} ON CONFLICT DO NOTHING", rows.join(", ")));
    for SealedSecret { site, name, version, sealed } in secrets.drain(..) {
        put = put.bind(site.to_string()).bind(doc(&name)?).bind(int(version)).bind(sealed);
    }
    run(db, put).await
}

async fn delete_secret(db: &mut Db, site: String, name: SecretName, version: u64) -> Done {
    let delete = query("DELETE FROM secrets WHERE site_id = $1 AND name = $2 AND version = $3");
    run(db, delete.bind(site).bind(doc(&name)?).bind(int(version))).await
}

async fn hash_password(db: &mut Db, hash: SealedSecret) -> Done {
    let SealedSecret { site, name, version, sealed } = hash;
    let password = doc(&SecretName::AdminPassword)?;
    let put = query(
        "INSERT INTO secrets (site_id, name, version, sealed) SELECT site_id, $4, version, $5 FROM secrets \
         WHERE site_id = $1 AND name = $2 AND version = $3 ON CONFLICT DO NOTHING",
    )
    .bind(site.to_string())
    .bind(password.clone())
    .bind(int(version))
    .bind(doc(&name)?)
    .bind(sealed);
    run(db, put).await?;
    let delete = query("DELETE FROM secrets WHERE site_id = $1 AND name = $2 AND version = $3");
    run(db, delete.bind(site.to_string()).bind(password).bind(int(version))).await
}

async fn put_idempotent(db: &mut Db, kept: Idempotent) -> Done {
    let Idempotent { principal, key, request, begun_at, response } = kept;
    let put = query(
        "INSERT INTO idempotency (principal, key, request, begun_at, status, sealed) \
         VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (principal, key) DO UPDATE SET request = excluded.request, \
         begun_at = excluded.begun_at, status = excluded.status, sealed = excluded.sealed",
    )
    .bind(principal)
    .bind(key)
    .bind(request.to_vec())
    .bind(micros(begun_at))
    .bind(i64::from(response.status))
    .bind(response.sealed);
    run(db, put).await
}
