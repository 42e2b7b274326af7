//! What a query gives, and what that is read into.

#[cfg(feature = "postgres")]
use sqlx::postgres::PgRow;
#[cfg(feature = "sqlite")]
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{FromRow, Row as _};

#[cfg(feature = "sqlite")]
use super::query::{Query, bound};
use crate::store::StoreError;

/// What a row is read into: a tuple of columns.
pub(super) trait Columns: OfSqlite + OfPostgres + Send + Unpin {}
impl<T: OfSqlite + OfPostgres + Send + Unpin> Columns for T {}

#[cfg(feature = "sqlite")]
pub(super) trait OfSqlite: for<'r> FromRow<'r, SqliteRow> {}
#[cfg(feature = "sqlite")]
impl<T: for<'r> FromRow<'r, SqliteRow>> OfSqlite for T {}
#[cfg(not(feature = "sqlite"))]
pub(super) trait OfSqlite {}
#[cfg(not(feature = "sqlite"))]
impl<T> OfSqlite for T {}

#[cfg(feature = "postgres")]
pub(super) trait OfPostgres: for<'r> FromRow<'r, PgRow> {}
#[cfg(feature = "postgres")]
impl<T: for<'r> FromRow<'r, PgRow>> OfPostgres for T {}
#[cfg(not(feature = "postgres"))]
pub(super) trait OfPostgres {}
#[cfg(not(feature = "postgres"))]
impl<T> OfPostgres for T {}

/// How many rows are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Most {
    /// The first. Of a file its thread says no more, so that whoever asked is woken once.
    One,
    All,
}

#[cfg(feature = "sqlite")]
impl Most {
    pub(super) async fn of(self, query: Query, file: &mut SqliteConnection) -> Result<Rows, sqlx::Error> {
        let rows = match self {
            Self::One => bound!(query).fetch_optional(file).await?.into_iter().collect(),
            Self::All => bound!(query).fetch_all(file).await?,
        };
        Ok(Rows::Sqlite(rows))
    }
}

/// What a query gave.
pub(super) enum Rows {
    #[cfg(feature = "sqlite")]
    Sqlite(Vec<SqliteRow>),
    #[cfg(feature = "postgres")]
    Postgres(Vec<PgRow>),
}

impl Rows {
    pub(super) fn read<T: Columns>(&self) -> Result<Vec<T>, StoreError> {
        let read: Result<Vec<T>, sqlx::Error> = match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(rows) => rows.iter().map(T::from_row).collect(),
            #[cfg(feature = "postgres")]
            Self::Postgres(rows) => rows.iter().map(T::from_row).collect(),
        };
        read.map_err(|error| StoreError::Corrupt { what: error.to_string() })
    }

    /// The columns of the first row, all of them texts.
    pub(super) fn columns(&self) -> Result<Vec<Option<String>>, StoreError> {
        macro_rules! texts {
            ($rows:expr) => {
                $rows.first().map_or(Ok(Vec::new()), |row| (0..row.len()).map(|n| row.try_get(n)).collect())
            };
        }
        let read: Result<_, sqlx::Error> = match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(rows) => texts!(rows),
            #[cfg(feature = "postgres")]
            Self::Postgres(rows) => texts!(rows),
        };
        read.map_err(|error| StoreError::Corrupt { what: error.to_string() })
    }
}
