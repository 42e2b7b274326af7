//! Every step of a way × every single fault: the step ends in each way or never, a server dies after it or another
//! comes, something is killed, frozen, edited or removed after it, a listing is old or cut off, reports are lost, a
//! clock jumps.
//!
//! All pairs of faults are a long run: `WPAAS_PAIRS=1 cargo test --release -p wpaas-core --test convergence pairs`
//! takes every pair, `WPAAS_PAIRS=101` one of each 101.

use wpaas_core::converge::plan;
use wpaas_core::converge::trial::{Change, Failure, Fate, Op, Outside, Trial, wanted};
use wpaas_core::site::DatabaseSize::{One, Three};

/// What happens to a site from its start on: each way ends converged.
fn ways() -> Vec<(&'static str, Trial, Vec<Change>)> {
    let site = |wordpress, database| Trial::new(plan, wanted(wordpress, database));
    vec![
        ("small", site(1, One), vec![]),
        ("redundant", site(2, Three), vec![]),
        ("release", site(2, One), vec![Change::Release(Some(7)), Change::Release(None)]),
        ("bad release", site(2, One), vec![Change::BadRelease]),
        ("preview", site(1, One), vec![Change::Preview(Some(5)), Change::Preview(None)]),
        ("domain", site(2, One), vec![Change::Domain(1)]),
        ("grow and shrink", site(1, One), vec![Change::Database(Three), Change::Database(One)]),
        ("scale", site(1, One), vec![Change::Wordpress(3), Change::Wordpress(0), Change::Wordpress(1)]),
        ("rest", site(1, Three), vec![Change::Rest, Change::Run]),
        ("admin", site(2, One), vec![Change::Admin]),
        ("gone", site(1, One), vec![Change::Gone]),
    ]
}

/// What goes wrong at one moment.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// The step comes to this end.
    Step(Fate),
    /// The step is not answered while all else goes on; at last it counts as failed, and takes effect after that.
    Hang,
    /// The server dies.
    Restart,
    /// Another server, which believes itself in charge, takes over; what this one has begun takes effect later.
    Another,
    /// A listing that began before the step ends after it.
    OldList,
    /// A listing shows one part alone.
    PartialList(u8),
    /// Nobody hears the nodes until the plan after the next listing was taken.
    Unheard,
    /// The clock of the server goes four minutes ahead.
    Clock,
    Outside(u8, Outside),
}

/// More parts than any of the ways has.
const PARTS: u8 = 13;

impl Fault {
    fn all() -> Vec<Self> {
        let ends = Fate::ALL.map(Self::Step);
        let others = [Self::Hang, Self::Restart, Self::Another, Self::OldList, Self::Unheard, Self::Clock];
        let partial = (0..PARTS).map(Self::PartialList);
        let outside = [Outside::Vanish, Outside::Kill, Outside::Freeze, Outside::Edit];
        let outside = (0..PARTS).flat_map(|part| outside.map(|what| Self::Outside(part, what)));
        ends.into_iter().chain(others).chain(partial).chain(outside).collect()
    }
}

/// A way as it is gone.
struct Walk<'a> {
    trial: Trial,
    changes: &'a [Change],
    /// What goes wrong, and at the step of which number.
    faults: &'a [(usize, Fault)],
    steps: usize,
    /// Who is in charge.
    server: usize,
}

