//! Sites that have converged, each brought up by the planner over the simulated world.

use std::time::Duration;

use futures::FutureExt as _;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;
use wpaas_core::converge::simulated::Simulated;
use wpaas_core::converge::{
    Backend as _, Coverage, Heard, Intent, Object, ObjectId, Observation, ReleaseRef, Report, RunIntent,
    Scope, View, Wanted, plan,
};
use wpaas_core::id::SiteId;
use wpaas_core::site::DatabaseSize;

/// Sites of six parts: a network, two volumes, a database, a WordPress node and a gateway.
pub struct Fleet {
    pub intents: Vec<Intent>,
    pub objects: Vec<(SiteId, Object)>,
    pub reports: Vec<Report>,
}

impl Fleet {
    pub fn of(sites: usize) -> Self {
        let mut fleet = Self { intents: Vec::new(), objects: Vec::new(), reports: Vec::new() };
        for n in 0..sites {
            let intent =
                Intent { site: SiteId::new(), generation: 1, version: 1, epoch: 1, wanted: wanted(n) };
            let (backend, mut reports) = Simulated::new();
            fleet.reports.extend(converge(&intent, &backend, &mut reports));
            fleet.objects.extend(backend.objects().into_iter().map(as_an_engine_has_it));
            fleet.intents.push(intent);
        }
        assert_eq!(fleet.objects.len(), 6 * sites);
        fleet
    }

    pub fn len(&self) -> usize {
        self.intents.len()
    }

    pub fn listing(&self) -> Observation {
        Observation { coverage: Coverage::Complete, objects: self.objects.clone(), runs: Vec::new() }
    }

    /// What a converger knows that has seen all of it.
    pub fn known(&self) -> View {
        let mut view = View::default();
        let now = Instant::now();
        view.listed(&Scope::Fleet, now, self.listing());
        for report in &self.reports {
            view.reported(report.clone(), now);
        }
        view
    }
}

/// An Engine's ids have 64 digits.
fn as_an_engine_has_it((site, object): (SiteId, Object)) -> (SiteId, Object) {
    let id = hex::encode(Sha256::digest(format!("{site} {}", object.id)));
    (site, Object { id: ObjectId::new(&id), ..object })
}

fn wanted(n: usize) -> Wanted {
    Wanted::Run(RunIntent {
        candidate: None,
        refused: None,
        previews: [].into(),
        wordpress: 1,
        database: DatabaseSize::One,
        release: Some(ReleaseRef::Stock),
        authorities: vec![format!("blog-{n}.acm.www.wpaas.localhost")],
        redirects: [].into(),
        tls: wpaas_core::converge::TlsIntent::default(),
        home: None,
        title: format!("Blog number {n}"),
        admin_user: "admin".parse().unwrap(),
        admin_email: "admin@example.com".parse().unwrap(),
        admin_version: 1,
        was_founded: true,
    })
}

/// Takes every step until there is none; returns what the nodes said last.
fn converge(
    intent: &Intent,
    backend: &Simulated,
    reports: &mut UnboundedReceiver<Report>,
) -> impl Iterator<Item = Report> + use<> {
    let (mut view, mut now) = (View::default(), Instant::now());
    for _ in 0..60 {
        now += Duration::from_millis(1);
        view.listed(&Scope::Fleet, now, backend.observe(&Scope::Fleet).now_or_never().unwrap().unwrap());
        while let Ok(report) = reports.try_recv() {
            view.reported(report, now);
        }
        let facts = view.facts(intent.site, now);
        let plan = plan(intent, &facts);
        if plan.is_empty() {
            let site = intent.site;
            let reports = facts.reports.clone().into_iter();
            return reports.map(move |Heard { part, boot, node }| Report { site, part, boot, node });
        }
        for step in &plan.steps {
            view.step_began(step);
            let applied = backend.apply(step).now_or_never().unwrap();
            view.step_ended(step, applied.ok(), now);
        }
        if plan.steps.is_empty() {
            now += View::STALE;
            backend.heartbeat();
        }
    }
    panic!("does not converge");
}
