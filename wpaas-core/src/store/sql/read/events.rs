use async_trait::async_trait;

use super::{SqlStore, int, limit, query, time};
use crate::store::row::{EventRow, read};
use crate::store::{Event, EventFilter, EventReads, Idempotent, StoreError, StoredResponse};

type IdempotentColumns = (Vec<u8>, i64, Option<i64>, Option<Vec<u8>>);

#[async_trait]
impl EventReads for SqlStore {
    async fn events(&self, filter: &EventFilter, after: u64, most: usize) -> Result<Vec<Event>, StoreError> {
        let (sql, cid, of) = filtered(filter);
        let mut query = query(sql).bind(int(after)).bind(limit(most));
        for key in [cid, of].into_iter().flatten() {
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
        let sql =
            "SELECT request, begun_at, status, sealed FROM idempotency WHERE principal = $1 AND key = $2";
        let found: Option<IdempotentColumns> =
            query(sql).bind(principal.to_owned()).bind(key.to_owned()).first(&self.readers).await?;
        found.map(|columns| idempotent(principal, key, columns)).transpose()
    }
}

fn filtered(filter: &EventFilter) -> (&'static str, Option<String>, Option<String>) {
    match filter {
        EventFilter::All => ("SELECT seq, doc FROM events WHERE seq > $1 ORDER BY seq LIMIT $2", None, None),
        EventFilter::Customer(cid) => (
            "SELECT seq, doc FROM events WHERE seq > $1 AND cid = $3 ORDER BY seq LIMIT $2",
            Some(cid.to_string()),
            None,
        ),
        EventFilter::Org(cid, org) => (
            "SELECT seq, doc FROM events WHERE seq > $1 AND cid = $3 AND org_id = $4 ORDER BY seq LIMIT $2",
            Some(cid.to_string()),
            Some(org.to_string()),
        ),
        EventFilter::Space(cid, space) => (
            "SELECT seq, doc FROM events WHERE seq > $1 AND cid = $3 AND space_id = $4 ORDER BY seq LIMIT $2",
            Some(cid.to_string()),
            Some(space.to_string()),
        ),
        EventFilter::Site(cid, site) => (
            "SELECT seq, doc FROM events WHERE seq > $1 AND cid = $3 AND subject = $4 ORDER BY seq LIMIT $2",
            Some(cid.to_string()),
            Some(site.to_string()),
        ),
    }
}

fn idempotent(principal: &str, key: &str, columns: IdempotentColumns) -> Result<Idempotent, StoreError> {
    let (request, begun_at, status, sealed) = columns;
    let corrupt = || StoreError::Corrupt { what: "what is kept for an idempotency key".to_owned() };
    let response = match (status, sealed) {
        (Some(status), Some(sealed)) => {
            Some(StoredResponse { status: u16::try_from(status).map_err(|_| corrupt())?, sealed })
        }
        _ => None,
    };
    Ok(Idempotent {
        principal: principal.to_owned(),
        key: key.to_owned(),
        request: request.try_into().map_err(|_| corrupt())?,
        begun_at: time(begun_at)?,
        response,
    })
}
