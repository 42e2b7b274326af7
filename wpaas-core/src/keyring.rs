//! Secrets at rest: authenticated encryption under the keys of a key file.
//!
//! The file has a line a key: its number, a space, 64 hex digits. The last one seals, all open; the first one
//! derives the report tokens, so that adding a key changes none.

use std::fmt;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::converge::Part;
use crate::id::SiteId;
use crate::secret::Secret;

const NONCE: usize = 24;
const HEADER: usize = 1 + 4 + NONCE;
/// Of what [`Keyring::seal`] makes: this byte, the key's number, the nonce, the sealed text.
const FORMAT: u8 = 1;

/// Why the keyring could not do something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// The key file could not be read or written.
    #[error("the key file {path} can't be used")]
    File {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Others than its owner can read the key file.
    #[error("the key file {path} has mode {mode:o}: others can read it; run chmod 600 on it")]
    Exposed {
        /// Where.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The key file is not one.
    #[error(
        "the key file {path} is damaged in line {line}: expected a new number, a space and 64 hex digits"
    )]
    Damaged {
        /// Where.
        path: PathBuf,
        /// Which, from 1 on.
        line: usize,
    },
    /// No key opens it: another key file, or it was changed.
    #[error("no key at hand opens it: is this the right key file?")]
    Sealed,
}

/// The keys that seal what is kept, and that report tokens are derived from.
pub struct Keyring {
    first: Key,
    later: Vec<Key>,
}

struct Key {
    number: u32,
    bytes: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<_> = self.keys().map(|key| key.number).collect();
        f.debug_struct("Keyring").field("keys", &numbers).finish()
    }
}

impl Keyring {
    /// A keyring of one new key that is kept nowhere: what it seals is lost with it.
    #[must_use]
    pub fn ephemeral() -> Self {
        Self { first: Key::new(1), later: Vec::new() }
    }

    /// Reads the key file, or makes one with a new key that only its owner can read.
    ///
    /// # Errors
    ///
    /// See [`KeyringError`].
    pub fn open_or_create(path: &Path) -> Result<Self, KeyringError> {
        match std::fs::metadata(path) {
            Ok(metadata) => Self::read(path, metadata.permissions().mode()),
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => {
                let new = Self::ephemeral();
                append(path, &new.first, true)?;
                Ok(new)
            }
            Err(source) => Err(KeyringError::File { path: path.to_owned(), source }),
        }
    }

    /// Adds a new key to the key file: from now on it seals, and what the older ones sealed still opens.
    ///
    /// # Errors
    ///
    /// See [`KeyringError`].
    pub fn rotate(mut self, path: &Path) -> Result<Self, KeyringError> {
        let key = Key::new(self.last().number.saturating_add(1));
        append(path, &key, false)?;
        self.later.push(key);
        Ok(self)
    }

    /// Seals `plain`; it opens only with the same `context`.
    ///
    /// # Errors
    ///
    /// [`KeyringError::Sealed`] for a text of more than 256 GiB.
    pub fn seal(&self, context: &str, plain: &[u8]) -> Result<Vec<u8>, KeyringError> {
        let key = self.last();
        let nonce: [u8; NONCE] = rand::random();
        let payload = Payload { msg: plain, aad: context.as_bytes() };
        let sealed = key.cipher().encrypt(&XNonce::from(nonce), payload).map_err(|_| KeyringError::Sealed)?;
        let mut all = Vec::with_capacity(HEADER + sealed.len());
        all.push(FORMAT);
        all.extend_from_slice(&key.number.to_be_bytes());
        all.extend_from_slice(&nonce);
        all.extend_from_slice(&sealed);
        Ok(all)
    }

    /// Opens what [`Keyring::seal`] made.
    ///
    /// # Errors
    ///
    /// [`KeyringError::Sealed`] when the key is not at hand, or the text or the context was changed.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyringError> {
        let (header, sealed) = sealed.split_first_chunk::<HEADER>().ok_or(KeyringError::Sealed)?;
        let (&[format], header) = header.split_first_chunk::<1>().ok_or(KeyringError::Sealed)?;
        let (number, nonce) = header.split_first_chunk::<4>().ok_or(KeyringError::Sealed)?;
        let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| KeyringError::Sealed)?;
        let number = u32::from_be_bytes(*number);
        let key = self.keys().find(|key| key.number == number).ok_or(KeyringError::Sealed)?;
        if format != FORMAT {
            return Err(KeyringError::Sealed);
        }
        let payload = Payload { msg: sealed, aad: context.as_bytes() };
        let plain = key.cipher().decrypt(&XNonce::from(nonce), payload).map_err(|_| KeyringError::Sealed)?;
        Ok(Zeroizing::new(plain))
    }

    /// What the part's node proves itself with when it reports.
    #[must_use]
    pub fn report_token(&self, site: SiteId, part: Part) -> Secret {
        Secret::new(hex::encode(self.first.mac(&report(site, part)).finalize().into_bytes()))
    }

    /// Whether this is the part's token; takes the same time whatever is presented.
    #[must_use]
    pub fn verify_report_token(&self, site: SiteId, part: Part, presented: &str) -> bool {
        let mut token = [0; 32];
        hex::decode_to_slice(presented, &mut token).is_ok()
            && self.first.mac(&report(site, part)).verify_slice(&token).is_ok()
    }

    /// Tells messages apart, and nothing of them to whoever has not the key file, be they ever so easy to guess.
    pub(crate) fn digest(&self, context: &str, message: &[u8]) -> [u8; 32] {
        self.first.mac(context).chain_update(message).finalize().into_bytes().into()
    }

    fn read(path: &Path, mode: u32) -> Result<Self, KeyringError> {
        if mode & 0o077 != 0 {
            return Err(KeyringError::Exposed { path: path.to_owned(), mode: mode & 0o777 });
        }
        let text = std::fs::read_to_string(path)
            .map(Zeroizing::new)
            .map_err(|source| KeyringError::File { path: path.to_owned(), source })?;
        let mut keys: Vec<Key> = Vec::new();
        for (line, text) in (1..).zip(text.lines()) {
            let key = Key::parse(text).filter(|key| keys.iter().all(|other| other.number != key.number));
            keys.push(key.ok_or_else(|| KeyringError::Damaged { path: path.to_owned(), line })?);
        }
        let mut keys = keys.into_iter();
        let first = keys.next().ok_or_else(|| KeyringError::Damaged { path: path.to_owned(), line: 1 })?;
        Ok(Self { first, later: keys.collect() })
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.first).chain(&self.later)
    }

    fn last(&self) -> &Key {
        self.later.last().unwrap_or(&self.first)
    }
}

