use std::process::Stdio;
use std::time::Duration;

use bollard::errors::Error;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio_util::io::ReaderStream;
use wpaas_core::converge::{BackendError, Fingerprint};
use wpaas_core::node;

use crate::backend::Inner;
use crate::engine::Connection;
use crate::error::transient;

/// How long a registry may be silent before it counts as out of reach.
const SILENCE: Duration = Duration::from_secs(15);

impl Inner {
    /// What the images start from: an image of this name that is there or can be pulled, or one made here.
    pub(super) async fn base(
        &self,
        connection: &Connection,
        prefix: &str,
        base: &str,
        report: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<String, BackendError> {
        let script = node::context_file("base.sh").and_then(|file| std::str::from_utf8(file.bytes).ok());
        let script = script.ok_or_else(|| transient("the node set-up has no base.sh"))?;
        let made = (format!("{prefix}/base"), Fingerprint::of([script]).to_string());
        let made_name = format!("{}:{}", made.0, made.1);
        for name in [base, &made_name] {
            if self.find_image(&connection.docker, name).await?.is_some() {
                return Ok(name.to_owned());
            }
        }
        report(&format!("pulling {base}"));
        let Err(refusal) = pull(connection, base).await else { return Ok(base.to_owned()) };
        report(&format!("{base} can't be pulled ({refusal}); making {made_name} with mmdebstrap"));
        self.make_base(connection, script, (&made.0, &made.1), report).await?;
        Ok(made_name)
    }

    /// Imports what the script writes. A script that fails breaks the stream off, so that half a file system
    /// never becomes an image.
    async fn make_base(
        &self,
        connection: &Connection,
        script: &str,
        (repository, tag): (&str, &str),
        report: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<(), BackendError> {
        let mut child = run(script).map_err(|error| transient("bash can't be started").caused_by(error))?;
        let (Some(output), Some(words)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(transient("bash has no output"));
        };
        let archive =
            ReaderStream::new(output).chain(stream::once(end(child)).try_filter_map(async |()| Ok(None)));
        let options = CreateImageOptionsBuilder::new().from_src("-").repo(repository).tag(tag).build();
        let docker = connection.patient();
        let imported = docker.create_image(Some(options), Some(bollard::body_try_stream(archive)), None);
        let imported = imported.try_for_each(|_| async { Ok(()) });
        let mut last = Vec::new();
        let listen = async {
            let mut lines = BufReader::new(words).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                report(&line);
                last.push(line);
                let surplus = last.len().saturating_sub(5);
                last.drain(..surplus);
            }
        };
        let (imported, ()) = tokio::join!(imported, listen);
        imported.map_err(|error| {
            transient(format!(
                "no base image: it can't be pulled, and making it needs root and the package mmdebstrap: {}",
                last.join("; ")
            ))
            .caused_by(error)
        })
    }
}

/// Pulls an image, as long as the registry says something.
async fn pull(connection: &Connection, name: &str) -> Result<(), String> {
    let options = CreateImageOptionsBuilder::new().from_image(name).build();
    let mut lines = connection.docker.create_image(Some(options), None, None);
    loop {
        match tokio::time::timeout(SILENCE, lines.next()).await {
            Ok(Some(Ok(_))) => {}
            Ok(Some(Err(Error::DockerResponseServerError { message, .. }))) => return Err(message),
            Ok(Some(Err(error))) => return Err(error.to_string()),
            Ok(None) => return Ok(()),
            Err(_) => return Err("no answer from the registry".to_owned()),
        }
    }
}

fn run(script: &str) -> std::io::Result<Child> {
    Command::new("bash")
        .arg("-c")
        .arg(script)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
}

async fn end(mut child: Child) -> std::io::Result<()> {
    let status = child.wait().await?;
    if status.success() { Ok(()) } else { Err(std::io::Error::other(format!("base.sh ended with {status}"))) }
}
