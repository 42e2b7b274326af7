//! Secrets: read from files or the standard input, never from the command line, never shown by accident.

use std::fmt;
use std::fs;
use std::io::{IsTerminal, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// A text that `{:?}` does not show.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// Hides it.
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// Shows it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Reads a secret from a file, or with `-` from the standard input; on a terminal it is asked for without echo.
/// The newline at its end is not part of it.
pub fn read(file: &Path, what: &str) -> Result<Secret, Failure> {
    let failed = |error: std::io::Error| Failure::Other(format!("{what} from {}: {error}", file.display()));
    let text = if file != Path::new("-") {
        fs::read_to_string(file).map_err(failed)?
    } else if std::io::stdin().is_terminal() {
        rpassword::prompt_password(format!("{what}: ")).map_err(failed)?
    } else {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(failed)?;
        text
    };
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(Failure::Usage(format!("{what} from {}: there is nothing", file.display())));
    }
    Ok(Secret::new(text.to_owned()))
}

/// Puts a secret into a request's body, if there is a file for it.
pub fn put(body: &mut serde_json::Value, field: &str, file: Option<&Path>) -> Result<(), Failure> {
    if let Some(file) = file {
        body[field] = read(file, field)?.expose().into();
    }
    Ok(())
}
