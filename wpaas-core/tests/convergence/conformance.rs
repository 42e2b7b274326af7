//! The suite that every backend must pass: the simulated one does, and each way of being wrong is caught.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt as _;
use futures::stream::BoxStream;
use proptest::prelude::*;
use wpaas_core::code::{Digest, Layout};
use wpaas_core::converge::conformance::{self, Deed, Fixture};
use wpaas_core::converge::simulated::{Simulated, Weather};
use wpaas_core::converge::trial::Outside;
use wpaas_core::converge::{
    Action, Applied, Backend, BackendError, Capabilities, Coverage, Object, ObjectId, Observation, Part,
    Report, Scope, Step,
};
use wpaas_core::id::SiteId;

/// What a backend does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Nothing,
    /// It takes steps of older plans.
    Unfenced,
    /// It removes what has the part's name.
    RemovesByName,
    /// It does not tell what can't be seen.
    NeverPartial,
    /// It shows one site's objects to all.
    NoScope,
    /// It waits until the node has gone.
    Waits,
    /// It answers with what it was asked for, not with what is there.
    Echoes,
    /// It tells nodes that do not run.
    TellsTheDead,
    /// It says of other sites that they changed.
    HintsOfOthers,
}

#[derive(Debug)]
struct World {
    simulated: Arc<Simulated>,
    wrong: Wrong,
}

#[derive(Debug)]
struct Server(Arc<Simulated>, Wrong);

impl World {
    fn new(wrong: Wrong) -> Self {
        Self { simulated: Simulated::new().0, wrong }
    }
}

#[async_trait]
impl Fixture for World {
    fn server(&self) -> Arc<dyn Backend> {
        Arc::new(Server(self.simulated.clone(), self.wrong))
    }

    fn release(&self) -> Option<(Digest, Layout)> {
        Some((Digest::from_sha256([7; 32]), Layout::Content))
    }

    fn hints(&self) -> bool {
        true
    }

    async fn outside(&self, site: SiteId, object: &Object, what: Outside) -> bool {
        self.simulated.outside(site, |world| match what {
            Outside::Kill => world.kill(site, object.part),
            Outside::Freeze => world.freeze(site, object.part),
            Outside::Vanish => world.vanish(site, object.part),
            Outside::Edit => world.edit(site, object.part),
        })
    }

    /// Everything in the simulated world is this installation's.
    async fn decoys(&self, _: SiteId) -> Vec<(Part, ObjectId)> {
        Vec::new()
    }

    async fn is_untouched(&self, _: Part, _: &ObjectId) -> bool {
        true
    }

    async fn blind(&self) -> bool {
        self.simulated.turn(Weather { partial: 1000, ..Weather::calm() });
        true
    }

    async fn shown(&self, site: SiteId, object: &Object) -> String {
        format!("{:?} {:?}", self.simulated.world(), self.simulated.said(site, object.part))
    }

    async fn said(&self, site: SiteId, part: Part) -> Option<Report> {
        self.simulated.said(site, part)
    }
}

impl Server {
    fn there(&self, step: &Step) -> Option<Object> {
        self.0.world().object(step.site, step.part).cloned()
    }
}

#[async_trait]
impl Backend for Server {
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    async fn observe(&self, scope: &Scope) -> Result<Observation, BackendError> {
        let mut seen = match self.1 {
            Wrong::NoScope => self.0.observe(&Scope::Fleet).await?,
            _ => self.0.observe(scope).await?,
        };
        if self.1 == Wrong::NeverPartial {
            seen.coverage = Coverage::Complete;
        }
        Ok(seen)
    }

    async fn apply(&self, step: &Step) -> Result<Applied, BackendError> {
        let mut step = step.clone();
        match (self.1, &mut step.action) {
            (Wrong::Unfenced, _) => return self.0.outside(step.site, |world| world.apply_late(&step)),
            (Wrong::RemovesByName, Action::Remove { object }) => {
                let there = self.0.world().object(step.site, step.part).cloned();
                *object = there.map_or_else(|| object.clone(), |there| there.id);
            }
            (Wrong::TellsTheDead, Action::Order { .. } | Action::Configure { .. }) => {
                return Ok(Applied::Told);
            }
            (Wrong::Waits, Action::Remove { .. }) => tokio::time::sleep(Duration::from_secs(70)).await,
            _ => {}
        }
        let applied = self.0.apply(&step).await?;
        Ok(match (self.1, applied, self.there(&step)) {
            (Wrong::Echoes, Applied::Present(object), Some(_)) => {
                Applied::Present(Object { generation: step.generation, epoch: step.epoch, ..object })
            }
            (_, applied, _) => applied,
        })
    }

    fn changes(&self) -> BoxStream<'static, SiteId> {
        use futures::StreamExt as _;
        let wrong = self.1;
        let map = move |site| if wrong == Wrong::HintsOfOthers { SiteId::new() } else { site };
        self.0.changes().map(map).boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn the_simulated_backend_does_what_every_backend_must() {
    conformance::all(&World::new(Wrong::Nothing)).await;
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_is_wrong_is_caught() {
    let wrongs = [
        (Wrong::Unfenced, "expected a Conflict"),
        (Wrong::RemovesByName, "never seen: the second"),
        (Wrong::NeverPartial, "proves no absence"),
        (Wrong::NoScope, "shows another"),
        (Wrong::Waits, "does not wait"),
        (Wrong::Echoes, "by generation 1, epoch 2"),
        (Wrong::TellsTheDead, "expected a Conflict"),
        (Wrong::HintsOfOthers, "nothing else happens"),
    ];
    for (wrong, why) in wrongs {
        let world = World::new(wrong);
        let caught = std::panic::AssertUnwindSafe(conformance::all(&world)).catch_unwind().await.unwrap_err();
        let said = caught.downcast_ref::<String>().map_or("", String::as_str);
        assert!(said.contains(why), "{wrong:?} is caught by {said:?}");
    }
}

fn deed() -> impl Strategy<Value = Deed> {
    let part = || 0..7_u8;
    let what =
        || proptest::sample::select(&[Outside::Kill, Outside::Freeze, Outside::Vanish, Outside::Edit][..]);
    prop_oneof![
        6 => part().prop_map(Deed::Make),
        3 => (part(), 0..3_u8).prop_map(|(part, which)| Deed::Remove(part, which)),
        2 => (part(), what()).prop_map(|(part, what)| Deed::Outside(part, what)),
        1 => Just(Deed::Elsewhere),
    ]
}

/// Any deeds, under a clock that does not wait.
fn any_deeds(wrong: Wrong, deeds: &[Deed]) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(conformance::any(&World::new(wrong), deeds));
}

proptest! {
    #[test]
    fn any_deeds_leave_one_object_of_each_part(deeds in proptest::collection::vec(deed(), 0..40)) {
        any_deeds(Wrong::Nothing, &deeds);
    }
}

/// The uploads are made, vanish, are made again, and the first ones are removed: a second time.
#[test]
#[should_panic(expected = "took Object")]
fn a_backend_that_removes_by_name_is_caught_by_deeds() {
    let uploads = 2;
    let again = [Deed::Make(uploads), Deed::Outside(uploads, Outside::Vanish), Deed::Make(uploads)];
    any_deeds(Wrong::RemovesByName, &[&again[..], &[Deed::Remove(uploads, 0)]].concat());
}
