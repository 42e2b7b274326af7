//! Small scopes, exhaustively: every order of everything that two servers can do to a site, over the very
//! [`plan`] that production runs. A server may take any step of any plan that it ever made from what it saw, late and
//! again; nodes die, steps outlive their server.
//!
//! The long run looks at larger scopes, as far as it says; what was counted is printed:
//! `WPAAS_STATES=14000000 cargo test --release -p wpaas-core --test exhaustive -- --ignored --nocapture`
#![allow(clippy::unwrap_used, reason = "tests may panic")]

#[path = "exhaustive/harm.rs"]
mod harm;

use stateright::{Checker, HasDiscoveries, Model, Property};
use wpaas_core::converge::simulated::{Law, World};
use wpaas_core::converge::trial::{Outside, is_as_wanted, wanted, with_decoys};
use wpaas_core::converge::{Coverage, Facts, Intent, Part, RunIntent, Scope, SitePlan, Wanted, lint, plan};
use wpaas_core::id::SiteId;
use wpaas_core::site::DatabaseSize::{self, One, Three};

use harm::removes;

/// Everything that can differ.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    world: World,
    /// What is wanted: the number of changes that users made.
    generation: u64,
    /// What each server saw last of each site, and for which generation it plans.
    servers: Vec<Server>,
    /// How much may still go wrong.
    budget: Budget,
    /// What happened that must not.
    harm: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Server {
    generation: u64,
    seen: Vec<Option<Facts>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Budget {
    /// Nodes that die.
    deaths: u8,
    /// Steps that outlive what refuses them.
    late: u8,
    /// What users change.
    changes: u8,
    /// Listings: each is a new moment for plans to be made from.
    looks: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Happens {
    /// A server reads what is wanted and lists a site.
    Look(usize, usize),
    /// A server takes a step of the plan from what it saw.
    Take(usize, usize, usize),
    /// A step takes effect that nothing newer refuses any more.
    Late(usize, usize, usize),
    Progress(usize),
    Death(usize, Part),
    Change,
}

/// A scope: where it begins, and what may happen.
#[derive(Debug, Clone)]
struct Scopes {
    start: World,
    run: RunIntent,
    /// What a change asks for; without it another name, which only the gateway learns.
    then: Option<Wanted>,
    sites: usize,
    servers: usize,
    budget: Budget,
}

fn site(n: usize) -> SiteId {
    SiteId::from_uuid(uuid::Uuid::from_u128(0x0196_0000_0000_7000_8000_0000_0000_0001 + n as u128))
}

impl Scopes {
    fn new(database: DatabaseSize, budget: Budget) -> Self {
        Self::of(wanted(0, database), budget)
    }

    fn of(run: RunIntent, budget: Budget) -> Self {
        Self { start: with_decoys(), run, then: None, sites: 1, servers: 2, budget }
    }

    fn without(mut self, law: Law) -> Self {
        self.start = self.start.without(law);
        self
    }

    /// From a site that has come up.
    fn converged(mut self) -> Self {
        for n in 0..self.sites {
            let intent = self.intent(1, 1, n);
            let mut world = self.start.clone();
            Self::ends(&mut world, &intent).unwrap();
            self.start = world;
        }
        self
    }

    /// From a site whose one database node a crashed server left half made, on a volume that holds data.
    fn half_made(mut self) -> Self {
        let node = Part::Database(0);
        assert!(Outside::Vanish.happen(&mut self.start, site(0), node));
        let intent = self.intent(1, 1, 0);
        let create =
            plan(&intent, &facts(&self.start, site(0))).steps.into_iter().find(|step| step.part == node);
        self.start.apply_half(&create.unwrap()).unwrap();
        self
    }

    /// What is wanted after so many changes.
    fn wanted(&self, generation: u64) -> Wanted {
        match &self.then {
            Some(then) if generation > 1 => then.clone(),
            _ => {
                let mut run = self.run.clone();
                run.authorities.push(format!("www{generation}.example.com"));
                Wanted::Run(run)
            }
        }
    }

    fn intent(&self, generation: u64, epoch: u64, n: usize) -> Intent {
        Intent { site: site(n), generation, version: generation, epoch, wanted: self.wanted(generation) }
    }

    fn plan(&self, state: &State, server: usize, n: usize) -> Option<SitePlan> {
        let known = &state.servers[server];
        let facts = known.seen[n].as_ref()?;
        let intent = self.intent(known.generation, server as u64 + 1, n);
        let plan = plan(&intent, facts);
        // As the converger does: what breaks a rule is not done.
        lint(&intent, facts, &plan).is_ok().then_some(plan)
    }

    /// The newest server goes on alone, and nothing goes wrong: it ends, and is as a fresh one.
    fn ends(world: &mut World, intent: &Intent) -> Result<(), String> {
        for _ in 0..30 {
            // What was done last shows before anybody looks.
            while world.progress(intent.site) {}
            let facts = facts(world, intent.site);
            let plan = plan(intent, &facts);
            if plan.is_empty() {
                return is_as_wanted(world, intent.site, &intent.wanted);
            }
            for step in &plan.steps {
                // Refused or done: the next pass looks again.
                drop(world.apply(step));
            }
        }
        Err(format!("L1: not converged: {}", plan(intent, &facts(world, intent.site))))
    }
}

fn facts(world: &World, site: SiteId) -> Facts {
    let objects = world.list(&Scope::Site(site)).objects.into_iter().map(|(_, object)| object).collect();
    Facts {
        coverage: Coverage::Complete,
        objects,
        reports: world.reports(site).into_iter().map(Into::into).collect(),
        ..Facts::nothing()
    }
}

impl Model for Scopes {
    type State = State;
    type Action = Happens;

    fn init_states(&self) -> Vec<State> {
        let server = Server { generation: 1, seen: vec![None; self.sites] };
        let servers = vec![server; self.servers];
        vec![State { world: self.start.clone(), generation: 1, servers, budget: self.budget, harm: None }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Happens>) {
        if state.harm.is_some() {
            return;
        }
        let Budget { deaths, late, changes, looks } = state.budget;
        for n in 0..self.sites {
            actions.push(Happens::Progress(n));
            for server in 0..self.servers {
                if looks > 0 {
                    actions.push(Happens::Look(server, n));
                }
                let steps = self.plan(state, server, n).map_or(0, |plan| plan.steps.len());
                actions.extend((0..steps).map(|step| Happens::Take(server, n, step)));
                if late > 0 {
                    actions.extend((0..steps).map(|step| Happens::Late(server, n, step)));
                }
            }
            if deaths > 0 {
                let nodes =
                    (0..3).map(Part::Database).filter(|part| state.world.object(site(n), *part).is_some());
                actions.extend(nodes.map(|part| Happens::Death(n, part)));
            }
        }
        if changes > 0 {
            actions.push(Happens::Change);
        }
    }

    fn next_state(&self, last: &State, action: Happens) -> Option<State> {
        let mut state = last.clone();
        match action {
            Happens::Look(server, n) => {
                state.servers[server].generation = state.generation;
                state.servers[server].seen[n] = Some(facts(&state.world, site(n)));
                if state == *last {
                    return None;
                }
                state.budget.looks -= 1;
            }
            Happens::Take(server, n, step) => {
                let step = self.plan(last, server, n)?.steps.swap_remove(step);
                let mut world = last.world.clone();
                // Refused: nothing has changed.
                world.apply(&step).ok()?;
                let informed = Self::is_informed(last, server, n);
                let harm = self.harm(last, &step, informed, true);
                state.harm = harm.filter(|_| removes(&last.world, &world, &step));
                state.world = world;
            }
            Happens::Late(server, n, step) => {
                let step = self.plan(last, server, n)?.steps.swap_remove(step);
                state.world.apply_late(&step).ok()?;
                let harm = self.harm(last, &step, false, false);
                state.harm = harm.filter(|_| removes(&last.world, &state.world, &step));
                state.budget.late -= 1;
            }
            Happens::Progress(n) => drop(state.world.progress(site(n)).then_some(())?),
            Happens::Death(n, part) => {
                Outside::Kill.happen(&mut state.world, site(n), part).then_some(())?;
                state.budget.deaths -= 1;
            }
            Happens::Change => {
                state.generation += 1;
                state.budget.changes -= 1;
            }
        }
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no harm", |_, state: &State| {
                state.harm.is_none() && state.world.breaches().next().is_none()
            }),
            Property::always("others untouched", |scope: &Self, state: &State| {
                scope.is_left_alone(&state.world)
            }),
            // Liveness as a bounded safety property: a checker's `eventually` misses cycles.
            Property::always("it ends", |scope: &Self, state: &State| scope.is_live(state)),
        ]
    }
}

