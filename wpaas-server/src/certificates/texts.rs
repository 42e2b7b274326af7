use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::dns;

/// How long the platform's own DNS server may take to answer with a new text.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is asked.
const PACE: Duration = Duration::from_millis(250);

/// The texts that prove names of the platform, by where they are.
pub type TextRecords = BTreeMap<String, BTreeSet<String>>;

/// Where texts that prove a name are put.
#[async_trait]
pub trait Texts: std::fmt::Debug + Send + Sync + 'static {
    /// Puts a text there, and returns once DNS says so; or says why it does not.
    async fn publish(&self, name: &str, text: &str) -> Result<(), String>;

    /// Takes it away.
    async fn withdraw(&self, name: &str, text: &str);
}

/// There is no zone.
#[derive(Debug)]
pub struct NoTexts;

#[async_trait]
impl Texts for NoTexts {
    async fn publish(&self, _: &str, _: &str) -> Result<(), String> {
        Err("this platform answers for no zone: set acme.wildcards to false".to_owned())
    }

    async fn withdraw(&self, _: &str, _: &str) {}
}

/// The zone that this server writes, and its DNS server answers for.
#[derive(Debug)]
pub struct ZoneTexts {
    records: watch::Sender<TextRecords>,
    server: SocketAddr,
}

impl ZoneTexts {
    /// Where this DNS server answers.
    #[must_use]
    pub fn new(server: SocketAddr) -> Self {
        Self { records: watch::Sender::default(), server }
    }

    /// What is to be in the zone.
    #[must_use]
    pub fn records(&self) -> watch::Receiver<TextRecords> {
        self.records.subscribe()
    }
}

#[async_trait]
impl Texts for ZoneTexts {
    async fn publish(&self, name: &str, text: &str) -> Result<(), String> {
        self.records.send_modify(|records| {
            records.entry(name.to_owned()).or_default().insert(text.to_owned());
        });
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if dns::texts_at(self.server, name).await.iter().any(|found| found == text) {
                return Ok(());
            }
            tokio::time::sleep(PACE).await;
        }
        Err(format!("the platform's DNS server at {} does not answer with the text of {name}", self.server))
    }

    async fn withdraw(&self, name: &str, text: &str) {
        self.records.send_modify(|records| {
            if let Some(texts) = records.get_mut(name) {
                texts.remove(text);
            }
            records.retain(|_, texts| !texts.is_empty());
        });
    }
}
