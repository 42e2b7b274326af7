//! A site under the planner and the simulated backend, without a clock and without a loop.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;
use wpaas_core::converge::simulated::Simulated;
use wpaas_core::converge::{
    Backend as _, Coverage, Facts, Intent, Object, Part, ReleaseRef, Report, RunIntent, Scope, SitePlan,
    Step, Verdict, View, Wanted, lint, plan, verdict,
};
use wpaas_core::id::SiteId;
use wpaas_core::site::DatabaseSize;

/// What is wanted in most tests: a site of this many nodes.
pub fn wanted(wordpress: u8, database: DatabaseSize) -> RunIntent {
    RunIntent {
        wordpress,
        database,
        release: Some(ReleaseRef::Stock),
        candidate: None,
        refused: None,
        previews: [].into(),
        authorities: vec!["blog.acm.www.wpaas.localhost".into()],
        redirects: [].into(),
        tls: wpaas_core::converge::TlsIntent::default(),
        home: None,
        title: "A blog".into(),
        admin_user: "admin".parse().unwrap(),
        admin_email: "admin@example.com".parse().unwrap(),
        admin_version: 1,
        was_founded: false,
    }
}

/// One site, its world, and what is known of it.
pub struct Harness {
    pub intent: Intent,
    pub backend: Arc<Simulated>,
    reports: UnboundedReceiver<Report>,
    view: View,
    /// Passes a little with every look, and long while there is nothing to do but wait.
    now: Instant,
    pub coverage: Coverage,
    /// Every step taken, as it is printed.
    pub log: Vec<String>,
    passes: usize,
}

impl Harness {
    pub fn new(run: RunIntent) -> Self {
        let (backend, reports) = Simulated::new();
        let intent =
            Intent { site: SiteId::new(), generation: 1, version: 1, epoch: 1, wanted: Wanted::Run(run) };
        let (view, coverage) = (View::default(), Coverage::Complete);
        Self { intent, backend, reports, view, now: Instant::now(), coverage, log: Vec::new(), passes: 0 }
    }

    /// A site that has come up.
    pub fn up(run: RunIntent) -> Self {
        let mut site = Self::new(run);
        site.converge();
        site.log.clear();
        site
    }

    pub fn want(&mut self, wanted: Wanted) {
        self.intent.generation += 1;
        self.intent.wanted = wanted;
    }

    pub fn change(&mut self, change: impl FnOnce(&mut RunIntent)) {
        let Wanted::Run(mut run) = self.intent.wanted.clone() else { panic!("the site is to run") };
        change(&mut run);
        self.want(Wanted::Run(run));
    }

    pub fn facts(&mut self) -> Facts {
        self.now += Duration::from_millis(1);
        let now = self.now;
        let mut seen = self.backend.observe(&Scope::Fleet).now_or_never().unwrap().unwrap();
        seen.coverage = self.coverage;
        self.view.listed(&Scope::Fleet, now, seen);
        while let Ok(report) = self.reports.try_recv() {
            self.view.reported(report, now);
        }
        self.view.facts(self.intent.site, now).into_owned()
    }

    /// One pass: plans, checks the rules, takes every step.
    pub fn pass(&mut self) -> SitePlan {
        self.passes += 1;
        assert!(self.passes < 200, "a test that waits for what never comes");
        let facts = self.facts();
        let plan = plan(&self.intent, &facts);
        lint(&self.intent, &facts, &plan).unwrap_or_else(|broken| panic!("{broken}\n{plan}\n{facts:#?}"));
        for step in &plan.steps {
            self.log.push(step.to_string());
            self.view.step_began(step);
            let applied = self.backend.apply(step).now_or_never().unwrap();
            self.view.step_ended(step, applied.ok(), self.now);
        }
        plan
    }

    /// A step is under way.
    pub fn begins(&mut self, step: &Step) {
        self.view.step_began(step);
    }

    /// A step has come to nothing.
    pub fn fails(&mut self, step: &Step) {
        self.view.step_ended(step, None, self.now);
    }

    /// As the store does: what was tried is served if it is good, and forgotten if it is not.
    pub fn judge(&mut self) -> Option<Verdict> {
        let facts = self.facts();
        let verdict = verdict(&self.intent, &facts)?;
        let Wanted::Run(run) = &mut self.intent.wanted else { return None };
        let candidate = run.candidate.take().unwrap();
        assert_eq!(candidate.id, verdict.release);
        match &verdict.found {
            Ok(_) => run.release = Some(candidate.release),
            Err(why) => run.refused = Some(why.as_str().into()),
        }
        self.intent.version += 1;
        self.log.push(format!("judged {}", if verdict.found.is_ok() { "good" } else { "bad" }));
        Some(verdict)
    }

    /// Passes until there is nothing to do; then shows that it stays so.
    pub fn converge(&mut self) {
        let mut last = self.pass();
        for _ in 0..40 {
            if last.is_empty() {
                assert!(self.pass().is_empty(), "rule 7: a plan made from a plan's result is empty");
                return;
            }
            if self.judge().is_none() && last.steps.is_empty() {
                self.wait();
            }
            last = self.pass();
        }
        panic!("not converged after 40 passes:\n{last}\n{:#?}", self.facts());
    }

    /// Nodes that are well say so again; what others once said is forgotten.
    fn wait(&mut self) {
        self.now += View::STALE;
        self.backend.heartbeat();
    }

    /// Every step taken, without fingerprints and sizes.
    pub fn steps(&self) -> impl Iterator<Item = &str> {
        self.log.iter().map(|step| step.split(" (").next().unwrap())
    }

    pub fn parts(&self) -> Vec<String> {
        let own = self.backend.objects().into_iter().filter(|(site, _)| *site == self.intent.site);
        own.map(|(_, object)| object.part.to_string()).collect()
    }

    pub fn kill(&self, part: Part) -> bool {
        self.backend.kill(self.intent.site, part)
    }

    pub fn vanish(&self, part: Part) -> bool {
        self.backend.vanish(self.intent.site, part)
    }
}

/// What is known of a part, to be bent.
pub fn object(facts: &mut Facts, part: Part) -> &mut Object {
    facts.objects.iter_mut().find(|object| object.part == part).unwrap()
}

/// A node has said nothing.
pub fn hush(facts: &mut Facts, part: Part) {
    facts.reports.retain(|report| report.part != part);
}

/// The same, without the object of this part.
pub fn without(facts: &Facts, part: Part) -> Facts {
    let mut facts = facts.clone();
    facts.objects.retain(|object| object.part != part);
    facts
}
