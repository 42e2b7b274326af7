//! Sites of no customer.

use async_trait::async_trait;
use jiff::Timestamp;

use super::db::Db;
use super::query::query;
use super::read::{parsed, time};
use super::{SqlStore, micros};
use crate::id::SiteId;
use crate::secret::SecretName;
use crate::site::{DatabaseSize, Spare, SpareState};
use crate::store::row::write as doc;
use crate::store::{SpareReads, StoreError};

type SpareColumns = (String, i64, String, i64);

pub(super) async fn insert(db: &mut Db, spare: Spare, password: Vec<u8>) -> Result<(), StoreError> {
    let Spare { id, database, state, since } = spare;
    let put =
        query("INSERT INTO spares (id, database_nodes, state, since, password) VALUES ($1, $2, $3, $4, $5)");
    let put = put.bind(id.to_string()).bind(i64::from(database.nodes())).bind(state_text(state));
    put.bind(micros(since)).bind(password).run_by_the_next(db).await
}

/// Its password is one of its site's secrets from now on.
pub(super) async fn take(db: &mut Db, id: SiteId, at: Timestamp) -> Result<(), StoreError> {
    let give = query(
        "INSERT INTO secrets (site_id, name, version, sealed) \
         SELECT id, $2, 1, password FROM spares WHERE id = $1 AND password IS NOT NULL ON CONFLICT DO NOTHING",
    );
    give.bind(id.to_string()).bind(doc(&SecretName::DatabasePassword)?).run_by_the_next(db).await?;
    mark(db, id, SpareState::Taken, at).await
}

/// It is not kept any more.
pub(super) async fn mark(
    db: &mut Db,
    id: SiteId,
    state: SpareState,
    since: Timestamp,
) -> Result<(), StoreError> {
    let mark = query("UPDATE spares SET state = $2, since = $3, password = NULL WHERE id = $1");
    mark.bind(id.to_string()).bind(state_text(state)).bind(micros(since)).run_by_the_next(db).await
}

pub(super) async fn forget(db: &mut Db, id: SiteId) -> Result<(), StoreError> {
    query("DELETE FROM spares WHERE id = $1").bind(id.to_string()).run_by_the_next(db).await
}

const fn state_text(state: SpareState) -> &'static str {
    match state {
        SpareState::Kept => "kept",
        SpareState::Taken => "taken",
        SpareState::Gone => "gone",
    }
}

fn spare((id, nodes, state, since): SpareColumns) -> Result<Spare, StoreError> {
    let corrupt = |what: String| StoreError::Corrupt { what };
    let database = u8::try_from(nodes).ok().and_then(|nodes| DatabaseSize::try_from(nodes).ok());
    let states = [SpareState::Kept, SpareState::Taken, SpareState::Gone];
    let found = states.into_iter().find(|known| state_text(*known) == state);
    Ok(Spare {
        id: parsed(&id)?,
        database: database.ok_or_else(|| corrupt(format!("a spare has {nodes} database nodes")))?,
        state: found.ok_or_else(|| corrupt(format!("a spare is {state:?}")))?,
        since: time(since)?,
    })
}

#[async_trait]
impl SpareReads for SqlStore {
    async fn spares(&self) -> Result<Vec<Spare>, StoreError> {
        let sql = "SELECT id, database_nodes, state, since FROM spares WHERE state = 'kept' ORDER BY id";
        let found: Vec<SpareColumns> = query(sql).all(&self.readers).await?;
        found.into_iter().map(spare).collect()
    }

    async fn spare(&self, id: SiteId) -> Result<Option<Spare>, StoreError> {
        let sql = "SELECT id, database_nodes, state, since FROM spares WHERE id = $1";
        let found: Option<SpareColumns> = query(sql).bind(id.to_string()).first(&self.readers).await?;
        found.map(spare).transpose()
    }
}
