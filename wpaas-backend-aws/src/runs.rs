//! When things ran, by AWS's own clock: the same listing that shows what is there tells it.
//!
//! What has ended is listed for an hour, with its end; a volume is gone at once, so its end is left before it goes.

use jiff::Timestamp;
use wpaas_core::converge::{ObjectId, Part, Run};
use wpaas_core::id::SiteId;

use crate::cloud::{Instance, InstanceState, Volume};
use crate::key::Note;
use crate::listing::{Found, Listing};

/// When what is listed ran, what has ended among it.
pub(crate) fn runs(listing: &Listing) -> Vec<(SiteId, Run)> {
    let nodes = listing.instances.iter().filter_map(|found| Some((found.tag.site, of_node(found)?)));
    let volumes = listing.volumes.iter().filter_map(|found| Some((found.tag.site, of_volume(found, None)?)));
    let kept = listing.notes.iter().filter_map(|note| Some((note.site, of_note(note, None)?)));
    nodes.chain(volumes).chain(kept).collect()
}

/// `None` of what does not run any more when EC2 does not say since when: it counts up to when it was last seen to.
fn of_node(found: &Found<Instance>) -> Option<Run> {
    let ended = match found.it.state {
        InstanceState::Pending | InstanceState::Running => None,
        InstanceState::Stopping
        | InstanceState::Stopped
        | InstanceState::ShuttingDown
        | InstanceState::Terminated => Some(time(found.it.ended?)?),
    };
    found.tag.part.is_node().then_some(())?;
    run(found.tag.part, &found.it.id, found.it.launched, ended)
}

/// A database node's volume, up to an end that is about to come.
pub(crate) fn of_volume(found: &Found<Volume>, end: Option<Timestamp>) -> Option<Run> {
    run(found.tag.part, &found.it.id, found.it.created, end)
}

/// A site's uploads; a release is not billed.
pub(crate) fn of_note(note: &Note, end: Option<Timestamp>) -> Option<Run> {
    note.part.holds_data().then_some(())?;
    run(note.part, &note.id(), note.since, end)
}

fn run(part: Part, id: &str, since: i64, ended_at: Option<Timestamp>) -> Option<Run> {
    Some(Run { part, object: ObjectId::new(id), started_at: time(since)?, ended_at, previous_end: None })
}

/// EC2 counts in whole seconds; 0 is what it did not say.
fn time(seconds: i64) -> Option<Timestamp> {
    Timestamp::from_second(seconds).ok().filter(|at| *at > Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::Tags;
    use crate::tag::Tag;

    fn node(state: InstanceState, ended: Option<i64>) -> Option<(i64, Option<i64>)> {
        let tag = Tag { site: SiteId::new(), part: Part::Gateway(0), mark: (1, 1), fingerprint: None };
        let it = Instance {
            id: "i-1".to_owned(),
            state,
            private_ip: None,
            volumes: Vec::new(),
            launched: 10,
            ended,
            failure: None,
            zone: String::new(),
            tags: Tags::new(),
        };
        let run = of_node(&Found { tag, it })?;
        Some((run.started_at.as_second(), run.ended_at.map(Timestamp::as_second)))
    }

    #[test]
    fn a_node_runs_from_its_launch_until_ec2_says_it_was_stopped() {
        assert_eq!(node(InstanceState::Pending, None), Some((10, None)));
        assert_eq!(node(InstanceState::Running, Some(5)), Some((10, None)), "of a run before");
        for state in [InstanceState::Stopped, InstanceState::ShuttingDown, InstanceState::Terminated] {
            assert_eq!(node(state, Some(20)), Some((10, Some(20))), "{state:?}");
            assert_eq!(node(state, None), None, "{state:?}, by itself");
        }
    }
}
