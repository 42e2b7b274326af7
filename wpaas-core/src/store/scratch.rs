//! Databases for tests, on the `PostgreSQL` that `WPAAS_TEST_POSTGRES` names (`scripts/postgres` starts one).

use super::PostgresUrl;

/// A new, empty database; `None` when no `PostgreSQL` is named.
///
/// # Panics
///
/// When the one that is named can't be used.
pub async fn database() -> Option<PostgresUrl> {
    let url = std::env::var("WPAAS_TEST_POSTGRES").ok()?;
    let server: PostgresUrl = url.parse().expect("WPAAS_TEST_POSTGRES is the address of a database");
    let name = format!("test_{}", uuid::Uuid::now_v7().simple());
    Some(server.created(&name).await.expect("WPAAS_TEST_POSTGRES answers"))
}