impl Scopes {
    fn is_live(&self, state: &State) -> bool {
        if state.harm.is_some() {
            return true;
        }
        let mut world = state.world.clone();
        (0..self.sites).all(|n| {
            let intent = self.intent(state.generation, self.servers as u64, n);
            Self::ends(&mut world, &intent).is_ok() && world.breaches().next().is_none()
        })
    }
}

/// Looks at every state of a scope; at the first ones, breadth first, where `WPAAS_STATES` says so.
#[track_caller]
fn explore(scope: Scopes, name: &str) {
    const MOST: usize = 2_000_000;
    let asked = std::env::var("WPAAS_STATES").ok().and_then(|states| states.parse().ok());
    let most = asked.unwrap_or(MOST);
    let began = std::time::Instant::now();
    let checker = scope.checker().threads(2).target_state_count(most).spawn_bfs().join();
    checker.assert_properties();
    let (states, all) = (checker.unique_state_count(), checker.state_count() < most);
    println!("{name}: {states} states (all: {all}), depth {}, {:?}", checker.max_depth(), began.elapsed());
    assert!(states > 500, "{name}: a scope of {states} states shows little");
    assert!(all || asked.is_some(), "{name}: the scope has more than {states} states");
}

/// Without this law of the world something goes wrong; returns after how many states.
#[track_caller]
fn needed(scope: Scopes, law: Law, most: usize) -> usize {
    let checker = scope.without(law).checker().threads(2).target_state_count(most);
    let checker = checker.finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let found = checker.discovery("no harm");
    let states = checker.unique_state_count();
    println!("without {law:?}: {} after {states} states", if found.is_some() { "harm" } else { "nothing" });
    assert!(found.is_some(), "nothing went wrong in {states} states without {law:?}");
    states
}

