//! What a user changes in a trial, and what the store makes of a verdict.

use crate::code::{Digest, Layout};
use crate::converge::{Candidate, Preview, Proved, ReleaseRef, RunIntent, Verdict};
use crate::id::ReleaseId;
use crate::site::{DatabaseSize, Generation};

/// What a user changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// The number of WordPress nodes.
    Wordpress(u8),
    /// The number of database nodes.
    Database(DatabaseSize),
    /// A new release, which is good; `None` is the stock WordPress.
    Release(Option<u8>),
    /// A new release that does nothing right.
    BadRelease,
    /// Another release under a name of its own; `None` ends that.
    Preview(Option<u8>),
    /// The code is not fetched yet.
    Unreleased,
    /// Admin's password.
    Admin,
    /// The title, which only new nodes read: nothing runs otherwise for it.
    Domain(u8),
    /// The site rests.
    Rest,
    /// The site runs again.
    Run,
    /// The site's grace is over.
    Gone,
}

const fn stored(digest: [u8; 32]) -> ReleaseRef {
    ReleaseRef::Stored { digest: Digest::from_sha256(digest), layout: Layout::Tree }
}

impl Change {
    /// Makes the change to what is wanted of a site that runs, at this generation.
    pub(crate) fn to(self, run: &mut RunIntent, generation: Generation) {
        match self {
            Self::Wordpress(n) => run.wordpress = n,
            Self::Database(size) => run.database = size,
            Self::Release(None) => {
                (run.release, run.candidate, run.refused) = (Some(ReleaseRef::Stock), None, None);
            }
            Self::Release(Some(n)) => try_out(run, [n; 32], generation),
            Self::BadRelease => try_out(run, std::array::from_fn(|n| [0xba, 0xdb, 0xad][n % 3]), generation),
            Self::Preview(shown) => {
                let names = vec!["beta.blog.acm.www.wpaas.localhost".to_owned()];
                let preview = |n| Preview { names: names.clone(), release: stored([n; 32]) };
                run.previews = shown.map(preview).into_iter().collect();
            }
            Self::Unreleased => run.release = None,
            Self::Admin => run.admin_version += 1,
            Self::Domain(n) => run.home = Some(format!("www{n}.example.com").into()),
            Self::Rest | Self::Run | Self::Gone => {}
        }
    }
}

fn try_out(run: &mut RunIntent, digest: [u8; 32], generation: Generation) {
    let id = ReleaseId::from_uuid(uuid::Uuid::from_u128(u128::from(generation)));
    (run.candidate, run.refused) =
        (Some(Box::new(Candidate { id, release: stored(digest), restores: None, changes: None })), None);
}

/// As the store does: what is tried is served if it is good, and refused if it is not. Returns whether the verdict is
/// of what is tried.
pub(crate) fn settle(run: &mut RunIntent, verdict: Verdict) -> bool {
    let Verdict { release, found } = verdict;
    let Some(mut candidate) = run.candidate.take_if(|candidate| candidate.id == release) else {
        return false;
    };
    match found {
        Ok(Proved { changes: Some(change), .. }) => {
            candidate.changes = Some(change);
            run.candidate = Some(candidate);
        }
        Ok(_) => run.release = Some(candidate.release),
        Err(why) => run.refused = Some(why.into()),
    }
    true
}
