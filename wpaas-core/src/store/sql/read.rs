use async_trait::async_trait;
use jiff::Timestamp;

use super::db::Executor;
use super::query::query;
use super::{SqlStore, Users, int, micros, usage};
use crate::account::{ApiKey, Customer, ExternalLogin, Identity, KeyKind, Org, Space, User};
use crate::id::{KeyId, OrgId, SpaceId, UserId};
use crate::lockout::{Failures, NameDigest};
use crate::name::{Cid, Email, Slug, Username};
use crate::quota::Usage;
use crate::store::row::{
    CustomerRow, ExternalLoginRow, KeyRow, OrgRow, SpaceRow, UserRow, identity, key_kind, read,
};
use crate::store::{
    Bearer, CustomerReads, KeyReads, OrgReads, Page, PendingLogin, SpaceReads, StoreError, UserReads,
};

mod events;
mod sites;

/// The key that a piece begins after, as text: the empty one sorts before all.
pub(super) fn after<K: ToString>(page: &Page<K>) -> String {
    page.after.as_ref().map_or_else(String::new, ToString::to_string)
}

pub(super) fn limit(limit: usize) -> i64 {
    i64::try_from(limit.max(1)).unwrap_or(i64::MAX)
}

impl SqlStore {
    async fn first(&self, sql: &'static str, a: String, b: String) -> Result<Option<String>, StoreError> {
        query(sql).bind(a).bind(b).text(&self.readers).await
    }

    /// The texts of a query by a key, a cursor and a limit, in this order.
    async fn piece<K: ToString + Sync>(
        &self,
        sql: &'static str,
        key: String,
        page: &Page<K>,
    ) -> Result<Vec<String>, StoreError> {
        query(sql).bind(key).bind(after(page)).bind(limit(page.limit)).texts(&self.readers).await
    }
}

fn customer(doc: &str) -> Result<Customer, StoreError> {
    Ok(read::<CustomerRow>(doc)?.into())
}

fn org(doc: &str) -> Result<Org, StoreError> {
    Ok(read::<OrgRow>(doc)?.into())
}

fn space(doc: &str) -> Result<Space, StoreError> {
    Ok(read::<SpaceRow>(doc)?.into())
}

fn user(doc: &str) -> Result<User, StoreError> {
    Ok(read::<UserRow>(doc)?.into())
}

fn all<T>(docs: &[String], each: impl Fn(&str) -> Result<T, StoreError>) -> Result<Vec<T>, StoreError> {
    docs.iter().map(|doc| each(doc)).collect()
}

fn login(username: &Username) -> String {
    username.as_str().to_ascii_lowercase()
}

#[async_trait]
impl CustomerReads for SqlStore {
    async fn customer(&self, cid: &Cid) -> Result<Option<Customer>, StoreError> {
        let found = query("SELECT doc FROM customers WHERE cid = $1")
            .bind(cid.to_string())
            .text(&self.readers)
            .await?;
        found.as_deref().map(customer).transpose()
    }

    async fn customer_by_username(&self, username: &Username) -> Result<Option<Customer>, StoreError> {
        let sql = "SELECT doc FROM customers WHERE login = $1 AND lifecycle <> 'purged'";
        let found = query(sql).bind(login(username)).text(&self.readers).await?;
        found.as_deref().map(customer).transpose()
    }

    async fn customers_by_email(&self, email: &Email, most: usize) -> Result<Vec<Customer>, StoreError> {
        let sql =
            "SELECT doc FROM customers WHERE email = $1 AND lifecycle <> 'purged' ORDER BY cid LIMIT $2";
        let email = email.as_str().to_ascii_lowercase();
        all(&query(sql).bind(email).bind(limit(most)).texts(&self.readers).await?, customer)
    }

    async fn customers(&self, page: &Page<Cid>) -> Result<Vec<Customer>, StoreError> {
        let docs = query("SELECT doc FROM customers WHERE cid > $1 ORDER BY cid LIMIT $2")
            .bind(after(page))
            .bind(limit(page.limit))
            .texts(&self.readers)
            .await?;
        all(&docs, customer)
    }

    async fn cids_beginning(&self, prefix: &str) -> Result<Vec<Cid>, StoreError> {
        // '{' follows 'z', the last letter that an id can have.
        let cids = query("SELECT cid FROM customers WHERE cid >= $1 AND cid < $2 ORDER BY cid")
            .bind(prefix.to_owned())
            .bind(format!("{prefix}{{"))
            .texts(&self.readers)
            .await?;
        cids.iter().map(|cid| parsed(cid)).collect()
    }

