//! Keeps what belongs to no one site as it should be: the zone's file, the DNS server, the edge.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use wpaas_core::claim::Tenure;
use wpaas_core::converge::{
    ConvergerHandle, DnsState, Fingerprint, Intents as _, NodeFile, ObjectId, ObjectState,
};
use wpaas_core::fleet::{
    FleetBackend, FleetFacts, FleetIntent, FleetPart, FleetStep, NameService, Names, Said, SitePlace, Zone,
    next_serial, plan, serial_of,
};
use wpaas_core::id::SiteId;
use wpaas_core::name::Hostname;
use wpaas_core::service::Service;
use wpaas_core::store::StoreError;

use crate::certificates::TextRecords;
use crate::config::{DnsSettings, EdgeSettings, Settings};
use crate::dns;
use crate::problem::chain;

mod kept;
mod nodes;
mod remembered;

use kept::Kept;

/// Changes that come so close together make one zone.
const GATHER: Duration = Duration::from_millis(200);
/// The nodes are looked at this often.
const RESYNC: Duration = Duration::from_secs(10);
/// While something is under way.
const SOON: Duration = Duration::from_secs(1);
/// All names are read again this often, should a hint be lost or another server have written.
const SWEEP: Duration = Duration::from_secs(900);

/// A server that does not lead may have known of the last change so many seconds after the one that does.
const FOLLOWS: u32 = 30;

/// One task owns all of it. Of several servers one tends the nodes; the others know what these should say.
pub struct Fleet {
    tenure: Tenure,
    /// Whether this server led at the last pass.
    leads: bool,
    service: Service,
    converger: ConvergerHandle,
    backend: Option<Arc<dyn FleetBackend>>,
    /// Who answers for the names, where that is no server of our own.
    service_of_names: Option<Kept>,
    origin: Option<Hostname>,
    dns: DnsSettings,
    edge: EdgeSettings,
    /// Where the edge speaks HTTPS.
    edge_tls: Option<SocketAddr>,
    /// Whether the edge was seen to run, by the server that tends it.
    edge_runs: bool,
    zone_file: PathBuf,
    /// What proves names of the zone to a certificate authority.
    texts: watch::Receiver<TextRecords>,
    /// What the DNS server's container runs; `None` where this program can't run in one.
    program: Option<nodes::Program>,
    /// `None` until they were read for the first time: a zone of none would take every name away.
    names: Option<Names>,
    /// What was published is kept here, for names of which a store that is put back knows nothing.
    names_file: PathBuf,
    /// Whether the file lacks something.
    unsaved: bool,
    /// Sites whose names may have to change, once it can be read or seen how they are.
    unsure: BTreeSet<SiteId>,
    zone: Option<(Zone, u32, String)>,
    told: HashMap<ObjectId, Fingerprint>,
    dns_states: HashMap<SiteId, DnsState>,
    /// The last thing that went wrong, said once.
    trouble: Option<String>,
}

impl Fleet {
    /// Over these; without a backend the zone's file is written all the same.
    pub async fn new(
        settings: &Settings,
        service: Service,
        converger: ConvergerHandle,
        tenure: Tenure,
        backend: Option<Arc<dyn FleetBackend>>,
        names: Option<Arc<dyn NameService>>,
        texts: watch::Receiver<TextRecords>,
    ) -> Self {
        let zone_file = settings.dns.zone_file(&settings.data);
        let wants_program = settings.dns.enabled && backend.is_some();
        let program = if wants_program { nodes::Program::own().await } else { None };
        Self {
            leads: tenure.leads(),
            tenure,
            origin: format!("www.{}", settings.domain).parse().ok(),
            dns: settings.dns.clone(),
            edge: settings.edge.clone(),
            edge_tls: settings.edge.tls(settings.acme.as_ref()),
            edge_runs: false,
            service,
            converger,
            backend,
            service_of_names: names.map(Kept::new),
            zone_file,
            texts,
            program,
            names: None,
            names_file: settings.data.join("names.json"),
            unsaved: false,
            unsure: BTreeSet::new(),
            zone: None,
            told: HashMap::new(),
            dns_states: HashMap::new(),
            trouble: None,
        }
    }

