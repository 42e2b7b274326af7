//! A backend of one's own: it notes in memory what would run. The conformance suite says that it is right.
//!
//! `cargo run -p wpaas-examples --bin custom_backend`

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use proptest::prelude::*;
use wpaas_core::code::{Digest, Layout};
use wpaas_core::converge::conformance::{self, Deed, Fixture, Outside};
use wpaas_core::converge::{
    Action, Applied, Backend, BackendError, Capabilities, Coverage, Entry, ErrorClass, Fingerprint, Object,
    ObjectId, ObjectState, Observation, Part, Report, Scope, Step,
};
use wpaas_core::id::SiteId;

/// What would run. Clones are the backends of several servers over the same world.
#[derive(Debug, Clone, Default)]
struct Notebook(Arc<Mutex<Notes>>);

#[derive(Debug, Default)]
struct Notes {
    objects: BTreeMap<(SiteId, Part), Object>,
    /// How many were ever made: an id never comes again.
    made: u64,
}

#[async_trait::async_trait]
impl Backend for Notebook {
    fn capabilities(&self) -> Capabilities {
        let (resync, listing_lag) = (Duration::from_secs(10), Duration::ZERO);
        Capabilities { name: "notebook", real: false, concurrency: 8, resync, listing_lag, patience: None }
    }

    async fn observe(&self, scope: &Scope) -> Result<Observation, BackendError> {
        let inside = |site: SiteId| *scope == Scope::Fleet || *scope == Scope::Site(site);
        let notes = self.notes();
        let objects = notes.objects.iter().filter(|((site, _), _)| inside(*site));
        let objects = objects.map(|((site, _), object)| (*site, object.clone())).collect();
        Ok(Observation { coverage: Coverage::Complete, objects, runs: Vec::new() })
    }

    async fn apply(&self, step: &Step) -> Result<Applied, BackendError> {
        self.notes().take(step)
    }

    fn changes(&self) -> BoxStream<'static, SiteId> {
        // Nothing changes behind our back. A stream that ended would say that its source is lost.
        futures::stream::pending().boxed()
    }
}

impl Notebook {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notes {
    fn take(&mut self, step: &Step) -> Result<Applied, BackendError> {
        let newer = |part: &Object| (part.generation, part.epoch) > (step.generation, step.epoch);
        if self.objects.iter().any(|((site, _), part)| *site == step.site && newer(part)) {
            return conflict("a part of the site is newer than this plan");
        }
        let there = self.objects.get_mut(&(step.site, step.part));
        match &step.action {
            Action::CreateNetwork | Action::CreateVolume | Action::CreateRelease { .. } => {
                Ok(Applied::Present(there.cloned().unwrap_or_else(|| self.make(step, None))))
            }
            Action::CreateNode(spec) => match there {
                Some(node) if node.fingerprint != Some(spec.fingerprint) => conflict("another is there"),
                Some(node) => Ok(Applied::Present(node.clone())),
                None => {
                    let mut needs = spec.mounts.iter().map(|mount| mount.part).chain([Part::Network]);
                    if !needs.all(|part| self.objects.contains_key(&(step.site, part))) {
                        return conflict("what it needs is not there");
                    }
                    Ok(Applied::Present(self.make(step, Some(spec.fingerprint))))
                }
            },
            Action::StartNode { object } => match there.filter(|node| node.id == *object) {
                Some(node) => {
                    node.state = ObjectState::Ready;
                    Ok(Applied::Present(node.clone()))
                }
                None => conflict("it is gone"),
            },
            Action::Order { object, .. } | Action::Configure { object, .. } => {
                let runs = there.is_some_and(|node| node.id == *object && node.state == ObjectState::Ready);
                if runs { Ok(Applied::Told) } else { conflict("it does not run") }
            }
            Action::Lead { .. } => conflict("the address leads to the one gateway for good"),
            Action::Remove { object } => {
                let nodes =
                    || self.objects.keys().filter(|(site, part)| *site == step.site && part.is_node());
                if !step.part.is_node() && nodes().next().is_some() {
                    return conflict("it may be in use");
                }
                self.objects.retain(|(site, _), there| *site != step.site || there.id != *object);
                Ok(Applied::Absent)
            }
        }
    }

    fn make(&mut self, step: &Step, fingerprint: Option<Fingerprint>) -> Object {
        let Step { part, generation, epoch, .. } = *step;
        self.made += 1;
        let id = ObjectId::new(&format!("{part}-{}", self.made));
        let entry = (part == Part::Network).then(|| Box::new(Entry::at([192, 0, 2, 1].into())));
        let state = ObjectState::Ready;
        let object = Object { part, id, fingerprint, generation, epoch, state, entry };
        self.objects.insert((step.site, part), object.clone());
        object
    }
}

fn conflict(why: &str) -> Result<Applied, BackendError> {
    Err(BackendError::new(ErrorClass::Conflict, why))
}

/// What only the world's owner can do in it, for the suite.
#[async_trait::async_trait]
impl Fixture for Notebook {
    fn server(&self) -> Arc<dyn Backend> {
        Arc::new(self.clone())
    }

    fn release(&self) -> Option<(Digest, Layout)> {
        Some((Digest::from_sha256([7; 32]), Layout::Content))
    }

    fn hints(&self) -> bool {
        false
    }

    async fn outside(&self, site: SiteId, object: &Object, what: Outside) -> bool {
        let (mut notes, key) = (self.notes(), (site, object.part));
        let Some(there) = notes.objects.get_mut(&key) else { return false };
        match what {
            Outside::Kill => there.state = ObjectState::Stopped,
            Outside::Freeze => there.state = ObjectState::Frozen,
            Outside::Edit => there.fingerprint = None,
            Outside::Vanish => drop(notes.objects.remove(&key)),
        }
        true
    }

    async fn decoys(&self, _: SiteId) -> Vec<(Part, ObjectId)> {
        Vec::new()
    }

    async fn is_untouched(&self, _: Part, _: &ObjectId) -> bool {
        true
    }

    async fn blind(&self) -> bool {
        false
    }

    async fn shown(&self, _: SiteId, object: &Object) -> String {
        format!("{object:?}")
    }

    async fn said(&self, _: SiteId, _: Part) -> Option<Report> {
        None
    }
}

/// What may happen to a site, for the property.
fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        6 => any::<u8>().prop_map(Deed::Make),
        3 => any::<(u8, u8)>().prop_map(|(part, which)| Deed::Remove(part, which)),
        2 => any::<u8>().prop_map(|part| Deed::Outside(part, Outside::Vanish)),
        1 => Just(Deed::Elsewhere),
    ]
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(conformance::all(&Notebook::default()));
    let cases = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) };
    proptest!(cases, |(deeds in proptest::collection::vec(deed(), 0..30))| {
        runtime.block_on(conformance::any(&Notebook::default(), &deeds));
    });
    println!("the notebook does what every backend must");
}