    async fn customers_to_purge(&self, now: Timestamp, most: usize) -> Result<Vec<Cid>, StoreError> {
        let cids = query(
            "SELECT cid FROM customers WHERE purge_after IS NOT NULL AND purge_after <= $1 \
             ORDER BY purge_after, cid LIMIT $2",
        )
        .bind(micros(now))
        .bind(int(most as u64))
        .texts(&self.readers)
        .await?;
        cids.iter().map(|cid| parsed(cid)).collect()
    }
}

/// A key column as what it is.
pub(super) fn parsed<T: std::str::FromStr>(text: &str) -> Result<T, StoreError>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| StoreError::Corrupt { what: format!("{text:?} {error}") })
}

#[async_trait]
impl OrgReads for SqlStore {
    async fn org(&self, id: OrgId) -> Result<Option<Org>, StoreError> {
        let found =
            query("SELECT doc FROM orgs WHERE id = $1").bind(id.to_string()).text(&self.readers).await?;
        found.as_deref().map(org).transpose()
    }

    async fn org_by_name(&self, cid: &Cid, name: &Slug) -> Result<Option<Org>, StoreError> {
        let sql = "SELECT doc FROM orgs WHERE cid = $1 AND name = $2";
        self.first(sql, cid.to_string(), name.to_string()).await?.as_deref().map(org).transpose()
    }

    async fn orgs(&self, cid: &Cid, page: &Page<OrgId>) -> Result<Vec<Org>, StoreError> {
        let sql = "SELECT doc FROM orgs WHERE cid = $1 AND id > $2 ORDER BY id LIMIT $3";
        all(&self.piece(sql, cid.to_string(), page).await?, org)
    }

    async fn org_usage(&self, org: OrgId) -> Result<Usage, StoreError> {
        usage(&self.readers, Users::Org(org)).await
    }
}

#[async_trait]
impl SpaceReads for SqlStore {
    async fn space(&self, id: SpaceId) -> Result<Option<Space>, StoreError> {
        let found =
            query("SELECT doc FROM spaces WHERE id = $1").bind(id.to_string()).text(&self.readers).await?;
        found.as_deref().map(space).transpose()
    }

    async fn space_by_name(&self, org: OrgId, name: &Slug) -> Result<Option<Space>, StoreError> {
        let sql = "SELECT doc FROM spaces WHERE org_id = $1 AND name = $2";
        self.first(sql, org.to_string(), name.to_string()).await?.as_deref().map(space).transpose()
    }

    async fn spaces(
        &self,
        cid: &Cid,
        org: Option<OrgId>,
        page: &Page<SpaceId>,
    ) -> Result<Vec<Space>, StoreError> {
        let Some(org) = org else {
            let sql = "SELECT doc FROM spaces WHERE cid = $1 AND id > $2 ORDER BY id LIMIT $3";
            return all(&self.piece(sql, cid.to_string(), page).await?, space);
        };
        let sql = "SELECT doc FROM spaces WHERE org_id = $1 AND id > $2 ORDER BY id LIMIT $3";
        let mut spaces = all(&self.piece(sql, org.to_string(), page).await?, space)?;
        spaces.retain(|space| space.cid == *cid);
        Ok(spaces)
    }

    async fn space_usage(&self, space: SpaceId) -> Result<Usage, StoreError> {
        usage(&self.readers, Users::Space(space)).await
    }
}

