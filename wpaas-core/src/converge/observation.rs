use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;

use super::{Fingerprint, Part};
use crate::id::SiteId;
use crate::site::Generation;

/// What to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Everything of this installation.
    Fleet,
    /// One site.
    Site(SiteId),
}

/// What a listing showed. Absent, unknown and present are three different things.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Observation {
    /// How far absence can be believed.
    pub coverage: Coverage,
    /// Everything that carries this installation's label and could be read.
    pub objects: Vec<(SiteId, Object)>,
    /// When what is in `objects` ran, by the backend's own clock; what was never started is not among them,
    /// nor that of which the times are not known yet. A backend that knows none has nothing metered.
    pub runs: Vec<(SiteId, Run)>,
}

/// When a node ran, or a volume was there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Run {
    /// What.
    pub part: Part,
    /// Which.
    pub object: ObjectId,
    /// When it last started; when a volume was made.
    pub started_at: Timestamp,
    /// When it stopped; `None` while it runs. A frozen node runs.
    pub ended_at: Option<Timestamp>,
    /// When its run before this one ended, where the backend can tell.
    pub previous_end: Option<Timestamp>,
}

/// How far a listing proves absence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Coverage {
    /// What is not listed is not there.
    Complete,
    /// What is not listed may be there: proves no absence.
    Partial,
}

/// One object that a backend made.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Object {
    /// What it is.
    pub part: Part,
    /// The backend's own id of it, never used again; what removal goes by.
    pub id: ObjectId,
    /// Of a node: of the spec that made it; `None` when it was changed behind our back or can't be read.
    /// `None` for what is no node.
    pub fingerprint: Option<Fingerprint>,
    /// Of the site, when it was made.
    pub generation: Generation,
    /// Of the server that made it.
    pub epoch: u64,
    /// What it is doing.
    pub state: ObjectState,
    /// On the object that holds the site's address (the network on Docker, so that it is known before the gateway is
    /// made): where visitors come in. Apart from the rest, because only one object of a site has it.
    pub entry: Option<Box<Entry>>,
}

impl Object {
    /// The site's address, on the object that holds it.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.entry.as_ref()?.address
    }

    /// Where the site's address leads, on the object that holds it, where it can be moved.
    #[must_use]
    pub fn lead(&self) -> Option<&Lead> {
        self.entry.as_ref()?.lead.as_deref()
    }
}

/// Where a site's visitors come in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Entry {
    /// The site's address, once there is one.
    pub address: Option<IpAddr>,
    /// The port on the control plane's own machine that leads to `address`, where it can't be reached itself.
    pub local_port: Option<u16>,
    /// Where the address can be moved from one gateway to another: where it leads now. `None` where it always leads
    /// to the one gateway.
    pub lead: Option<Box<Lead>>,
}

impl Entry {
    /// By this address, which always leads to the one gateway.
    #[must_use]
    pub fn at(address: IpAddr) -> Self {
        Self { address: Some(address), ..Self::default() }
    }
}

/// Where an address that can be moved leads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Lead {
    /// Nowhere yet.
    Nowhere,
    /// To this gateway, or to what is left of one.
    To(ObjectId),
}

/// A backend's own id of an object. Equal for equal texts; a Docker Engine's (64 digits) take 32 bytes, and no memory
/// of their own.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(Id);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Id {
    Text(Box<str>),
    /// What is written as lower-case hexadecimal digits, and as nothing else.
    Digits([u8; 32]),
}

impl ObjectId {
    /// Takes the backend's text over.
    #[must_use]
    pub fn new(id: &str) -> Self {
        let mut bytes = [0; 32];
        let is_digits =
            !id.bytes().any(|byte| byte.is_ascii_uppercase()) && hex::decode_to_slice(id, &mut bytes).is_ok();
        Self(if is_digits { Id::Digits(bytes) } else { Id::Text(id.into()) })
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Id::Text(text) => f.write_str(text),
            Id::Digits(bytes) => {
                let mut text = [0; 64];
                let _fits = hex::encode_to_slice(bytes, &mut text);
                f.write_str(str::from_utf8(&text).map_err(|_| fmt::Error)?)
            }
        }
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectId({self})")
    }
}

/// What an object is doing, as a listing tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectState {
    /// A node that was made and not started yet, or a volume that is being filled: as far as a crash may leave it.
    Incomplete,
    /// A node runs; anything else is there and whole.
    Ready,
    /// A node that does not run.
    Stopped,
    /// A node whose processes are frozen.
    Frozen,
    /// On its way out.
    Removing,
    /// It is there and can't become whole again (its network is gone, say): only replacing helps.
    Broken,
}

#[cfg(test)]
mod tests {
    use super::ObjectId;

    #[test]
    fn an_id_is_the_backends_text_whatever_it_is_kept_as() {
        let digits = "0123456789abcdef".repeat(4);
        for text in
            ["", "i-0123456789abcdef0", &digits, &digits[1..], &digits.to_uppercase(), &"g".repeat(64)]
        {
            assert_eq!(ObjectId::new(text).to_string(), text);
            assert_eq!(ObjectId::new(text), ObjectId::new(text));
        }
        assert_ne!(ObjectId::new(&digits), ObjectId::new(&digits.to_uppercase()));
    }
}
