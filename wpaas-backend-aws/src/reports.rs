//! What nodes say, where they say it into the bucket.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;
use serde::Deserialize;
use tokio::time::timeout;
use wpaas_core::converge::{BackendError, BootId, NodeReport, Part, Report};
use wpaas_core::id::SiteId;
use wpaas_core::site::Load;

use crate::backend::Inner;
use crate::cloud::{CloudError, Key};
use crate::listing::keys_below;

/// A report older than this when it is first seen says nothing of now, in seconds.
const STALE: i64 = 20;
/// What an unknown instance left behind goes after this time, in seconds.
const LEFT_BEHIND: i64 = 3600;

/// A read that takes longer is given up.
const PATIENCE: Duration = Duration::from_secs(10);
/// Reads at a time.
const AT_ONCE: usize = 32;

/// What was heard, by instance.
#[derive(Debug, Default)]
pub(crate) struct Heard(BTreeMap<String, Last>);

#[derive(Debug)]
struct Last {
    etag: String,
    modified: i64,
    said: Option<Said>,
}

/// What a node has said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// What the converger is to hear.
    pub report: Report,
    /// What a gateway has counted: no part of its report, as it differs each time.
    pub load: Option<Load>,
}

/// A report as a node writes it.
#[derive(Deserialize)]
struct Written {
    boot: String,
    busy: Option<Load>,
    #[serde(flatten)]
    node: NodeReport,
}

impl Inner {
    pub(crate) async fn reports(&self, now: i64) -> Result<Vec<Said>, BackendError> {
        let listed = timeout(PATIENCE, keys_below(&self.cloud, &self.keys.folder("reports"))).await;
        let listed = listed.unwrap_or_else(|_| Err(CloudError::unanswered("the listing took too long")));
        let listed = listed.map_err(|error| error.because("listing the nodes' reports"))?;
        let nodes = self.sightings().nodes();
        let (mut known, mut left) = (Vec::new(), Vec::new());
        for key in listed {
            let Some(instance) = self.keys.instance(&key.key).map(str::to_owned) else { continue };
            match nodes.get(&instance) {
                Some(node) => known.push((instance, *node, key)),
                None if now - key.modified > LEFT_BEHIND => left.push(key.key),
                None => {}
            }
        }
        self.heard().0.retain(|instance, _| nodes.contains_key(instance));
        let hear = known.into_iter().map(|(instance, node, key)| self.hear(instance, node, key, now));
        let reports =
            stream::iter(hear).buffer_unordered(AT_ONCE).filter_map(std::future::ready).collect().await;
        for keys in left.chunks(1000) {
            let deleted = self.cloud.bucket.delete(keys).await;
            deleted.map_err(|error| error.because("removing reports of nodes that are gone"))?;
        }
        Ok(reports)
    }

    /// The report, if it was written anew since it was last heard. One that can't be read now is read the next time.
    async fn hear(&self, instance: String, node: (SiteId, Part), key: Key, now: i64) -> Option<Said> {
        if let Some(last) = self.heard().0.get_mut(&instance)
            && last.etag == key.etag
        {
            let again = last.modified != key.modified;
            last.modified = key.modified;
            return last.said.clone().filter(|_| again);
        }
        let content = match timeout(PATIENCE, self.cloud.bucket.get(&key.key)).await {
            Ok(Ok(content)) => content?,
            Ok(Err(error)) => {
                tracing::warn!(%error, instance, "a node's report could not be fetched");
                return None;
            }
            Err(_late) => return None,
        };
        let said = read(&content.content, node);
        if said.is_none() {
            tracing::warn!(instance, "a node's report can't be understood");
        }
        let last = Last { etag: key.etag, modified: key.modified, said: said.clone() };
        let known = self.heard().0.insert(instance, last).is_some();
        said.filter(|_| known || now - key.modified <= STALE)
    }

    fn heard(&self) -> std::sync::MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A report of this node; `None` if it is of another kind of node.
fn read(content: &[u8], (site, part): (SiteId, Part)) -> Option<Said> {
    let Written { boot, busy, node } = serde_json::from_slice(content).ok()?;
    let fits = matches!(
        (&node, part),
        (NodeReport::Database(_), Part::Database(_))
            | (NodeReport::Wordpress(_), Part::Wordpress(_))
            | (NodeReport::Gateway(_), Part::Gateway(_))
    );
    let boot = BootId::new(&boot)?;
    let load = busy.filter(|_| matches!(part, Part::Gateway(_)));
    fits.then_some(Said { report: Report { site, part, boot, node }, load })
}
