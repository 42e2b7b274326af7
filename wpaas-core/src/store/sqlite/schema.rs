use sqlx::{Connection as _, SqliteConnection};

use super::unavailable;
use crate::store::StoreError;

/// Each takes the schema one version on. Never change one that was released: add another.
const MIGRATIONS: [&str; 1] = [include_str!("schema-1.sql")];

/// Brings the schema up to date, and refuses one that is newer than this program.
pub(super) async fn migrate(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(unavailable)?;
    sqlx::raw_sql("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)")
        .execute(&mut *transaction)
        .await
        .map_err(unavailable)?;
    let found: Option<i64> = sqlx::query_scalar("SELECT version FROM schema_version")
        .fetch_optional(&mut *transaction)
        .await
        .map_err(unavailable)?;
    let at = found.unwrap_or(0);
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if at > known {
        return Err(StoreError::TooNew { found: at, known });
    }
    for migration in MIGRATIONS.iter().skip(usize::try_from(at).unwrap_or(0)) {
        sqlx::raw_sql(*migration).execute(&mut *transaction).await.map_err(unavailable)?;
    }
    let set = if found.is_none() {
        "INSERT INTO schema_version (version) VALUES ($1)"
    } else {
        "UPDATE schema_version SET version = $1"
    };
    sqlx::query(set).bind(known).execute(&mut *transaction).await.map_err(unavailable)?;
    transaction.commit().await.map_err(unavailable)
}
