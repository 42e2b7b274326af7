//! The log: one line an event, for people or for programs.

use std::io::IsTerminal;

use tracing::Subscriber;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{LogFormat, LogSettings};

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The filter can't be read.
    #[error("log.filter is not a filter such as `info,wpaas_server=debug`")]
    Filter(#[source] ParseError),
    /// Somebody else set one up.
    #[error("a log is set up already")]
    Taken(#[source] tracing::subscriber::SetGlobalDefaultError),
}

/// Sends what the whole process logs to standard error.
///
/// # Errors
///
/// See [`LogError`].
pub fn start(settings: &LogSettings) -> Result<(), LogError> {
    let log = subscriber(settings, std::io::stderr().is_terminal(), std::io::stderr)?;
    tracing::subscriber::set_global_default(log).map_err(LogError::Taken)
}

/// A log that goes to `writer`, in colours if it is one for people and they are wanted.
///
/// # Errors
///
/// When the filter can't be read.
pub fn subscriber<W>(
    settings: &LogSettings,
    colours: bool,
    writer: W,
) -> Result<Box<dyn Subscriber + Send + Sync>, LogError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(&settings.filter).map_err(LogError::Filter)?;
    let log = fmt().with_env_filter(filter).with_ansi(colours).with_writer(writer);
    Ok(match settings.format {
        LogFormat::Text => Box::new(log.finish()),
        LogFormat::Json => Box::new(log.json().flatten_event(true).finish()),
    })
}
