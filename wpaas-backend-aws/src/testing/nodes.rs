//! What runs on the simulated instances: as much of a node as it reports of itself. Each reads its files from the
//! bucket and writes its report there, as the real ones do.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use tokio::time::Instant;
use wpaas_core::converge::{
    BootId, DatabasePhase, DatabaseReport, GatewayReport, NodeReport, Part, PartMap, Position, ServerState,
    WordpressPhase, WordpressReport,
};
use wpaas_core::id::SiteId;

use super::bucket::Store;
use super::region::{Region, Running};
use crate::apply::NodeFiles;
use crate::cloud::When;
use crate::key::Keys;

/// A node says again what it said this often, in seconds.
const HEARTBEAT: i64 = 10;

/// Everything that runs, and what volumes hold.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    running: BTreeMap<String, Node>,
    data: BTreeMap<String, Data>,
    /// What gateways count, in hundredths of a request.
    pub(super) busy: Option<u32>,
    /// Instances that hang.
    pub(super) frozen: BTreeSet<String>,
    /// Whether what boots hangs.
    pub(super) boots_fail: bool,
}

#[derive(Debug)]
struct Node {
    boot: String,
    started: Instant,
    etag: String,
    files: Files,
    /// Of a database node: since it obeyed.
    member: bool,
    said: String,
    at: i64,
}

/// What a node reads of its files.
#[derive(Debug)]
struct Files {
    site: SiteId,
    part: Part,
    volume: Option<String>,
    texts: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default)]
struct Data {
    founding: u64,
    position: Option<Position>,
}

impl Files {
    fn read(content: &[u8]) -> Option<Self> {
        let NodeFiles { site, part, machine, files } = serde_json::from_slice(content).ok()?;
        let texts = files.into_iter().map(|file| (file.path, file.content)).collect();
        Some(Self { site, part, volume: machine.volume, texts })
    }

    fn value(&self, file: &str, key: &str) -> Option<&str> {
        self.texts.get(file)?.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
    }
}

impl Nodes {
    pub(super) fn live(&mut self, region: &Region, bucket: &mut Store, now: Instant) {
        self.live_on(region.running(now), bucket, &Keys::new("lab", "AROATEST"), region.unix(now));
    }

    /// What runs on these by this time, in seconds since 1970.
    pub(super) fn live_on<'r>(
        &mut self,
        machines: impl Iterator<Item = Running<'r>>,
        bucket: &mut Store,
        keys: &Keys,
        unix: i64,
    ) {
        let mut running = BTreeSet::new();
        for machine in machines {
            running.insert(machine.id.to_owned());
            if self.boots_fail && !self.running.contains_key(machine.id) {
                self.frozen.insert(machine.id.to_owned());
            }
            if !self.frozen.contains(machine.id) {
                self.boot(&machine, bucket, keys);
            }
        }
        self.running.retain(|id, _| running.contains(id) && !self.frozen.contains(id));
        self.obey();
        let serving = self.serving();
        for (id, node) in &mut self.running {
            let Some(report) = report(node, &self.data, &serving) else { continue };
            let said = say(&node.boot, &report, self.busy);
            let key = keys.report(id);
            if said != node.said || bucket.etag(&key).is_none() {
                bucket.put(&key, said.clone().into_bytes(), When::Always, unix).ok();
                (node.said, node.at) = (said, unix);
            } else if unix - node.at >= HEARTBEAT {
                bucket.touch(&key, unix);
                node.at = unix;
            }
        }
    }

    /// Starts what is not known yet, and gives each the files that are new.
    fn boot(&mut self, machine: &Running<'_>, bucket: &Store, keys: &Keys) {
        let key = keys.node(machine.id);
        let Some(etag) = bucket.etag(&key) else { return };
        let known = self.running.get(machine.id);
        if known.is_some_and(|node| node.etag == etag && node.started == machine.started) {
            return;
        }
        let (etag, blob) = (etag.to_owned(), bucket.get(&key));
        let Some(files) = blob.and_then(|blob| Files::read(&blob.content)) else { return };
        if files.volume.as_ref().is_some_and(|volume| !machine.volumes.contains(&volume.as_str())) {
            return;
        }
        if let Some(node) = self.running.get_mut(machine.id).filter(|node| node.started == machine.started) {
            (node.etag, node.files) = (etag, files);
            return;
        }
        let boot = format!("{}{}", machine.id.trim_start_matches("i-"), machine.started.elapsed().as_nanos());
        let boot = boot.chars().filter(char::is_ascii_alphanumeric).take(60).collect();
        let started = machine.started;
        let node = Node { boot, started, etag, files, member: false, said: String::new(), at: 0 };
        self.running.insert(machine.id.to_owned(), node);
    }

    /// Database nodes that wait do as they are told, if it is for this boot.
    fn obey(&mut self) {
        let components: BTreeSet<SiteId> =
            self.running.values().filter(|node| node.member).map(|node| node.files.site).collect();
        for node in self.running.values_mut().filter(|node| !node.member) {
            let Some(volume) = node.files.volume.clone() else { continue };
            let Some(order) = node.files.texts.get("order") else { continue };
            let [verb, number, boot] = order.split_whitespace().collect::<Vec<_>>()[..] else { continue };
            let Some(number) = number.parse().ok().filter(|_| boot == node.boot) else { continue };
            let data = self.data.entry(volume).or_default();
            let joins = verb == "join" && components.contains(&node.files.site) && number >= data.founding;
            let founds = verb == "found" && number > data.founding && !components.contains(&node.files.site);
            if joins || founds {
                let seqno = data.position.as_ref().map_or(1, |position| position.seqno + 1);
                *data = Data {
                    founding: number,
                    position: Some(Position { uuid: *node.files.site.uuid(), seqno }),
                };
                node.member = true;
            }
        }
    }

    /// What gateways find up: database nodes in a component, WordPress nodes of a site that has one.
    fn serving(&self) -> BTreeMap<SiteId, BTreeSet<Part>> {
        let mut serving: BTreeMap<SiteId, BTreeSet<Part>> = BTreeMap::new();
        for node in self.running.values().filter(|node| node.member) {
            serving.entry(node.files.site).or_default().insert(node.files.part);
        }
        for node in self.running.values() {
            if let (Part::Wordpress(_), Some(site)) = (node.files.part, serving.get_mut(&node.files.site)) {
                site.insert(node.files.part);
            }
        }
        serving
    }
}

