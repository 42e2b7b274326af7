//! Trials as scripts for people: commands, and below each what it said, in one file.
//!
//! A line that begins with `> ` is a command; one that begins with `#`, or is empty, is kept; any other is what the
//! command above it said, and [`play`] writes it anew. So a script is its own golden output:
//!
//! ```
//! use wpaas_core::converge::trial::script::play;
//!
//! let script = "\
//! > site wordpress=1 database=1
//!   generation 1
//! > plan
//!   create network
//!   create volume-uploads
//!   create volume-database-0
//!   (database-0 waits for network)
//!   (database-0 a component is founded once database-0 has told its position)
//!   (wordpress-0 waits for network)
//!   (gateway-0 waits for network)
//! ";
//! assert_eq!(play(script).unwrap(), script);
//! ```
//!
//! What must never happen (S1 to S9) is checked after every command. The commands:
//!
//! | command | what happens |
//! | --- | --- |
//! | `site wordpress=N database=1\|3 [release=N] [servers=2]` | a site is wanted of which nothing is there |
//! | `want wordpress=N`, `database=1\|3`, `release=N\|stock\|bad`, `password`, `domain=N` | a user changes it |
//! | `suspend`, `resume`; `delete`, `restore`, `purge` | it rests, runs again; `purge`: its grace is over |
//! | `observe` | a server lists everything and hears every node |
//! | `observe only PART` | its listing was cut off: it shows this part alone, and says so |
//! | `judge` | what is known of a release that is tried is kept: if it is good, it is wanted |
//! | `orphans` | what it last listed of sites that nobody knows: every trial has some |
//! | `plan` | what the server would do: nothing is done |
//! | `fail PART FATE` | the next step of this part is `lost`, `unanswered`, `delayed`, `doubled`, `half-made` or `throttled` |
//! | `apply` | the server takes every step of its plan |
//! | `settle [STAGES]` | what runs goes on by itself, to the end or so many stages |
//! | `run` | observe, plan, apply, settle, until there is nothing to do |
//! | `late` | what was delayed takes effect |
//! | `kill`, `freeze`, `vanish` or `edit PART` | somebody else does this to it |
//! | `split`, `heal` | the database nodes don't hear each other; do again |
//! | `write` | visitors write |
//! | `visit PART`, `leave` | a visitor begins a request there that takes long; all such requests end |
//! | `wait SECONDS` | time passes |
//! | `restart` | the server dies, and another starts in its place |
//! | `deaf` | the server no longer learns what is wanted |
//! | `expect serving=N synced=N parts=N` | fails unless so many serve, are Synced, are there; each may be left out |
//!
//! With two servers each command of a server may end in `server=0`; the newest, 1, is meant otherwise.

use std::fmt::Write as _;

use super::{Change, Failure, Fate, Op, Outside, Trial, wanted};
use crate::converge::{Intent, Part, SitePlan, Step, View, plan};
use crate::site::DatabaseSize;

mod say;
mod words;

use words::Words;

/// Why a script can't be played.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// A line that is no command.
    #[error("line {line}: {why}: {command}")]
    Command {
        /// Counted from 1.
        line: usize,
        /// As it is written.
        command: String,
        /// What is wrong with it.
        why: String,
    },
    /// Something happened that must never be.
    #[error("line {line}: {failure}")]
    Failed {
        /// Of the command that did it.
        line: usize,
        /// What.
        failure: Failure,
    },
}

/// Plays a script over the planner of production. Returns it with what its commands say now.
///
/// # Errors
///
/// See [`ScriptError`].
pub fn play(script: &str) -> Result<String, ScriptError> {
    let mut stage = None;
    let mut out = String::new();
    for (at, text) in script.lines().enumerate() {
        let Some(command) = text.strip_prefix("> ") else {
            if text.is_empty() || text.starts_with('#') {
                let _infallible = writeln!(out, "{text}");
            }
            continue;
        };
        let _infallible = writeln!(out, "{text}");
        let said = Stage::command(&mut stage, command).map_err(|wrong| wrong.at(at + 1, command))?;
        for said in said {
            let _infallible = writeln!(out, "  {said}");
        }
    }
    Ok(out)
}

/// What is wrong with a command, or what it did wrong.
enum Wrong {
    Command(String),
    Failed(Failure),
}

impl Wrong {
    fn at(self, line: usize, command: &str) -> ScriptError {
        match self {
            Self::Command(why) => ScriptError::Command { line, command: command.into(), why },
            Self::Failed(failure) => ScriptError::Failed { line, failure },
        }
    }
}

