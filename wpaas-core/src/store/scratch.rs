//! Databases for tests, on the `PostgreSQL` that `WPAAS_TEST_POSTGRES` names (`scripts/postgres` starts one).

use super::PostgresUrl;

/// A new, empty database; `None` when no `PostgreSQL` is named.
///
/// # Panics
///
/// When the one that is named can't be used.
pub async fn database() -> Option<PostgresUrl> {
    let url = url().await?;
    Some(url.parse().expect("a changed path leaves it an address"))
}

/// The same as a text, for what reads its configuration.
///
/// # Panics
///
/// As [`database`].
pub async fn url() -> Option<String> {
    let server = std::env::var("WPAAS_TEST_POSTGRES").ok()?;
    Some(beside(&server).await)
}

/// The address of a new, empty database on this `PostgreSQL`.
///
/// # Panics
///
/// When it can't be used.
pub async fn beside(server: &str) -> String {
    let name = format!("test_{}", uuid::Uuid::now_v7().simple());
    let parsed: PostgresUrl = server.parse().expect("the address of a database");
    parsed.create(&name).await.expect("the PostgreSQL for tests answers");
    let mut url = url::Url::parse(server).expect("the address of a database");
    url.set_path(&name);
    url.to_string()
}