#[async_trait]
impl UserReads for SqlStore {
    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        let found =
            query("SELECT doc FROM users WHERE id = $1").bind(id.to_string()).text(&self.readers).await?;
        found.as_deref().map(user).transpose()
    }

    async fn user_by_name(&self, cid: &Cid, username: &Username) -> Result<Option<User>, StoreError> {
        let sql = "SELECT doc FROM users WHERE cid = $1 AND login = $2";
        self.first(sql, cid.to_string(), login(username)).await?.as_deref().map(user).transpose()
    }

    async fn users_by_email(&self, cid: &Cid, email: &Email, most: usize) -> Result<Vec<User>, StoreError> {
        let sql = "SELECT doc FROM users WHERE cid = $1 AND email = $2 ORDER BY id LIMIT $3";
        let found = query(sql).bind(cid.to_string()).bind(email.as_str().to_ascii_lowercase());
        all(&found.bind(limit(most)).texts(&self.readers).await?, user)
    }

    async fn users(&self, cid: &Cid, page: &Page<UserId>) -> Result<Vec<User>, StoreError> {
        let sql = "SELECT doc FROM users WHERE cid = $1 AND id > $2 ORDER BY id LIMIT $3";
        all(&self.piece(sql, cid.to_string(), page).await?, user)
    }

    async fn password_hash(&self, owner: &Identity) -> Result<Option<String>, StoreError> {
        query("SELECT hash FROM passwords WHERE identity = $1")
            .bind(identity(owner))
            .text(&self.readers)
            .await
    }

    async fn wrong_passwords(&self, name: &NameDigest) -> Result<Option<Failures>, StoreError> {
        wrong_passwords(&self.readers, name).await
    }

    async fn external_login(&self, issuer: &str, subject: &str) -> Result<Option<ExternalLogin>, StoreError> {
        let sql = "SELECT doc FROM external_logins WHERE issuer = $1 AND subject = $2";
        let found = self.first(sql, issuer.to_owned(), subject.to_owned()).await?;
        found.as_deref().map(external_login).transpose()
    }

    async fn external_logins(&self, owner: &Identity) -> Result<Vec<ExternalLogin>, StoreError> {
        let sql = "SELECT doc FROM external_logins WHERE identity = $1 ORDER BY issuer, subject";
        all(&query(sql).bind(identity(owner)).texts(&self.readers).await?, external_login)
    }

    async fn pending_login(&self, state: &[u8; 32]) -> Result<Option<PendingLogin>, StoreError> {
        let sql = "SELECT expires_at, sealed FROM pending_logins WHERE state = $1";
        let found: Option<(i64, Vec<u8>)> = query(sql).bind(state.to_vec()).first(&self.readers).await?;
        let login =
            |(expires_at, sealed)| Ok(PendingLogin { state: *state, expires_at: time(expires_at)?, sealed });
        found.map(login).transpose()
    }
}

pub(super) async fn wrong_passwords(
    on: impl Executor,
    name: &NameDigest,
) -> Result<Option<Failures>, StoreError> {
    let sql = "SELECT failures, last_at FROM wrong_passwords WHERE name = $1";
    let found: Option<(i64, i64)> = query(sql).bind(name.to_vec()).first(on).await?;
    let failures = |(count, last): (i64, i64)| {
        Ok(Failures { count: u32::try_from(count).unwrap_or(u32::MAX), last: time(last)? })
    };
    found.map(failures).transpose()
}

fn external_login(doc: &str) -> Result<ExternalLogin, StoreError> {
    Ok(read::<ExternalLoginRow>(doc)?.into())
}

fn key((doc, last_used_at): (String, Option<i64>)) -> Result<ApiKey, StoreError> {
    let last_used_at = last_used_at.map(time).transpose()?;
    Ok(read::<KeyRow>(&doc)?.key(last_used_at))
}

/// A time from a column.
pub(super) fn time(micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(micros).map_err(|error| StoreError::Corrupt { what: error.to_string() })
}

#[async_trait]
impl KeyReads for SqlStore {
    async fn key(&self, id: KeyId) -> Result<Option<ApiKey>, StoreError> {
        let found = query("SELECT doc, last_used_at FROM api_keys WHERE id = $1")
            .bind(id.to_string())
            .first(&self.readers)
            .await?;
        found.map(key).transpose()
    }

    async fn bearer(&self, id: KeyId) -> Result<Option<Bearer>, StoreError> {
        // A user's id, or `customer/` and the customer's.
        let found: Option<(String, Option<i64>, Option<String>, Option<String>)> = query(
            "SELECT api_keys.doc, api_keys.last_used_at, users.doc, customers.doc FROM api_keys \
             LEFT JOIN users ON users.id = api_keys.identity \
             LEFT JOIN customers ON customers.cid = COALESCE(users.cid, substr(api_keys.identity, 10)) \
             WHERE api_keys.id = $1",
        )
        .bind(id.to_string())
        .first(&self.readers)
        .await?;
        let Some((doc, last_used_at, of_user, of_customer)) = found else { return Ok(None) };
        Ok(Some(Bearer {
            key: key((doc, last_used_at))?,
            customer: of_customer.as_deref().map(customer).transpose()?,
            user: of_user.as_deref().map(user).transpose()?,
        }))
    }

    async fn keys(
        &self,
        owner: &Identity,
        kind: KeyKind,
        page: &Page<KeyId>,
    ) -> Result<Vec<ApiKey>, StoreError> {
        let found: Vec<_> = query(
            "SELECT doc, last_used_at FROM api_keys WHERE identity = $1 AND kind = $2 AND id > $3 \
             ORDER BY id LIMIT $4",
        )
        .bind(identity(owner))
        .bind(key_kind(kind))
        .bind(after(page))
        .bind(limit(page.limit))
        .all(&self.readers)
        .await?;
        found.into_iter().map(key).collect()
    }
}
