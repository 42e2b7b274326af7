//! Lists, a page at a time.

use std::fmt::Display;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize};
use wpaas_core::store::{Listed, Page};

/// A page of a list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ListView<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// What `cursor` is for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl<T> ListView<T> {
    /// The page that a service listed.
    pub fn new<U, K: Display>(listed: Listed<U, K>, view: impl FnMut(U) -> T) -> Self {
        let Listed { items, next } = listed;
        let next = next.map(|key| URL_SAFE_NO_PAD.encode(key.to_string()));
        Self { items: items.into_iter().map(view).collect(), next }
    }
}

/// Where a page ended. Opaque to callers.
#[derive(Debug, Clone)]
pub struct Cursor<K>(K);

impl<'de, K: std::str::FromStr> Deserialize<'de> for Cursor<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let key = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let key = key.and_then(|text| text.parse().ok());
        key.map(Self).ok_or_else(|| serde::de::Error::custom("must be the `next` of an earlier answer"))
    }
}

/// How many of a list at a time, when the caller does not say.
const PAGE: u16 = 100;

/// The most of a list at a time.
const LARGEST_PAGE: u16 = 500;

/// How many the caller wants at a time.
#[derive(Debug, Clone, Copy)]
pub struct Limit(u16);

impl Limit {
    /// As the services take it.
    pub fn get(self) -> usize {
        self.0.into()
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(PAGE)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let limit = u16::deserialize(deserializer)?;
        if (1..=LARGEST_PAGE).contains(&limit) {
            return Ok(Self(limit));
        }
        Err(serde::de::Error::custom(format!("must be from 1 to {LARGEST_PAGE}")))
    }
}

/// What a list is asked for that knows no filter.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, bound(deserialize = "K: std::str::FromStr"))]
pub struct PageQuery<K: utoipa::PartialSchema> {
    /// Where the page before ended.
    #[param(value_type = Option<String>, max_length = 512)]
    cursor: Option<Cursor<K>>,
    /// How many at a time.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 500)]
    limit: Option<Limit>,
}

impl<K: utoipa::PartialSchema> PageQuery<K> {
    /// As the services take it.
    pub fn page(self) -> Page<K> {
        page(self.cursor, self.limit)
    }
}

/// The page that a query asks for.
pub fn page<K>(cursor: Option<Cursor<K>>, limit: Option<Limit>) -> Page<K> {
    Page { after: cursor.map(|Cursor(key)| key), limit: limit.unwrap_or_default().get() }
}
