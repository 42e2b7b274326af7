//! What is there of a region or a site: as many calls as there are pages.

use std::collections::BTreeSet;

use futures::future::join_all;
use tracing::warn;
use wpaas_core::converge::{Part, Scope};
use wpaas_core::id::SiteId;

use crate::cloud::{Address, CloudError, Filter, Group, Instance, InstanceState, Key, Page, Tags, Volume};
use crate::gate::Cloud;
use crate::key::{Keys, Note};
use crate::limiter::{Call, Urgency};
use crate::tag::{self, Mark, Tag};

/// Something of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found<T> {
    pub tag: Tag,
    pub it: T,
}

/// What carries the installation's tag and could be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    pub instances: Vec<Found<Instance>>,
    pub volumes: Vec<Found<Volume>>,
    pub groups: Vec<Found<Group>>,
    pub addresses: Vec<Found<Address>>,
    /// Instances that have their files.
    pub filed: BTreeSet<String>,
    /// Parts that live in the bucket.
    pub notes: Vec<Note>,
    /// What carries it and could not be read.
    pub unreadable: usize,
}

impl Listing {
    /// Lists. Instances come first: what they need was there before them.
    pub(crate) async fn fetch(
        cloud: &Cloud,
        keys: &Keys,
        installation: &str,
        scope: &Scope,
    ) -> Result<Self, CloudError> {
        let filter = match scope {
            Scope::Fleet => tag::of_installation(installation),
            Scope::Site(site) => tag::of_site(installation, *site),
        };
        let instances = instances(cloud, &filter).await?;
        let (volumes, groups, addresses, notes) = futures::try_join!(
            volumes(cloud, &filter),
            groups(cloud, &filter),
            addresses(cloud, &filter),
            notes(cloud, keys, scope),
        )?;
        let mut listing = Self::default();
        listing.instances = listing.ours(installation, instances, |i| (&i.tags, &i.id));
        listing.volumes = listing.ours(installation, volumes, |v| (&v.tags, &v.id));
        listing.groups = listing.ours(installation, groups, |g| (&g.tags, &g.id));
        listing.addresses = listing.ours(installation, addresses, |a| (&a.tags, &a.allocation));
        listing.unreadable += notes.unreadable;
        listing.notes = notes.items;
        listing.filed = match scope {
            Scope::Fleet => filed(cloud, keys).await?,
            Scope::Site(_) => listing.filed_ones(cloud, keys).await?,
        };
        listing.sort();
        Ok(listing)
    }

    fn ours<T>(&mut self, installation: &str, all: Page<T>, of: fn(&T) -> (&Tags, &String)) -> Vec<Found<T>> {
        self.unreadable += all.unreadable;
        let read = |it: T| {
            if let Ok(tag) = Tag::read(of(&it).0, installation) {
                return Some(Found { tag: tag?, it });
            }
            let id = of(&it).1;
            warn!(id, "the tags of an object of this installation can't be read; it is left alone");
            self.unreadable += 1;
            None
        };
        all.items.into_iter().filter_map(read).collect()
    }

    /// Of a site's few instances each is asked for.
    async fn filed_ones(&self, cloud: &Cloud, keys: &Keys) -> Result<BTreeSet<String>, CloudError> {
        let live = self.instances.iter().filter(|found| found.it.state != InstanceState::Terminated);
        let ask = |id: String| async move {
            let there = cloud.bucket.get(&keys.node(&id)).await?.is_some();
            Ok(there.then_some(id))
        };
        let asked = join_all(live.map(|found| ask(found.it.id.clone()))).await;
        asked.into_iter().filter_map(Result::transpose).collect()
    }

    /// The oldest first: where something is there twice, it is the one that counts.
    fn sort(&mut self) {
        self.instances.sort_by(|a, b| (a.it.launched, &a.it.id).cmp(&(b.it.launched, &b.it.id)));
        self.volumes.sort_by(|a, b| (a.it.created, &a.it.id).cmp(&(b.it.created, &b.it.id)));
        self.groups.sort_by(|a, b| a.it.name.cmp(&b.it.name));
        self.addresses.sort_by(|a, b| {
            (a.it.instance.is_none(), &a.it.allocation).cmp(&(b.it.instance.is_none(), &b.it.allocation))
        });
        self.notes.sort_by(|a, b| (a.mark, &a.segment).cmp(&(b.mark, &b.segment)));
    }

