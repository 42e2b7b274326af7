//! Where code may come from, and what makes releases of it.

use std::path::Path;
use std::sync::Arc;

use wpaas_core::claim::Tenure;
use wpaas_core::code::fetch::ReleaseMaker;
use wpaas_core::code::git::{GitSource, HostKeys};
use wpaas_core::code::local_store::LocalReleaseStore;
use wpaas_core::code::reference::CodePolicy;
use wpaas_core::code::{CodeSource, Limits};
use wpaas_core::service::Service;

use crate::StartError;
use crate::config::{CodeSettings, Settings};
use crate::releases::ReleaseWorker;
use crate::storage::private_folder;
use crate::tasks::Tasks;

/// What the operator allows.
///
/// # Errors
///
/// When an entry could have no effect.
pub fn policy(settings: &CodeSettings) -> Result<CodePolicy, StartError> {
    let policy = CodePolicy {
        allowed_prefixes: settings.allowed_prefixes.clone(),
        allowed_endpoints: settings.endpoints.clone(),
        server_buckets: settings.buckets.clone(),
    };
    policy.check().map_err(StartError::Policy)?;
    Ok(policy)
}

/// Where releases are kept.
///
/// # Errors
///
/// When the folder can't be made.
pub fn releases(data: &Path) -> Result<LocalReleaseStore, StartError> {
    let path = data.join("releases");
    LocalReleaseStore::open(&path).map_err(|source| StartError::File { path, source })
}

/// Begins to make releases of the code that is wanted.
///
/// # Errors
///
/// When the folder for the work can't be made.
pub fn start_worker(
    settings: &Settings,
    policy: &CodePolicy,
    service: &Service,
    releases: LocalReleaseStore,
    tenure: &Tenure,
    tasks: &mut Tasks,
) -> Result<(), StartError> {
    let maker = maker(settings, policy, releases);
    let swept = private_folder(&maker.temp_root).and_then(|()| maker.sweep());
    swept.map_err(|source| StartError::File { path: maker.temp_root.clone(), source })?;
    let worker = ReleaseWorker::new(service.clone(), Arc::new(service.secrets()), maker, tenure.clone());
    let stopping = tasks.stopping();
    tasks.spawn("release worker", worker.run(stopping.cancelled_owned()));
    Ok(())
}

fn maker(settings: &Settings, policy: &CodePolicy, releases: LocalReleaseStore) -> ReleaseMaker {
    let CodeSettings { known_hosts, max_bytes, max_entries, max_time, .. } = &settings.code;
    let host_keys = match known_hosts {
        Some(path) => HostKeys::Known(path.clone()),
        None => HostKeys::AcceptNew(settings.data.join("known_hosts")),
    };
    ReleaseMaker {
        git: Some(Arc::new(GitSource::new(policy.clone()).with_host_keys(host_keys))),
        s3: s3_source(policy),
        store: Arc::new(releases),
        limits: Limits { bytes: *max_bytes, entries: *max_entries, time: max_time.as_std() },
        policy: policy.clone(),
        temp_root: settings.data.join("work"),
    }
}

#[cfg(feature = "s3")]
#[expect(clippy::unnecessary_wraps, reason = "without the feature there is none")]
fn s3_source(policy: &CodePolicy) -> Option<Arc<dyn CodeSource>> {
    Some(Arc::new(wpaas_backend_aws::s3::S3Source::new(policy.clone())))
}

#[cfg(not(feature = "s3"))]
fn s3_source(_: &CodePolicy) -> Option<Arc<dyn CodeSource>> {
    None
}
