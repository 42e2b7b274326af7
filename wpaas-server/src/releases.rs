//! Turns wanted code into releases, beside everything else.
//!
//! A worker asks the service for sites whose code is not fetched yet, fetches a bounded number at a time, and
//! leaves the result with the service. What may work later is tried again after a growing pause of its own, so
//! that one site's bad repository never delays another's.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::task::{self, JoinSet};
use tokio::time::{Instant, sleep_until};
use wpaas_core::claim::Tenure;
use wpaas_core::code::fetch::{MadeRelease, ReleaseMaker};
use wpaas_core::code::{CodeError, Digest, ReleaseStore};
use wpaas_core::converge::WorkQueue;
use wpaas_core::id::{ReleaseId, SiteId};
use wpaas_core::secret::{SecretError, Secrets};
use wpaas_core::service::{Service, ServiceError, WantedCode};
use wpaas_core::site::{CodeFailure, Generation, Proof, Release};
use wpaas_core::store::Committed;

use crate::problem::chain;

/// An archive is kept for so long from when it was first seen that no release needs it.
const UNUSED: Duration = Duration::from_secs(7 * 24 * 3600);

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// Fetches code until told to stop.
#[derive(Debug)]
pub struct ReleaseWorker {
    shared: Arc<Shared>,
    running: JoinSet<Done>,
    /// Sites that are being worked on, by their tasks.
    busy: HashMap<task::Id, SiteId>,
    /// How often in a row the code of a generation failed in a way that may pass.
    failures: HashMap<SiteId, (Generation, u32)>,
    /// When what failed is due again.
    again: WorkQueue,
    /// When archives that no release needs are looked for next.
    next_removal: Instant,
}

#[derive(Debug)]
struct Shared {
    service: Service,
    secrets: Arc<dyn Secrets>,
    maker: ReleaseMaker,
    tenure: Tenure,
}

/// How an attempt ended.
#[derive(Debug)]
struct Done {
    site: SiteId,
    generation: Generation,
    /// When it is due again; `None` for a release, and for a refusal that stays until the code is changed.
    again: Option<Duration>,
}

/// Why an attempt came to no release.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Code(#[from] CodeError),
    #[error("the credential for the code can't be read")]
    Secret(#[from] SecretError),
}

impl ReleaseWorker {
    /// Fetches at a time.
    const AT_ONCE: usize = 2;
    /// Sites are asked for again this often, should a hint be lost.
    const SWEEP: Duration = Duration::from_secs(30);
    /// Archives that no release needs are looked for this often, and not at the start.
    const REMOVAL: Duration = Duration::from_secs(600);
    /// Sites asked for at a time.
    const PAGE: usize = 200;

    /// A worker that has not begun.
    pub fn new(service: Service, secrets: Arc<dyn Secrets>, maker: ReleaseMaker, tenure: Tenure) -> Self {
        Self {
            shared: Arc::new(Shared { service, secrets, maker, tenure }),
            running: JoinSet::new(),
            busy: HashMap::new(),
            failures: HashMap::new(),
            again: WorkQueue::default(),
            next_removal: Instant::now() + Self::REMOVAL,
        }
    }

    /// Works until `stop` completes; what is being fetched then is dropped, and fetched after the next start.
    pub async fn run(mut self, stop: impl Future<Output = ()> + Send) {
        let mut stop = std::pin::pin!(stop);
        let mut feed = self.shared.service.feed();
        let mut turns = self.shared.tenure.changes();
        let mut sweep = Instant::now();
        loop {
            let due = self.again.next_due(Instant::now()).map_or(sweep, |at| at.min(sweep));
            tokio::select! {
                () = &mut stop => return,
                Some(done) = self.running.join_next_with_id() => self.ended(done, Instant::now()),
                () = wanted(&mut feed) => {}
                Ok(()) = turns.changed() => {}
                () = sleep_until(due) => while self.again.pop(Instant::now()).is_some() {},
            }
            sweep = Instant::now() + Self::SWEEP;
            self.tidy_up().await;
            if let Err(error) = self.start_more().await {
                tracing::error!(error = chain(&error), "the sites whose code is wanted can't be listed");
            }
        }
    }

    /// Looks for archives that no release needs, when it is time and this server's to do.
    async fn tidy_up(&mut self) {
        let Shared { service, maker, tenure, .. } = &*self.shared;
        if self.next_removal > Instant::now() || !tenure.leads() {
            return;
        }
        self.next_removal = Instant::now() + Self::REMOVAL;
        if let Err(error) = remove_unused(service, maker.store.as_ref(), SystemTime::now()).await {
            tracing::warn!(error = chain(error.as_ref()), "archives that no release needs are still there");
        }
    }

