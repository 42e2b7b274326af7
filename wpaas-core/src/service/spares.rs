//! Spares: sites that are made before anybody asks for one.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use jiff::Timestamp;
use tokio::time::Instant;

use super::commit::Rounds;
use super::sites::generated;
use super::{Service, ServiceError};
use crate::claim::{Tenure, Token};
use crate::id::SiteId;
use crate::secret::SecretName;
use crate::site::{ConditionKind, DatabaseSize, SiteStatus, Spare, SpareState, Truth};
use crate::store::{Change, StoreError, Write};

/// The spares that can be taken, as this server's converger has seen them last.
///
/// The store alone does not say so: one that has lost commits, as when a standby took over, may call a spare what is a
/// customer's site. Whoever has seen what runs knows better.
#[derive(Debug)]
pub(super) struct Ready {
    spares: Mutex<BTreeMap<SiteId, Seen>>,
    tenure: RwLock<Tenure>,
}

/// A spare that was up when it was seen.
#[derive(Debug, Clone, Copy)]
struct Seen {
    database: DatabaseSize,
    /// It counts for as long as this server tends the spare in the same epoch.
    epoch: Token,
}

impl Default for Ready {
    fn default() -> Self {
        Self { spares: Mutex::default(), tenure: RwLock::new(Tenure::everything()) }
    }
}

impl Ready {
    fn spares(&self) -> MutexGuard<'_, BTreeMap<SiteId, Seen>> {
        self.spares.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn epoch(&self, site: SiteId) -> Option<Token> {
        self.tenure.read().unwrap_or_else(PoisonError::into_inner).epoch(site, Instant::now())
    }

    fn counts(&self, site: SiteId, seen: Seen) -> bool {
        self.epoch(site) == Some(seen.epoch)
    }
}

/// A spare that one request is about to take, and no other. Unless it does, it can be taken again.
#[derive(Debug)]
pub(super) struct Taking {
    service: Service,
    pub(super) id: SiteId,
    seen: Option<Seen>,
}

impl Taking {
    /// It is a customer's now, or somebody else's: nobody here takes it again.
    pub(super) fn done(mut self) {
        self.seen = None;
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        if let Some(seen) = self.seen {
            self.service.inner.ready.spares().insert(self.id, seen);
        }
    }
}

impl Service {
    /// Only spares that this server tends can be taken here; without this, all of them.
    pub fn tends_spares_by(&self, tenure: Tenure) {
        *self.inner.ready.tenure.write().unwrap_or_else(PoisonError::into_inner) = tenure;
    }

    /// The spares that are kept, and how many of them can be taken here and now.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    pub async fn spares(&self) -> Result<(Vec<Spare>, usize), ServiceError> {
        let kept = self.store().spares().await?;
        let ready = &self.inner.ready;
        let can_be_taken = ready.spares().iter().filter(|(id, seen)| ready.counts(**id, **seen)).count();
        Ok((kept, can_be_taken))
    }

    /// Makes and ends spares until there are as many as [`super::Settings::spares`] says, with the default database.
    /// Whether it had to.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Keyring`.
    pub async fn keep_spares(&self, now: Timestamp) -> Result<bool, ServiceError> {
        let settings = self.settings();
        let kept = self.store().spares().await?;
        let Stock { missing, over } = stock(&kept, settings.spares, settings.default_database);
        for id in &over {
            self.end_spare(*id, now).await?;
        }
        for _ in 0..missing {
            self.make_spare(settings.default_database, now).await?;
        }
        Ok(missing > 0 || !over.is_empty())
    }

    async fn make_spare(&self, database: DatabaseSize, now: Timestamp) -> Result<(), ServiceError> {
        let spare = Spare { id: SiteId::new(), database, state: SpareState::Kept, since: now };
        let password = self.sealed(spare.id, SecretName::DatabasePassword, 1, &generated())?;
        let make = Change::at(now).write(Write::InsertSpare(spare, password.sealed)).aside();
        Ok(self.store().commit(make).await.map(drop)?)
    }

    /// Unless somebody has taken it meanwhile: then it is as it should be.
    async fn end_spare(&self, id: SiteId, now: Timestamp) -> Result<(), ServiceError> {
        self.inner.ready.spares().remove(&id);
        let end = Change::at(now).write(Write::EndSpare(id)).aside();
        self.commit_aside(end, &mut Rounds::default()).await.map(drop)
    }

    /// A spare with such a database, if there is one that can be taken.
    pub(super) fn take_spare(&self, database: DatabaseSize) -> Option<Taking> {
        let ready = &self.inner.ready;
        let mut spares = ready.spares();
        let fits = |(id, seen): &(&SiteId, &Seen)| seen.database == database && ready.counts(**id, **seen);
        let id = spares.iter().find(fits).map(|(id, _)| *id)?;
        let seen = spares.remove(&id);
        Some(Taking { service: self.clone(), id, seen })
    }

    /// The same, unless somebody else has taken it meanwhile, as the store says.
    pub(super) async fn still_kept(&self, taking: Taking) -> Result<Option<Taking>, StoreError> {
        let spare = self.store().spare(taking.id).await?;
        if spare.is_some_and(|spare| spare.state == SpareState::Kept) {
            return Ok(Some(taking));
        }
        taking.done();
        Ok(None)
    }

    /// Takes in what was found of a site that is no customer's.
    pub(super) async fn found_spare(&self, id: SiteId, status: &SiteStatus) -> Result<(), StoreError> {
        let epoch = self.inner.ready.epoch(id);
        let Some(spare) = self.store().spare(id).await? else { return Ok(()) };
        if status.observed_generation > Spare::GENERATION {
            let generation = status.observed_generation;
            tracing::error!(site = %id, generation, "the store has lost whose site this is; it is left alone");
        }
        let mut spares = self.inner.ready.spares();
        match epoch.filter(|_| spare.state == SpareState::Kept && can_be_taken(status)) {
            Some(epoch) => spares.insert(id, Seen { database: spare.database, epoch }),
            None => spares.remove(&id),
        };
        Ok(())
    }
}

/// Whether a spare is up, and nothing of it was ever made for a customer.
fn can_be_taken(status: &SiteStatus) -> bool {
    let says = |kind, truth| status.condition(kind).is_some_and(|condition| condition.status == truth);
    status.observed_generation == Spare::GENERATION
        && says(ConditionKind::DatabaseReady, Truth::True)
        && says(ConditionKind::AddressReady, Truth::True)
        && says(ConditionKind::Progressing, Truth::False)
}

/// What is to be done about the spares.
#[derive(Debug, PartialEq, Eq)]
struct Stock {
    /// So many are to be made.
    missing: usize,
    /// These are to go.
    over: Vec<SiteId>,
}

/// The newest go first: they are the least likely to be up. Pure.
fn stock(kept: &[Spare], wanted: usize, database: DatabaseSize) -> Stock {
    let (fit, other): (Vec<_>, Vec<_>) = kept.iter().partition(|spare| spare.database == database);
    let over = fit.iter().skip(wanted).chain(&other).map(|spare| spare.id).collect();
    Stock { missing: wanted.saturating_sub(fit.len()), over }
}

#[cfg(test)]
mod tests;
