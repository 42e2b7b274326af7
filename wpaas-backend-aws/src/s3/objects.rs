use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use wpaas_core::code::CodeError;

use super::Identity;

/// Where a bucket is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its name.
    pub bucket: String,
    /// Another S3 than AWS's; the operator allowed it.
    pub endpoint: Option<String>,
    /// Its region, if given.
    pub region: Option<String>,
}

/// Opens buckets.
#[async_trait]
pub trait Connect: fmt::Debug + Send + Sync + 'static {
    /// The bucket's objects, as this identity sees them.
    ///
    /// # Errors
    ///
    /// When the identity can't be had.
    async fn connect(&self, place: &Place, identity: Identity) -> Result<Box<dyn Objects>, ObjectError>;
}

/// What code needs of a bucket.
#[async_trait]
pub trait Objects: fmt::Debug + Send + Sync {
    /// The objects whose keys begin with `prefix`, from the page that `next` names.
    ///
    /// # Errors
    ///
    /// See [`ObjectError`].
    async fn list(&self, prefix: &str, next: Option<String>) -> Result<Page, ObjectError>;

    /// An object's content; with `etag` only of this very state.
    ///
    /// # Errors
    ///
    /// See [`ObjectError`].
    async fn get(&self, key: &str, etag: Option<&str>) -> Result<Download, ObjectError>;
}

/// A part of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// In the order of their keys.
    pub objects: Vec<Object>,
    /// Names the page that follows, if one does.
    pub next: Option<String>,
}

/// An object, as a listing tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its whole key.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    /// Changes with its content.
    pub etag: String,
}

/// An object that is being read.
pub struct Download {
    /// The content.
    pub body: BoxStream<'static, std::io::Result<Bytes>>,
    /// Its size in bytes, as announced.
    pub size: Option<u64>,
    /// The version's id, or the `ETag` where the bucket keeps no versions.
    pub revision: String,
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("size", &self.size)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

/// Why a bucket or an object can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectError {
    /// There is no such bucket.
    #[error("no such bucket")]
    NoBucket,
    /// There is no such object.
    #[error("no such object")]
    NoObject,
    /// The identity may not.
    #[error("access denied")]
    Denied,
    /// The bucket is in another region: this one, when told.
    #[error("another region")]
    OtherRegion(Option<String>),
    /// The object is not in the state asked for any more.
    #[error("changed")]
    Changed,
    /// The host is out of reach by the rules.
    #[error("{0}")]
    Refused(String),
    /// It may work later.
    #[error("{0}")]
    Unavailable(String),
}

impl ObjectError {
    /// For the customer.
    pub(super) fn translate(self, bucket: &str, key: Option<&str>) -> CodeError {
        let refused = |text: String| CodeError::Refused(text);
        match self {
            Self::NoBucket => refused(format!("code.s3: there is no bucket {bucket}")),
            Self::NoObject => {
                refused(format!("code.key: there is no object {:?} in {bucket}", key.unwrap_or_default()))
            }
            Self::Denied => refused(format!(
                "code.s3: the bucket {bucket} wants a credential, or another one; an object that is not there \
                 can look the same"
            )),
            Self::OtherRegion(Some(region)) => {
                refused(format!("code.region: the bucket {bucket} is in the region {region}"))
            }
            Self::OtherRegion(None) => {
                refused(format!("code.region: the bucket {bucket} is in another region"))
            }
            Self::Changed => CodeError::Unavailable("the bucket changed while it was being read".into()),
            Self::Refused(why) => refused(format!("code.s3: {why}")),
            Self::Unavailable(why) => {
                CodeError::Unavailable(format!("the bucket {bucket} can't be read: {why}"))
            }
        }
    }
}
