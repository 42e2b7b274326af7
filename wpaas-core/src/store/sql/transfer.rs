//! The whole state as a text, from one database into another of either kind.
//!
//! A line is JSON: first what this is, then `["table", [values]]` for each row, then how many there were, so that a
//! text that was cut off is seen to be. The tables and their order are those of the schema.

use std::io::{BufRead, Write};

use futures::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::db::Db;
use super::query::{Query, Value, made};
use super::schema::{Column, Kind, Table, known, tables};
use super::{SqlStore, unavailable};
use crate::store::StoreError;

/// What is not the installation's but of the moment.
const LEFT_OUT: [&str; 2] = ["members", "claims"];

/// Why the state could not be carried over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// Of the database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Of the file.
    #[error("the file can't be read or written")]
    File(#[from] std::io::Error),
    /// The text is of another version.
    #[error(
        "the file has schema {found}, this program knows {known}: export it with this version of the program"
    )]
    Schema {
        /// Of the file.
        found: i64,
        /// Of this program.
        known: i64,
    },
    /// The text is none that was exported, or damaged.
    #[error("line {line} of the file is not as it was exported: {why}")]
    Malformed {
        /// From 1.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
    /// The file ends early.
    #[error("the file was cut off: it does not say how many rows it has")]
    CutOff,
    /// Nothing is ever mixed.
    #[error("the database already holds something: import into an empty one")]
    NotEmpty,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    wpaas_export: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Foot {
    rows: u64,
}

fn carried() -> Vec<Table> {
    tables().into_iter().filter(|table| !LEFT_OUT.contains(&table.name)).collect()
}

impl SqlStore {
    /// Writes all that is kept, as it was at one moment; others can go on working. Returns the number of rows.
    ///
    /// # Errors
    ///
    /// Of the database and of the file.
    pub async fn export(&self, to: &mut (impl Write + Send)) -> Result<u64, TransferError> {
        let mut db = self.options.connect().await.map_err(unavailable)?;
        db.batch(db.snapshot()).await.map_err(unavailable)?;
        line(to, &Head { wpaas_export: known() })?;
        let mut rows = 0;
        for table in carried() {
            rows += db.each(&table, |row| line(to, &(table.name, row))).await?;
        }
        line(to, &Foot { rows })?;
        to.flush()?;
        Ok(rows)
    }

    /// Reads what was exported into this database, which must hold nothing yet: all of it or nothing. Returns the
    /// number of rows.
    ///
    /// # Errors
    ///
    /// See [`TransferError`].
    pub async fn import(&self, from: impl BufRead + Send) -> Result<u64, TransferError> {
        let mut db = self.options.connect().await.map_err(unavailable)?;
        db.batch(db.begins()).await.map_err(unavailable)?;
        let tables = carried();
        for table in &tables {
            if made(table.count.clone()).count(&mut db).await? > 0 {
                return Err(TransferError::NotEmpty);
            }
        }
        // Without a commit nothing stays.
        let rows = read_all(&mut db, &tables, from).await?;
        db.batch("COMMIT").await.map_err(unavailable)?;
        Ok(rows)
    }
}

fn line(to: &mut impl Write, value: &impl Serialize) -> Result<(), TransferError> {
    serde_json::to_writer(&mut *to, value).map_err(std::io::Error::from)?;
    Ok(to.write_all(b"\n")?)
}

async fn read_all(db: &mut Db, tables: &[Table], from: impl BufRead + Send) -> Result<u64, TransferError> {
    let mut rows = 0;
    for (number, text) in (1..).zip(from.lines()) {
        let text = text?;
        let malformed = |why: String| TransferError::Malformed { line: number, why };
        if number == 1 {
            let Head { wpaas_export: found } =
                serde_json::from_str(&text).map_err(|error| malformed(error.to_string()))?;
            if found != known() {
                return Err(TransferError::Schema { found, known: known() });
            }
        } else if let Ok(Foot { rows: said }) = serde_json::from_str(&text) {
            return if said == rows { Ok(rows) } else { Err(malformed(format!("{rows} rows came before"))) };
        } else {
            let (name, values): (String, Vec<Json>) =
                serde_json::from_str(&text).map_err(|error| malformed(error.to_string()))?;
            let table = tables.iter().find(|table| table.name == name);
            let insert = table.and_then(|table| insert(table, values));
            let insert = insert.ok_or_else(|| malformed(format!("no row of {name:?}")))?;
            insert.run(&mut *db).await?;
            rows += 1;
        }
    }
    Err(TransferError::CutOff)
}

/// The statement that makes the row; `None` for values that the table's columns can't have.
fn insert(table: &Table, values: Vec<Json>) -> Option<Query> {
    if values.len() != table.columns.len() {
        return None;
    }
    let columns = table.columns.iter().zip(values);
    columns
        .into_iter()
        .try_fold(made(table.insert.clone()), |query, (column, json)| Some(query.bind(value(column, json)?)))
}

fn value(column: &Column, json: Json) -> Option<Value> {
    Some(match (column.kind, json) {
        (Kind::Text, Json::Null) => Value::Text(None),
        (Kind::Text, Json::String(text)) => Value::Text(Some(text)),
        (Kind::Int, Json::Null) => Value::Int(None),
        (Kind::Int, Json::Number(number)) => Value::Int(Some(number.as_i64()?)),
        (Kind::Bytes, Json::Null) => Value::Bytes(None),
        (Kind::Bytes, Json::String(text)) => Value::Bytes(Some(hex::decode(text).ok()?)),
        (Kind::Bool, Json::Bool(is)) => Value::Bool(is),
        _ => return None,
    })
}

/// A row's values as they are written.
macro_rules! written {
    ($row:expr, $columns:expr) => {{
        let row = &$row;
        let mut values = Vec::with_capacity($columns.len());
        for (at, column) in $columns.iter().enumerate() {
            values.push(match column.kind {
                Kind::Text => sqlx::Row::try_get::<Option<String>, _>(row, at).map(Json::from),
                Kind::Int => sqlx::Row::try_get::<Option<i64>, _>(row, at).map(Json::from),
                Kind::Bytes => sqlx::Row::try_get::<Option<Vec<u8>>, _>(row, at)
                    .map(|bytes| bytes.map(hex::encode))
                    .map(Json::from),
                Kind::Bool => sqlx::Row::try_get::<Option<bool>, _>(row, at).map(Json::from),
            }?);
        }
        values
    }};
}

impl Db {
    /// Begins to read everything as it is at one moment.
    const fn snapshot(&self) -> &'static str {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => "BEGIN",
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => {
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0"
            }
        }
    }

    /// Gives every row of a table, one at a time.
    async fn each(
        &mut self,
        table: &Table,
        mut take: impl FnMut(Vec<Json>) -> Result<(), TransferError>,
    ) -> Result<u64, TransferError> {
        let mut count = 0;
        macro_rules! stream {
            ($db:expr) => {{
                let mut rows = sqlx::query(sqlx::AssertSqlSafe(table.select.clone())).fetch($db);
                while let Some(row) = rows.try_next().await.map_err(unavailable)? {
                    let read = || -> Result<Vec<Json>, sqlx::Error> { Ok(written!(row, table.columns)) };
                    take(read().map_err(unavailable)?)?;
                    count += 1;
                }
            }};
        }
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(file) => stream!(file.alone().await.map_err(unavailable)?),
            #[cfg(feature = "postgres")]
            Self::Postgres(db) => stream!(db),
        }
        Ok(count)
    }
}