    /// Works until it is dropped. `found` tells of sites of which something new was found.
    pub async fn run(mut self, mut found: mpsc::UnboundedReceiver<SiteId>) {
        let mut wanted = self.service.intents().changes();
        let (mut next, mut sweep) = (Instant::now(), Instant::now());
        loop {
            tokio::select! {
                Some(site) = found.recv() => if self.learn(site).await { next = next.min(Instant::now() + GATHER) },
                Some(site) = wanted.next() => if self.learn(site).await { next = next.min(Instant::now() + GATHER) },
                Ok(()) = self.texts.changed() => next = next.min(Instant::now() + GATHER),
                () = tokio::time::sleep_until(next) => {
                    if sweep <= Instant::now() {
                        let swept = self.sweep().await;
                        sweep = Instant::now() + if swept { SWEEP } else { RESYNC };
                    }
                    for site in std::mem::take(&mut self.unsure) {
                        self.learn(site).await;
                    }
                    let settled = self.converge().await;
                    next = Instant::now() + if settled { RESYNC } else { SOON };
                }
            }
        }
    }

    /// Reads one site's names; whether they differ.
    async fn learn(&mut self, site: SiteId) -> bool {
        if self.names.is_none() {
            return false;
        }
        match self.service.names_of(site).await {
            Ok(said) => self.hear(site, said).await,
            Err(error) => {
                self.unsure.insert(site);
                self.unreadable(&error)
            }
        }
    }

    /// Takes in what the store says of a site; whether its names differ.
    async fn hear(&mut self, site: SiteId, said: Said) -> bool {
        let Some(names) = &mut self.names else { return false };
        let doubts = names.doubts(site, &said);
        let newest = if doubts { self.converger.newest(site).await } else { None };
        if doubts && newest.is_none() {
            self.unsure.insert(site);
        }
        let differs = names.hear(site, said, newest);
        self.unsaved |= differs;
        differs
    }

    async fn sweep(&mut self) -> bool {
        let said = match self.service.names().await {
            Ok(said) => said,
            Err(error) => return self.unreadable(&error),
        };
        let names = self.names.get_or_insert_with(|| remembered::load(&self.names_file));
        let lost: Vec<_> = names.ids().filter(|site| !said.contains_key(site)).collect();
        for (site, said) in said {
            self.hear(site, said).await;
        }
        for site in lost {
            self.learn(site).await;
        }
        true
    }

    fn unreadable(&mut self, error: &StoreError) -> bool {
        self.say(Some(format!("the sites' names can't be read now: {}", chain(error))));
        false
    }

    /// One pass; whether all is as wanted.
    async fn converge(&mut self) -> bool {
        let led = std::mem::replace(&mut self.leads, self.tenure.leads());
        let takes_over = self.leads && !led;
        if let Err(error) = self.save_names() {
            self.say(Some(format!("{} can't be written: {error}", self.names_file.display())));
        }
        if let (Some(service), Some(names)) = (&mut self.service_of_names, &self.names) {
            service.keep(names.records(self.edge.address()), self.leads).await;
        } else if let Err(error) = self.write_zone(takes_over) {
            self.say(Some(format!("{} can't be written: {error}", self.zone_file.display())));
        }
        let settled = match self.backend.clone() {
            Some(backend) if self.leads => self.nodes(&*backend).await,
            _ => true,
        };
        let served = self.publish_dns().await;
        settled && served
    }

    fn save_names(&mut self) -> std::io::Result<()> {
        if let Some(names) = self.names.as_ref().filter(|_| self.unsaved) {
            remembered::save(&self.names_file, names)?;
            self.unsaved = false;
        }
        Ok(())
    }

    /// Writes the zone's file, if it is to be another; whoever takes over writes it anew, so that its serial is newer
    /// than what the other server wrote.
    fn write_zone(&mut self, takes_over: bool) -> std::io::Result<()> {
        let ours = self.dns.enabled && self.service_of_names.is_none();
        let (Some(origin), Some(names), true) = (&self.origin, &self.names, ours) else {
            return Ok(());
        };
        let records = names.records(self.edge.address());
        let zone = Zone {
            origin: origin.clone(),
            server: self.dns.address(),
            records,
            texts: self.texts.borrow().clone(),
        };
        if !takes_over && self.zone.as_ref().is_some_and(|(before, ..)| *before == zone) {
            return Ok(());
        }
        let before = std::fs::read_to_string(&self.zone_file).ok();
        let serial = before.as_deref().and_then(serial_of);
        // What was written before this process began may still be so.
        let same = serial
            .filter(|_| !takes_over)
            .filter(|serial| before.as_deref() == Some(zone.file(*serial).as_str()));
        let serial = same.unwrap_or_else(|| next_serial(serial, Timestamp::now()));
        let text = zone.file(serial);
        replace_file(&self.zone_file, &text)?;
        self.zone = Some((zone, serial, text));
        Ok(())
    }