    /// The newest mark on anything found that has not ended.
    pub(crate) fn mark(&self) -> Option<Mark> {
        let live = self.instances.iter().filter(|found| found.it.state != InstanceState::Terminated);
        let instances = live.map(|found| found.tag.mark);
        let volumes = self.volumes.iter().map(|found| found.tag.mark);
        let groups = self.groups.iter().map(|found| found.tag.mark);
        let addresses = self.addresses.iter().map(|found| found.tag.mark);
        instances.chain(volumes).chain(groups).chain(addresses).chain(self.notes.iter().map(|n| n.mark)).max()
    }

    /// The instances of this part that have not ended, the oldest first.
    pub(crate) fn nodes(&self, site: SiteId, part: Part) -> impl Iterator<Item = &Found<Instance>> {
        self.instances.iter().filter(move |found| {
            found.tag.site == site && found.tag.part == part && found.it.state != InstanceState::Terminated
        })
    }

    /// The site's volume of this part; the oldest where there are several.
    pub(crate) fn volume(&self, site: SiteId, part: Part) -> Option<&Found<Volume>> {
        self.volumes.iter().find(|found| found.tag.site == site && found.tag.part == part)
    }

    /// The note of this part; the oldest where there are several.
    pub(crate) fn note(&self, site: SiteId, part: Part) -> Option<&Note> {
        let ours = || self.notes.iter().filter(move |note| note.site == site && note.part == part);
        ours().find(|note| note.whole).or_else(|| ours().next())
    }
}

/// Follows a listing to its last page, and makes one of all.
macro_rules! pages {
    ($next:ident => $page:expr) => {{
        let mut all = Page { items: Vec::new(), unreadable: 0, next: None };
        let mut at: Option<String> = None;
        loop {
            let $next = at.as_deref();
            let Page { items, unreadable, next } = $page?;
            all.items.extend(items);
            all.unreadable += unreadable;
            if next.is_none() {
                break Ok(all);
            }
            at = next;
        }
    }};
}

async fn instances(cloud: &Cloud, filter: &Filter) -> Result<Page<Instance>, CloudError> {
    pages!(next => cloud.ec2(Call::DescribeInstances, Urgency::Repair).await.instances(filter, next).await)
}

async fn volumes(cloud: &Cloud, filter: &Filter) -> Result<Page<Volume>, CloudError> {
    pages!(next => cloud.ec2(Call::DescribeVolumes, Urgency::Repair).await.volumes(filter, next).await)
}

async fn groups(cloud: &Cloud, filter: &Filter) -> Result<Page<Group>, CloudError> {
    pages!(next => cloud.ec2(Call::DescribeSecurityGroups, Urgency::Repair).await.groups(filter, next).await)
}

async fn addresses(cloud: &Cloud, filter: &Filter) -> Result<Page<Address>, CloudError> {
    cloud.ec2(Call::DescribeAddresses, Urgency::Repair).await.addresses(filter).await
}

async fn notes(cloud: &Cloud, keys: &Keys, scope: &Scope) -> Result<Page<Note>, CloudError> {
    let prefix = match scope {
        Scope::Fleet => keys.folder("parts"),
        Scope::Site(site) => keys.site(*site),
    };
    let Page { items, mut unreadable, next } = pages!(next => cloud.bucket.list(&prefix, next).await)?;
    let read = |key: Key| {
        let note = keys.read_note(&key);
        if note.is_none() {
            warn!(key = key.key, "a key below those of the parts can't be read; it is left alone");
            unreadable += 1;
        }
        note
    };
    // What ends in a slash is how some tools make a folder.
    let items = items.into_iter().filter(|key| !key.key.ends_with('/')).filter_map(read).collect();
    Ok(Page { items, unreadable, next })
}

async fn filed(cloud: &Cloud, keys: &Keys) -> Result<BTreeSet<String>, CloudError> {
    let prefix = keys.folder("nodes");
    let listed = keys_below(cloud, &prefix).await?;
    Ok(listed.iter().filter_map(|key| keys.instance(&key.key)).map(str::to_owned).collect())
}

/// All keys below a prefix, with their states.
pub(crate) async fn keys_below(cloud: &Cloud, prefix: &str) -> Result<Vec<Key>, CloudError> {
    let listed: Result<Page<Key>, CloudError> = pages!(next => cloud.bucket.list(prefix, next).await);
    Ok(listed?.items)
}
