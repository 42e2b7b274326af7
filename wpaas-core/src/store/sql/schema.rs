use super::db::Db;
use super::query::query;
use super::unavailable;
use crate::store::StoreError;

/// Each takes the schema one version on. Never change one that was released: add another. While servers are replaced one
/// after the other, those of the version before go on over the new schema: so one only adds what they can do without,
/// and nothing that their statements would fail at.
pub(super) const MIGRATIONS: [&str; 3] =
    [include_str!("schema-1.sql"), include_str!("schema-2.sql"), include_str!("schema-3.sql")];

/// Brings the schema up to date, and refuses one that is newer than this program. Of several programs that do it at
/// once, one does and the others wait for it.
pub(super) async fn migrate(db: &mut Db) -> Result<(), StoreError> {
    migrate_by(&MIGRATIONS, db).await
}

pub(super) async fn migrate_by(migrations: &[&'static str], db: &mut Db) -> Result<(), StoreError> {
    db.batch(db.begins()).await.map_err(unavailable)?;
    match in_transaction(migrations, db).await {
        Ok(()) => db.batch("COMMIT").await.map_err(unavailable),
        Err(error) => {
            // Whether this works or not, the connection is given up and nothing stays.
            drop(db.batch("ROLLBACK").await);
            Err(error)
        }
    }
}

async fn in_transaction(migrations: &[&'static str], db: &mut Db) -> Result<(), StoreError> {
    db.batch("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)")
        .await
        .map_err(unavailable)?;
    let found = query("SELECT version FROM schema_version").number(&mut *db).await?;
    let at = found.unwrap_or(0);
    let known = version(migrations);
    if at > known {
        return Err(StoreError::TooNew { found: at, known });
    }
    for migration in migrations.iter().skip(usize::try_from(at).unwrap_or(0)) {
        db.define(migration).await.map_err(unavailable)?;
    }
    let set = if found.is_none() {
        "INSERT INTO schema_version (version) VALUES ($1)"
    } else {
        "UPDATE schema_version SET version = $1"
    };
    query(set).bind(known).run(db).await.map(drop)
}

impl Db {
    /// Begins a transaction that writes. There is one at a time in the whole installation, so that whatever it reads
    /// stays true until its end, and events are numbered in the order in which they are committed.
    pub(super) const fn begins(&self) -> &'static str {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => "BEGIN IMMEDIATE",
            // The key is 'wpaas' in ASCII. Its lock is given back after what was committed can be read.
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => "BEGIN; SELECT pg_advisory_xact_lock(512970877299)",
        }
    }

    /// Ends it. All of it stays, and others are told if there is something to tell.
    pub(super) const fn ends(&self, tells: bool) -> &'static str {
        match (self, tells) {
            #[cfg(feature = "postgres")]
            (Self::Postgres(_), true) => super::follow::NOTIFY_AND_COMMIT,
            _ => "COMMIT",
        }
    }

    /// Runs a migration, in this database's words.
    async fn define(&mut self, migration: &'static str) -> Result<(), sqlx::Error> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => self.batch(migration).await,
            // Texts are compared by their bytes, as SQLite does and cursors need.
            #[cfg(feature = "postgres")]
            Self::Postgres(db) => {
                let sql = migration.replace(" TEXT", " TEXT COLLATE \"C\"").replace(" BLOB", " BYTEA");
                sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(db).await.map(drop)
            }
        }
    }
}

/// The newest version of the schema that this program knows.
pub(super) fn known() -> i64 {
    version(&MIGRATIONS)
}

fn version(migrations: &[&str]) -> i64 {
    i64::try_from(migrations.len()).unwrap_or(i64::MAX)
}

/// A table of the schema, and the statements that carry its rows.
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: Vec<Column>,
    pub(super) select: String,
    pub(super) insert: String,
    pub(super) count: String,
}

pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Int,
    Bytes,
    Bool,
}

/// The tables in the order in which they are made: none before what it refers to. Read from the migrations, so that
/// none is forgotten.
pub(super) fn tables() -> Vec<Table> {
    let mut tables: Vec<(&str, Vec<Column>)> = Vec::new();
    for line in MIGRATIONS.iter().flat_map(|migration| migration.lines()) {
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some("CREATE"), Some("TABLE")) => tables.extend(words.next().map(|name| (name, Vec::new()))),
            (Some(name), Some(kind)) if line.starts_with("    ") => {
                let columns = tables.last_mut().map(|(_, columns)| columns);
                if let (Some(columns), Some(kind)) = (columns, kind_of(kind)) {
                    columns.push(Column { name, kind });
                }
            }
            _ => {}
        }
    }
    tables.into_iter().map(|(name, columns)| Table::new(name, columns)).collect()
}

fn kind_of(word: &str) -> Option<Kind> {
    match word.trim_end_matches(',') {
        "TEXT" => Some(Kind::Text),
        "BIGINT" => Some(Kind::Int),
        "BLOB" => Some(Kind::Bytes),
        "BOOLEAN" => Some(Kind::Bool),
        _ => None,
    }
}

impl Table {
    fn new(name: &'static str, columns: Vec<Column>) -> Self {
        let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
        let places: Vec<String> = (1..=names.len()).map(|place| format!("${place}")).collect();
        let (names, places) = (names.join(", "), places.join(", "));
        Self {
            select: format!("SELECT {names} FROM {name} ORDER BY 1"),
            insert: format!("INSERT INTO {name} ({names}) VALUES ({places})"),
            count: format!("SELECT COUNT(*) FROM {name}"),
            name,
            columns,
        }
    }
}
