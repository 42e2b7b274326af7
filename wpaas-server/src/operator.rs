//! The operator's token: made at the first start, kept in a file that only the server's user can read.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rand::RngExt;
use sha2::{Digest, Sha256};

/// What the operator signs in with. Only its hash is kept in memory.
#[derive(Clone)]
pub struct OperatorToken {
    hash: [u8; 32],
}

/// Why the token can't be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The file or its folder can't be made or read.
    #[error("the operator's token in {} can't be read or made", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Others than the server's user can read it.
    #[error("{} can be read by others: chmod 0600 it, or remove it to get a new token", path.display())]
    Open {
        /// Where.
        path: PathBuf,
    },
    /// Nothing that we would have written.
    #[error("{} holds no token: remove it to get a new one", path.display())]
    Empty {
        /// Where.
        path: PathBuf,
    },
}

impl std::fmt::Debug for OperatorToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OperatorToken(…)")
    }
}

impl OperatorToken {
    /// Reads the token, and makes it first where there is none.
    ///
    /// # Errors
    ///
    /// See [`TokenError`].
    pub fn load_or_create(data: &Path) -> Result<Self, TokenError> {
        let path = data.join("operator-token");
        let failed = |source| TokenError::Io { path: path.clone(), source };
        if create(data, &path).map_err(failed)? {
            tracing::info!(path = %path.display(), "made the operator's token; it is in this file");
        }
        let mode = fs::metadata(&path).map_err(failed)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(TokenError::Open { path });
        }
        let text = fs::read_to_string(&path).map_err(failed)?;
        if text.trim().len() < 32 {
            return Err(TokenError::Empty { path });
        }
        Ok(Self { hash: Sha256::digest(text.trim()).into() })
    }

    /// Whether this is it. Hashes are compared, so the time taken tells nothing about the token.
    #[must_use]
    pub fn matches(&self, presented: &str) -> bool {
        let presented: [u8; 32] = Sha256::digest(presented).into();
        let difference = self.hash.iter().zip(presented).fold(0, |all, (ours, theirs)| all | (ours ^ theirs));
        difference == 0
    }
}

/// Writes a whole file under another name and links it: of two first starts, one wins and no reader sees half.
fn create(data: &Path, path: &Path) -> std::io::Result<bool> {
    if path.exists() {
        return Ok(false);
    }
    let draft = data.join(format!(".operator-token.{}", uuid::Uuid::now_v7().simple()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let secret: [u8; 32] = rand::rng().random();
    writeln!(file, "wpaas_operator_{}", hex::encode(secret))?;
    file.sync_all()?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_made_once_and_for_us_alone() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        crate::storage::private_folder(&data).unwrap();
        OperatorToken::load_or_create(&data).unwrap();
        let text = fs::read_to_string(data.join("operator-token")).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&data), mode(&data.join("operator-token"))), (0o700, 0o600));
        let again = OperatorToken::load_or_create(&data).unwrap();
        assert!(again.matches(text.trim()));
        assert!(!again.matches("wpaas_operator_"));
        assert_eq!(fs::read_dir(&data).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn a_token_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        OperatorToken::load_or_create(folder.path()).unwrap();
        let path = folder.path().join("operator-token");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(OperatorToken::load_or_create(folder.path()), Err(TokenError::Open { .. })));
    }
}
