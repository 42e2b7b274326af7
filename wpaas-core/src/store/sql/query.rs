//! One text of SQL for `SQLite` and `PostgreSQL`, and its values.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The driver's query with its values.
macro_rules! bound {
    ($query:expr) => {{
        let $crate::store::sql::query::Query { sql, values } = $query;
        let mut bound = sqlx::query(sqlx::AssertSqlSafe(sql));
        for value in values {
            bound = match value {
                $crate::store::sql::query::Value::Text(text) => bound.bind(text),
                $crate::store::sql::query::Value::Int(number) => bound.bind(number),
                $crate::store::sql::query::Value::Bytes(bytes) => bound.bind(bytes),
                $crate::store::sql::query::Value::Bool(is) => bound.bind(is),
            };
        }
        bound
    }};
}
pub(super) use bound;

/// A value for a place of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(Option<String>),
    Int(Option<i64>),
    Bytes(Option<Vec<u8>>),
    Bool(bool),
}

macro_rules! values {
    ($($type:ty => $variant:ident($wrap:expr);)*) => {
        $(impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$variant($wrap(value))
            }
        })*
    };
}

values! {
    String => Text(Some);
    &str => Text(|text: &str| Some(text.to_owned()));
    Option<String> => Text(std::convert::identity);
    i64 => Int(Some);
    Option<i64> => Int(std::convert::identity);
    Vec<u8> => Bytes(Some);
    Option<Vec<u8>> => Bytes(std::convert::identity);
    bool => Bool(std::convert::identity);
}

/// A statement whose places are `$1`, `$2`, …, with what goes there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) sql: Cow<'static, str>,
    pub(super) values: Vec<Value>,
}

/// A query without values yet.
pub(super) const fn query(sql: &'static str) -> Query {
    Query { sql: Cow::Borrowed(sql), values: Vec::new() }
}

/// A query that was put together from names of the schema; never from anything that came from outside.
pub(super) const fn made(sql: String) -> Query {
    Query { sql: Cow::Owned(sql), values: Vec::new() }
}

impl Query {
    /// With this in the next place.
    pub(super) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }
}

/// Adds a statement to a text, its places counted from after this many values.
pub(super) fn push_renumbered(text: &mut String, sql: &str, values: usize) {
    for (n, piece) in sql.split('$').enumerate() {
        let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
        match piece[..digits].parse::<usize>() {
            Ok(place) if n > 0 => {
                // Writing to a text does not fail.
                let _written = write!(text, "${}{}", place + values, &piece[digits..]);
            }
            _ => text.push_str(piece),
        }
    }
}
