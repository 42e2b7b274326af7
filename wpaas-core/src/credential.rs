//! Passwords and API keys: how they are made, hashed and checked.

use std::sync::{Arc, LazyLock};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use rand::distr::{Alphanumeric, SampleString as _};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use crate::account::KeyKind;
use crate::id::KeyId;
use crate::secret::Secret;

/// Of the site's admin password; what WordPress itself takes by default.
const BCRYPT_COST: u32 = 10;
/// What bcrypt reads of a password.
const BCRYPT_BYTES: usize = 72;
/// The shortest password of a person (NIST SP 800-63B).
const SHORTEST: usize = 8;
/// The longest password, so that hashing stays cheap to ask for.
const LONGEST: usize = 1024;
/// Hashes that may wait for a core. What would wait longer than a second or two is refused instead.
const WAITING: usize = 64;

/// Why a password could not be handled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// It can't be a password.
    #[error("{0}")]
    Unfit(&'static str),
    /// Too many wait already.
    #[error("too many passwords are being hashed and checked just now; try again in a moment")]
    Busy,
    /// The hash function failed.
    #[error("a password could not be hashed or checked")]
    Hash(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Hashes passwords off the async threads, on half of the cores at most: each takes some 20 MiB and tens of
/// milliseconds, and whatever needs no password is to go on beside a flood of them. What finds no place to wait
/// is refused at once.
#[derive(Debug, Clone)]
pub struct Passwords {
    cores: Arc<Semaphore>,
    places: Arc<Semaphore>,
    background: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::new(cores.div_ceil(2), WAITING)
    }
}

impl Passwords {
    /// So many hashes at a time, and so many that may wait.
    #[must_use]
    pub fn new(at_once: usize, waiting: usize) -> Self {
        Self {
            cores: Arc::new(Semaphore::new(at_once)),
            places: Arc::new(Semaphore::new(at_once + waiting)),
            background: Arc::new(Semaphore::new(1)),
        }
    }

    /// The Argon2id hash of a person's password, as a PHC string.
    ///
    /// # Errors
    ///
    /// [`CredentialError::Unfit`] when it is too short or too long.
    pub async fn hash(&self, password: &Secret) -> Result<String, CredentialError> {
        fit_for_a_person(password.expose())?;
        let password = password.clone();
        self.run(move || {
            let hash: PasswordHash = argon2()?.hash_password(password.expose().as_bytes()).map_err(failed)?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Whether `password` is the one of this hash. Without a hash the same work is done, and the answer is no.
    ///
    /// # Errors
    ///
    /// When the stored hash is not one.
    pub async fn verify(&self, password: &Secret, hash: Option<String>) -> Result<bool, CredentialError> {
        if password.expose().len() > LONGEST {
            return Ok(false);
        }
        let password = password.clone();
        self.run(move || {
            let known = hash.is_some();
            let hash = hash.as_deref().unwrap_or(&DECOY);
            let hash = PasswordHash::new(hash).map_err(failed)?;
            Ok(argon2()?.verify_password(password.expose().as_bytes(), &hash).is_ok() && known)
        })
        .await
    }

    /// The bcrypt hash of a site's admin password, as WordPress takes it (`$2y$`). Nobody waits for it with a request
    /// open, so it always finds a place; one at a time.
    ///
    /// # Errors
    ///
    /// When the hash function failed.
    pub async fn hash_for_wordpress(
        &self,
        password: &Secret,
        haste: Haste,
    ) -> Result<Secret, CredentialError> {
        let _turn = match haste {
            Haste::None => Some(self.background.acquire().await.map_err(failed)?),
            Haste::Waited => None,
        };
        let (password, (done, hash)) = (password.clone(), tokio::sync::oneshot::channel());
        let work = move || {
            if haste == Haste::None {
                give_way();
            }
            let parts = bcrypt::hash_with_result(password.expose(), BCRYPT_COST).map_err(failed);
            let hash = parts.map(|parts| Secret::new(parts.format_for_version(bcrypt::Version::TwoY)));
            // Whoever asked may have gone.
            drop(done.send(hash));
        };
        // A thread of its own: one that has given way once does so for ever.
        std::thread::Builder::new().name("bcrypt".to_owned()).spawn(work).map_err(failed)?;
        hash.await.map_err(failed)?
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, CredentialError> + Send + 'static,
    ) -> Result<T, CredentialError> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| CredentialError::Busy)?;
        let permit = Arc::clone(&self.cores).acquire_owned().await.map_err(failed)?;
        tokio::task::spawn_blocking(move || {
            let result = work();
            // Not before: the caller may have gone, and the core is busy all the same.
            drop((permit, place));
            result
        })
        .await
        .map_err(failed)?
    }
}

/// Whether somebody waits for a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Haste {
    /// Nobody: whatever else there is to do comes first.
    None,
    /// A site that is being made.
    Waited,
}

/// Lets every other thread of the machine go first. Where that can't be asked for, nothing is lost but speed.
fn give_way() {
    let me = rustix::thread::gettid();
    if let Err(error) = rustix::process::setpriority_process(Some(me), 19) {
        tracing::debug!(%error, "the priority of a thread can't be lowered");
    }
}

/// The hash of a password that nobody has, with the same parameters as all others.
static DECOY: LazyLock<String> = LazyLock::new(|| {
    let password = random_text(32);
    argon2()
        .and_then(|argon2| {
            let hash: PasswordHash = argon2.hash_password(password.expose().as_bytes()).map_err(failed)?;
            Ok(hash.to_string())
        })
        .unwrap_or_default()
});

/// OWASP's first choice for Argon2id but one: 19 MiB, two passes, one lane.
fn argon2() -> Result<Argon2<'static>, CredentialError> {
    let params = Params::new(19 * 1024, 2, 1, None).map_err(failed)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn fit_for_a_person(password: &str) -> Result<(), CredentialError> {
    match password {
        short if short.chars().count() < SHORTEST => {
            Err(CredentialError::Unfit("must have 8 characters or more"))
        }
        long if long.len() > LONGEST => Err(CredentialError::Unfit("must have 1024 bytes or less")),
        _ => Ok(()),
    }
}

/// WordPress trims what is typed, adds backslashes to it, and bcrypt stops at 72 bytes and at a NUL: a password
/// that would not survive this could never sign in.
///
/// # Errors
///
/// [`CredentialError::Unfit`] when WordPress would never accept it.
pub fn fit_for_wordpress(password: &Secret) -> Result<(), CredentialError> {
    let password = password.expose();
    let unfit = |why| Err(CredentialError::Unfit(why));
    if password.is_empty() {
        return unfit("must not be empty");
    }
    if password.len() > BCRYPT_BYTES {
        return unfit("must have 72 bytes or less");
    }
    if password.trim() != password || password.contains(char::is_control) {
        return unfit("must not begin or end with a space, nor contain control characters");
    }
    if password.contains(['\'', '"', '\\']) {
        return unfit("must not contain quotes or backslashes, which WordPress alters at sign-in");
    }
    Ok(())
}

fn failed(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> CredentialError {
    CredentialError::Hash(source.into())
}

/// Letters and digits from the system's secure random source.
#[must_use]
pub fn random_text(length: usize) -> Secret {
    Secret::new(Alphanumeric.sample_string(&mut rand::rng(), length))
}

/// The text of a new API key: `wpk_<id>_<secret>`; of a session, `wps_…`. Some 256 bits are secret.
#[must_use]
pub fn api_key_text(kind: KeyKind, id: KeyId) -> Secret {
    let prefix = match kind {
        KeyKind::Api => "wpk",
        KeyKind::Session => "wps",
    };
    Secret::new(format!("{prefix}_{}_{}", id.uuid().as_simple(), random_text(43).expose()))
}

/// The id in the text of an API key or a session; `None` when it is none.
#[must_use]
pub fn api_key_id(text: &str) -> Option<KeyId> {
    let text = text.strip_prefix("wpk_").or_else(|| text.strip_prefix("wps_"))?;
    let (id, secret) = text.split_once('_')?;
    let well_formed = secret.len() == 43 && secret.bytes().all(|b| b.is_ascii_alphanumeric());
    if well_formed { format!("{}_{id}", KeyId::PREFIX).parse().ok() } else { None }
}

/// What is kept of the text of an API key or a session. Its secret is random and long, so a fast hash is enough.
#[must_use]
pub fn api_key_hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[tokio::test]
    async fn a_password_opens_only_its_own_hash() {
        let passwords = Passwords::default();
        let hash = passwords.hash(&secret("correct horse")).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.verify(&secret("correct horse"), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify(&secret("correct horsf"), Some(hash)).await.unwrap());
        assert!(!passwords.verify(&secret("correct horse"), None).await.unwrap());
    }

    #[tokio::test]
    async fn what_finds_no_place_to_wait_is_refused_at_once() {
        let (passwords, wrong) = (Passwords::new(1, 1), secret("correct horse"));
        let (one, two, three) = tokio::join!(
            passwords.verify(&wrong, None),
            passwords.verify(&wrong, None),
            passwords.verify(&wrong, None)
        );
        assert!(!one.unwrap() && !two.unwrap());
        assert!(matches!(three, Err(CredentialError::Busy)), "{three:?}");
        assert!(!passwords.verify(&wrong, None).await.unwrap(), "the places are given back");
    }

    /// The one thread for what blocks is taken, so no hash is made: whoever waits for one keeps no other waiting.
    #[test]
    fn no_hash_is_made_on_a_thread_that_answers() {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.max_blocking_threads(1).build().unwrap();
        runtime.block_on(async {
            let (release, held) = std::sync::mpsc::channel::<()>();
            let holder = tokio::task::spawn_blocking(move || held.recv());
            let (passwords, password) = (Passwords::new(1, 1), secret("correct horse"));
            let mut waits = pin!(passwords.verify(&password, None));
            assert!(futures::poll!(waits.as_mut()).is_pending());
            tokio::task::yield_now().await;
            assert!(futures::poll!(waits.as_mut()).is_pending());
            release.send(()).unwrap();
            holder.await.unwrap().unwrap();
            assert!(!waits.await.unwrap());
        });
    }

    #[tokio::test]
    async fn wordpress_gets_a_bcrypt_hash_of_its_own_prefix() {
        for haste in [Haste::None, Haste::Waited] {
            let hash = Passwords::default().hash_for_wordpress(&secret("pass"), haste).await.unwrap();
            assert!(hash.expose().starts_with("$2y$10$"));
            assert!(bcrypt::verify("pass", hash.expose()).unwrap());
        }
    }

    #[tokio::test]
    async fn passwords_that_could_never_sign_in_are_refused() {
        let passwords = Passwords::default();
        for bad in ["", " pass", "pass\t", "pa\0ss", "pa'ss", "pa\\ss", "x".repeat(73).as_str()] {
            let result = fit_for_wordpress(&secret(bad));
            assert!(matches!(result, Err(CredentialError::Unfit(_))), "{bad:?}");
        }
        for bad in ["1234567", "x".repeat(1025).as_str()] {
            assert!(matches!(passwords.hash(&secret(bad)).await, Err(CredentialError::Unfit(_))), "{bad:?}");
        }
    }

    #[test]
    fn an_api_key_names_its_id() {
        let id = KeyId::new();
        let text = api_key_text(KeyKind::Session, id);
        assert!(text.expose().starts_with("wps_"));
        assert_eq!(api_key_id(text.expose()), Some(id));
        let text = api_key_text(KeyKind::Api, id);
        assert_eq!(api_key_id(text.expose()), Some(id));
        for bad in ["", "wpk_", "wpk__", text.expose().trim_start_matches("wpk_"), &text.expose()[..60]] {
            assert_eq!(api_key_id(bad), None, "{bad:?}");
        }
    }
}