impl From<Failure> for Wrong {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<String> for Wrong {
    fn from(why: String) -> Self {
        Self::Command(why)
    }
}

type Said = Result<Vec<String>, Wrong>;

/// A trial in the middle of a script.
struct Stage {
    trial: Trial,
    /// What becomes of the next step of a part.
    fates: Vec<(Part, Fate)>,
    /// Servers that no longer learn what is wanted.
    deaf: Vec<usize>,
}

impl Stage {
    fn command(stage: &mut Option<Self>, command: &str) -> Said {
        let mut words = Words::new(command);
        let verb = words.next()?;
        if verb == "site" {
            *stage = Some(Self::site(&mut words)?);
            words.end()?;
            return Ok(vec!["generation 1".into()]);
        }
        let stage = stage.as_mut().ok_or_else(|| "a script begins with `site`".to_owned())?;
        let newest = stage.trial.servers.len() - 1;
        let server = words.value("server")?.unwrap_or(newest).min(newest);
        let said = stage.act(verb, server, &mut words)?;
        words.end()?;
        Ok(said)
    }

    fn site(words: &mut Words<'_>) -> Result<Self, Wrong> {
        let wordpress = words.value("wordpress")?.ok_or_else(|| "how many? wordpress=N".to_owned())?;
        let database = words.value::<u8>("database")?.ok_or_else(|| "how many? database=N".to_owned())?;
        let mut trial = Trial::new(plan, wanted(wordpress, size(database)?));
        if words.value("servers")? == Some(2) {
            trial = trial.with_two_servers();
        }
        let mut stage = Self { trial, fates: Vec::new(), deaf: Vec::new() };
        if let Some(release) = words.value("release")? {
            stage.want(Change::Release(Some(release)))?;
        }
        Ok(stage)
    }

    fn act(&mut self, verb: &str, server: usize, words: &mut Words<'_>) -> Said {
        match verb {
            "want" => self.want(words.change()?),
            "suspend" | "delete" => self.want(Change::Rest),
            "resume" | "restore" => self.want(Change::Run),
            "purge" => self.want(Change::Gone),
            "observe" => self.observe(server, words),
            "judge" => self.judge(server),
            "orphans" => Ok(self.orphans(server)),
            "plan" => Ok(say::plan(&self.plan(server)?)),
            "fail" => {
                self.fates.push((words.part()?, words.fate()?));
                Ok(Vec::new())
            }
            "apply" => self.apply(server),
            "settle" => self.settle(words.number()?.unwrap_or(usize::MAX)),
            "run" => self.run(server),
            "late" => self.late(),
            "kill" => self.outside(words, Outside::Kill),
            "freeze" => self.outside(words, Outside::Freeze),
            "vanish" => self.outside(words, Outside::Vanish),
            "edit" => self.outside(words, Outside::Edit),
            "split" => self.take(Op::Split(true)),
            "heal" => self.take(Op::Split(false)),
            "write" => self.take(Op::Write),
            "visit" => self.visit(words),
            "leave" => self.take(Op::Leave),
            "wait" => {
                let seconds = words.number()?.ok_or_else(|| "how many seconds?".to_owned())?;
                self.take(Op::Seconds(u8::try_from(seconds).unwrap_or(u8::MAX)))
            }
            "restart" => self.take(Op::Restart(server)),
            "deaf" => {
                self.deaf.push(server);
                Ok(Vec::new())
            }
            "expect" => self.expect(words),
            _ => Err(Wrong::Command("no such command".into())),
        }
    }

    fn visit(&mut self, words: &mut Words<'_>) -> Said {
        match words.part()? {
            Part::Wordpress(slot) if slot < Part::APART_SLOTS => self.take(Op::Visit(slot)),
            part => Err(Wrong::Command(format!("nobody is sent to {part}"))),
        }
    }

    fn take(&mut self, op: Op) -> Said {
        self.trial.take(op)?;
        Ok(Vec::new())
    }

    fn want(&mut self, change: Change) -> Said {
        self.trial.take(Op::User(change))?;
        for server in (0..self.trial.servers.len()).filter(|server| !self.deaf.contains(server)) {
            self.trial.learn(server);
        }
        Ok(vec![format!("generation {}", self.trial.intent.generation)])
    }

    fn observe(&mut self, server: usize, words: &mut Words<'_>) -> Said {
        if words.take("only") {
            let at = self.at(words.part()?)?;
            self.trial.take(Op::LookPartly(server, at))?;
        } else {
            self.trial.take(Op::Look(server))?;
        }
        let site = self.trial.intent.site;
        Ok(say::facts(&self.trial.servers[server].view.facts(site, self.trial.now)))
    }

    /// What a server sees of sites that nobody knows.
    fn orphans(&self, server: usize) -> Vec<String> {
        let (site, view) = (self.trial.intent.site, &self.trial.servers[server].view);
        let others = view.sites().filter(|of| *of != site);
        others.flat_map(|of| say::facts(&view.facts(of, self.trial.now))).collect()
    }

