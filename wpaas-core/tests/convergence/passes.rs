//! L1: where nothing fails, a site converges within the depth of what is wanted and two passes more.

use wpaas_core::converge::plan;
use wpaas_core::converge::trial::{Change, Op, Trial, wanted};
use wpaas_core::site::DatabaseSize::{self, One, Three};

/// How many steps wait for one another on the longest way up: the network, a node, each database node's order, and the
/// gateway's routes.
fn depth(database: DatabaseSize) -> usize {
    3 + usize::from(database.nodes())
}

#[test]
fn a_site_comes_up_within_its_depth_and_two_passes() {
    for database in [One, Three] {
        for wordpress in 0..4 {
            let passes = Trial::new(plan, wanted(wordpress, database)).converge().unwrap();
            let bound = depth(database) + 2;
            assert!(passes <= bound, "{passes} passes for {wordpress} and {database:?}, not {bound}");
        }
    }
}

/// The passes that a change of a site that runs takes.
fn passes(before: (u8, DatabaseSize), change: Change) -> usize {
    let mut trial = Trial::new(plan, wanted(before.0, before.1));
    trial.converge().unwrap();
    trial.take(Op::User(change)).unwrap();
    trial.converge().unwrap()
}

#[test]
fn a_change_is_done_within_its_depth_and_two_passes() {
    for (before, change, depth) in [
        // The node, its route.
        ((1, One), Change::Wordpress(2), 2),
        // Drained, removed.
        ((2, One), Change::Wordpress(1), 2),
        // The files, the node that tries it, the new nodes, their routes, the old ones, what they leave.
        ((2, One), Change::Release(Some(1)), 8),
        ((2, One), Change::Admin, 1),
        ((2, One), Change::Rest, 2),
        ((1, One), Change::Gone, 4),
        // Volumes, nodes, and two that join one after the other.
        ((1, One), Change::Database(Three), 5),
        // Two that leave one after the other: drained, removed, and its volume.
        ((1, Three), Change::Database(One), 6),
    ] {
        let passes = passes(before, change);
        assert!(passes <= depth + 2, "{passes} passes for {change:?} of {before:?}, not {}", depth + 2);
    }
}
