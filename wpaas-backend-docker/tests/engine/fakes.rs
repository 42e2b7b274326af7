//! What a backend is built with.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::Path;
use std::sync::{LazyLock, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::stream::{self, BoxStream, StreamExt as _};
use wpaas_core::code::{Digest, ReleaseStore};
use wpaas_core::converge::{Ends, IntentsError, Part, Run};
use wpaas_core::id::SiteId;
use wpaas_core::secret::{Secret, SecretError, SecretName, SecretRef, Secrets};

/// The version of a certificate for all hosts right below lab.example, and of one for those below site.lab.example.
pub const WILDCARDS: [u64; 2] = [100, 101];

/// A certificate for lab.example that vouches for itself, and its key: another for each version.
pub fn certificate(version: u64) -> String {
    static MADE: LazyLock<Mutex<HashMap<u64, String>>> = LazyLock::new(Mutex::default);
    let name = match version {
        100 => "*.lab.example",
        101 => "*.site.lab.example",
        _ => "lab.example",
    };
    let make = || {
        let pair = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        pair.cert.pem() + &pair.signing_key.serialize_pem()
    };
    MADE.lock().unwrap().entry(version).or_insert_with(make).clone()
}

/// Each secret's value is its name; the hash is one of bcrypt.
#[derive(Debug)]
pub struct Names;

#[async_trait]
impl Secrets for Names {
    async fn get(&self, secret: &SecretRef) -> Result<Secret, SecretError> {
        Ok(Secret::new(match secret.name {
            SecretName::AdminHash => {
                "$2y$10$abcdefghijklmnopqrstuuPoM6S0gXlkNTfMQHYzxcPGbFTeUZYZW".to_owned()
            }
            SecretName::Certificate => certificate(secret.version),
            name => format!("{name:?}"),
        }))
    }
}

/// What was told to have ended, in order.
#[derive(Debug, Default)]
pub struct Told(Mutex<Vec<(SiteId, Run)>>);

impl Told {
    /// The runs of a site's part.
    pub fn of(&self, site: SiteId, part: Part) -> Vec<Run> {
        let told = self.0.lock().unwrap();
        told.iter().filter(|(of, run)| *of == site && run.part == part).map(|(_, run)| run.clone()).collect()
    }
}

#[async_trait]
impl Ends for Told {
    async fn ended(&self, site: SiteId, run: Run) -> Result<(), IntentsError> {
        self.0.lock().unwrap().push((site, run));
        Ok(())
    }
}

/// Each release holds the file `plugins/release.txt`, which tells its digest.
#[derive(Debug)]
pub struct Archives;

#[async_trait]
impl ReleaseStore for Archives {
    async fn put(&self, _: &Digest, _: &Path) -> std::io::Result<()> {
        Ok(())
    }

    async fn open(&self, digest: &Digest) -> std::io::Result<BoxStream<'static, std::io::Result<Bytes>>> {
        let mut tar = tar::Builder::new(Vec::new());
        let text = digest.to_string();
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(text.len() as u64);
        tar.append_data(&mut header, "plugins/release.txt", text.as_bytes())?;
        let mut zipped = GzEncoder::new(Vec::new(), Compression::fast());
        zipped.write_all(&tar.into_inner()?)?;
        let bytes = zipped.finish()?;
        let chunks: Vec<_> = bytes.chunks(100).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
        Ok(stream::iter(chunks).boxed())
    }

    async fn unused(
        &self,
        _: &std::collections::BTreeSet<Digest>,
        _: std::time::SystemTime,
    ) -> std::io::Result<Vec<(Digest, std::time::SystemTime)>> {
        Ok(Vec::new())
    }

    async fn remove(&self, _: &Digest) -> std::io::Result<()> {
        Ok(())
    }
}