fn report(
    node: &Node,
    data: &BTreeMap<String, Data>,
    serving: &BTreeMap<SiteId, BTreeSet<Part>>,
) -> Option<NodeReport> {
    let up = |part: Part| serving.get(&node.files.site).is_some_and(|parts| parts.contains(&part));
    Some(match node.files.part {
        Part::Database(_) => {
            NodeReport::Database(database(node, data.get(node.files.volume.as_ref()?)).into())
        }
        Part::Wordpress(_) => NodeReport::Wordpress(Arc::new(WordpressReport {
            phase: if up(node.files.part) { WordpressPhase::Serving } else { WordpressPhase::Waiting },
            release: node.files.value("wordpress.conf", "release")?.to_owned(),
            admin_version: node.files.value("wordpress.conf", "admin_version")?.parse().ok()?,
            version: Some("simulated".to_owned()),
            schema: None,
            tables: None,
            content: None,
            error: None,
        })),
        Part::Gateway(_) => NodeReport::Gateway(gateway(node, up).into()),
        _ => return None,
    })
}

fn database(node: &Node, data: Option<&Data>) -> DatabaseReport {
    let position = data.and_then(|data| data.position.clone());
    DatabaseReport {
        phase: if node.member { DatabasePhase::Running } else { DatabasePhase::Waiting },
        empty: !node.member && position.is_none(),
        position: position.filter(|_| !node.member),
        founding: data.map_or(0, |data| data.founding),
        state: node.member.then_some(4),
        primary: node.member,
        size: u8::from(node.member),
        lost_for: None,
        joins: false,
        error: None,
    }
}

fn gateway(node: &Node, up: impl Fn(Part) -> bool) -> GatewayReport {
    let routes = node.files.texts.get("routes").map(String::as_str).unwrap_or_default();
    let servers = routes.lines().filter_map(|line| {
        let (name, state) = line.split_once('=')?;
        let part: Part = name.parse().ok()?;
        let state = match (state, up(part)) {
            ("drain", _) => ServerState::Drain,
            (_, true) => ServerState::Up,
            (_, false) => ServerState::Down,
        };
        Some((part, state))
    });
    let revision = node.files.value("routes", "revision").map(Into::into);
    GatewayReport { revision, servers: servers.collect(), draining: PartMap::default(), error: None }
}

/// A report as a node writes it.
fn say(boot: &str, report: &NodeReport, busy: Option<u32>) -> String {
    let node = serde_json::to_string(report).unwrap_or_default();
    let mut said = format!("{{\"boot\":\"{boot}\",");
    if let NodeReport::Gateway(_) = report {
        let busy = busy.map_or("null".to_owned(), |busy| busy.to_string());
        let _infallible = write!(said, "\"busy\":{busy},");
    }
    said.push_str(node.trim_start_matches('{'));
    debug_assert!(BootId::new(boot).is_some(), "{boot}");
    said
}
