//! Random sequences of users' actions and faults. A failing run is shrunk, prints its steps, and leaves a seed in
//! `tests/proptest-regressions/random.txt`, which is replayed first from then on. The long run is one command:
//!
//! `WPAAS_CASES=10000000 cargo test --release -p wpaas-core --test convergence random`

use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use wpaas_core::converge::plan;
use wpaas_core::converge::trial::{Change, Fate, Op, Outside, Trial, wanted};
use wpaas_core::site::DatabaseSize::{One, Three};

/// Every op is possible everywhere, so that there is nothing to refer to, and shrinking always works.
struct AnyOp;

impl ReferenceStateMachine for AnyOp {
    /// Whether two servers believe themselves in charge.
    type State = bool;
    type Transition = Op;

    fn init_state() -> BoxedStrategy<bool> {
        any::<bool>().boxed()
    }

    fn transitions(_: &bool) -> BoxedStrategy<Op> {
        ops().boxed()
    }

    fn apply(state: bool, _: &Op) -> bool {
        state
    }
}

fn ops() -> impl Strategy<Value = Op> {
    let server = || 0..2_usize;
    prop_oneof![
        10 => server().prop_map(Op::Plan),
        20 => (server(), 0..6_usize, fate()).prop_map(|(server, step, fate)| Op::Land(server, step, fate)),
        10 => server().prop_map(Op::Look),
        8 => Just(Op::Progress),
        3 => server().prop_map(Op::LookBegins),
        3 => server().prop_map(Op::LookEnds),
        1 => (server(), any::<u8>()).prop_map(|(server, part)| Op::LookPartly(server, part)),
        3 => server().prop_map(Op::Say),
        4 => (server(), any::<bool>()).prop_map(|(server, newest)| Op::Hear(server, newest)),
        1 => server().prop_map(Op::Unheard),
        4 => server().prop_map(Op::Learn),
        4 => server().prop_map(Op::Judge),
        4 => change().prop_map(Op::User),
        2 => (0..4_usize).prop_map(Op::Late),
        1 => server().prop_map(Op::Restart),
        2 => Just(Op::Write),
        2 => (0..6_u8).prop_map(Op::Visit),
        1 => Just(Op::Leave),
        1 => (1..30_u8).prop_map(Op::Seconds),
        4 => (any::<u8>(), outside()).prop_map(|(part, what)| Op::Outside(part, what)),
        1 => any::<bool>().prop_map(Op::Split),
    ]
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![10 => Just(Fate::Fine), 5 => proptest::sample::select(&Fate::ALL[..])]
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        2 => (0..4_u8).prop_map(Change::Wordpress),
        2 => prop_oneof![Just(One), Just(Three)].prop_map(Change::Database),
        2 => proptest::option::of(0..2_u8).prop_map(Change::Release),
        2 => Just(Change::BadRelease),
        2 => proptest::option::of(0..2_u8).prop_map(Change::Preview),
        2 => Just(Change::Unreleased),
        2 => Just(Change::Admin),
        2 => (0..2_u8).prop_map(Change::Domain),
        2 => Just(Change::Rest),
        2 => Just(Change::Run),
        // Nothing comes after it.
        1 => Just(Change::Gone),
    ]
}

fn outside() -> impl Strategy<Value = Outside> {
    prop_oneof![
        3 => Just(Outside::Kill),
        1 => Just(Outside::Freeze),
        1 => Just(Outside::Vanish),
        1 => Just(Outside::Edit),
    ]
}

struct Sites;

impl StateMachineTest for Sites {
    type SystemUnderTest = Trial;
    type Reference = AnyOp;

    fn init_test(two: &bool) -> Trial {
        let trial = Trial::new(plan, wanted(2, Three));
        if *two { trial.with_two_servers() } else { trial }
    }

    fn apply(mut trial: Trial, _: &bool, op: Op) -> Trial {
        trial.take(op).unwrap_or_else(|failure| panic!("{failure}"));
        trial
    }

    fn teardown(mut trial: Trial, _: bool) {
        trial.finish().unwrap_or_else(|failure| panic!("{failure}"));
    }
}

fn cases(usual: u32) -> u32 {
    std::env::var("WPAAS_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(usual)
}

prop_state_machine! {
    #![proptest_config(ProptestConfig { cases: cases(20_000), max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_is_safe_and_ends_converged(sequential 1..60 => Sites);
}
