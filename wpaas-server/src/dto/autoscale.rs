//! Instances that follow a site's load.

use std::fmt;

use jiff::Timestamp;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use wpaas_core::site::{Autoscale, Scaling, Site};

/// Whether instances follow the load: `true` is from one to four, four requests under way in each.
#[derive(Debug, Clone, Copy, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum AutoscaleDto {
    /// Whether.
    Whether(bool),
    /// Between which bounds.
    Between(BoundsDto),
}

/// Between which bounds instances follow the load.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BoundsDto {
    /// At least so many instances.
    #[schema(minimum = 1, maximum = 20)]
    min: u16,
    /// At most so many instances.
    #[schema(minimum = 1, maximum = 20)]
    max: u16,
    /// Requests under way that an instance is to have; it works on six at a time.
    #[serde(default = "default_target")]
    #[schema(minimum = 1, maximum = 32)]
    target: u16,
}

fn default_target() -> u16 {
    Autoscale::default().target
}

impl Default for AutoscaleDto {
    fn default() -> Self {
        Self::Whether(false)
    }
}

impl<'de> Deserialize<'de> for AutoscaleDto {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AutoscaleVisitor)
    }
}

struct AutoscaleVisitor;

impl<'de> Visitor<'de> for AutoscaleVisitor {
    type Value = AutoscaleDto;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true, false, or an object of min, max and target")
    }

    fn visit_bool<E>(self, whether: bool) -> Result<AutoscaleDto, E> {
        Ok(AutoscaleDto::Whether(whether))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<AutoscaleDto, A::Error> {
        BoundsDto::deserialize(MapAccessDeserializer::new(map)).map(AutoscaleDto::Between)
    }
}

impl From<AutoscaleDto> for Option<Autoscale> {
    fn from(dto: AutoscaleDto) -> Self {
        match dto {
            AutoscaleDto::Whether(whether) => whether.then(Autoscale::default),
            AutoscaleDto::Between(BoundsDto { min, max, target }) => Some(Autoscale { min, max, target }),
        }
    }
}

impl From<Option<Autoscale>> for AutoscaleDto {
    fn from(bounds: Option<Autoscale>) -> Self {
        match bounds {
            None => Self::Whether(false),
            Some(Autoscale { min, max, target }) => Self::Between(BoundsDto { min, max, target }),
        }
    }
}

/// What is measured, and what follows.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct AutoscaleView {
    /// Instances that are wanted for the load.
    wanted: u16,
    /// Requests under way or waiting, on average of the last moments; null while no gateway has said so for long enough.
    measured: Option<f64>,
    /// Requests under way that an instance is to have.
    target: u16,
    /// Why so many are wanted.
    why: String,
    /// Since when so many are wanted; null while it is as many as the site began with.
    since: Option<Timestamp>,
}

impl AutoscaleView {
    /// Of a site that is scaled on its load, and what its load makes of it now.
    pub fn of(site: &Site, now: Option<Scaling>) -> Option<Self> {
        let bounds = site.spec.features.autoscale.filter(|_| site.is_scaling())?;
        let measured = now.as_ref().map(|scaling| scaling.measured.requests());
        let why = now.map_or_else(|| "the load is not known yet".to_owned(), |scaling| scaling.why);
        let limited = site.scaled.as_ref().and_then(|scaled| scaled.limited.as_ref());
        Some(Self {
            wanted: site.instances(),
            measured,
            target: bounds.target,
            why: limited.map_or_else(|| why.clone(), |limited| format!("{why}; {limited}")),
            since: site.scaled.as_ref().map(|scaled| scaled.since),
        })
    }
}