impl Key {
    fn new(number: u32) -> Self {
        Self { number, bytes: Zeroizing::new(rand::random()) }
    }

    fn parse(line: &str) -> Option<Self> {
        let (number, digits) = line.split_once(' ')?;
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(digits, bytes.as_mut()).ok()?;
        Some(Self { number: number.parse().ok()?, bytes })
    }

    fn line(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{} {}\n", self.number, hex::encode(self.bytes.as_ref())))
    }

    fn mac(&self, message: &str) -> Hmac<Sha256> {
        mac(&self.bytes).chain_update(message)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.mac("seal").finalize().into_bytes())
    }
}

/// HMAC-SHA256 under this key, of nothing yet.
pub(crate) fn mac(key: &[u8; 32]) -> Hmac<Sha256> {
    // HMAC itself fills a short key up with zeros to SHA-256's block.
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(key);
    let block: &[u8; 64] = &block;
    Hmac::<Sha256>::new(block.into())
}

fn report(site: SiteId, part: Part) -> String {
    format!("report/{site}/{part}")
}

fn append(path: &Path, key: &Key, new: bool) -> Result<(), KeyringError> {
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create_new(new).mode(0o600);
    options
        .open(path)
        .and_then(|mut file| file.write_all(key.line().as_bytes()).and_then(|()| file.sync_all()))
        .map_err(|source| KeyringError::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_only_as_it_was_and_where_it_was() {
        let keyring = Keyring::ephemeral();
        let sealed = keyring.seal("a", b"text").unwrap();
        assert_eq!(keyring.open("a", &sealed).unwrap().as_slice(), b"text");
        assert!(matches!(keyring.open("b", &sealed), Err(KeyringError::Sealed)));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(matches!(keyring.open("a", &changed), Err(KeyringError::Sealed)), "byte {at}");
        }
        assert!(matches!(keyring.open("a", &sealed[..20]), Err(KeyringError::Sealed)));
        assert!(matches!(Keyring::ephemeral().open("a", &sealed), Err(KeyringError::Sealed)));
    }

    #[test]
    fn a_rotated_keyring_opens_what_the_older_keys_sealed_and_keeps_the_tokens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let (site, part) = (SiteId::new(), Part::Database(0));
        let old = Keyring::open_or_create(&path).unwrap();
        let (sealed, token) = (old.seal("a", b"text").unwrap(), old.report_token(site, part));
        let new = old.rotate(&path).unwrap().seal("a", b"new").unwrap();

        let keyring = Keyring::open_or_create(&path).unwrap();
        assert_eq!(keyring.open("a", &sealed).unwrap().as_slice(), b"text");
        assert_eq!(keyring.open("a", &new).unwrap().as_slice(), b"new");
        assert_ne!(sealed[1..5], new[1..5]);
        assert!(keyring.verify_report_token(site, part, token.expose()));
        assert!(!keyring.verify_report_token(site, Part::Database(1), token.expose()));
        assert!(!keyring.verify_report_token(SiteId::new(), part, token.expose()));
        assert!(!keyring.verify_report_token(site, part, ""));
    }

    #[test]
    fn a_key_file_that_others_can_read_or_that_is_damaged_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        drop(Keyring::open_or_create(&path).unwrap());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Keyring::open_or_create(&path), Err(KeyringError::Exposed { mode: 0o640, .. })));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        for damaged in ["", "1 abc", "no"] {
            std::fs::write(&path, damaged).unwrap();
            assert!(matches!(Keyring::open_or_create(&path), Err(KeyringError::Damaged { line: 1, .. })));
        }
    }

    #[test]
    fn keys_are_never_printed() {
        assert_eq!(format!("{:?}", Keyring::ephemeral()), "Keyring { keys: [1] }");
    }
}
