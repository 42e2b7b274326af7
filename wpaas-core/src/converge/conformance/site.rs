//! A site to try a backend with.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::Fixture;
use crate::converge::trial::wanted;
use crate::converge::{
    Action, Applied, Backend, BackendError, Coverage, ErrorClass, NodeSpec, Object, ObjectState, Part,
    ReleaseRef, Routes, RunIntent, Scope, Step, StepReason,
};
use crate::id::SiteId;
use crate::node;
use crate::site::DatabaseSize;

/// Nothing that a backend does at once takes longer, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(60);

/// One site, as one server sees it.
#[derive(Clone)]
pub(super) struct Site<'a> {
    pub(super) fixture: &'a dyn Fixture,
    pub(super) backend: Arc<dyn Backend>,
    pub(super) id: SiteId,
    pub(super) generation: u64,
    pub(super) epoch: u64,
    run: RunIntent,
}

impl<'a> Site<'a> {
    pub(super) fn new(fixture: &'a dyn Fixture) -> Self {
        let mut run = wanted(1, DatabaseSize::One);
        run.home = Some("www.example.com".into());
        run.release = Some(match fixture.release() {
            Some((digest, layout)) => ReleaseRef::Stored { digest, layout },
            None => ReleaseRef::Stock,
        });
        Self { fixture, backend: fixture.server(), id: SiteId::new(), generation: 1, epoch: 1, run }
    }

    /// The same site, planned for by this revision in this epoch.
    pub(super) fn at(&self, generation: u64, epoch: u64) -> Self {
        Self { generation, epoch, ..self.clone() }
    }

    /// The same site, as a server sees it that has just started.
    pub(super) fn elsewhere(&self) -> Self {
        Self { backend: self.fixture.server(), ..self.clone() }
    }

    /// Every part of the site with the step that makes it, in dependency order.
    pub(super) fn parts(&self) -> Vec<(Part, Action)> {
        let mut parts = vec![
            (Part::Network, Action::CreateNetwork),
            (Part::DatabaseVolume(0), Action::CreateVolume),
            (Part::UploadsVolume, Action::CreateVolume),
        ];
        if let Some((digest, layout)) = self.fixture.release() {
            parts.push((Part::Release(digest.prefix()), Action::CreateRelease { digest, layout }));
        }
        for part in [Part::Database(0), Part::Wordpress(0), Part::Gateway(0)] {
            parts.push((part, Action::CreateNode(self.spec(part))));
        }
        parts
    }

    /// The node of this part, as the planner would have it.
    pub(super) fn spec(&self, part: Part) -> NodeSpec {
        match part {
            Part::Database(n) => node::database(self.id, n),
            Part::Gateway(n) => {
                let routes = Routes::default();
                node::gateway(n, &node::GatewayConfig::new(&self.run, None, &routes))
            }
            _ => {
                let release = self.run.release.unwrap_or(ReleaseRef::Stock);
                let (purpose, url) = (node::Purpose::Visitors, node::CanonicalUrl::Home("www.example.com"));
                node::WordpressSite::new(self.id, &self.run, purpose, release, url).spec(0)
            }
        }
    }

    /// Makes this part and all that it needs.
    pub(super) async fn up_to(&self, part: Part) -> Object {
        for (needed, action) in self.parts() {
            let needs = needed == Part::Network || self.mounts(part, needed);
            if needs && needed != part {
                self.make(needed, action).await;
            }
        }
        self.make_part(part).await
    }

    fn mounts(&self, node: Part, part: Part) -> bool {
        node.is_node() && self.spec(node).mounts.iter().any(|mount| mount.part == part)
    }

    /// Makes this part alone.
    pub(super) async fn make_part(&self, part: Part) -> Object {
        let action = self.parts().into_iter().find_map(|(is, action)| (is == part).then_some(action));
        self.make(part, action.unwrap_or_else(|| panic!("the suite's site has no {part}"))).await
    }

    pub(super) async fn make(&self, part: Part, action: Action) -> Object {
        match self.apply(part, action).await {
            Ok(Applied::Present(object)) => {
                assert_eq!(object.part, part, "the object of a step is the step's part");
                object
            }
            other => panic!("making {part}: expected Present, got {other:?}"),
        }
    }

    pub(super) async fn apply(&self, part: Part, action: Action) -> Result<Applied, BackendError> {
        let Self { id: site, generation, epoch, .. } = *self;
        let step = Step { site, generation, epoch, part, action, why: StepReason::Missing };
        let applied = timeout(PATIENCE, self.backend.apply(&step)).await;
        applied.unwrap_or_else(|_| panic!("{step}: apply does not wait for what a step sets going"))
    }

    /// The step is refused because of what is there.
    pub(super) async fn conflicts(&self, part: Part, action: Action) {
        match self.apply(part, action.clone()).await {
            Err(error) if error.class == ErrorClass::Conflict => {}
            other => panic!("{part}, {action:?}: expected a Conflict, got {other:?}"),
        }
    }

    pub(super) async fn remove(&self, object: &Object) -> Result<Applied, BackendError> {
        self.apply(object.part, Action::Remove { object: object.id.clone() }).await
    }

    /// Everything of the site, as a complete listing shows it.
    pub(super) async fn objects(&self) -> Vec<Object> {
        self.listed(Scope::Site(self.id)).await
    }

    /// What a complete listing of this scope shows of the site.
    pub(super) async fn listed(&self, scope: Scope) -> Vec<Object> {
        let seen = timeout(PATIENCE, self.backend.observe(&scope)).await.expect("a listing ends");
        let seen = seen.unwrap_or_else(|error| panic!("listing {scope:?}: {error}"));
        assert_eq!(seen.coverage, Coverage::Complete, "nothing hides anything from {scope:?}");
        let strange = seen.objects.iter().find(|(site, _)| scope == Scope::Site(self.id) && *site != self.id);
        assert_eq!(strange, None, "a listing of one site shows another");
        let mut own: Vec<_> =
            seen.objects.into_iter().filter(|(site, _)| *site == self.id).map(|(_, object)| object).collect();
        own.sort_by_key(|object| object.part);
        own
    }

    pub(super) async fn object(&self, part: Part) -> Option<Object> {
        self.objects().await.into_iter().find(|object| object.part == part)
    }

    pub(super) async fn state(&self, part: Part) -> Option<ObjectState> {
        self.object(part).await.map(|object| object.state)
    }

    /// Looks until it is so.
    pub(super) async fn until(&self, what: &str, so: impl AsyncFn() -> bool) {
        let deadline = Instant::now() + PATIENCE + self.backend.capabilities().listing_lag;
        while !so().await {
            assert!(Instant::now() < deadline, "never seen: {what}; there is {:?}", self.objects().await);
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// The site is, and stays, made of these objects.
    pub(super) async fn is_still(&self, objects: &[Object]) {
        sleep(self.backend.capabilities().listing_lag).await;
        assert_eq!(self.objects().await, objects, "something was changed in passing");
    }

    /// Does something to an object that no server does. Returns whether that is possible.
    pub(super) async fn outside(&self, object: &Object, what: super::Outside) -> bool {
        self.fixture.outside(self.id, object, what).await
    }
}
