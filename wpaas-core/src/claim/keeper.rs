use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Board, Member, Moves, ServerId, Share, Tenure, Token, decide};
use crate::store::{Claims, StoreError};

/// Keeps this server alive in the eyes of the others, and its [`Tenure`] true.
#[derive(Debug)]
pub struct Keeper {
    store: Arc<dyn Claims>,
    me: Member,
    tenure: Tenure,
    held: BTreeMap<Share, Token>,
    /// Not begun with any more, and given up as soon as nothing of them is under way.
    leaving: BTreeSet<Share>,
    until: Instant,
    peers: watch::Sender<Vec<Member>>,
}

/// The other servers that live.
pub type Peers = watch::Receiver<Vec<Member>>;

/// How many servers live where these are the others.
#[must_use]
pub fn servers(others: &[Member]) -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(u32::try_from(others.len()).unwrap_or(u32::MAX))
}

impl Keeper {
    /// A server says this often that it lives.
    pub const PERIOD: Duration = Duration::from_millis(1500);
    /// Who has said nothing for so long is taken for dead.
    pub const LEASE: Duration = Duration::from_secs(6);
    /// A server itself stops believing so much earlier.
    const MARGIN: Duration = Duration::from_secs(1);
    /// While something is on its way from one server to another, it is looked this often.
    const HURRY: Duration = Duration::from_millis(200);

    /// For this server, which the others reach at `reports`.
    #[must_use]
    pub fn new(store: Arc<dyn Claims>, server: ServerId, reports: Option<String>) -> (Self, Tenure, Peers) {
        let tenure = Tenure::nothing();
        let (peers, live) = watch::channel(Vec::new());
        let me = Member { server, reports, until: Timestamp::UNIX_EPOCH };
        let (held, leaving) = (BTreeMap::new(), BTreeSet::new());
        let keeper = Self { store, me, tenure: tenure.clone(), held, leaving, until: Instant::now(), peers };
        (keeper, tenure, live)
    }

    /// Runs until `stop` completes; then gives everything up, so that the others need not wait.
    pub async fn run(mut self, stop: impl Future<Output = ()> + Send) {
        let mut stop = std::pin::pin!(stop);
        loop {
            let pause = match tokio::time::timeout(Self::LEASE, self.round()).await {
                Ok(Ok(pause)) => pause,
                Ok(Err(error)) => {
                    tracing::warn!(
                        error = crate::converge::chain(&error),
                        "the servers' claims can't be kept now"
                    );
                    Self::HURRY
                }
                Err(_late) => {
                    tracing::warn!("the servers' claims can't be kept now: the database does not answer");
                    Self::HURRY
                }
            };
            tokio::select! {
                () = &mut stop => break,
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.tenure.set(BTreeMap::new(), Instant::now());
        let left = tokio::time::timeout(Self::LEASE, self.store.leave(&self.me.server)).await;
        if !matches!(left, Ok(Ok(()))) {
            tracing::warn!("the other servers take over only after some seconds");
        }
    }

    /// Says that it lives, and makes the moves that follow from what it sees. Returns when to look again.
    async fn round(&mut self) -> Result<Duration, StoreError> {
        let began = Instant::now();
        let board = self.store.beat(&self.me, Self::LEASE).await?;
        if began >= self.until {
            // It may have been taken for dead, so nothing of before counts.
            self.held.clear();
            self.leaving.clear();
        }
        self.until = began + Self::LEASE.saturating_sub(Self::MARGIN);
        let Moves { lost, take, give_up } = decide(&board, &self.me.server, &self.held);
        for share in lost {
            self.held.remove(&share);
            self.leaving.remove(&share);
        }
        self.leaving.retain(|share| give_up.contains(share));
        self.leaving.extend(give_up);
        self.publish();
        self.tell(&board);
        let waits = self.let_go().await?;
        let missed = self.take(&take).await?;
        self.publish();
        Ok(if waits || missed || self.is_short(&board) { Self::HURRY } else { Self::PERIOD })
    }

    /// Gives up what nothing is under way for. Returns whether there is more.
    async fn let_go(&mut self) -> Result<bool, StoreError> {
        for share in self.leaving.clone() {
            if self.tenure.is_busy(share) {
                continue;
            }
            if let Some(token) = self.held.get(&share) {
                self.store.give_up(share, *token).await?;
            }
            self.held.remove(&share);
            self.leaving.remove(&share);
        }
        Ok(!self.leaving.is_empty())
    }

    /// Returns whether another was faster.
    async fn take(&mut self, wanted: &[(Share, Token)]) -> Result<bool, StoreError> {
        if wanted.is_empty() {
            return Ok(false);
        }
        let taken = self.store.take(wanted, &self.me.server).await?;
        let missed = taken.len() < wanted.len();
        self.held.extend(taken);
        Ok(missed)
    }

    /// Whether somebody alive still has what is this server's part.
    fn is_short(&self, board: &Board) -> bool {
        let servers = board.alive().map(|member| &member.server).collect::<BTreeSet<_>>().len().max(1);
        self.held.len() < usize::from(Share::COUNT) / servers
    }

    fn publish(&self) {
        let tended = self.held.iter().filter(|(share, _)| !self.leaving.contains(share));
        self.tenure.set(tended.map(|(share, token)| (*share, *token)).collect(), self.until);
    }

    fn tell(&self, board: &Board) {
        let others = board.alive().filter(|member| member.server != self.me.server);
        let others: Vec<Member> =
            others.cloned().map(|member| Member { until: Timestamp::UNIX_EPOCH, ..member }).collect();
        self.peers.send_if_modified(|before| {
            let changed = *before != others;
            if changed {
                tracing::info!(servers = others.len() + 1, "servers that share the sites");
                *before = others;
            }
            changed
        });
    }
}
