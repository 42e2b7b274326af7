use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};

use tokio::sync::watch;
use tokio::time::Instant;

use super::{Share, Token};
use crate::id::SiteId;

/// What one server tends now: written by its [`super::Keeper`], asked by its converger before each step.
#[derive(Debug, Clone)]
pub struct Tenure(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    held: RwLock<Held>,
    /// Steps under way, by share.
    running: [AtomicUsize; Share::COUNT as usize],
    changed: watch::Sender<u64>,
}

#[derive(Debug)]
enum Held {
    /// There is no other server.
    Everything,
    /// These, until then.
    Shares { tokens: BTreeMap<Share, Token>, until: Instant },
}

/// A step is under way for as long as this is kept.
#[derive(Debug)]
pub struct StepGuard {
    inner: Arc<Inner>,
    share: Share,
}

impl Drop for StepGuard {
    fn drop(&mut self) {
        self.inner.running[usize::from(self.share.number())].fetch_sub(1, Ordering::AcqRel);
    }
}

impl Tenure {
    /// Of a server that is alone for ever.
    #[must_use]
    pub fn everything() -> Self {
        Self::with(Held::Everything)
    }

    /// Of a server that has nothing yet.
    #[must_use]
    pub fn nothing() -> Self {
        Self::with(Held::Shares { tokens: BTreeMap::new(), until: Instant::now() })
    }

    /// Of a server that believes itself in charge of all sites in this epoch, whatever others believe.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn believing(epoch: Token) -> Self {
        let tokens = Share::all().map(|share| (share, epoch)).collect();
        let until = Instant::now() + std::time::Duration::from_secs(365 * 24 * 3600);
        Self::with(Held::Shares { tokens, until })
    }

    fn with(held: Held) -> Self {
        let running = std::array::from_fn(|_| AtomicUsize::new(0));
        Self(Arc::new(Inner { held: RwLock::new(held), running, changed: watch::Sender::new(0) }))
    }

    /// The epoch to tend the site in; `None` when that is another server's, or nobody knows.
    #[must_use]
    pub fn epoch(&self, site: SiteId, now: Instant) -> Option<Token> {
        self.token(Share::of(site), now)
    }

    /// Whether this server does what one of all is to do.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.token(Share(0), Instant::now()).is_some()
    }

    fn token(&self, share: Share, now: Instant) -> Option<Token> {
        match &*self.0.held.read().unwrap_or_else(std::sync::PoisonError::into_inner) {
            Held::Everything => Some(1),
            Held::Shares { tokens, until } => tokens.get(&share).copied().filter(|_| now < *until),
        }
    }

    /// Begins a step of this epoch; `None` when the site is not tended in that epoch any more.
    #[must_use]
    pub fn begin(&self, site: SiteId, epoch: Token) -> Option<StepGuard> {
        let share = Share::of(site);
        self.0.running[usize::from(share.number())].fetch_add(1, Ordering::AcqRel);
        let guard = StepGuard { inner: self.0.clone(), share };
        (self.token(share, Instant::now()) == Some(epoch)).then_some(guard)
    }

    /// Whether a step of this share is under way.
    pub(super) fn is_busy(&self, share: Share) -> bool {
        self.0.running[usize::from(share.number())].load(Ordering::Acquire) > 0
    }

    /// Counts on when what is tended changes.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    pub(super) fn set(&self, tokens: BTreeMap<Share, Token>, until: Instant) {
        let mut held = self.0.held.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let same = matches!(&*held, Held::Shares { tokens: before, until: lasted }
            if *before == tokens && *lasted > Instant::now());
        *held = Held::Shares { tokens, until };
        drop(held);
        if !same {
            self.0.changed.send_modify(|count| *count += 1);
        }
    }
}
