use std::sync::atomic::{AtomicU64, Ordering};

use futures::StreamExt;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use wpaas_core::code::{CodeError, Limits};

use super::{Download, ObjectError};

/// How many bytes may still come; shared by all downloads of one fetch.
#[derive(Debug)]
pub(super) struct Budget {
    left: AtomicU64,
    whole: u64,
}

impl Budget {
    pub(super) const fn new(limits: &Limits) -> Self {
        Self { left: AtomicU64::new(limits.bytes), whole: limits.bytes }
    }

    /// Writes what arrives, and counts that rather than what was announced.
    pub(super) async fn save(
        &self,
        mut download: Download,
        to: &mut (impl AsyncWrite + Unpin + Send),
        bucket: &str,
    ) -> Result<(), CodeError> {
        self.check(download.size.unwrap_or(0))?;
        while let Some(part) = download.body.next().await {
            let part = part.map_err(|_| {
                ObjectError::Unavailable("the connection broke off".into()).translate(bucket, None)
            })?;
            self.take(part.len() as u64)?;
            to.write_all(&part).await?;
        }
        Ok(to.flush().await?)
    }

    /// Whether as much as this may come, going by what was announced.
    pub(super) fn check(&self, bytes: u64) -> Result<(), CodeError> {
        if bytes > self.left.load(Ordering::Relaxed) { Err(self.exceeded()) } else { Ok(()) }
    }

    fn take(&self, bytes: u64) -> Result<(), CodeError> {
        let take = |left: u64| left.checked_sub(bytes);
        self.left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .map(drop)
            .map_err(|_| self.exceeded())
    }

    fn exceeded(&self) -> CodeError {
        CodeError::Refused(format!("the code is larger than {} bytes", self.whole))
    }
}
