//! What happens in a trial.

use std::time::Duration;

use super::change::{Change, settle};
use super::{Failure, Server, Trial};
use crate::converge::simulated::World;
use crate::converge::{Action, Coverage, ErrorClass, Part, Scope, View, Wanted, lint, verdict};
use crate::id::SiteId;

/// One thing that happens. Numbers that name no server, step or part wrap around, so that every op is possible
/// everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// A user changes what is wanted; servers learn of it later.
    User(Change),
    /// A server reads what is wanted.
    Learn(usize),
    /// A server keeps what it knows of the release that is tried.
    Judge(usize),
    /// A server plans and begins every step of the plan.
    Plan(usize),
    /// A step that a server has begun comes to this end.
    Land(usize, usize, Fate),
    /// A step that was delayed takes effect.
    Late(usize),
    /// A server's listing begins…
    LookBegins(usize),
    /// …and ends. Does nothing without a beginning.
    LookEnds(usize),
    /// A server lists completely, and hears every node.
    Look(usize),
    /// A server's listing lacks every part but this one, and says that it is partial.
    LookPartly(usize, u8),
    /// What the nodes say is on its way to a server.
    Say(usize),
    /// The oldest of what is on its way arrives; `true`: the newest first.
    Hear(usize, bool),
    /// What is on its way to a server is lost.
    Unheard(usize),
    /// What runs goes one stage further by itself.
    Progress,
    /// Visitors write.
    Write,
    /// A visitor begins a request that takes long, at the WordPress node of this slot, if visitors are sent there.
    Visit(u8),
    /// All such requests come to their end.
    Leave,
    /// A server dies and another starts in its place. What it had begun takes effect later.
    Restart(usize),
    /// So many seconds pass.
    Seconds(u8),
    /// Somebody or something else than a server does this to a part.
    Outside(u8, Outside),
    /// The database nodes don't hear each other, or do again.
    Split(bool),
}

/// What becomes of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// It takes effect and is answered.
    Fine,
    /// It has no effect; the server hears of a failure.
    Lost,
    /// It takes effect, and the server hears of a failure.
    Unanswered,
    /// The server hears of a failure; it takes effect later.
    Delayed,
    /// It takes effect and is answered; later it takes effect again.
    Doubled,
    /// What it makes is left half made; the server hears of a failure.
    HalfMade,
    /// It has no effect; the server hears that it asks too much.
    Throttled,
}

impl Fate {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Fine,
        Self::Lost,
        Self::Unanswered,
        Self::Delayed,
        Self::Doubled,
        Self::HalfMade,
        Self::Throttled,
    ];
}

/// What happens to a part from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outside {
    /// A node dies.
    Kill,
    /// A node's processes freeze.
    Freeze,
    /// The object is removed.
    Vanish,
    /// The object is changed.
    Edit,
}

impl Outside {
    /// Lets it happen to a part. Returns whether that changed anything.
    pub fn happen(self, world: &mut World, site: SiteId, part: Part) -> bool {
        match self {
            Self::Kill => world.kill(site, part),
            Self::Freeze => world.freeze(site, part),
            Self::Vanish => world.vanish(site, part),
            Self::Edit => world.edit(site, part),
        }
    }
}

