//! What nodes say of themselves; the format is `wpaas-core/node/README.md`'s.

use serde::Deserialize;
use wpaas_core::converge::{
    BootId, DatabaseReport, GatewayReport, NodeReport, Part, PartKey, Report, WordpressReport,
};
use wpaas_core::site::Load;

use crate::problem::Problem;

/// `POST /reports/{site}/{part}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportDto {
    boot: String,
    /// Of a gateway: requests under way or waiting, on average, in hundredths.
    busy: Option<u32>,
    database: Option<DatabaseReport>,
    wordpress: Option<WordpressReport>,
    gateway: Option<GatewayReport>,
}

impl ReportDto {
    /// What a gateway has counted.
    pub fn load(&self) -> Option<Load> {
        self.busy.map(Load)
    }

    /// Of this node. It may only speak of what it is.
    pub fn into_report(self, of: PartKey) -> Result<Report, Problem> {
        let Self { boot, busy: _, database, wordpress, gateway } = self;
        let boot =
            BootId::new(&boot).ok_or_else(|| Problem::field("boot", "must be 1 to 64 letters and digits"))?;
        let node = match (of.part, database, wordpress, gateway) {
            (Part::Database(_), Some(report), None, None) => NodeReport::Database(report.into()),
            (Part::Wordpress(_), None, Some(report), None) => NodeReport::Wordpress(report.into()),
            (Part::Gateway(_), None, None, Some(report)) => NodeReport::Gateway(report.into()),
            _ => return Err(Problem::field("boot", "must come with one report, of the kind of the node")),
        };
        Ok(Report { site: of.site, part: of.part, boot, node })
    }
}