    fn plan(&self, server: usize) -> Result<SitePlan, Wrong> {
        let Trial { servers, now, intent: Intent { site, .. }, .. } = &self.trial;
        let intent = servers[server].intent.as_ref().ok_or_else(|| "the server knows nothing".to_owned())?;
        Ok(plan(intent, &servers[server].view.facts(*site, *now)))
    }

    fn apply(&mut self, server: usize) -> Said {
        self.trial.take(Op::Plan(server))?;
        let mut said = Vec::new();
        while let Some(step) = self.trial.servers[server].begun.first().cloned() {
            let fate = self.fate(&step);
            let before = self.trial.world.clone();
            self.trial.take(Op::Land(server, 0, fate))?;
            said.push(format!("{}: {}", say::step(&step), say::fate(fate, before != self.trial.world)));
        }
        if said.is_empty() {
            said.push("nothing is done".into());
        }
        Ok(said)
    }

    fn fate(&mut self, step: &Step) -> Fate {
        let at = self.fates.iter().position(|(part, _)| *part == step.part);
        at.map_or(Fate::Fine, |at| self.fates.remove(at).1)
    }

    fn settle(&mut self, stages: usize) -> Said {
        let mut said = Vec::new();
        for _ in 0..stages {
            let before = self.trial.world.clone();
            self.trial.take(Op::Progress)?;
            if self.trial.world == before {
                break;
            }
            said = say::serving(&self.trial);
        }
        Ok(said)
    }

    /// Passes until there is nothing to do, or no pass helps any more.
    fn run(&mut self, server: usize) -> Said {
        let mut said = Vec::new();
        let mut waited = 0;
        for pass in 1..=Trial::PASSES {
            self.trial.take(Op::Look(server))?;
            said.extend(self.judge(server)?);
            let plan = self.plan(server)?;
            if plan.is_empty() {
                said.extend(say::serving(&self.trial));
                said.push("nothing to do".into());
                return Ok(said);
            }
            if !plan.steps.is_empty() {
                said.push(format!("pass {pass}: {}", say::steps(&plan)));
                waited = 0;
            } else if waited < 3 {
                self.trial.now += View::STALE;
                waited += 1;
            } else {
                said.extend(plan.holds.iter().map(|hold| format!("waits: {} {}", hold.part, hold.reason)));
                return Ok(said);
            }
            self.apply(server)?;
            self.settle(usize::MAX)?;
        }
        Err(Wrong::Command("it goes on for ever".into()))
    }

    /// Keeps what is known of the release that is tried.
    fn judge(&mut self, server: usize) -> Said {
        let before = self.trial.intent.version;
        self.trial.take(Op::Judge(server))?;
        if self.trial.intent.version == before {
            return Ok(Vec::new());
        }
        for server in (0..self.trial.servers.len()).filter(|server| !self.deaf.contains(server)) {
            self.trial.learn(server);
        }
        let run = &self.trial.run;
        Ok(vec![match (&run.refused, run.release) {
            (Some(why), _) => format!("the release is no good: {why}"),
            (None, Some(release)) => {
                format!("the release is good: {} is wanted", say::release(&release.to_string()))
            }
            (None, None) => "nothing is wanted".into(),
        }])
    }

    fn late(&mut self) -> Said {
        let mut said = Vec::new();
        while let Some(step) = self.trial.late.first().cloned() {
            let before = self.trial.world.clone();
            self.trial.take(Op::Late(0))?;
            said.push(format!("{}: {}", say::step(&step), say::fate(Fate::Fine, before != self.trial.world)));
        }
        Ok(said)
    }

    fn outside(&mut self, words: &mut Words<'_>, what: Outside) -> Said {
        let at = self.at(words.part()?)?;
        self.take(Op::Outside(at, what))
    }

    /// Where an op finds this part.
    fn at(&self, part: Part) -> Result<u8, Wrong> {
        let at = self.trial.parts().iter().position(|there| *there == part);
        let at = at.ok_or_else(|| format!("there is no {part}"))?;
        Ok(u8::try_from(at).unwrap_or(u8::MAX))
    }

    fn expect(&self, words: &mut Words<'_>) -> Said {
        let (synced, serving) = self.trial.in_service();
        for (what, is) in [("serving", serving), ("synced", synced), ("parts", self.trial.parts().len())] {
            if let Some(wanted) = words.value::<usize>(what)?
                && wanted != is
            {
                return Err(Wrong::Command(format!("expected {what}={wanted}, and it is {is}")));
            }
        }
        Ok(Vec::new())
    }
}

fn size(nodes: u8) -> Result<DatabaseSize, Wrong> {
    match nodes {
        1 => Ok(DatabaseSize::One),
        3 => Ok(DatabaseSize::Three),
        _ => Err(Wrong::Command("a site has 1 or 3 database nodes".into())),
    }
}
