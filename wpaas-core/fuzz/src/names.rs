//! Names and ids, which are what page cursors hold, too: what is read is read the same again from how it is written.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use wpaas_core::code::Digest;
use wpaas_core::converge::{Fingerprint, Part};
use wpaas_core::id::{KeyId, OrgId, ReleaseId, SiteId, SpaceId, UserId};
use wpaas_core::name::{Cid, Email, Hostname, Slug, Username};

fn is_read_as_written<T: FromStr + Display + Debug + PartialEq>(text: &str) {
    if let Ok(read) = text.parse::<T>() {
        let written = read.to_string();
        assert_eq!(written.parse().ok(), Some(read), "{text:?} {written:?}");
    }
}

/// Panics where the target does not keep it.
pub fn keeps(text: &str) {
    is_read_as_written::<Slug>(text);
    is_read_as_written::<Cid>(text);
    is_read_as_written::<Hostname>(text);
    is_read_as_written::<Email>(text);
    is_read_as_written::<Username>(text);
    is_read_as_written::<SiteId>(text);
    is_read_as_written::<OrgId>(text);
    is_read_as_written::<SpaceId>(text);
    is_read_as_written::<UserId>(text);
    is_read_as_written::<KeyId>(text);
    is_read_as_written::<ReleaseId>(text);
    is_read_as_written::<Digest>(text);
    is_read_as_written::<Part>(text);
    if let Some(read) = Fingerprint::parse(text) {
        assert_eq!(read.to_string(), text);
    }
}