impl Trial {
    /// Lets one thing happen, and checks what must never be.
    ///
    /// # Errors
    ///
    /// What happened that must not.
    pub fn take(&mut self, op: Op) -> Result<(), Failure> {
        self.log.push(format!("{op:?}"));
        self.tick();
        match op {
            Op::User(change) => self.user(change),
            Op::Learn(server) => self.learn(self.at(server)),
            Op::Judge(server) => self.judge(self.at(server)),
            Op::Plan(server) => self.plan(self.at(server))?,
            Op::Land(server, step, fate) => self.land(self.at(server), step, fate)?,
            Op::Late(step) => self.late(step)?,
            Op::LookBegins(server) => {
                let look = (self.now, self.world.list(&Scope::Fleet));
                self.server(server).look.get_or_insert(look);
            }
            Op::LookEnds(server) => {
                let server = self.server(server);
                if let Some((began, seen)) = server.look.take() {
                    server.view.listed(&Scope::Fleet, began, seen);
                }
            }
            Op::Look(server) => self.look(self.at(server)),
            Op::LookPartly(server, part) => self.look_partly(server, part),
            Op::Say(server) => {
                let reports = self.world.reports(self.intent.site);
                self.server(server).mail.extend(reports);
            }
            Op::Hear(server, newest) => self.hear(server, newest),
            Op::Unheard(server) => self.server(server).mail.clear(),
            Op::Progress => drop(self.world.progress(self.intent.site)),
            Op::Write => self.world.write(self.intent.site),
            Op::Visit(slot) => self.visit(slot),
            Op::Leave => drop(self.world.leave(self.intent.site)),
            Op::Restart(server) => self.restart(server),
            Op::Seconds(seconds) => self.elapse(Duration::from_secs(u64::from(seconds))),
            Op::Outside(part, what) => self.outside(part, what),
            Op::Split(split) => {
                self.disturbed += 1;
                self.world.split(self.intent.site, split);
            }
        }
        self.check()
    }

    fn at(&self, server: usize) -> usize {
        server % self.servers.len()
    }

    fn server(&mut self, server: usize) -> &mut Server {
        let at = self.at(server);
        &mut self.servers[at]
    }

    fn visit(&mut self, slot: u8) {
        let part = Part::Wordpress(slot % Part::APART_SLOTS);
        if self.world.visit(self.intent.site, part) {
            self.disturbed += 1;
            self.log.push(format!("  a visitor of {part}"));
        }
    }

    fn part(&self, at: u8) -> Option<Part> {
        let parts = self.parts();
        parts.get(usize::from(at) % parts.len().max(1)).copied()
    }

    fn user(&mut self, change: Change) {
        // What is gone never comes back.
        if self.intent.wanted == Wanted::Gone {
            return;
        }
        let mut run = self.run.clone();
        change.to(&mut run, self.intent.generation);
        self.run = run.clone();
        self.intent.generation += 1;
        self.intent.version += 1;
        self.intent.wanted = match change {
            Change::Rest => Wanted::Rest,
            Change::Gone => Wanted::Gone,
            _ => Wanted::Run(run),
        };
        self.wishes.insert(self.intent.generation, self.intent.wanted.clone());
    }

    /// As the store does: what is tried is served if it is good, and forgotten if it is not.
    fn judge(&mut self, at: usize) {
        let Some(intent) = self.servers[at].intent.clone() else { return };
        let facts = self.servers[at].view.facts(intent.site, self.now);
        let Some(verdict) = verdict(&intent, &facts) else { return };
        let judged = format!("  server {at} judges {}: {:?}", verdict.release, verdict.found);
        if !settle(&mut self.run, verdict) {
            return;
        }
        self.log.push(judged);
        let proved = self.run.release.filter(|_| self.run.refused.is_none());
        self.proved.extend(proved.map(|release| release.to_string()));
        self.intent.version += 1;
        if let Wanted::Run(run) = &mut self.intent.wanted {
            run.clone_from(&self.run);
            self.wishes.insert(self.intent.generation, self.intent.wanted.clone());
        }
    }

    fn plan(&mut self, at: usize) -> Result<(), Failure> {
        let (now, site) = (self.now, self.intent.site);
        let Some(intent) = self.servers[at].intent.clone() else { return Ok(()) };
        let facts = self.servers[at].view.facts(site, now);
        let plan = (self.planner)(&intent, &facts);
        if (self.planner)(&intent, &facts) != plan {
            return Err(self.fail("S8: the same facts gave two plans"));
        }
        if self.linted {
            lint(&intent, &facts, &plan).map_err(|broken| self.fail(format!("{broken}\n{plan}")))?;
        }
        let removes = plan.steps.iter().any(|step| matches!(step.action, Action::Remove { .. }));
        if removes && facts.coverage != Coverage::Complete {
            return Err(self.fail(format!("S11: removes by a look that did not show all\n{plan}")));
        }
        let idle = plan.steps.iter().filter(|step| facts.serving(step.part) == Some(false));
        let idle: Vec<_> = idle
            .filter_map(|step| match &step.action {
                Action::Remove { object } => Some(object.clone()),
                _ => None,
            })
            .collect();
        self.servers[at].idle.extend(idle);
        for step in plan.steps {
            self.log.push(format!("  server {at} begins: {step}"));
            let server = &mut self.servers[at];
            server.view.step_began(&step);
            server.begun.push(step);
        }
        Ok(())
    }

