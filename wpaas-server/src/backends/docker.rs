//! Sites as containers of a Docker Engine.

use std::sync::Arc;
use std::time::Duration;

use wpaas_backend_docker::{DockerBackend, DockerConfig, Images, Publish};
use wpaas_core::fleet::FleetBackend;

use super::{BackendStart, Started, start_converger};
use crate::StartError;
use crate::config::{self, DockerSettings};
use crate::problem::chain;
use crate::watch::Watch;

/// Between a failure to build the nodes' images and the next try.
const PAUSE: Duration = Duration::from_secs(30);

/// Starts the backend; its images are built in the background.
pub fn start(mut start: BackendStart<'_>) -> Result<Started, StartError> {
    let config = config(&start.settings.docker, start.settings.report_listen.port())?;
    let secrets = Arc::new(start.service.secrets());
    let ends = Arc::new(start.service.intents());
    let backend = DockerBackend::new(config, secrets, Arc::new(start.releases.clone()), ends);
    start.watch.preparing(Some("the nodes' images were not looked for yet".to_owned()));
    let fleet: Arc<dyn FleetBackend> = Arc::new(backend.clone());
    let converger = start_converger(Arc::new(backend.clone()), &mut start);
    let (watch, stopping) = (start.watch.clone(), start.tasks.stopping());
    start.tasks.spawn("images", async move {
        stopping.run_until_cancelled(prepare(backend, watch)).await;
        stopping.cancelled().await;
    });
    Ok(Started { converger, simulated: None, fleet: Some(fleet), names: None, texts: None })
}

/// Until the images are there, nodes can't be made, and the server is not ready.
async fn prepare(backend: DockerBackend, watch: Watch) {
    let progress = |line: &str| watch.preparing(Some(format!("building the nodes' images: {line}")));
    while let Err(error) = backend.ensure_images(&progress).await {
        let error = chain(&error);
        tracing::warn!(error, "the nodes' images can't be built now");
        watch.preparing(Some(format!("the nodes' images can't be built now: {error}")));
        tokio::time::sleep(PAUSE).await;
    }
    tracing::info!("the nodes' images are there");
    watch.preparing(None);
}

fn config(settings: &DockerSettings, report_port: u16) -> Result<DockerConfig, StartError> {
    let DockerSettings { installation, host, report_port: told, subnets, base_image, publish } = settings;
    let subnets = subnets.parse().map_err(|error| StartError::Backend(Box::new(error)))?;
    Ok(DockerConfig {
        installation: installation.clone(),
        host: host.clone().unwrap_or_else(DockerConfig::host_from_environment),
        subnets,
        report_port: told.unwrap_or(report_port),
        publish: match publish {
            config::Publish::Auto => Publish::Auto,
            config::Publish::Always => Publish::Always,
            config::Publish::Never => Publish::Never,
        },
        images: Images::Built { prefix: "wpaas".to_owned(), base: base_image.clone() },
    })
}