    /// Begins what is wanted, as far as there is room.
    async fn start_more(&mut self) -> Result<(), ServiceError> {
        let mut after = None;
        while self.running.len() < Self::AT_ONCE {
            let page = self.shared.service.wanted_code(after, Self::PAGE, Timestamp::now()).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.site);
            for wanted in page {
                let busy = self.busy.values().any(|site| *site == wanted.site);
                // Another server fetches for the sites that it tends.
                let ours = self.shared.tenure.epoch(wanted.site, Instant::now()).is_some();
                if self.running.len() < Self::AT_ONCE && ours && !busy {
                    self.begin(wanted);
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self, wanted: WantedCode) {
        let site = wanted.site;
        let failures = match self.failures.get(&site) {
            Some((generation, failures)) if *generation == wanted.generation => *failures,
            Some(_) | None => 0,
        };
        let task = self.running.spawn(attempt(self.shared.clone(), wanted, pause(failures)));
        self.busy.insert(task.id(), site);
    }

    fn ended(&mut self, done: Result<(task::Id, Done), task::JoinError>, now: Instant) {
        match done {
            Ok((task, Done { site, generation, again })) => {
                self.busy.remove(&task);
                let before = self.failures.remove(&site).filter(|(failed, _)| *failed == generation);
                if let Some(pause) = again {
                    self.failures.insert(site, (generation, before.map_or(1, |(_, failures)| failures + 1)));
                    self.again.add_at(site, now + pause);
                }
            }
            Err(error) => {
                tracing::error!(%error, "fetching code panicked");
                self.busy.remove(&error.id());
            }
        }
    }
}

/// Removes the archives that no release has needed for so long. A store that was put back does not know the releases
/// recorded since, which sites still run: so none goes while any site is behind, and else there are days to see it.
async fn remove_unused(service: &Service, store: &dyn ReleaseStore, now: SystemTime) -> Result<(), Failed> {
    if long_unused(service, store, now).await?.is_empty() || service.any_behind().await? {
        return Ok(());
    }
    // One of them may have been put again meanwhile.
    for digest in long_unused(service, store, now).await? {
        store.remove(&digest).await?;
        tracing::info!(%digest, "an archive that no release needs is removed");
    }
    Ok(())
}

async fn long_unused(
    service: &Service,
    store: &dyn ReleaseStore,
    now: SystemTime,
) -> Result<Vec<Digest>, Failed> {
    let unused = store.unused(&service.digests_in_use().await?, now).await?;
    let is_long = |since: &SystemTime| now.duration_since(*since).is_ok_and(|unused| unused >= UNUSED);
    Ok(unused.into_iter().filter(|(_, since)| is_long(since)).map(|(digest, _)| digest).collect())
}

/// From the first failure to the next try: twice as long each time, up to a quarter of an hour.
fn pause(failures: u32) -> Duration {
    let (first, longest) = (Duration::from_secs(5), Duration::from_secs(900));
    first.saturating_mul(1 << failures.min(10)).min(longest)
}

/// Waits until something else is wanted of a site.
async fn wanted(feed: &mut broadcast::Receiver<Committed>) {
    loop {
        match feed.recv().await {
            Ok(committed) if committed.sites.is_empty() => {}
            Ok(_) | Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

async fn attempt(shared: Arc<Shared>, wanted: WantedCode, pause: Duration) -> Done {
    let WantedCode { site, generation, .. } = wanted;
    let made = shared.make(&wanted).await;
    match &made {
        Ok(release) => tracing::info!(%site, digest = %release.digest, "a release is ready"),
        Err(error) => tracing::warn!(%site, error = chain(error), "code did not become a release"),
    }
    let now = Timestamp::now();
    let again = match &made {
        Ok(_) | Err(Failure::Code(CodeError::Refused(_))) => None,
        Err(_) => Some(pause),
    };
    let result = match made {
        Ok(made) => Ok(release(made, generation, now)),
        Err(failure) => Err(CodeFailure { message: told(&failure), at: now, retry_at: at(now, again) }),
    };
    match shared.service.record_release(site, generation, result, now).await {
        Ok(()) => Done { site, generation, again },
        Err(error) => {
            tracing::error!(%site, error = chain(&error), "a release can't be recorded");
            Done { site, generation, again: Some(pause) }
        }
    }
}

fn at(now: Timestamp, pause: Option<Duration>) -> Option<Timestamp> {
    pause.map(|pause| now.checked_add(pause).unwrap_or(Timestamp::MAX))
}

impl Shared {
    async fn make(&self, wanted: &WantedCode) -> Result<MadeRelease, Failure> {
        let credential = match &wanted.credential {
            Some(secret) => Some(self.secrets.get(secret).await?),
            None => None,
        };
        Ok(self.maker.make(&wanted.code, credential.as_ref()).await?)
    }
}

fn release(made: MadeRelease, generation: Generation, created_at: Timestamp) -> Release {
    let MadeRelease { digest, layout, revision } = made;
    let (id, proof) = (ReleaseId::new(), Proof::Untried);
    Release { id, digest, layout, revision, generation, created_at, proof, restores: None, changes: None }
}

/// What the customer may know: the text of a code error is made for that, the rest is ours.
fn told(failure: &Failure) -> String {
    match failure {
        Failure::Code(error @ (CodeError::Refused(_) | CodeError::Unavailable(_))) => error.to_string(),
        Failure::Code(_) | Failure::Secret(_) => {
            "the platform could not fetch the code; its operator finds the reason in the log".to_owned()
        }
    }
}

#[cfg(test)]
mod tests;
