//! Releases.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use wpaas_core::code::{Digest, Layout};
use wpaas_core::id::ReleaseId;
use wpaas_core::service::ReleaseView;
use wpaas_core::site::{Generation, Proof, Release, ReleaseState, Releases, SchemaChange};

/// A release.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ReleaseDto {
    id: ReleaseId,
    state: ReleaseState,
    digest: Digest,
    layout: Layout,
    revision: String,
    /// Of its WordPress; null until a node has tried it.
    wordpress_version: Option<String>,
    /// The `db_version` of its WordPress; null until a node has tried it.
    schema: Option<u64>,
    /// Why it failed, with the log's last lines.
    reason: Option<String>,
    /// When it failed.
    failed_at: Option<Timestamp>,
    #[schema(value_type = u64)]
    generation: Generation,
    created_at: Timestamp,
    /// Served with the database as it was before that release changed its schema.
    restores: Option<ReleaseId>,
    /// It changed the database's schema so, or began to, whatever became of it then: null if it was not told to.
    changes: Option<SchemaChange>,
}

impl ReleaseDto {
    /// One of these releases.
    pub fn of(releases: &Releases, release: &Release) -> Self {
        ReleaseView { release: release.clone(), state: releases.state(release) }.into()
    }
}

impl From<ReleaseView> for ReleaseDto {
    fn from(ReleaseView { release, state }: ReleaseView) -> Self {
        let Release { id, digest, layout, revision, generation, created_at, proof, restores, changes } =
            release;
        let (wordpress_version, schema, reason, failed_at) = match proof {
            Proof::Untried => (None, None, None, None),
            Proof::Proved { wordpress, schema } => (wordpress, schema, None, None),
            Proof::Failed { reason, at } => (None, None, Some(reason), Some(at)),
        };
        Self {
            id,
            state,
            digest,
            layout,
            revision,
            wordpress_version,
            schema,
            reason,
            failed_at,
            generation,
            created_at,
            restores,
            changes,
        }
    }
}

/// `POST …/rollback`.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollbackDto {
    /// To which; the one that served before without one.
    pub release: Option<ReleaseId>,
}
