//! Code from S3: an archive, or the tree of objects below a key.
//!
//! The credential of a site is `KEY_ID:SECRET`, or JSON:
//! `{"access_key_id": "…", "secret_access_key": "…", "session_token": "…"}`, the last one optional. A bucket
//! is read without a credential as anybody could read it; with this server's own identity if the operator
//! listed the bucket and it is AWS's.
//!
//! The keys of objects are as hostile as the names in an archive, and pass the same checks.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use wpaas_core::code::reference::CodePolicy;
use wpaas_core::code::{Code, CodeError, CodeSource, Limits, S3Code};
use wpaas_core::secret::Secret;

mod budget;
mod credential;
mod objects;
mod one;
#[cfg(feature = "s3")]
mod sdk;
mod tree;

pub use credential::{AccessKey, Identity};
pub use objects::{Connect, Download, Object, ObjectError, Objects, Page, Place};
#[cfg(feature = "s3")]
pub use sdk::SdkConnect;

/// Fetches code from S3.
#[derive(Debug, Clone)]
pub struct S3Source {
    policy: CodePolicy,
    connect: Arc<dyn Connect>,
}

impl S3Source {
    /// Through the AWS SDK.
    #[cfg(feature = "s3")]
    #[must_use]
    pub fn new(policy: CodePolicy) -> Self {
        Self::with_connect(policy, Arc::new(SdkConnect::default()))
    }

    /// Through any other implementation of the port.
    #[must_use]
    pub fn with_connect(policy: CodePolicy, connect: Arc<dyn Connect>) -> Self {
        Self { policy, connect }
    }

    async fn fetch_code(
        &self,
        code: &S3Code,
        credential: Option<&Secret>,
        limits: &Limits,
        into: &Path,
    ) -> Result<String, CodeError> {
        let S3Code { bucket, key, endpoint, region } = code;
        if let Some(endpoint) = endpoint.as_ref().filter(|endpoint| !self.policy.allows_endpoint(endpoint)) {
            let why =
                format!("code.endpoint: {endpoint} is not an endpoint that this server's operator allows");
            return Err(CodeError::Refused(why));
        }
        let identity = credential::identity(code, credential, &self.policy)?;
        let place = Place { bucket: bucket.clone(), endpoint: endpoint.clone(), region: region.clone() };
        let objects = self.connect.connect(&place, identity).await;
        let objects = objects.map_err(|error| error.translate(bucket, key.as_deref()))?;
        match key.as_deref() {
            Some(key) if !key.ends_with('/') => one::fetch(objects.as_ref(), bucket, key, limits, into).await,
            prefix => tree::fetch(objects.as_ref(), bucket, prefix.unwrap_or(""), limits, into).await,
        }
    }
}

#[async_trait]
impl CodeSource for S3Source {
    async fn fetch(
        &self,
        code: &Code,
        credential: Option<&Secret>,
        limits: &Limits,
        into: &Path,
    ) -> Result<String, CodeError> {
        let Code::S3(code) = code else {
            return Err(CodeError::Refused("the code is not in S3".into()));
        };
        let fetched =
            tokio::time::timeout(limits.time, self.fetch_code(code, credential, limits, into)).await;
        fetched.unwrap_or_else(|_| {
            let seconds = limits.time.as_secs();
            Err(CodeError::Unavailable(format!("fetching the code took longer than {seconds} s")))
        })
    }
}

/// Work that blocks, on a thread for such work.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CodeError> + Send + 'static,
) -> Result<T, CodeError> {
    tokio::task::spawn_blocking(work).await.map_err(std::io::Error::other)?
}

#[cfg(test)]
mod tests;
