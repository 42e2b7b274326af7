//! What nodes say, kept once: of most nodes of a fleet it is the same.

use std::collections::HashSet;
use std::sync::Arc;

use rustc_hash::FxBuildHasher;

use crate::converge::NodeReport;

/// What any database or WordPress node says.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    /// Hashed fast: nodes that chose what they say to collide would slow down no more than they and the spare ones are.
    all: HashSet<NodeReport, FxBuildHasher>,
    /// How many of them somebody said when that was last looked at.
    kept: usize,
}

impl Said {
    /// So many may be kept that nobody says any more, and as many as somebody does.
    const SPARE: usize = 256;

    /// The same report, and the same memory for all equal ones. A gateway's tells of its site's own routes.
    pub(super) fn once(&mut self, report: NodeReport) -> NodeReport {
        if matches!(report, NodeReport::Gateway(_)) {
            return report;
        }
        if let Some(same) = self.all.get(&report) {
            return same.clone();
        }
        if self.all.len() >= 2 * self.kept + Self::SPARE {
            self.all.retain(is_said);
            self.all.shrink_to_fit();
            self.kept = self.all.len();
        }
        self.all.insert(report.clone());
        report
    }
}

/// Whether anybody but the set has it.
fn is_said(report: &NodeReport) -> bool {
    match report {
        NodeReport::Database(report) => Arc::strong_count(report) > 1,
        NodeReport::Wordpress(report) => Arc::strong_count(report) > 1,
        NodeReport::Gateway(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::converge::{DatabasePhase, DatabaseReport};

    fn report(founding: u64) -> NodeReport {
        NodeReport::Database(Arc::new(DatabaseReport {
            phase: DatabasePhase::Running,
            empty: false,
            position: None,
            founding,
            state: Some(4),
            primary: true,
            size: 1,
            lost_for: None,
            joins: false,
            error: None,
        }))
    }

    fn is_one(a: &NodeReport, b: &NodeReport) -> bool {
        matches!((a, b), (NodeReport::Database(a), NodeReport::Database(b)) if Arc::ptr_eq(a, b))
    }

    #[test]
    fn what_is_said_twice_is_kept_once_and_what_nobody_says_goes() {
        let mut said = Said::default();
        let first = said.once(report(1));
        assert!(is_one(&first, &said.once(report(1))));
        assert!(!is_one(&first, &said.once(report(2))));
        for founding in 3..10_000 {
            said.once(report(founding));
        }
        assert!(said.all.len() <= Said::SPARE + 4, "{}", said.all.len());
        assert!(is_one(&first, &said.once(report(1))), "it is still said");
    }
}
