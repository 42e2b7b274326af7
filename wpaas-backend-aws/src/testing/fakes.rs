use std::io;
use std::path::Path;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use wpaas_core::code::{Digest, ReleaseStore};
use wpaas_core::converge::{Ends, IntentsError, Run};
use wpaas_core::id::SiteId;
use wpaas_core::secret::{Secret, SecretError, SecretRef, Secrets};

/// Secrets that say of which site and name they are, releases that hold a line, and no one who listens to ends.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fakes;

#[async_trait]
impl Secrets for Fakes {
    async fn get(&self, secret: &SecretRef) -> Result<Secret, SecretError> {
        let SecretRef { site, name, version } = secret;
        Ok(Secret::new(format!("canary of {site} {name:?} {version}")))
    }
}

#[async_trait]
impl Ends for Fakes {
    async fn ended(&self, _: SiteId, _: Run) -> Result<(), IntentsError> {
        Ok(())
    }
}

#[async_trait]
impl ReleaseStore for Fakes {
    async fn put(&self, _: &Digest, _: &Path) -> io::Result<()> {
        Ok(())
    }

    async fn open(&self, digest: &Digest) -> io::Result<BoxStream<'static, io::Result<Bytes>>> {
        let line = Bytes::from(format!("release {digest}"));
        Ok(stream::once(async { Ok(line) }).boxed())
    }

    async fn unused(
        &self,
        _: &std::collections::BTreeSet<Digest>,
        _: std::time::SystemTime,
    ) -> io::Result<Vec<(Digest, std::time::SystemTime)>> {
        Ok(Vec::new())
    }

    async fn remove(&self, _: &Digest) -> io::Result<()> {
        Ok(())
    }
}