    fn land(&mut self, at: usize, step: usize, fate: Fate) -> Result<(), Failure> {
        let server = &mut self.servers[at];
        if server.begun.is_empty() {
            return Ok(());
        }
        let step = server.begun.remove(step % server.begun.len());
        self.log.push(format!("  {step} ({})", step.epoch));
        let was_idle =
            matches!(&step.action, Action::Remove { object } if self.servers[at].idle.contains(object));
        let informed = self.servers[at].knows == self.disturbed && !was_idle;
        let answer = match fate {
            Fate::Fine => self.effect(&step, informed)?,
            Fate::Lost | Fate::Throttled => None,
            Fate::Unanswered => self.effect(&step, informed)?.and(None),
            Fate::Delayed => {
                self.late.push(step.clone());
                None
            }
            Fate::Doubled => {
                self.late.push(step.clone());
                self.effect(&step, informed)?
            }
            Fate::HalfMade => {
                self.check_effect(&step, informed)?;
                self.check_fence(&step)?;
                // Refused or half made: the server hears of a failure either way.
                drop(self.world.apply_half(&step));
                None
            }
        };
        let now = self.now;
        self.servers[at].view.step_ended(&step, answer, now);
        Ok(())
    }

    fn late(&mut self, step: usize) -> Result<(), Failure> {
        if self.late.is_empty() {
            return Ok(());
        }
        let step = self.late.remove(step % self.late.len());
        self.log.push(format!("  {step}"));
        self.disturbed += 1;
        self.check_late(&step)?;
        // Nobody waits for this answer any more.
        drop(self.world.apply_late(&step));
        Ok(())
    }

    fn look_partly(&mut self, server: usize, part: u8) {
        let (now, only) = (self.now, self.part(part));
        let mut seen = self.world.list(&Scope::Fleet);
        seen.coverage = Coverage::Partial;
        seen.objects.retain(|(_, object)| Some(object.part) == only);
        self.server(server).view.listed(&Scope::Fleet, now, seen);
    }

    fn hear(&mut self, server: usize, newest: bool) {
        let now = self.now;
        let server = self.server(server);
        if server.mail.is_empty() {
            return;
        }
        let report = server.mail.remove(if newest { server.mail.len() - 1 } else { 0 });
        server.view.reported(report, now);
    }

    fn restart(&mut self, server: usize) {
        let at = self.at(server);
        let old = std::mem::take(&mut self.servers[at]);
        self.late.extend(old.begun);
        self.disturbed += 1;
        self.learn(at);
    }

    fn outside(&mut self, at: u8, what: Outside) {
        let Some(part) = self.part(at) else { return };
        self.log.push(format!("  {part}"));
        self.disturbed += 1;
        what.happen(&mut self.world, self.intent.site, part);
    }

    /// A step takes effect, which is checked against what really is.
    fn effect(
        &mut self,
        step: &super::Step,
        informed: bool,
    ) -> Result<Option<super::super::Applied>, Failure> {
        self.check_effect(step, informed)?;
        self.check_fence(step)?;
        match self.world.apply(step) {
            Ok(applied) => Ok(Some(applied)),
            Err(error) if matches!(error.class, ErrorClass::Conflict | ErrorClass::Permanent) => Ok(None),
            Err(error) => Err(self.fail(format!("{step}: {error}"))),
        }
    }

    /// Everybody who is well says so again, and time passes: what others once said is forgotten.
    pub(super) fn wait(&mut self) {
        self.elapse(View::STALE);
    }

    fn elapse(&mut self, time: Duration) {
        self.now += time;
        self.world.elapse(u32::try_from(time.as_secs()).unwrap_or(u32::MAX));
    }
}
