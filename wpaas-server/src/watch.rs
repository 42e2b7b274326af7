//! Looks over the converger's shoulder: wraps its two ports, and keeps what metrics and readiness tell.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::sync::mpsc;
use wpaas_core::id::SiteId;
use wpaas_core::site::{SiteStatus, Truth};

mod backend;
mod intents;

pub use backend::WatchedBackend;
pub use intents::WatchedIntents;

/// What was seen of the converger's work; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    looks: Family<Outcome, Counter>,
    steps: Family<StepOutcome, Counter>,
    sites: Family<ConditionLabels, Gauge>,
    seen: Arc<Mutex<Seen>>,
    /// Who else is told of sites of which something new was found.
    told: Arc<OnceLock<mpsc::UnboundedSender<SiteId>>>,
}

#[derive(Debug, Default)]
struct Seen {
    /// Of the last look at everything; `None` before the first.
    backend: Option<Result<(), String>>,
    /// What the backend still has to do before it can make nodes, as far as it is.
    preparing: Option<String>,
    conditions: HashMap<SiteId, Vec<ConditionLabels>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StepOutcome {
    action: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConditionLabels {
    condition: String,
    status: String,
}

impl Watch {
    /// Tells the registry what there is to count.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("backend_looks", "Listings asked of the backend", self.looks.clone());
        registry.register("steps", "Steps that the backend was asked to take", self.steps.clone());
        registry.register("sites", "Sites by condition", self.sites.clone());
    }

    /// Whether the backend could be seen at the last look at everything and can make nodes, or why not.
    pub fn backend(&self) -> Result<(), String> {
        let seen = self.lock();
        match (&seen.backend, &seen.preparing) {
            (None, _) => Err("nobody has looked yet".to_owned()),
            (Some(Err(reason)), _) | (Some(Ok(())), Some(reason)) => Err(reason.clone()),
            (Some(Ok(())), None) => Ok(()),
        }
    }

    /// The sites of which something new is found from now on. Only the first to ask is told.
    pub fn findings(&self) -> mpsc::UnboundedReceiver<SiteId> {
        let (tell, told) = mpsc::unbounded_channel();
        let _second = self.told.set(tell);
        told
    }

    /// How far the backend's preparation is; `None` once it is done.
    #[cfg_attr(
        not(any(test, feature = "docker", feature = "aws")),
        expect(dead_code, reason = "what is simulated is always prepared")
    )]
    pub fn preparing(&self, progress: Option<String>) {
        self.lock().preparing = progress;
    }

    fn looked(&self, outcome: &'static str, result: Option<Result<(), String>>) {
        self.looks.get_or_create(&Outcome { outcome }).inc();
        if result.is_some() {
            self.lock().backend = result;
        }
    }

    fn stepped(&self, action: &'static str, outcome: &'static str) {
        self.steps.get_or_create(&StepOutcome { action, outcome }).inc();
    }

    fn found(&self, site: SiteId, status: Option<&SiteStatus>) {
        if let Some(tell) = self.told.get() {
            // Who was told may have gone.
            let _gone = tell.send(site);
        }
        let now: Vec<_> = status.map(labels).unwrap_or_default();
        let before = match status {
            Some(_) => self.lock().conditions.insert(site, now.clone()),
            None => self.lock().conditions.remove(&site),
        };
        for labels in before.into_iter().flatten() {
            self.sites.get_or_create(&labels).dec();
        }
        for labels in now {
            self.sites.get_or_create(&labels).inc();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn labels(status: &SiteStatus) -> Vec<ConditionLabels> {
    let word = |truth| match truth {
        Truth::True => "true",
        Truth::False => "false",
        Truth::Unknown => "unknown",
    };
    let conditions = status.conditions.iter();
    conditions
        .map(|condition| ConditionLabels {
            condition: format!("{:?}", condition.kind),
            status: word(condition.status).to_owned(),
        })
        .collect()
}
