//! Tells the webhooks of events: of several servers one does.
//!
//! A webhook's events are told in their order, one at a time; webhooks don't wait for each other. How far each is is
//! kept with the service, which lets nobody move it who has not read it as it is: so a server that takes over tells at
//! most the last event again, under the same id.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::task::{self, JoinSet};
use tokio::time::{Instant, sleep_until};
use wpaas_core::account::Version;
use wpaas_core::claim::Tenure;
use wpaas_core::id::WebhookId;
use wpaas_core::service::{Service, ServiceError};
use wpaas_core::store::{Committed, StoredWebhook};

use crate::StartError;
use crate::problem::chain;
use crate::tasks::Tasks;

mod post;
mod turn;

use post::Post;

/// Begins to tell.
///
/// # Errors
///
/// When no connection could be made.
pub fn start(service: &Service, tenure: &Tenure, tasks: &mut Tasks) -> Result<(), StartError> {
    let prefixes = service.settings().webhook_prefixes.clone();
    let post = Post::new(prefixes).map_err(|error| StartError::Webhooks(error.into()))?;
    let shared = Arc::new(Shared { service: service.clone(), tenure: tenure.clone(), post });
    let teller = Teller { shared, running: JoinSet::new(), busy: HashMap::new(), read: HashMap::new() };
    let stopping = tasks.stopping();
    tasks.spawn("webhooks", async move {
        stopping.run_until_cancelled(teller.run()).await;
    });
    Ok(())
}

/// What all turns use.
#[derive(Debug)]
struct Shared {
    service: Service,
    tenure: Tenure,
    post: Post,
}

/// Gives the webhooks turns.
#[derive(Debug)]
struct Teller {
    shared: Arc<Shared>,
    running: JoinSet<turn::Ended>,
    /// Webhooks that have a turn, by their tasks.
    busy: HashMap<task::Id, WebhookId>,
    /// To which event nothing is left to tell, beyond what is kept, and of which version of the delivery.
    read: HashMap<WebhookId, (Version, u64)>,
}

impl Teller {
    /// Webhooks that have a turn at a time.
    const AT_ONCE: usize = 32;
    /// A hint may be lost, and so may the server that told before.
    const SWEEP: Duration = Duration::from_secs(5);
    /// From one look to the next, however much happens.
    const PAUSE: Duration = Duration::from_millis(100);

    /// For ever.
    async fn run(mut self) {
        let mut feed = self.shared.service.feed();
        let mut turns = self.shared.tenure.changes();
        let mut next = Instant::now();
        loop {
            tokio::select! {
                Some(ended) = self.running.join_next_with_id() => self.ended(ended),
                () = happened(&mut feed) => {}
                Ok(()) = turns.changed() => {}
                () = sleep_until(next) => {}
            }
            next = Instant::now() + Self::SWEEP;
            match self.give_turns().await {
                Ok(due) => next = next.min(Instant::now() + due),
                Err(error) => tracing::error!(error = chain(&error), "the webhooks can't be read now"),
            }
            tokio::time::sleep(Self::PAUSE).await;
        }
    }

    /// To all that have something to tell, as far as there is room. Returns when the next of the others is due.
    async fn give_turns(&mut self) -> Result<Duration, ServiceError> {
        if !self.shared.tenure.leads() {
            return Ok(Self::SWEEP);
        }
        let all = self.shared.service.webhooks_to_tell().await?;
        let last = self.shared.service.last_event().await?;
        let now = Timestamp::now();
        self.read.retain(|id, _| all.iter().any(|stored| stored.webhook.id == *id));
        let mut due = Self::SWEEP;
        for stored in all {
            let id = stored.webhook.id;
            let read_to = self.read_to(&stored);
            if read_to >= last || self.busy.values().any(|busy| *busy == id) {
                continue;
            }
            match stored.delivery.next_at.filter(|at| *at > now) {
                Some(at) => due = due.min(at.duration_since(now).unsigned_abs()),
                None if self.running.len() < Self::AT_ONCE => {
                    let task = self.running.spawn(turn::take(self.shared.clone(), stored, read_to));
                    self.busy.insert(task.id(), id);
                }
                None => {}
            }
        }
        Ok(due)
    }

    fn read_to(&self, stored: &StoredWebhook) -> u64 {
        let after = stored.delivery.after;
        let read = self.read.get(&stored.webhook.id);
        let read = read.filter(|(version, _)| *version == stored.delivery.version);
        read.map_or(after, |(_, read_to)| after.max(*read_to))
    }

    fn ended(&mut self, ended: Result<(task::Id, turn::Ended), task::JoinError>) {
        match ended {
            Ok((task, turn::Ended { read_to })) => {
                let webhook = self.busy.remove(&task);
                self.read.extend(webhook.zip(read_to));
            }
            Err(error) => {
                tracing::error!(%error, "telling a webhook panicked");
                self.busy.remove(&error.id());
            }
        }
    }
}

/// Waits until there is an event.
async fn happened(feed: &mut broadcast::Receiver<Committed>) {
    loop {
        match feed.recv().await {
            Ok(committed) if committed.events.is_empty() => {}
            Ok(_) | Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
