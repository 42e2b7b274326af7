//! The connection to the Engine: made when it is first needed, and again after it was lost.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error;
use wpaas_core::converge::BackendError;

use crate::error::{failed, is_lost, is_unreachable, transient};

/// For whole archives and builds: the usual two minutes are for small requests.
const LONG: Duration = Duration::from_secs(1800);

/// What the Engine says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineVersion {
    /// Of the Engine, such as `20.10.24`.
    pub engine: String,
    /// Of its API, such as `1.41`.
    pub api: String,
}

/// A connection whose API version is agreed.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub docker: Docker,
    /// Container addresses can't be reached from here: Docker Desktop's virtual machine is in between.
    pub desktop: bool,
    /// It is on another machine.
    pub remote: bool,
}

impl Connection {
    /// For requests that carry much.
    pub(crate) fn patient(&self) -> Docker {
        self.docker.clone().with_timeout(LONG)
    }
}

#[derive(Debug)]
pub(crate) struct Engine {
    host: String,
    connection: Mutex<Option<Connection>>,
}

impl Engine {
    pub(crate) fn new(host: &str) -> Self {
        Self { host: host.to_owned(), connection: Mutex::new(None) }
    }

    /// The connection, made if there is none.
    pub(crate) async fn connect(&self) -> Result<Connection, BackendError> {
        let known = self.connection().clone();
        if let Some(connection) = known {
            return Ok(connection);
        }
        let connection = self.open().await.map_err(|error| self.unreachable(error))?;
        *self.connection() = Some(connection.clone());
        Ok(connection)
    }

    /// Agrees on the API version anew: another Engine may have come back.
    pub(crate) fn forget(&self) {
        *self.connection() = None;
    }

    /// What the Engine says of itself, now.
    pub(crate) async fn version(&self) -> Result<EngineVersion, BackendError> {
        let connection = self.connect().await?;
        let version =
            connection.docker.version().await.map_err(|error| self.failed("asking its version", error))?;
        Ok(EngineVersion {
            engine: version.version.unwrap_or_default(),
            api: version.api_version.unwrap_or_default(),
        })
    }

    /// As [`failed`]; where there was no answer, the connection is made anew next time.
    pub(crate) fn failed(&self, what: &str, error: Error) -> BackendError {
        if is_lost(&error) {
            self.forget();
        }
        if is_unreachable(&error) { self.unreachable(error) } else { failed(what, error) }
    }

    async fn open(&self) -> Result<Connection, Error> {
        let docker = Docker::connect_with_host(&self.host)?.negotiate_version().await?;
        let system = docker.info().await?.operating_system.unwrap_or_default();
        let local = self.host.starts_with("unix://") || self.host.starts_with("npipe://");
        Ok(Connection { docker, desktop: system.contains("Docker Desktop"), remote: !local })
    }

    fn unreachable(&self, error: Error) -> BackendError {
        transient(format!(
            "the Docker Engine at {} does not answer: see that it runs and that this user may use it, \
             or name another one in DOCKER_HOST",
            self.host
        ))
        .caused_by(error)
    }

    fn connection(&self) -> MutexGuard<'_, Option<Connection>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use wpaas_core::converge::ErrorClass;

    use super::*;

    #[tokio::test]
    async fn an_engine_that_is_not_there_may_come() {
        for host in ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:1"] {
            let error = Engine::new(host).connect().await.unwrap_err();
            assert_eq!(error.class, ErrorClass::Transient, "{host}");
            assert!(error.to_string().contains(host) && error.to_string().contains("DOCKER_HOST"), "{error}");
        }
    }
}