    fn intent(&self) -> FleetIntent {
        let mut intent = FleetIntent::new();
        if let (Some((_, _, text)), Some(program)) = (&self.zone, &self.program) {
            intent.insert(FleetPart::Dns, nodes::dns(program, self.dns.listen, text));
        }
        if let Some(names) = self.names.as_ref().filter(|names| self.edge.enabled && names.any_shared()) {
            intent.insert(FleetPart::Edge, nodes::edge(self.edge.listen, self.edge_tls, &names.edge_file()));
        }
        intent
    }

    /// Takes the steps that are due; whether there were none.
    async fn nodes(&mut self, backend: &dyn FleetBackend) -> bool {
        if self.names.is_none() {
            return false;
        }
        let objects = match backend.observe_fleet().await {
            Ok(objects) => objects,
            Err(error) => {
                self.say(Some(chain(&error)));
                return false;
            }
        };
        let edge = objects.get(&FleetPart::Edge);
        self.edge_runs = edge.is_some_and(|edge| edge.state == ObjectState::Ready);
        self.told.retain(|id, _| objects.values().any(|object| object.id == *id));
        let told = self.told.iter().map(|(id, files)| (id.clone(), *files)).collect();
        let steps = plan(&self.intent(), &FleetFacts { objects, told });
        let mut trouble = None;
        for step in &steps {
            tracing::info!(%step, "a step of the fleet");
            match backend.apply_fleet(step).await {
                Ok(()) => {
                    if let FleetStep::Tell(_, id, files) = step {
                        self.told.insert(id.clone(), NodeFile::fingerprint(files));
                    }
                }
                Err(error) => trouble = Some(format!("{step}: {}", chain(&error))),
            }
        }
        self.say(trouble);
        steps.is_empty()
    }

    /// Tells the converger whose names are answered for; whether all are.
    async fn publish_dns(&mut self) -> bool {
        let answered = self.dns.enabled || self.service_of_names.is_some();
        let (Some(names), true) = (&self.names, answered) else { return true };
        let served = self.served().await;
        let at_edge = self.edge_runs || !self.leads || self.backend.is_none();
        let state = |place: &SitePlace| match &served {
            Ok(()) if place.shared && !at_edge => DnsState::Waiting("the edge does not run yet".to_owned()),
            Ok(()) => DnsState::Served { to: if place.shared { self.edge.address() } else { place.public } },
            Err(why) => DnsState::Waiting(why.clone()),
        };
        let places = names.sites().filter(|(_, place)| !place.platform.is_empty());
        let states: HashMap<_, _> = places.map(|(site, place)| (site, state(place))).collect();
        let all_at_edge = at_edge || !names.any_shared();
        for (site, state) in &states {
            let known = self.dns_states.get(site);
            // A zone's next serial is no news for a site that is in it.
            if known != Some(state) {
                self.converger.dns(*site, Some(state.clone()));
            }
        }
        for gone in self.dns_states.keys().filter(|site| !states.contains_key(*site)) {
            self.converger.dns(*gone, None);
        }
        self.dns_states = states;
        served.is_ok() && all_at_edge
    }

    /// Whether the names are answered for as they are now, or why not.
    async fn served(&self) -> Result<(), String> {
        if let Some(service) = &self.service_of_names {
            return service.state();
        }
        let (Some(origin), Some((_, serial, _))) = (&self.origin, &self.zone) else {
            return Err("the zone is not written yet".to_owned());
        };
        let at = self.dns.listen;
        match dns::serial_at(at, origin).await {
            Some(found) if found == *serial => Ok(()),
            // The zone of the server that leads is as new as this one's, give or take, or newer.
            Some(found)
                if !self.leads && found.wrapping_add(FOLLOWS).wrapping_sub(*serial) < (1 << 31) + FOLLOWS =>
            {
                Ok(())
            }
            Some(_) => Err(format!("the DNS server at {at} has not read the last zone yet")),
            None if self.program.is_none() => Err(format!(
                "no DNS server answers at {at}: run `wpaas-server dns --dns-zone {}`",
                self.zone_file.display()
            )),
            None => Err(format!("no DNS server answers at {at} yet")),
        }
    }

    fn say(&mut self, trouble: Option<String>) {
        if trouble != self.trouble {
            if let Some(trouble) = &trouble {
                tracing::warn!(trouble, "the fleet's nodes are not as they should be");
            } else {
                tracing::info!("the fleet's nodes are as they should be");
            }
            self.trouble = trouble;
        }
    }
}

/// Replaces a file in one go: who reads it has all of the old or all of the new.
fn replace_file(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let new = path.with_extension("new");
    std::fs::write(&new, text)?;
    std::fs::File::open(&new)?.sync_all()?;
    std::fs::rename(new, path)
}
