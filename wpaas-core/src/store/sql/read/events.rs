use async_trait::async_trait;
use jiff::Timestamp;

use super::{SqlStore, int, limit, query, time};
use crate::name::Cid;
use crate::store::row::{EventRow, read};
use crate::store::{Event, EventFilter, EventReads, EventScope, Idempotent, StoreError, StoredResponse};

type IdempotentColumns = (Vec<u8>, i64, i64, Vec<u8>);

#[async_trait]
impl EventReads for SqlStore {
    async fn events(&self, filter: &EventFilter, after: u64, most: usize) -> Result<Vec<Event>, StoreError> {
        let EventFilter { of, kind, who, since } = filter;
        let (sql, cid, within) = scoped(of);
        let mut query = query(sql)
            .bind(int(after))
            .bind(limit(most))
            .bind(kind.map(|kind| kind.as_str().to_owned()))
            .bind(who.as_ref().map(ToString::to_string))
            .bind(since.map_or(i64::MIN, Timestamp::as_microsecond));
        for key in [cid, within].into_iter().flatten() {
            query = query.bind(key);
        }
        let found: Vec<(i64, String)> = query.all(&self.readers).await?;
        found
            .into_iter()
            .map(|(seq, doc)| Ok(read::<EventRow>(&doc)?.event(u64::try_from(seq).unwrap_or(0))))
            .collect()
    }

    async fn last_event(&self) -> Result<u64, StoreError> {
        crate::store::sql::follow::last_event(&self.readers).await
    }

    async fn idempotent(&self, principal: &str, key: &str) -> Result<Option<Idempotent>, StoreError> {
        let sql = "SELECT request, begun_at, status, sealed FROM idempotency \
                   WHERE principal = $1 AND key = $2 AND status IS NOT NULL";
        let found: Option<IdempotentColumns> =
            query(sql).bind(principal.to_owned()).bind(key.to_owned()).first(&self.readers).await?;
        found.map(|columns| idempotent(principal, key, columns)).transpose()
    }
}

/// The statement for events within a scope, which an index finds; the rest is looked at one by one.
macro_rules! events {
    ($within:literal) => {
        concat!(
            "SELECT seq, doc FROM events WHERE seq > $1",
            $within,
            " AND (CAST($3 AS TEXT) IS NULL OR kind = $3) AND (CAST($4 AS TEXT) IS NULL OR who = $4) \
             AND at >= $5 ORDER BY seq LIMIT $2"
        )
    };
}

fn scoped(of: &EventScope) -> (&'static str, Option<String>, Option<String>) {
    let ids = |cid: &Cid, id: String| (Some(cid.to_string()), Some(id));
    let (sql, (cid, id)) = match of {
        EventScope::All => (events!(""), (None, None)),
        EventScope::Customer(cid) => (events!(" AND cid = $6"), (Some(cid.to_string()), None)),
        EventScope::Org(cid, org) => (events!(" AND cid = $6 AND org_id = $7"), ids(cid, org.to_string())),
        EventScope::Space(cid, space) => {
            (events!(" AND cid = $6 AND space_id = $7"), ids(cid, space.to_string()))
        }
        EventScope::Site(cid, site) => {
            (events!(" AND cid = $6 AND subject = $7"), ids(cid, site.to_string()))
        }
    };
    (sql, cid, id)
}

fn idempotent(principal: &str, key: &str, columns: IdempotentColumns) -> Result<Idempotent, StoreError> {
    let (request, begun_at, status, sealed) = columns;
    let corrupt = || StoreError::Corrupt { what: "what is kept for an idempotency key".to_owned() };
    let response = StoredResponse { status: u16::try_from(status).map_err(|_| corrupt())?, sealed };
    Ok(Idempotent {
        principal: principal.to_owned(),
        key: key.to_owned(),
        request: request.try_into().map_err(|_| corrupt())?,
        begun_at: time(begun_at)?,
        response,
    })
}
