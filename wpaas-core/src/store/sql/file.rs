//! A connection to a file of `SQLite`.

use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;

use super::query::{Query, bound, push_renumbered};

/// A connection to a file. Each turn of the thread that works on it costs more than most statements do, so what gives
/// no rows waits for the next that does.
#[derive(Debug)]
pub(super) struct File {
    connection: SqliteConnection,
    waiting: Vec<Query>,
}

impl File {
    pub(super) const fn new(connection: SqliteConnection) -> Self {
        Self { connection, waiting: Vec::new() }
    }

    /// Runs this, which gives no rows, before whatever is asked next.
    pub(super) fn by_the_next(&mut self, query: Query) {
        self.waiting.push(query);
    }

    /// What waits and then this, as one query, and where to run it.
    pub(super) fn with_what_waits(&mut self, last: Query) -> (Query, &mut SqliteConnection) {
        let query =
            if self.waiting.is_empty() { last } else { together(self.waiting.drain(..).chain([last])) };
        (query, &mut self.connection)
    }

    /// Runs what waits.
    pub(super) async fn settle(&mut self) -> Result<(), sqlx::Error> {
        if self.waiting.is_empty() { Ok(()) } else { self.run(None).await }
    }

    /// Runs what waits, and then this.
    pub(super) async fn run(&mut self, last: Option<Query>) -> Result<(), sqlx::Error> {
        let all = together(self.waiting.drain(..).chain(last));
        bound!(all).execute(&mut self.connection).await.map(drop)
    }

    /// The connection, with nothing waiting on it.
    pub(super) async fn alone(&mut self) -> Result<&mut SqliteConnection, sqlx::Error> {
        self.settle().await?;
        Ok(&mut self.connection)
    }

    /// Ends the connection in order.
    pub(super) async fn close(self) -> Result<(), sqlx::Error> {
        self.connection.close().await
    }
}

/// Statements as one text, whose places go on counting. `SQLite` alone takes more than one with values.
fn together(queries: impl IntoIterator<Item = Query>) -> Query {
    let (mut sql, mut values) = (String::new(), Vec::new());
    for query in queries {
        push_renumbered(&mut sql, &query.sql, values.len());
        sql.push_str("; ");
        values.extend(query.values);
    }
    Query { sql: sql.into(), values }
}

#[cfg(test)]
mod tests {
    use super::super::query::query;
    use super::*;

    #[test]
    fn places_go_on_counting() {
        let first = query("INSERT INTO a VALUES ($1, $2, $1)").bind("x").bind(2);
        let all = together([query("SAVEPOINT s"), first, query("SELECT $2 + $10 FROM b").bind(3)]);
        assert_eq!(all.sql, "SAVEPOINT s; INSERT INTO a VALUES ($1, $2, $1); SELECT $4 + $12 FROM b; ");
        assert_eq!(all.values.len(), 3);
    }
}
