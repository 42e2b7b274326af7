use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Generation;
use crate::code::{Digest, Layout};
use crate::id::ReleaseId;

/// A pinned state of a site's code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Never given again, not even for the same code.
    pub id: ReleaseId,
    /// Of the stored archive.
    pub digest: Digest,
    /// How it is served.
    pub layout: Layout,
    /// What the reference resolved to: a commit, or an object's version.
    pub revision: String,
    /// Made from the code as this generation of the site wanted it.
    pub generation: Generation,
    /// When it was fetched and checked.
    pub created_at: Timestamp,
    /// What was found when it was tried.
    pub proof: Proof,
    /// With it the database goes back to what it was before that release changed its schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restores: Option<ReleaseId>,
    /// How it was told to change the database's schema, kept before it was: so that is known whatever became of it
    /// then. A dump of its own has what was there before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<SchemaChange>,
}

/// A change of the database's schema, in numbers of WordPress's `db_version`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SchemaChange {
    /// What the database had.
    pub from: u64,
    /// What it is made.
    pub to: u64,
}

impl Release {
    /// The `db_version` of its WordPress, once it has proved itself.
    #[must_use]
    pub const fn schema(&self) -> Option<u64> {
        match self.proof {
            Proof::Proved { schema, .. } => schema,
            Proof::Untried | Proof::Failed { .. } => None,
        }
    }
}

/// What was found of a release when a node tried it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Proof {
    /// Nothing yet.
    Untried,
    /// It does what a WordPress does.
    Proved {
        /// Of its WordPress.
        wordpress: Option<String>,
        /// The `db_version` of its WordPress.
        schema: Option<u64>,
    },
    /// It does not, or was given up: it is never served.
    Failed {
        /// For the customer, with the log's last lines.
        reason: String,
        /// When that was found.
        at: Timestamp,
    },
}

/// Where a release stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReleaseState {
    /// A node of its own tries it.
    Trial,
    /// Visitors get it.
    Serving,
    /// It proved itself: a rollback or a route can have it.
    Kept,
    /// It is never served.
    Failed,
}

/// A site's releases, the newest first, and which of them visitors get.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Releases {
    serving: Option<ReleaseId>,
    list: Vec<Release>,
}

impl Releases {
    /// So many of those that proved themselves stay when another is to be tried, besides the one that serves and those
    /// that routes show; as many that failed once they had changed the schema, as their dumps are the ways back; and of
    /// others that failed, what is among the newest so many.
    pub const KEPT: usize = 5;

    /// All of them, the newest first.
    pub fn iter(&self) -> impl Iterator<Item = &Release> {
        self.list.iter()
    }

    /// The one of this id.
    #[must_use]
    pub fn get(&self, id: ReleaseId) -> Option<&Release> {
        self.list.iter().find(|release| release.id == id)
    }

    /// The one that visitors get; none while stock WordPress serves, or nothing.
    #[must_use]
    pub fn serving(&self) -> Option<&Release> {
        self.serving.and_then(|id| self.get(id))
    }

    /// The one that is to be served once it has proved itself.
    #[must_use]
    pub fn candidate(&self) -> Option<&Release> {
        self.list.first().filter(|newest| newest.proof == Proof::Untried)
    }

    /// The newest, if it is one that failed.
    #[must_use]
    pub fn refused(&self) -> Option<&Release> {
        self.list.first().filter(|newest| matches!(newest.proof, Proof::Failed { .. }))
    }

    /// What a rollback goes back to: the newest that proved itself before the one that serves was made.
    #[must_use]
    pub fn previous(&self) -> Option<&Release> {
        let serving = self.serving?;
        let older = self.list.iter().skip_while(|release| release.id != serving).skip(1);
        older.into_iter().find(|release| matches!(release.proof, Proof::Proved { .. }))
    }

    /// The last release before whose change of the schema a dump was taken of the database as this one knew it,
    /// whether or not it has proved itself after that.
    #[must_use]
    pub fn changed_since(&self, id: ReleaseId) -> Option<&Release> {
        let schema = self.get(id)?.schema()?;
        let mut newer = self.list.iter().take_while(|release| release.id != id);
        newer
            .find(|release| release.changes.is_some_and(|change| change.from <= schema && schema < change.to))
    }

