//! The narrow port: what the backend asks of AWS, in our own types. Everything else in this crate is written over
//! these three traits; the SDK is one implementation of them, the simulator another.
//!
//! None of these calls waits for what it sets going, retries, or paces itself: that is `gate`'s.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::Ipv4Addr;
use std::path::Path;

use async_trait::async_trait;

pub mod actions;
mod error;
mod ip;

pub use error::CloudError;
pub use ip::Cidr;

/// Tags of an object, by key.
pub type Tags = BTreeMap<String, String>;

/// A part of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it and could be read.
    pub items: Vec<T>,
    /// How many things are on it that could not: a listing with any proves no absence.
    pub unreadable: usize,
    /// Names the page that follows, if one does.
    pub next: Option<String>,
}

/// What a listing is narrowed to: everything that carries all of these tags.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Key and value.
    pub tags: Vec<(String, String)>,
}

/// What the backend needs of EC2 in one region.
#[async_trait]
pub trait Ec2: fmt::Debug + Send + Sync + 'static {
    /// Instances with these tags, those that have ended within the hour among them.
    async fn instances(&self, filter: &Filter, next: Option<&str>) -> Result<Page<Instance>, CloudError>;
    /// An AMI that can be used here.
    async fn image(&self, id: &str) -> Result<Image, CloudError>;
    /// Makes one instance. With the same token and parameters it is the same one.
    async fn run_instance(&self, launch: &Launch) -> Result<Instance, CloudError>;
    /// Starts a stopped one.
    async fn start_instance(&self, id: &str) -> Result<(), CloudError>;
    /// Ends one for ever.
    async fn terminate_instance(&self, id: &str) -> Result<(), CloudError>;
    /// Volumes with these tags.
    async fn volumes(&self, filter: &Filter, next: Option<&str>) -> Result<Page<Volume>, CloudError>;
    /// Makes one, empty. With the same token and parameters it is the same one.
    async fn create_volume(&self, volume: &NewVolume) -> Result<Volume, CloudError>;
    /// Attaches one to an instance of its zone.
    async fn attach_volume(&self, volume: &str, instance: &str, device: &str) -> Result<(), CloudError>;
    /// Removes one that is not attached.
    async fn delete_volume(&self, id: &str) -> Result<(), CloudError>;
    /// Security groups with these tags.
    async fn groups(&self, filter: &Filter, next: Option<&str>) -> Result<Page<Group>, CloudError>;
    /// Makes one; its name is its own in the VPC.
    async fn create_group(&self, group: &NewGroup) -> Result<String, CloudError>;
    /// Lets traffic in. What is allowed already is `InvalidPermission.Duplicate`.
    async fn allow(&self, group: &str, rules: &[Rule]) -> Result<(), CloudError>;
    /// Removes one that nothing uses.
    async fn delete_group(&self, id: &str) -> Result<(), CloudError>;
    /// Elastic IPs with these tags: AWS lists them on one page.
    async fn addresses(&self, filter: &Filter) -> Result<Page<Address>, CloudError>;
    /// Takes an address. Has no token: asked again it is another.
    async fn allocate_address(&self, tags: &Tags) -> Result<Address, CloudError>;
    /// Lets an address lead to an instance, away from any other.
    async fn associate_address(&self, allocation: &str, instance: &str) -> Result<(), CloudError>;
    /// Gives an address back, wherever it leads.
    async fn release_address(&self, allocation: &str) -> Result<(), CloudError>;
}

/// An AMI as EC2 tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// `ami-…`.
    pub id: String,
    /// As what an instance of it finds its root volume, such as `/dev/xvda`.
    pub root_device: String,
}

/// An instance to make. All of it takes part in the token, but for the token itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// Makes the call idempotent; 64 characters at most.
    pub token: String,
    /// The AMI.
    pub image: String,
    /// Such as `t4g.small`.
    pub instance_type: String,
    /// Where, and so in which zone.
    pub subnet: String,
    /// Security groups.
    pub groups: Vec<String>,
    /// The name of the instance profile.
    pub profile: String,
    /// As cloud-init takes it; at most 16 KiB.
    pub user_data: Vec<u8>,
    /// As what the AMI has its root volume.
    pub root_device: String,
    /// Of the root volume, which goes with the instance, in GiB.
    pub root_gib: u32,
    /// On the instance.
    pub tags: Tags,
}

/// An instance as EC2 tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// `i-…`, never used again.
    pub id: String,
    /// What it does.
    pub state: InstanceState,
    /// Within the VPC.
    pub private_ip: Option<Ipv4Addr>,
    /// Ids of the volumes that are attached or being attached.
    pub volumes: Vec<String>,
    /// When it was launched or last started, in seconds since 1970.
    pub launched: i64,
    /// When somebody stopped or ended it, in seconds since 1970, where EC2 says so; `None` while it runs.
    pub ended: Option<i64>,
    /// Why EC2 has ended it by itself, if it has: its code, as of a call that is refused, and its words.
    pub failure: Option<CloudError>,
    /// Its zone.
    pub zone: String,
    /// Its tags.
    pub tags: Tags,
}