impl Walk<'_> {
    /// Goes it, to the end. Returns how many steps it had.
    fn go(mut self) -> Result<usize, Failure> {
        self.settle()?;
        for change in self.changes {
            self.trial.take(Op::User(*change))?;
            self.trial.take(Op::Learn(self.server))?;
            self.settle()?;
        }
        self.trial.finish()?;
        Ok(self.steps)
    }

    /// Passes until there is nothing to do but wait.
    fn settle(&mut self) -> Result<(), Failure> {
        let mut quiet = 0;
        while quiet < 3 {
            self.look_and_plan()?;
            quiet = if self.trial.begun(self.server) == 0 { quiet + 1 } else { 0 };
            while self.trial.begun(self.server) > 0 {
                self.step()?;
            }
            self.trial.take(Op::Progress)?;
        }
        Ok(())
    }

    fn look_and_plan(&mut self) -> Result<(), Failure> {
        let server = self.server;
        [Op::Look(server), Op::Judge(server), Op::Learn(server), Op::Plan(server)]
            .into_iter()
            .try_for_each(|op| self.trial.take(op))
    }

    fn step(&mut self) -> Result<(), Failure> {
        let now = self.steps;
        self.steps += 1;
        let at = self.faults.iter().find(|(moment, _)| *moment == now);
        self.fail(at.map_or(Fault::Step(Fate::Fine), |(_, fault)| *fault))
    }

    fn fail(&mut self, fault: Fault) -> Result<(), Failure> {
        let server = self.server;
        let fine = Op::Land(server, 0, Fate::Fine);
        match fault {
            Fault::Step(fate) => self.trial.take(Op::Land(server, 0, fate)),
            Fault::Hang => self.hang(),
            Fault::Restart => self.trial.take(Op::Restart(server)),
            Fault::Another => self.hand_over(),
            Fault::OldList => {
                self.all([Op::LookBegins(server), fine, Op::LookEnds(server), Op::Plan(server)])
            }
            Fault::PartialList(part) => self.all([fine, Op::LookPartly(server, part), Op::Plan(server)]),
            Fault::Unheard => {
                self.all([fine, Op::LookBegins(server), Op::LookEnds(server), Op::Plan(server), Op::Progress])
            }
            Fault::Clock => self.all([Op::Seconds(240), Op::Plan(server), fine]),
            Fault::Outside(part, what) => self.all([fine, Op::Outside(part, what)]),
        }
    }

    fn all<const N: usize>(&mut self, ops: [Op; N]) -> Result<(), Failure> {
        ops.into_iter().try_for_each(|op| self.trial.take(op))
    }

    /// The first step stays under way for three passes.
    fn hang(&mut self) -> Result<(), Failure> {
        let server = self.server;
        for _ in 0..3 {
            while self.trial.begun(server) > 1 {
                self.trial.take(Op::Land(server, 1, Fate::Fine))?;
            }
            self.trial.take(Op::Progress)?;
            self.look_and_plan()?;
        }
        self.all([Op::Seconds(120), Op::Land(server, 0, Fate::Delayed), Op::Plan(server), Op::Late(0)])
    }

    /// The other server plans and acts beside this one, whose steps land after its.
    fn hand_over(&mut self) -> Result<(), Failure> {
        let old = std::mem::replace(&mut self.server, 1);
        self.look_and_plan()?;
        if self.trial.begun(1) > 0 {
            self.trial.take(Op::Land(1, 0, Fate::Fine))?;
        }
        while old != self.server && self.trial.begun(old) > 0 {
            self.trial.take(Op::Land(old, 0, Fate::Fine))?;
        }
        Ok(())
    }
}

/// Goes a way with these faults, and panics where it fails. Returns how many steps it had.
fn go(way: &(&'static str, Trial, Vec<Change>), faults: &[(usize, Fault)]) -> usize {
    let (name, start, changes) = way;
    let another = faults.iter().any(|(_, fault)| matches!(fault, Fault::Another));
    let trial = if another { start.clone().with_two_servers() } else { start.clone() };
    let walk = Walk { trial, changes, faults, steps: 0, server: 0 };
    walk.go().unwrap_or_else(|failure| panic!("{name}, {faults:?}: {failure}"))
}

/// Every moment of every way. Returns how many there were.
fn every_moment(fault: Fault) -> usize {
    let mut moments = 0;
    for way in ways() {
        for moment in 0.. {
            if go(&way, &[(moment, fault)]) <= moment {
                break;
            }
            moments += 1;
        }
    }
    moments
}

/// A quarter of the faults each, so that they are tried beside each other.
fn every_fault_at_every_moment(quarter: usize) {
    for fault in Fault::all().into_iter().skip(quarter).step_by(4) {
        let moments = every_moment(fault);
        assert!(moments > 100, "{fault:?}: {moments}");
    }
}

#[test]
fn every_single_fault_at_every_step_0() {
    every_fault_at_every_moment(0);
}

#[test]
fn every_single_fault_at_every_step_1() {
    every_fault_at_every_moment(1);
}

#[test]
fn every_single_fault_at_every_step_2() {
    every_fault_at_every_moment(2);
}

#[test]
fn every_single_fault_at_every_step_3() {
    every_fault_at_every_moment(3);
}

/// Every pair of faults, at every two moments of every way; without the variable none.
#[test]
fn all_pairs_of_faults() {
    let Some(one_of) = std::env::var("WPAAS_PAIRS").ok().and_then(|n| n.parse::<usize>().ok()) else {
        return;
    };
    let (faults, mut pair, mut went) = (Fault::all(), 0, 0);
    for way in ways() {
        let steps = go(&way, &[]);
        for (first, second) in
            (0..steps).flat_map(|first| (first + 1..=steps).map(move |second| (first, second)))
        {
            for (one, other) in faults.iter().flat_map(|one| faults.iter().map(move |other| (*one, *other))) {
                pair += 1;
                if usize::is_multiple_of(pair, one_of.max(1)) {
                    go(&way, &[(first, one), (second, other)]);
                    went += 1;
                }
            }
        }
    }
    println!("{went} of {pair} pairs");
    assert!(went > 0, "WPAAS_PAIRS={one_of} leaves none of {pair}");
}
