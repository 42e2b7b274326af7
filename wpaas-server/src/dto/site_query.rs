//! What queries may say of sites.

use serde::Deserialize;
use wpaas_core::id::SiteId;
use wpaas_core::name::{Cid, Slug};
use wpaas_core::service::{Grace, Mode, SiteFilter, SitePhase};

use super::list::{Cursor, Limit};
use super::schema;
use crate::config::Period;

/// What the query of a write may say.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct WriteQuery {
    /// Another org than the default one.
    pub org: Option<Slug>,
    #[serde(default)]
    dry_run: bool,
}

impl WriteQuery {
    /// Whether the change stays.
    pub const fn mode(&self) -> Mode {
        mode(self.dry_run)
    }
}

/// What the query of a rollback may say.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct RollbackQuery {
    /// Another org than the default one.
    pub org: Option<Slug>,
    #[serde(default)]
    dry_run: bool,
    /// Whether the database goes back, too, to the dump taken before a later release changed its schema.
    #[serde(default)]
    pub with_database: bool,
}

impl RollbackQuery {
    /// Whether the change stays.
    pub const fn mode(&self) -> Mode {
        mode(self.dry_run)
    }
}

/// What the query of a deletion may say.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DeleteQuery {
    /// Another org than the default one.
    pub org: Option<Slug>,
    #[serde(default)]
    dry_run: bool,
    #[param(value_type = Option<schema::Grace>)]
    grace: Option<Period>,
}

impl DeleteQuery {
    /// Whether the change stays.
    pub const fn mode(&self) -> Mode {
        mode(self.dry_run)
    }

    /// How long the site can be restored.
    pub fn grace(&self) -> Grace {
        self.grace.map_or(Grace::Default, |grace| Grace::Of(grace.as_signed()))
    }
}

const fn mode(dry_run: bool) -> Mode {
    if dry_run { Mode::DryRun } else { Mode::Commit }
}

/// What the query of a read may say.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ReadQuery {
    /// Another org than the default one.
    pub org: Option<Slug>,
}

/// Which sites to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SiteQuery {
    /// Whose, where the path names nobody; the caller's own without.
    pub cid: Option<Cid>,
    /// Another org than the default one.
    pub org: Option<Slug>,
    /// Another space than the default one, where the path names none.
    pub space: Option<Slug>,
    name: Option<Slug>,
    status: Option<PhaseDto>,
    #[serde(default)]
    #[param(value_type = Option<String>, max_length = 8192, example = "tier=gold,team")]
    label: Labels,
    /// Where the page before ended.
    #[param(value_type = Option<String>, max_length = 512)]
    pub cursor: Option<Cursor<SiteId>>,
    /// How many at a time.
    #[param(value_type = Option<u16>, minimum = 1, maximum = 500)]
    pub limit: Option<Limit>,
}

impl SiteQuery {
    /// As the service takes it.
    pub fn filter(&self) -> SiteFilter {
        SiteFilter {
            name: self.name.clone(),
            phase: self.status.map(Into::into),
            labels: self.label.0.clone(),
        }
    }
}

/// Labels of a query: `a=b,c`.
#[derive(Debug, Default, Deserialize)]
#[serde(try_from = "String")]
struct Labels(Vec<(String, Option<String>)>);

impl TryFrom<String> for Labels {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.chars().count() > 8192 {
            return Err("must have 8192 characters or less");
        }
        let label = |item: &str| match item.split_once('=') {
            Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
            None => (item.to_owned(), None),
        };
        Ok(Self(text.split(',').filter(|item| !item.is_empty()).map(label).collect()))
    }
}

/// Where a site stands.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PhaseDto {
    Unknown,
    Progressing,
    Ready,
    Degraded,
    Suspended,
    Deleting,
}

impl From<PhaseDto> for SitePhase {
    fn from(dto: PhaseDto) -> Self {
        match dto {
            PhaseDto::Unknown => Self::Unknown,
            PhaseDto::Progressing => Self::Progressing,
            PhaseDto::Ready => Self::Ready,
            PhaseDto::Degraded => Self::Degraded,
            PhaseDto::Suspended => Self::Suspended,
            PhaseDto::Deleting => Self::Deleting,
        }
    }
}