/// What an instance does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as EC2 names them")]
pub enum InstanceState {
    Pending,
    Running,
    Stopping,
    Stopped,
    ShuttingDown,
    Terminated,
}

/// A volume to make: gp3, encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVolume {
    /// Makes the call idempotent.
    pub token: String,
    /// Its zone.
    pub zone: String,
    /// Its size in GiB.
    pub gib: u32,
    /// Its tags.
    pub tags: Tags,
}

/// A volume as EC2 tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// `vol-…`, never used again.
    pub id: String,
    /// What it does.
    pub state: VolumeState,
    /// Its zone.
    pub zone: String,
    /// The instance that it is attached to.
    pub instance: Option<String>,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// Its tags.
    pub tags: Tags,
}

/// What a volume does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as EC2 names them")]
pub enum VolumeState {
    Creating,
    Available,
    InUse,
    Deleting,
    Error,
}

/// A security group to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGroup {
    /// Its own in the VPC.
    pub name: String,
    /// For people.
    pub description: String,
    /// Where.
    pub vpc: String,
    /// Its tags.
    pub tags: Tags,
}

/// A security group as EC2 tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// `sg-…`, never used again.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What may come in.
    pub rules: Vec<Rule>,
    /// Its tags.
    pub tags: Tags,
}

/// Traffic that may come in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// The TCP port; `None` is every port of every protocol.
    pub port: Option<u16>,
    /// From whom.
    pub from: Peer,
}

/// Whose traffic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// Of these addresses.
    Net(Cidr),
    /// Of what carries this group.
    Group(String),
}

/// An Elastic IP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// `eipalloc-…`.
    pub allocation: String,
    /// The address.
    pub ip: Ipv4Addr,
    /// The instance that it leads to.
    pub instance: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

/// What the backend needs of one bucket.
#[async_trait]
pub trait Bucket: fmt::Debug + Send + Sync + 'static {
    /// The keys that begin with this, at most a thousand a page, in their order.
    async fn list(&self, prefix: &str, next: Option<&str>) -> Result<Page<Key>, CloudError>;
    /// An object; `None` if there is none.
    async fn get(&self, key: &str) -> Result<Option<Blob>, CloudError>;
    /// Writes an object if the condition holds, else fails with `PreconditionFailed`; returns its `ETag`.
    async fn put(&self, key: &str, content: Vec<u8>, when: When<'_>) -> Result<String, CloudError>;
    /// Writes an object from a file.
    async fn put_file(&self, key: &str, file: &Path) -> Result<(), CloudError>;
    /// Removes objects, at most a thousand; those that are not there are removed.
    async fn delete(&self, keys: &[String]) -> Result<(), CloudError>;
}

/// A key as a listing tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The whole key.
    pub key: String,
    /// Changes with the content.
    pub etag: String,
    /// When it was written, in seconds since 1970.
    pub modified: i64,
}

/// An object's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// All of it.
    pub content: Vec<u8>,
    /// Of this content.
    pub etag: String,
}

/// When an object is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When<'a> {
    /// Whatever is there.
    Always,
    /// If nothing is there.
    Absent,
    /// If this is there.
    Is(&'a str),
}

/// What the backend needs of one hosted zone.
#[async_trait]
pub trait Zone: fmt::Debug + Send + Sync + 'static {
    /// The A records from this name on, in the zone's order.
    async fn records(&self, next: Option<&str>) -> Result<Page<Record>, CloudError>;
    /// Makes all of these changes or none. Gives the change's id.
    async fn change(&self, changes: &[RecordChange]) -> Result<String, CloudError>;
    /// Whether all servers of the zone answer as the change of this id left it.
    async fn in_sync(&self, change: &str) -> Result<bool, CloudError>;
}

/// An A record with one address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    /// The whole name, lower case, without a dot at its end.
    pub name: String,
    /// Where it leads.
    pub ip: Ipv4Addr,
    /// How long it may be kept, in seconds.
    pub ttl: u32,
}

/// A change of a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordChange {
    /// Makes a record, or changes the one of that name.
    Upsert(Record),
    /// Removes this very record.
    Delete(Record),
    /// Makes a TXT record, or changes the one of that name.
    UpsertTexts(TextRecord),
    /// Removes this very one.
    DeleteTexts(TextRecord),
}

impl RecordChange {
    /// As how many changes Route 53 counts it.
    #[must_use]
    pub const fn weight(&self) -> u32 {
        match self {
            Self::Upsert(_) | Self::UpsertTexts(_) => 2,
            Self::Delete(_) | Self::DeleteTexts(_) => 1,
        }
    }
}

/// A TXT record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextRecord {
    /// The whole name, lower case, without a dot at its end.
    pub name: String,
    /// At least one; each of up to 255 bytes of ASCII without quotes and backslashes.
    pub texts: BTreeSet<String>,
    /// How long it may be kept, in seconds.
    pub ttl: u32,
}
