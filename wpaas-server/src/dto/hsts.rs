//! Whether browsers ask for a site over HTTPS alone.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use wpaas_core::site::Hsts;

/// Whether browsers that have seen the site over HTTPS ask for it over nothing else: `true` is for a year.
#[derive(Debug, Clone, Copy, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum HstsDto {
    /// Whether.
    Whether(bool),
    /// For how long.
    For(MaxAgeDto),
}

/// For how long browsers ask for the site over HTTPS alone.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MaxAgeDto {
    /// In seconds, up to two years; 0 has them forget it.
    #[schema(maximum = 63_072_000)]
    max_age: u32,
}

impl Default for HstsDto {
    fn default() -> Self {
        Self::Whether(false)
    }
}

impl<'de> Deserialize<'de> for HstsDto {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(HstsVisitor)
    }
}

struct HstsVisitor;

impl<'de> Visitor<'de> for HstsVisitor {
    type Value = HstsDto;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true, false, or an object of max_age")
    }

    fn visit_bool<E>(self, whether: bool) -> Result<HstsDto, E> {
        Ok(HstsDto::Whether(whether))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<HstsDto, A::Error> {
        MaxAgeDto::deserialize(MapAccessDeserializer::new(map)).map(HstsDto::For)
    }
}

impl From<HstsDto> for Option<Hsts> {
    fn from(dto: HstsDto) -> Self {
        match dto {
            HstsDto::Whether(whether) => whether.then(Hsts::default),
            HstsDto::For(MaxAgeDto { max_age }) => Some(Hsts { max_age }),
        }
    }
}

impl From<Option<Hsts>> for HstsDto {
    fn from(hsts: Option<Hsts>) -> Self {
        match hsts {
            None => Self::Whether(false),
            Some(Hsts { max_age }) => Self::For(MaxAgeDto { max_age }),
        }
    }
}
