//! What the checks of a change will read, read at once: a turn of the database costs more than what is done in it.

use super::db::Db;
use super::query::{Query, made, push_renumbered};
use crate::store::StoreError;

/// The answers of queries that give one value at most. What is asked again is answered from here, for as long as
/// nothing has been written.
#[derive(Debug, Default)]
pub(super) struct Ahead(Vec<(Query, Option<String>)>);

impl Ahead {
    /// Asks all of these in one turn; of less than two nothing is gained.
    pub(super) async fn of(queries: Vec<Query>, db: &mut Db) -> Result<Self, StoreError> {
        if queries.len() < 2 {
            return Ok(Self::default());
        }
        let answers = at_once(&queries).columns(db).await?;
        Ok(Self(queries.into_iter().zip(answers).collect()))
    }

    /// The value, if there is one.
    pub(super) async fn text(&self, query: Query, db: &mut Db) -> Result<Option<String>, StoreError> {
        match self.0.iter().find(|(asked, _)| *asked == query) {
            Some((_, answer)) => Ok(answer.clone()),
            None => query.text(db).await,
        }
    }

    /// The value as the number that it is.
    pub(super) async fn number(&self, query: Query, db: &mut Db) -> Result<Option<i64>, StoreError> {
        let Some((_, answer)) = self.0.iter().find(|(asked, _)| *asked == query) else {
            return query.number(db).await;
        };
        let corrupt = |text: &String| StoreError::Corrupt { what: format!("{text} is no number") };
        answer.as_ref().map(|text| text.parse().map_err(|_| corrupt(text))).transpose()
    }

    /// What an aggregate counted.
    pub(super) async fn count(&self, query: Query, db: &mut Db) -> Result<u64, StoreError> {
        Ok(self.number(query, db).await?.map_or(0, |count| u64::try_from(count).unwrap_or(0)))
    }
}

/// One query whose row has a column for each of these: a database that sends rows one by one sends one.
fn at_once(queries: &[Query]) -> Query {
    let (mut sql, mut values) = ("SELECT ".to_owned(), Vec::new());
    for (n, query) in queries.iter().enumerate() {
        sql.push_str(if n == 0 { "CAST((" } else { ", CAST((" });
        push_renumbered(&mut sql, &query.sql, values.len());
        sql.push_str(") AS TEXT)");
        values.extend(query.values.iter().cloned());
    }
    Query { values, ..made(sql) }
}
