//! Which nodes that run are not heard, since when, and whether that has lasted too long. Pure.

use std::time::Duration;

use thin_vec::ThinVec;
use tokio::time::Instant;

use super::View;
use crate::converge::{Facts, Object, ObjectId, ObjectState, Part, Patience, Silent};

/// Since when reports have come in, from any node at all, without a gap as long as makes a node silent. While none come,
/// it is what carries them that has failed, or this process that did not listen.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Hearing(Option<(Instant, Instant)>);

impl Hearing {
    pub(super) fn heard(&mut self, now: Instant) {
        let since = self.since(now).unwrap_or(now);
        self.0 = Some((since, now));
    }

    /// `None` while nobody at all is heard.
    pub(super) fn since(self, now: Instant) -> Option<Instant> {
        self.0.filter(|(_, last)| now.saturating_duration_since(*last) < View::STALE).map(|(since, _)| since)
    }
}

/// How silence is judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ears {
    /// How long nodes may be silent.
    pub patience: Option<Patience>,
    /// Since when anybody is heard.
    pub since: Option<Instant>,
}

/// The nodes of a site that are not heard.
#[derive(Debug, Clone)]
pub(super) struct Silence {
    /// Nodes that run and have said nothing since they are known to.
    unheard: ThinVec<Unheard>,
    /// How many nodes in a row were replaced in this place, because they were silent.
    replaced: ThinVec<(Part, u32)>,
    /// Since when anybody listens to the site.
    listening: Option<Instant>,
}

#[derive(Debug, Clone)]
struct Unheard {
    part: Part,
    object: ObjectId,
    since: Instant,
    /// Whether it started then, and not before anybody listened.
    started: bool,
}

impl Silence {
    /// Patience doubles so often, at most.
    const DOUBLED: u32 = 4;

    pub(super) const fn new() -> Self {
        Self { unheard: ThinVec::new(), replaced: ThinVec::new(), listening: None }
    }

    /// Takes in what there is now; of what runs and is new to us, whether it has just started.
    pub(super) fn see(&mut self, facts: &Facts, started: impl Fn(&Object) -> bool, now: Instant) {
        let is_unheard = |object: &&Object| {
            object.part.is_node()
                && object.state == ObjectState::Ready
                && !facts.reports.iter().any(|report| report.part == object.part)
        };
        let unheard = || facts.objects.iter().filter(is_unheard);
        self.unheard.retain(|known| unheard().any(|object| object.id == known.object));
        for object in unheard() {
            if !self.unheard.iter().any(|known| known.object == object.id) {
                let (part, started) = (object.part, started(object));
                self.unheard.push(Unheard { part, object: object.id.clone(), since: now, started });
            }
        }
        self.unheard.shrink_to_fit();
    }

    /// All of it was there before anybody listened.
    pub(super) fn listen(&mut self, now: Instant) {
        self.listening = Some(now);
        self.unheard.iter_mut().for_each(|unheard| unheard.started = false);
    }

    pub(super) fn heard(&mut self, part: Part) {
        self.unheard.retain(|unheard| unheard.part != part);
        self.replaced.retain(|(replaced, _)| *replaced != part);
        // What all nodes of a fleet are after a start.
        if self.unheard.is_empty() {
            self.unheard.shrink_to_fit();
        }
    }

    /// A silent node is on its way out.
    pub(super) fn replaced(&mut self, part: Part) {
        match self.replaced.iter_mut().find(|(replaced, _)| *replaced == part) {
            Some((_, times)) => *times += 1,
            None => self.replaced.push((part, 1)),
        }
    }

