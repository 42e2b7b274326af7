//! What nodes say, which run code of customers: whatever it is, no plan made of it breaks a rule, and a status comes of
//! it. One line a node.

use std::sync::OnceLock;

use jiff::Timestamp;
use wpaas_core::converge::trial::{Trial, wanted};
use wpaas_core::converge::{
    BootId, Coverage, Facts, Heard, Intent, NodeReport, Part, Scope, Trouble, lint, plan, status, verdict,
};
use wpaas_core::site::DatabaseSize::Three;

/// A site that has converged.
fn site() -> &'static (Intent, Facts) {
    static SITE: OnceLock<(Intent, Facts)> = OnceLock::new();
    SITE.get_or_init(|| {
        let mut trial = Trial::new(plan, wanted(2, Three));
        trial.converge().unwrap();
        let (intent, world) = (trial.intent().clone(), trial.world());
        let objects = world.list(&Scope::Site(intent.site)).objects.into_iter().map(|(_, object)| object);
        let objects = objects.collect();
        let reports = world.reports(intent.site).into_iter().map(Heard::from).collect();
        (intent, Facts { coverage: Coverage::Complete, objects, reports, ..Facts::nothing() })
    })
}

/// Panics where the target does not keep it.
pub fn keeps(said: &str) {
    let (intent, known) = site();
    let mut facts = known.clone();
    let nodes = [0, 1, 2]
        .map(Part::Database)
        .into_iter()
        .chain([0, 1].map(Part::Wordpress))
        .chain([Part::Gateway(0)]);
    for (part, text) in nodes.zip(said.lines()) {
        let Ok(node) = serde_json::from_str::<NodeReport>(text) else { continue };
        let again = serde_json::to_string(&node).unwrap();
        assert_eq!(serde_json::from_str::<NodeReport>(&again).unwrap(), node);
        let boot = BootId::new("1").unwrap();
        facts.reports.retain(|report| report.part != part);
        facts.reports.push(Heard { part, boot, node });
    }
    facts.reports.sort_by_key(|report| report.part);
    let plan = plan(intent, &facts);
    lint(intent, &facts, &plan).unwrap_or_else(|broken| panic!("{broken}\n{plan}\n{:?}", facts.reports));
    let _ = verdict(intent, &facts);
    let _ = status(intent, &facts, &plan, &Trouble::default(), Timestamp::UNIX_EPOCH);
}
