use super::ahead::Ahead;
use super::check::{asks, check};
use super::db::Db;
use super::query::{Query, query};
use super::{acme, domains, metering, micros, spares, webhooks};
use crate::site::{DOMAIN_REMEMBERED, SpareState};
use crate::store::row::{EventRow, identity, write as doc};
use crate::store::{Change, Committed, Event, Expect, Idempotent, NewEvent, Record, StoreError, Write};

mod accounts;
mod identities;
mod secrets;
mod sites;

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
            secrets::insert(db, &mut secrets).await?;
            do_write(db, write, change.at, numbers.least).await?;
        }
    }
    secrets::insert(db, &mut secrets).await?;
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
        Write::InsertCustomer(customer) | Write::UpdateCustomer(customer) => {
            accounts::put_customer(db, customer).await
        }
        Write::InsertOrg(org) | Write::UpdateOrg(org) => accounts::put_org(db, org).await,
        Write::DeleteOrg(id, _) => delete(db, "DELETE FROM orgs WHERE id = $1", id.to_string()).await,
        Write::InsertSpace(space) | Write::UpdateSpace(space) => accounts::put_space(db, space).await,
        Write::DeleteSpace(id, _) => delete(db, "DELETE FROM spaces WHERE id = $1", id.to_string()).await,
        Write::InsertUser(user) | Write::UpdateUser(user) => accounts::put_user(db, user).await,
        Write::DeleteUser(id, _) => {
            identities::forget(db, id.to_string()).await?;
            delete(db, "DELETE FROM users WHERE id = $1", id.to_string()).await
        }
        Write::SetPassword(owner, hash) => identities::set_password(db, &owner, hash).await,
        Write::CountWrongPassword(name, at) => identities::count_wrong_password(db, &name, at).await,
        Write::ForgetWrongPasswords(name) => {
            run(db, query("DELETE FROM wrong_passwords WHERE name = $1").bind(name.to_vec())).await
        }
        Write::DeleteCredentials(owner) => identities::forget(db, identity(&owner)).await,
        Write::InsertExternalLogin(login) => identities::insert_external_login(db, login).await,
        Write::DeleteExternalLogin(owner, issuer, subject) => {
            let sql = "DELETE FROM external_logins WHERE identity = $1 AND issuer = $2 AND subject = $3";
            run(db, query(sql).bind(identity(&owner)).bind(issuer).bind(subject)).await
        }
        Write::InsertPendingLogin(login) => identities::insert_pending_login(db, login).await,
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
        Write::InsertKey(key) | Write::UpdateKey(key) => identities::put_key(db, key).await,
        Write::TouchKey(id, at) => {
            let touch = "UPDATE api_keys SET last_used_at = $2 \
                         WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)";
            run(db, query(touch).bind(id.to_string()).bind(micros(at))).await
        }
        Write::InsertSite(site, usage) => sites::put(db, site, usage).await,
        Write::UpdateSite(site, usage) => {
            domains::let_go(db, site.id, at).await?;
            sites::put(db, site, usage).await
        }
        Write::PurgeSite(stone, _) => {
            domains::let_go(db, stone.id, at).await?;
            domains::forget(db, at - DOMAIN_REMEMBERED).await?;
            spares::forget(db, stone.id).await?;
            sites::purge(db, &stone).await
        }
        Write::InsertSpare(spare, password) => spares::insert(db, spare, password).await,
        Write::TakeSpare(id) => spares::take(db, id, at).await,
        Write::EndSpare(id) => spares::mark(db, id, SpareState::Gone, at).await,
        Write::RecordStatus(site, status) => sites::record_status(db, site.to_string(), *status).await,
        Write::Meter(look, sizes) => metering::meter(db, &look, sizes, least).await,
        Write::InsertSecret(secret) => secrets::insert(db, &mut vec![secret]).await,
        Write::DeleteSecret(site, name, version) => {
            secrets::delete(db, site.to_string(), name, version).await
        }
        Write::HashPassword(hash) => secrets::hash_password(db, hash).await,
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
