use std::error::Error;
use std::sync::Arc;

use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};
use tokio::sync::Mutex;
use wpaas_core::code::CodeError;
use wpaas_core::reach::{Pinned, Reach, Resolve, pin};

/// Looks a host up once, checks what comes of it, and gives the same from then on.
#[derive(Debug, Clone)]
pub(super) struct CheckedDns {
    resolver: Arc<dyn Resolve>,
    reach: Reach,
    pinned: Arc<Mutex<Vec<Pinned>>>,
}

/// A host that is out of reach by the rules; found again below the SDK's own errors.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct OutOfReach(String);

impl CheckedDns {
    pub(super) fn new(resolver: Arc<dyn Resolve>, reach: Reach) -> Self {
        Self { resolver, reach, pinned: Arc::default() }
    }

    async fn resolve(&self, host: &str) -> Result<Pinned, ResolveDnsError> {
        let mut pinned = self.pinned.lock().await;
        if let Some(known) = pinned.iter().find(|known| known.host == host) {
            return Ok(known.clone());
        }
        let found =
            pin(self.resolver.as_ref(), host, self.reach).await.map_err(|error| match error.into() {
                CodeError::Refused(why) => ResolveDnsError::new(OutOfReach(why)),
                other => ResolveDnsError::new(other),
            })?;
        pinned.push(found.clone());
        Ok(found)
    }
}

impl ResolveDns for CheckedDns {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move { Ok(self.resolve(name).await?.addresses) })
    }
}

/// Why a host was refused, if that is what is behind the error.
pub(super) fn refusal(error: &(dyn Error + 'static)) -> Option<String> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(OutOfReach(why)) = error.downcast_ref() {
            return Some(why.clone());
        }
        cause = error.source();
    }
    None
}