    /// The schema that the database has, where it is newer than that of the release that serves, as after a
    /// rollback of the code alone, or a release that failed once it had changed the schema: both.
    #[must_use]
    pub fn newer_schema(&self) -> Option<(u64, u64)> {
        let serving = self.serving()?.schema()?;
        let mut database = 0;
        for release in self.list.iter().rev().filter(|release| release.proof != Proof::Untried) {
            let changed = release.changes.map(|change| change.to);
            database = match release.schema() {
                Some(schema) if release.restores.is_some() => schema,
                schema => schema.max(changed).unwrap_or(0).max(database),
            };
        }
        (serving < database).then_some((serving, database))
    }

    /// Where one of them stands.
    #[must_use]
    pub fn state(&self, release: &Release) -> ReleaseState {
        match &release.proof {
            _ if self.serving == Some(release.id) => ReleaseState::Serving,
            Proof::Untried => ReleaseState::Trial,
            Proof::Proved { .. } => ReleaseState::Kept,
            Proof::Failed { .. } => ReleaseState::Failed,
        }
    }

    /// Takes a new release in. The code that serves or is being tried, made again, is no new one. One that was not
    /// tried to its end makes way.
    pub fn add(&mut self, new: Release, pinned: &BTreeSet<ReleaseId>) {
        let serving = self.serving;
        let same = |known: &&mut Release| {
            (known.digest, known.layout) == (new.digest, new.layout)
                && (serving == Some(known.id) || known.proof == Proof::Untried)
        };
        if let Some(newest) = self.list.first_mut().filter(same) {
            newest.generation = new.generation;
            newest.revision = new.revision;
            return;
        }
        self.withdraw("newer code came before it was tried to its end", new.created_at);
        self.list.insert(0, new);
        self.drop_old(pinned);
    }

    /// Keeps how the one that is tried is going to change the database's schema. Returns whether that was not known.
    pub fn change_schema(&mut self, id: ReleaseId, change: SchemaChange) -> bool {
        let candidate = self.list.first_mut().filter(|it| it.id == id && it.proof == Proof::Untried);
        let Some(candidate) = candidate.filter(|it| it.changes.is_none()) else { return false };
        candidate.changes = Some(change);
        true
    }

    /// Keeps what was found of the one that is tried, and serves it if it is good. Returns whether that release is
    /// still the one that is tried.
    pub fn judge(&mut self, id: ReleaseId, proof: Proof) -> bool {
        let Some(candidate) = self.list.first_mut().filter(|it| it.id == id && it.proof == Proof::Untried)
        else {
            return false;
        };
        if matches!(proof, Proof::Proved { .. }) {
            self.serving = Some(id);
        }
        candidate.proof = proof;
        true
    }

    /// Serves one that has proved itself; one that is being tried makes way. Returns whether there is such a one.
    pub fn go_back(&mut self, id: ReleaseId, now: Timestamp) -> bool {
        let proved = self.get(id).is_some_and(|release| matches!(release.proof, Proof::Proved { .. }));
        if proved {
            self.withdraw("a rollback was asked for before it was tried to its end", now);
            self.serving = Some(id);
        }
        proved
    }

    /// Has one that has proved itself tried anew before it serves, as a release of this new id; with the database as
    /// it was before that release of `restores`, or as it is. Returns whether there is such a one.
    pub fn try_again(
        &mut self,
        id: ReleaseId,
        new: ReleaseId,
        restores: Option<ReleaseId>,
        pinned: &BTreeSet<ReleaseId>,
        now: Timestamp,
    ) -> bool {
        let known = self.get(id).filter(|release| matches!(release.proof, Proof::Proved { .. })).cloned();
        let Some(known) = known else { return false };
        self.withdraw("a rollback was asked for before it was tried to its end", now);
        self.list.insert(
            0,
            Release { id: new, created_at: now, proof: Proof::Untried, restores, changes: None, ..known },
        );
        self.drop_old(pinned);
        true
    }

    fn withdraw(&mut self, reason: &str, at: Timestamp) {
        for untried in self.list.iter_mut().filter(|release| release.proof == Proof::Untried) {
            untried.proof = Proof::Failed { reason: reason.to_owned(), at };
        }
    }

    fn drop_old(&mut self, pinned: &BTreeSet<ReleaseId>) {
        let serving = self.serving;
        let (mut all, mut good, mut changed) = (0, 0, 0);
        self.list.retain(|release| {
            let proved = matches!(release.proof, Proof::Proved { .. });
            let undoable = matches!(release.proof, Proof::Failed { .. }) && release.changes.is_some();
            all += 1;
            good += usize::from(proved);
            changed += usize::from(undoable);
            let recent = if proved {
                good
            } else if undoable {
                changed
            } else {
                all
            };
            recent <= Self::KEPT || Some(release.id) == serving || pinned.contains(&release.id)
        });
    }
}

#[cfg(test)]
mod tests;
