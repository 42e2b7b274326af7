use serde::{Deserialize, Deserializer};

use crate::problem::Problem;

/// A field that can be left out, be null, or have a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Nullable<T> {
    /// Left out: stays as it is.
    #[default]
    Absent,
    /// Null: taken away.
    Null,
    /// Set to this.
    Value(T),
}

impl<T> Nullable<T> {
    /// The value, if there is one.
    pub fn into_value(self) -> Option<T> {
        match self {
            Self::Absent | Self::Null => None,
            Self::Value(value) => Some(value),
        }
    }

    /// As the services take it.
    #[expect(clippy::option_option, reason = "as the services take it: leave, take away or set")]
    pub fn into_change<U>(self, convert: impl FnOnce(T) -> U) -> Option<Option<U>> {
        match self {
            Self::Absent => None,
            Self::Null => Some(None),
            Self::Value(value) => Some(Some(convert(value))),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Nullable<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Null, Self::Value))
    }
}

/// What path and body both say must be the same.
///
/// # Errors
///
/// 400 when the body says something else than the path.
pub fn agree<T: PartialEq>(field: &'static str, path: T, body: Option<T>) -> Result<T, Problem> {
    if body.is_none_or(|body| body == path) {
        return Ok(path);
    }
    let detail = format!("the body's `{field}` is not the path's: leave it out, or make them the same");
    Err(Problem::bad_request("path_body_mismatch", detail).at(field))
}
