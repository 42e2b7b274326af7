//! Every step of a way × every single fault: the step ends in each way or never, a server dies before it or after it or
//! another comes, something is killed, frozen, edited or removed after it, a listing is old or cut off, reports are lost
//! or out of order, a clock jumps.
//!
//! ```
//! use wpaas_core::converge::plan;
//! use wpaas_core::converge::trial::faults::{Fault, ways};
//!
//! // Of all ways and faults, at every moment, which takes half a minute, these.
//! let small = &ways(plan)[0];
//! for moment in 0..small.go(&[]).unwrap() {
//!     small.go(&[(moment, Fault::Hang)]).unwrap();
//!     small.go(&[(moment, Fault::Restart)]).unwrap();
//! }
//! ```

use super::{Change, Failure, Fate, Op, Outside, Planner, Trial, wanted};
use crate::site::DatabaseSize::{One, Three};

/// What happens to a site from its start on: without faults each way ends converged.
#[derive(Debug, Clone)]
pub struct Way {
    /// What it shows.
    pub name: &'static str,
    /// Where it begins.
    pub start: Trial,
    /// What is wanted then, each once the site has settled.
    pub changes: Vec<Change>,
}

/// The ways of this planner that cover what a user may want of one site.
#[must_use]
pub fn ways(planner: Planner) -> Vec<Way> {
    let site = |wordpress, database| Trial::new(planner, wanted(wordpress, database));
    let way = |(name, start, changes)| Way { name, start, changes };
    let ways = [
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
    ];
    ways.into_iter().map(way).collect()
}

/// What goes wrong at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The step comes to this end.
    Step(Fate),
    /// The step is not answered while all else goes on; at last it counts as failed, and takes effect after that.
    Hang,
    /// The server dies, and what it had begun takes effect after that.
    Restart,
    /// The server dies before the step has any effect, or right after it.
    Dies(Fate),
    /// Another server, which believes itself in charge, takes over; what this one has begun takes effect later.
    Another,
    /// A listing that began before the step ends after it and so many passes.
    OldList(usize),
    /// A listing shows one part alone.
    PartialList(u8),
    /// Nobody hears the nodes until the plan after the next listing was taken.
    Unheard,
    /// What nodes said before the step and after it comes in the wrong order, with a plan after each.
    Reordered,
    /// The clock of the server goes ahead, so many times four minutes.
    Clock(usize),
    /// Something is done to a part from outside, after the step.
    Outside(u8, Outside),
}

/// More parts than any of the ways has.
const PARTS: u8 = 13;

impl Fault {
    /// Each of them.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let ends = Fate::ALL.map(Self::Step);
        let others = [
            Self::Hang,
            Self::Restart,
            Self::Dies(Fate::Lost),
            Self::Dies(Fate::Unanswered),
            Self::Dies(Fate::HalfMade),
            Self::Another,
            Self::OldList(0),
            Self::OldList(3),
            Self::Unheard,
            Self::Reordered,
            Self::Clock(1),
            Self::Clock(15),
        ];
        let partial = (0..PARTS).map(Self::PartialList);
        let outside = [Outside::Vanish, Outside::Kill, Outside::Freeze, Outside::Edit];
        let outside = (0..PARTS).flat_map(|part| outside.map(|what| Self::Outside(part, what)));
        ends.into_iter().chain(others).chain(partial).chain(outside).collect()
    }
}

impl Way {
    /// Goes it to its end, with these faults at the steps of these numbers. Returns how many steps it had.
    ///
    /// # Errors
    ///
    /// What happened that must not, or did not happen in the end.
    pub fn go(&self, faults: &[(usize, Fault)]) -> Result<usize, Failure> {
        let another = faults.iter().any(|(_, fault)| matches!(fault, Fault::Another));
        let start = self.start.clone();
        let trial = if another { start.with_two_servers() } else { start };
        Walk { trial, changes: &self.changes, faults, steps: 0, server: 0 }.go()
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
            Fault::Dies(fate) => self.all([Op::Land(server, 0, fate), Op::Restart(server)]),
            Fault::Another => self.hand_over(),
            Fault::OldList(passes) => self.old_list(passes),
            Fault::PartialList(part) => self.all([fine, Op::LookPartly(server, part), Op::Plan(server)]),
            Fault::Unheard => {
                self.all([fine, Op::LookBegins(server), Op::LookEnds(server), Op::Plan(server), Op::Progress])
            }
            Fault::Reordered => self.reordered(),
            Fault::Clock(times) => {
                (0..times).try_for_each(|_| self.trial.take(Op::Seconds(240)))?;
                self.all([Op::Plan(server), fine])
            }
            Fault::Outside(part, what) => self.all([fine, Op::Outside(part, what)]),
        }
    }

    fn all<const N: usize>(&mut self, ops: [Op; N]) -> Result<(), Failure> {
        ops.into_iter().try_for_each(|op| self.trial.take(op))
    }

    /// All steps but so many land, and the next are planned.
    fn goes_on(&mut self, stay: usize) -> Result<(), Failure> {
        let server = self.server;
        while self.trial.begun(server) > stay {
            self.trial.take(Op::Land(server, stay, Fate::Fine))?;
        }
        self.trial.take(Op::Progress)?;
        self.look_and_plan()
    }

    fn old_list(&mut self, passes: usize) -> Result<(), Failure> {
        let server = self.server;
        self.all([Op::LookBegins(server), Op::Land(server, 0, Fate::Fine)])?;
        (0..passes).try_for_each(|_| self.goes_on(0))?;
        self.all([Op::LookEnds(server), Op::Plan(server)])
    }

    /// The last thing that each node says comes first.
    fn reordered(&mut self) -> Result<(), Failure> {
        let server = self.server;
        self.all([Op::Say(server), Op::Land(server, 0, Fate::Fine), Op::Progress, Op::Say(server)])?;
        for _ in 0..PARTS {
            self.all([Op::Hear(server, true), Op::Plan(server)])?;
        }
        self.all([Op::Unheard(server), Op::Plan(server)])
    }

    /// The first step stays under way for three passes.
    fn hang(&mut self) -> Result<(), Failure> {
        let server = self.server;
        (0..3).try_for_each(|_| self.goes_on(1))?;
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