/// Small enough for every state to be looked at in seconds.
const FEW: Budget = Budget { deaths: 1, late: 1, changes: 1, looks: 4 };

/// The long run's: `WPAAS_STATES=14000000 cargo test --release … -- --ignored`.
const MORE: Budget = Budget { deaths: 2, late: 2, changes: 2, looks: 8 };

#[test]
fn a_new_site_with_two_servers() {
    explore(Scopes::new(One, Budget { late: 0, changes: 0, looks: 3, ..FEW }), "a new site");
}

#[test]
fn a_site_of_three_database_nodes_with_two_servers() {
    explore(Scopes::new(Three, FEW).converged(), "three nodes");
}

#[test]
fn a_half_made_database_node_with_two_servers() {
    explore(Scopes::new(One, Budget { changes: 0, ..FEW }).converged().half_made(), "half made");
}

#[test]
fn two_sites_with_two_servers() {
    let scope = Scopes { sites: 2, ..Scopes::new(One, FEW) };
    explore(scope.converged(), "two sites");
}

/// Nodes that call the site by its old URL leave as new ones serve.
#[test]
fn two_wordpress_nodes_that_are_replaced_with_two_servers() {
    let run = wanted(2, One);
    let then = Wanted::Run(RunIntent { home: Some("www.example.com".into()), ..run.clone() });
    let budget = Budget { deaths: 0, late: 0, changes: 1, looks: 5 };
    explore(Scopes { then: Some(then), ..Scopes::of(run, budget) }.converged(), "replaced");
}

#[test]
fn a_site_that_rests_or_goes_with_two_servers() {
    for then in [Wanted::Rest, Wanted::Gone] {
        let budget = Budget { changes: 1, ..FEW };
        let name = format!("{then:?}");
        explore(Scopes { then: Some(then), ..Scopes::of(wanted(1, One), budget) }.converged(), &name);
    }
}

#[test]
#[ignore = "the long run: needs WPAAS_STATES, and hours"]
fn larger_scopes() {
    for (name, scope) in [
        ("a new site", Scopes::new(One, MORE)),
        ("three nodes", Scopes::new(Three, MORE).converged()),
        ("half made", Scopes::new(One, MORE).converged().half_made()),
        ("two sites", Scopes { sites: 2, ..Scopes::new(One, MORE) }),
        ("rests", Scopes { then: Some(Wanted::Rest), ..Scopes::of(wanted(2, One), MORE) }.converged()),
        ("goes", Scopes { then: Some(Wanted::Gone), ..Scopes::of(wanted(2, One), MORE) }.converged()),
    ] {
        explore(scope, name);
    }
}

/// What a site stands on: without any one of these, two servers and an accident do harm.
#[test]
fn a_law_of_the_world_that_is_dropped_is_missed() {
    let calm = Budget { deaths: 0, late: 0, changes: 0, looks: 4 };
    needed(Scopes::new(One, Budget { looks: 3, ..calm }), Law::Names, 200_000);
    needed(Scopes::new(One, calm).converged().half_made(), Law::Ids, 500_000);
    needed(Scopes::new(One, FEW).converged(), Law::Markers, 200_000);
}