    /// The nodes that have been silent for too long, where `heard` is when each of the reports came. The silence of one
    /// that may have worked counts while others are heard.
    pub(super) fn lasting(
        &self,
        facts: &Facts,
        heard: &[Instant],
        ears: Ears,
        now: Instant,
    ) -> ThinVec<Silent> {
        let Some(patience) = ears.patience else { return ThinVec::new() };
        let lasts = |part: Part, since: Instant, patience: Duration| {
            now.saturating_duration_since(since) >= patience * self.times(part)
        };
        let listened =
            |since: Instant| ears.since.map(|began| began.max(since).max(self.listening.unwrap_or(since)));
        let unheard = self.unheard.iter().filter_map(|&Unheard { part, since, started, .. }| {
            let since = if started { since } else { listened(since)? };
            lasts(part, since, patience.unheard).then_some(Silent { part, was_heard: !started })
        });
        let fell_silent = facts.reports.iter().zip(heard).filter_map(|(report, at)| {
            let part = report.part;
            lasts(part, listened(*at)?, patience.silent).then_some(Silent { part, was_heard: true })
        });
        let mut silent: ThinVec<Silent> = unheard.chain(fell_silent).collect();
        silent.sort_unstable_by_key(|silent| silent.part);
        silent
    }

    fn times(&self, part: Part) -> u32 {
        let before = self.replaced.iter().find(|(replaced, _)| *replaced == part);
        1 << before.map_or(0, |(_, times)| (*times).min(Self::DOUBLED))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::converge::{
        Action, Applied, BootId, Coverage, NodeReport, Observation, Report, Scope, Step, StepReason,
        WordpressPhase, WordpressReport,
    };
    use crate::id::SiteId;

    const NODE: Part = Part::Wordpress(0);
    const OTHER: Part = Part::Wordpress(1);

    struct World {
        view: View,
        site: SiteId,
        start: Instant,
    }

    impl World {
        /// Everything was listed, and there was nothing.
        fn new() -> Self {
            let patience = Patience { unheard: Duration::from_secs(600), silent: Duration::from_secs(180) };
            let (view, site) = (View::default().patient(Some(patience)), SiteId::new());
            let mut world = Self { view, site, start: Instant::now() };
            world.list(Scope::Fleet, 0, &[]);
            world
        }

        fn at(&self, seconds: u64) -> Instant {
            self.start + Duration::from_secs(seconds)
        }

        /// These run, and nothing else is there.
        fn list(&mut self, scope: Scope, seconds: u64, nodes: &[(Part, &str)]) {
            let node = |(part, id): &(Part, &str)| (self.site, node(*part, id));
            let objects = nodes.iter().map(node).collect();
            let seen = Observation { objects, coverage: Coverage::Complete, runs: Vec::new() };
            self.view.listed(&scope, self.at(seconds), seen);
        }

        fn hear(&mut self, part: Part, seconds: u64) {
            let node = WordpressReport {
                phase: WordpressPhase::Serving,
                release: "stock".to_owned(),
                admin_version: 1,
                version: None,
                schema: None,
                tables: None,
                content: None,
                error: None,
            };
            let (boot, node) = (BootId::new("a").unwrap(), NodeReport::Wordpress(Arc::new(node)));
            let report = Report { site: self.site, part, boot, node };
            self.view.reported(report, self.at(seconds));
        }

        /// The other node is heard every ten seconds between these times.
        fn go_on(&mut self, from: u64, to: u64) {
            (from..to).step_by(10).for_each(|seconds| self.hear(OTHER, seconds));
        }

        fn silent(&self, seconds: u64) -> ThinVec<Silent> {
            self.view.facts(self.site, self.at(seconds)).silent.clone()
        }
    }

    fn node(part: Part, id: &str) -> Object {
        let (id, state) = (ObjectId::new(id), ObjectState::Ready);
        Object { part, id, fingerprint: None, generation: 1, epoch: 1, state, entry: None }
    }

    #[test]
    fn what_has_started_and_is_never_heard_is_lost_after_long() {
        let mut world = World::new();
        world.list(Scope::Fleet, 10, &[(NODE, "a")]);
        assert_eq!(world.silent(609), []);
        assert_eq!(world.silent(610), [Silent { part: NODE, was_heard: false }]);
        world.view = world.view.patient(None);
        assert_eq!(world.silent(610), [], "of a backend that asks for none");
    }

    #[test]
    fn what_falls_silent_is_lost_sooner_while_others_are_heard() {
        let mut world = World::new();
        world.list(Scope::Fleet, 10, &[(NODE, "a"), (OTHER, "b")]);
        world.go_on(20, 100);
        world.hear(NODE, 100);
        world.go_on(110, 290);
        assert_eq!(world.silent(279), []);
        assert_eq!(world.silent(280), [Silent { part: NODE, was_heard: true }]);
        world.hear(NODE, 281);
        assert_eq!(world.silent(282), []);
    }

    #[test]
    fn while_nobody_is_heard_nobody_is_lost_nor_soon_after() {
        let mut world = World::new();
        world.list(Scope::Fleet, 10, &[(NODE, "a"), (OTHER, "b")]);
        world.hear(NODE, 20);
        world.hear(OTHER, 20);
        assert_eq!(world.silent(4000), []);
        world.go_on(4000, 4180);
        assert_eq!(world.silent(4179), []);
        world.go_on(4180, 4190);
        assert_eq!(world.silent(4180), [Silent { part: NODE, was_heard: true }]);
    }

    #[test]
    fn what_was_there_before_anybody_listened_may_have_worked() {
        let mut world = World::new();
        world.view = View::default().patient(world.view.patience);
        world.list(Scope::Fleet, 0, &[(NODE, "a"), (OTHER, "b")]);
        assert_eq!(world.silent(4000), [], "nobody is heard");
        world.go_on(4000, 4610);
        assert_eq!(world.silent(4599), []);
        assert_eq!(world.silent(4600), [Silent { part: NODE, was_heard: true }]);
    }

    #[test]
    fn what_nobody_listened_to_may_have_worked() {
        let mut world = World::new();
        world.list(Scope::Fleet, 10, &[(NODE, "a"), (OTHER, "b")]);
        world.view.listen_to(world.site, world.at(1000));
        world.go_on(1000, 1610);
        assert_eq!(world.silent(1599), []);
        assert_eq!(world.silent(1600), [Silent { part: NODE, was_heard: true }]);
    }

    #[test]
    fn patience_doubles_with_each_that_is_lost_until_one_is_heard() {
        let mut world = World::new();
        let mut now = 0;
        for (n, patience) in [600, 1200, 2400, 4800, 9600, 9600].into_iter().enumerate() {
            let id = n.to_string();
            world.list(Scope::Site(world.site), now, &[(NODE, &id)]);
            assert_eq!(world.silent(now + patience - 1), [], "{n}");
            assert_eq!(world.silent(now + patience).len(), 1, "{n}");
            now += patience;
            let object = ObjectId::new(&id);
            let (site, part, action) = (world.site, NODE, Action::Remove { object });
            let step = Step { site, generation: 1, epoch: 1, part, action, why: StepReason::Silent };
            world.view.step_began(&step);
            world.view.step_ended(&step, Some(Applied::Absent), world.at(now));
            now += 1;
        }
        world.hear(NODE, now);
        world.list(Scope::Site(world.site), now, &[]);
        world.list(Scope::Site(world.site), now, &[(NODE, "last")]);
        world.view.step_began(&start(world.site));
        world.view.step_ended(&start(world.site), Some(Applied::Present(node(NODE, "last"))), world.at(now));
        assert_eq!(world.silent(now + 600), [Silent { part: NODE, was_heard: false }]);
    }

    fn start(site: SiteId) -> Step {
        let action = Action::StartNode { object: ObjectId::new("last") };
        Step { site, generation: 1, epoch: 1, part: NODE, action, why: StepReason::Down }
    }

    #[test]
    fn a_step_that_fails_makes_no_new_node_of_an_old_one() {
        let mut world = World::new();
        world.list(Scope::Fleet, 0, &[(NODE, "last"), (OTHER, "b")]);
        world.hear(NODE, 0);
        world.view.step_began(&start(world.site));
        world.view.step_ended(&start(world.site), None, world.at(10));
        world.go_on(10, 620);
        assert_eq!(world.silent(610), [Silent { part: NODE, was_heard: true }]);
    }
}
