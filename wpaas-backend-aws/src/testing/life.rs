use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::bucket::Store;
use super::nodes::Nodes;
use super::region::Running;
use crate::cloud::{Bucket, CloudError, Ec2, InstanceState, When};
use crate::key::Keys;
use crate::tag;

/// The nodes of one installation where instances are made and never boot: they read their files from the bucket and
/// write their reports there, as the real ones do.
#[derive(Debug)]
pub struct Life {
    installation: String,
    keys: Keys,
    nodes: Nodes,
    /// What nodes know of the bucket.
    known: Store,
    /// The states of the files that were read, and when the reports that were written were.
    read: HashMap<String, String>,
    written: HashMap<String, i64>,
    /// What seconds since 1970 count from.
    start: Instant,
}

impl Life {
    /// Of this installation's nodes, which have this role.
    #[must_use]
    pub fn new(installation: &str, role_id: &str) -> Self {
        Self {
            installation: installation.to_owned(),
            keys: Keys::new(installation, role_id),
            nodes: Nodes::default(),
            known: Store::default(),
            read: HashMap::new(),
            written: HashMap::new(),
            start: Instant::now(),
        }
    }

    /// Gateways count so many hundredths of a request from now on.
    pub const fn under(&mut self, busy: u32) {
        self.nodes.busy = Some(busy);
    }

    /// What runs does what it would do by now, which is given in seconds since 1970.
    ///
    /// # Errors
    ///
    /// When something can't be asked for or written: what was not done is done the next time.
    pub async fn live(&mut self, ec2: &dyn Ec2, bucket: &dyn Bucket, now: i64) -> Result<(), CloudError> {
        let mut machines = Vec::new();
        let (filter, mut next) = (tag::of_installation(&self.installation), None);
        loop {
            let page = ec2.instances(&filter, next.as_deref()).await?;
            machines.extend(page.items.into_iter().filter(|it| it.state == InstanceState::Running));
            if page.next.is_none() {
                break;
            }
            next = page.next;
        }
        for machine in &machines {
            self.look(bucket, &self.keys.node(&machine.id), now).await?;
        }
        let (start, launches) = (self.start, machines.iter().map(|it| it.launched));
        let first = launches.min().unwrap_or_default();
        let running = machines.iter().map(|machine| Running {
            id: &machine.id,
            volumes: machine.volumes.iter().map(String::as_str).collect(),
            started: start + Duration::from_secs(machine.launched.abs_diff(first)),
        });
        self.nodes.live_on(running, &mut self.known, &self.keys, now);
        for machine in &machines {
            self.say(bucket, &self.keys.report(&machine.id)).await?;
        }
        Ok(())
    }

    /// Reads a node's files, if they are others than before.
    async fn look(&mut self, bucket: &dyn Bucket, key: &str, now: i64) -> Result<(), CloudError> {
        let Some(blob) = bucket.get(key).await? else { return Ok(()) };
        if self.read.insert(key.to_owned(), blob.etag.clone()) != Some(blob.etag) {
            self.known.put(key, blob.content, When::Always, now)?;
        }
        Ok(())
    }

    /// Writes what a node said since.
    async fn say(&mut self, bucket: &dyn Bucket, key: &str) -> Result<(), CloudError> {
        let (Some(blob), Some(at)) = (self.known.get(key), self.known.modified(key)) else { return Ok(()) };
        if self.written.get(key) != Some(&at) {
            bucket.put(key, blob.content, When::Always).await?;
            self.written.insert(key.to_owned(), at);
        }
        Ok(())
    }
}
