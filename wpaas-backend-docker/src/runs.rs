//! When containers ran, by the Engine's own clock, which only an inspection tells.

use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum as Status};
use bollard::models::{ContainerState, ContainerSummaryStateEnum as State};
use jiff::Timestamp;
use wpaas_core::converge::{BackendError, ObjectId, Run, Scope};
use wpaas_core::id::SiteId;

use crate::backend::Inner;
use crate::error::transient;
use crate::label::Labels;
use crate::listing::{FoundContainer, FoundVolume, Listing};

impl Inner {
    /// When what is listed ran, as far as is known.
    pub(crate) fn runs(&self, listing: &Listing) -> Vec<(SiteId, Run)> {
        let of_node =
            |found: &FoundContainer| Some((found.labels.site, self.memory.run(&found.id, runs(found))?));
        let of_volume = |found: &FoundVolume| {
            Some((found.labels.site, of_volume(&found.labels, &found.name, found.made?, None)))
        };
        let nodes = listing.containers.iter().filter(|found| found.labels.part.is_node());
        nodes.filter_map(of_node).chain(listing.volumes.iter().filter_map(of_volume)).collect()
    }

    /// Has nodes inspected that do not run any more, or run again; and of a whole fleet up to `limit` of which
    /// nobody knows yet when they ran. It is no loss that this takes a while after a start: the Engine keeps the times.
    pub(crate) fn suspect_runs(&self, scope: &Scope, listing: &Listing, limit: usize) {
        let nodes = || listing.containers.iter().filter(|found| found.labels.part.is_node() && ran(found));
        let unknown = |found: &&FoundContainer| self.memory.run(&found.id, runs(found)).is_none();
        let (changed, new): (Vec<_>, Vec<_>) =
            nodes().filter(unknown).partition(|found| self.memory.knows_run(&found.id));
        let new = if matches!(scope, Scope::Fleet) { &new[..limit.min(new.len())] } else { &[] };
        for found in changed.iter().chain(new) {
            self.memory.suspect(&found.id);
        }
    }

    /// Remembers when an inspected container ran.
    pub(crate) fn ran(&self, id: &str, container: &ContainerInspectResponse) -> Option<Run> {
        let labels = container.config.as_ref()?.labels.as_ref()?;
        let labels = Labels::read(labels, &self.config.installation).ok().flatten()?;
        let run = of_container(&labels, id, container);
        self.memory.ran(id, run.clone());
        run
    }

    /// Keeps the end of what is about to be removed.
    pub(crate) async fn tell_end(&self, site: SiteId, run: Option<Run>) -> Result<(), BackendError> {
        let Some(run) = run.filter(|run| run.ended_at.is_some()) else { return Ok(()) };
        let part = run.part;
        let told = self.ends.ended(site, run).await;
        told.map_err(|error| transient(format!("the end of {part} of {site} can't be kept")).caused_by(error))
    }
}

/// When a container last ran; `None` if it never did.
pub(crate) fn of_container(labels: &Labels, id: &str, container: &ContainerInspectResponse) -> Option<Run> {
    let state = container.state.as_ref()?;
    let ContainerState { started_at, finished_at, .. } = state;
    let (started_at, finished_at) = (time(started_at.as_deref())?, time(finished_at.as_deref()));
    let runs = matches!(state.status, Some(Status::RUNNING | Status::PAUSED));
    // Of what runs, the Engine still tells when it ended before.
    let (ended_at, previous_end) = if runs { (None, finished_at) } else { (Some(finished_at?), None) };
    Some(Run { part: labels.part, object: ObjectId::new(id), started_at, ended_at, previous_end })
}

/// Since when a volume is there, and until when.
pub(crate) fn of_volume(labels: &Labels, name: &str, made: Timestamp, end: Option<Timestamp>) -> Run {
    Run {
        part: labels.part,
        object: ObjectId::new(name),
        started_at: made,
        ended_at: end,
        previous_end: None,
    }
}

/// Whether a container was ever started.
fn ran(found: &FoundContainer) -> bool {
    found.state != State::CREATED
}

/// Whether it runs; a frozen one does.
fn runs(found: &FoundContainer) -> bool {
    matches!(found.state, State::RUNNING | State::PAUSED)
}

/// The Engine writes year 1 for what never happened.
fn time(text: Option<&str>) -> Option<Timestamp> {
    text?.parse().ok().filter(|at| *at > Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use wpaas_core::converge::Part;

    use super::*;

    fn container(status: Status, started: &str, finished: &str) -> ContainerInspectResponse {
        let state = ContainerState {
            status: Some(status),
            started_at: Some(started.to_owned()),
            finished_at: Some(finished.to_owned()),
            ..ContainerState::default()
        };
        ContainerInspectResponse { state: Some(state), ..ContainerInspectResponse::default() }
    }

    fn run(status: Status, started: &str, finished: &str) -> Option<(i64, Option<i64>, Option<i64>)> {
        let part = Part::Gateway(0);
        let labels = Labels { site: SiteId::new(), part, mark: (1, 1), fingerprint: None, host: None };
        let run = of_container(&labels, "c", &container(status, started, finished))?;
        let second = |at: Timestamp| at.as_second() % 60;
        Some((second(run.started_at), run.ended_at.map(second), run.previous_end.map(second)))
    }

    #[test]
    fn the_engine_tells_of_a_run_and_of_the_end_of_the_one_before() {
        let (never, ten) = ("0001-01-01T00:00:00Z", "2026-11-25T15:00:10.123456789Z");
        let five = "2026-11-25T15:00:05Z";
        assert_eq!(run(Status::CREATED, never, never), None);
        assert_eq!(run(Status::RUNNING, ten, never), Some((10, None, None)));
        assert_eq!(run(Status::PAUSED, ten, five), Some((10, None, Some(5))));
        assert_eq!(run(Status::EXITED, five, ten), Some((5, Some(10), None)));
        assert_eq!(run(Status::RESTARTING, five, ten), Some((5, Some(10), None)));
    }
}
