//! An installation for one test, on the real Engine.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::query_parameters::{
    CreateImageOptionsBuilder, ListContainersOptionsBuilder, ListNetworksOptionsBuilder,
    ListVolumesOptionsBuilder, RemoveContainerOptionsBuilder, RemoveVolumeOptions,
};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use wpaas_backend_docker::{DockerBackend, DockerConfig, Images, Publish};
use wpaas_core::code::{Digest, Layout};
use wpaas_core::converge::{
    Action, Applied, Backend as _, BackendError, Fingerprint, Mount, NodeFile, NodeRole, NodeSpec, Object,
    ObjectState, Part, Scope, Step, StepReason,
};
use wpaas_core::id::SiteId;

use crate::fakes::{Archives, Names, Told};

/// Runs for ever, ends at once on TERM, and holds a stock theme.
pub const STAND_IN: &str = "wpaas-test/stand-in:3";

#[derive(Debug)]
pub struct Lab {
    pub docker: Docker,
    pub backend: DockerBackend,
    pub config: DockerConfig,
    pub site: SiteId,
}

impl Lab {
    /// Runs a test, and cleans up however it ends.
    pub async fn run<F, T>(name: &str, test: F)
    where
        F: FnOnce(Arc<Lab>) -> T,
        T: Future<Output = ()>,
    {
        let Some(docker) = engine().await else { return };
        let lab = Arc::new(Lab::new(name, docker).await);
        let ended = AssertUnwindSafe(test(Arc::clone(&lab))).catch_unwind().await;
        lab.clean().await;
        if let Err(panic) = ended {
            std::panic::resume_unwind(panic);
        }
    }

    async fn new(name: &str, docker: Docker) -> Self {
        stand_in(&docker).await;
        let mut config = DockerConfig::new(&format!("wpaas-test-{name}-{}", std::process::id()), 8010);
        config.publish = Publish::Never;
        config.images = Images::Given {
            database: STAND_IN.to_owned(),
            wordpress: STAND_IN.to_owned(),
            gateway: STAND_IN.to_owned(),
        };
        Self { docker, backend: backend(&config), config, site: SiteId::new() }
    }

    pub fn step(&self, part: Part, action: Action) -> Step {
        Step { site: self.site, generation: 1, epoch: 1, part, action, why: StepReason::Missing }
    }

    pub async fn apply(&self, part: Part, action: Action) -> Result<Applied, BackendError> {
        self.backend.apply(&self.step(part, action)).await
    }

    /// The object that a step leaves.
    pub async fn make(&self, part: Part, action: Action) -> Object {
        match self.apply(part, action).await.unwrap() {
            Applied::Present(object) => object,
            other => panic!("{part}: {other:?}"),
        }
    }

    pub async fn network(&self) -> Object {
        self.make(Part::Network, Action::CreateNetwork).await
    }

    /// A WordPress node of the site, that mounts nothing.
    pub async fn node(&self) -> Object {
        self.make(Part::Wordpress(0), Action::CreateNode(spec(&[]))).await
    }

    /// Everything of the site.
    pub async fn objects(&self) -> Vec<Object> {
        let observation = self.backend.observe(&Scope::Site(self.site)).await.unwrap();
        observation.objects.into_iter().map(|(_, object)| object).collect()
    }

    pub async fn object(&self, part: Part) -> Option<Object> {
        self.objects().await.into_iter().find(|object| object.part == part)
    }

    pub async fn state(&self, part: Part) -> Option<ObjectState> {
        self.object(part).await.map(|object| object.state)
    }

    /// Looks until it is so, for a minute at most.
    pub async fn until(&self, what: &str, so: impl AsyncFn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !so().await {
            assert!(Instant::now() < deadline, "never happened: {what}; {:?}", self.objects().await);
            tokio::task::yield_now().await;
        }
    }

    /// A file in a container: its text, mode, user and group. What a node was handed it has a moment after its start.
    pub async fn file(&self, container: &str, path: &str) -> (String, u32, u64, u64) {
        use std::io::Read as _;
        let mut bytes = Vec::new();
        let deadline = Instant::now() + Duration::from_secs(60);
        while bytes.is_empty() {
            let options =
                bollard::query_parameters::DownloadFromContainerOptionsBuilder::new().path(path).build();
            let archive = self.docker.download_from_container(container, Some(options));
            let archive: Result<Vec<bytes::Bytes>, _> = archive.try_collect().await;
            bytes = archive.unwrap_or_default().concat();
            assert!(Instant::now() < deadline, "{container} has no {path}");
        }
        let mut archive = tar::Archive::new(bytes.as_slice());
        let mut entry = archive.entries().unwrap().next().unwrap().unwrap();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        let header = entry.header();
        (text, header.mode().unwrap() & 0o777, header.uid().unwrap(), header.gid().unwrap())
    }

    /// The labels of a part, as the backend writes them.
    pub fn labels(&self, part: Part) -> HashMap<String, String> {
        let labels = [
            ("wpaas.installation", self.config.installation.clone()),
            ("wpaas.site", self.site.to_string()),
            ("wpaas.part", part.to_string()),
            ("wpaas.generation", "1".to_owned()),
            ("wpaas.epoch", "1".to_owned()),
        ];
        labels.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    /// The name of a part, as the backend gives it.
    pub fn name(&self, part: Part) -> String {
        format!("wpaas-{}-{part}", self.site.uuid().as_simple())
    }

    async fn clean(&self) {
        clean(&self.docker, &format!("wpaas.installation={}", self.config.installation)).await;
    }
}

pub fn backend(config: &DockerConfig) -> DockerBackend {
    backend_with(config, Arc::new(Told::default()))
}

/// One that leaves the ends of what it removes here.
pub fn backend_with(config: &DockerConfig, ends: Arc<Told>) -> DockerBackend {
    DockerBackend::new(config.clone(), Arc::new(Names), Arc::new(Archives), ends)
}

/// Removes everything that carries this label.
pub async fn clean(docker: &Docker, label: &str) {
    let filters = HashMap::from([("label", vec![label])]);
    let containers = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    let containers = docker.list_containers(Some(containers)).await.unwrap();
    let remove = |container: bollard::models::ContainerSummary| async move {
        let force = RemoveContainerOptionsBuilder::new().force(true).build();
        // It may be on its way out already.
        drop(docker.remove_container(&container.id.unwrap(), Some(force)).await);
    };
    futures::stream::iter(containers).for_each_concurrent(8, remove).await;
    let networks = ListNetworksOptionsBuilder::new().filters(&filters).build();
    for network in docker.list_networks(Some(networks)).await.unwrap() {
        docker.remove_network(&network.id.unwrap()).await.unwrap();
    }
    let volumes = ListVolumesOptionsBuilder::new().filters(&filters).build();
    for volume in docker.list_volumes(Some(volumes)).await.unwrap().volumes.unwrap_or_default() {
        docker.remove_volume(&volume.name, None::<RemoveVolumeOptions>).await.unwrap();
    }
}

/// The Engine, if it is there and asked for.
pub async fn engine() -> Option<Docker> {
    if std::env::var("WPAAS_TEST_DOCKER").is_ok_and(|value| value == "0") {
        println!("skipped: WPAAS_TEST_DOCKER=0");
        return None;
    }
    let connected = async { Docker::connect_with_defaults()?.negotiate_version().await };
    match connected.await {
        Ok(docker) => Some(docker),
        Err(error) if std::env::var("WPAAS_TEST_DOCKER").is_ok_and(|value| value == "1") => {
            panic!("no Docker Engine: {error}")
        }
        Err(error) => {
            println!("skipped: no Docker Engine ({error}); WPAAS_TEST_DOCKER=1 makes this a failure");
            None
        }
    }
}

/// A node that needs nothing of its image.
pub fn spec(files: &[NodeFile]) -> NodeSpec {
    NodeSpec {
        role: NodeRole::Wordpress,
        fingerprint: Fingerprint::of(["spec"]),
        files: files.to_vec(),
        mounts: Vec::new(),
        memory_mib: 64,
        restart: false,
        founds: None,
    }
}

pub fn mount(part: Part, path: &str, read_only: bool) -> Mount {
    Mount { part, path: path.to_owned(), read_only }
}

pub const RELEASE: Part = Part::Release([7; 6]);

pub fn release(layout: Layout) -> Action {
    Action::CreateRelease { digest: Digest::from_sha256([7; 32]), layout }
}

/// Makes the stand-in out of this machine's shell, once.
async fn stand_in(docker: &Docker) {
    static ONCE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _once = ONCE.lock().await;
    if docker.inspect_image(STAND_IN).await.is_ok() {
        return;
    }
    let mut tar = tar::Builder::new(Vec::new());
    for path in libraries(&["/bin/bash", "/bin/tar", "/bin/sleep"]) {
        let bytes = std::fs::read(&path).unwrap();
        add(&mut tar, path.trim_start_matches('/'), 0o755, &bytes);
    }
    let receive = wpaas_core::node::context_file("receive.sh").unwrap();
    add(&mut tar, "usr/local/lib/wpaas/receive.sh", 0o755, receive.bytes);
    add(&mut tar, "usr/local/lib/wpaas/entry.sh", 0o755, b"trap 'exit 0' TERM; sleep 1000000 & wait");
    add(&mut tar, "etc/stand-in", 0o644, b"");
    add(&mut tar, "srv/wordpress/wp-content/themes/stock/style.css", 0o644, b"stock");
    let (name, tag) = STAND_IN.split_once(':').unwrap();
    let run = r#"ENTRYPOINT ["/bin/bash", "/usr/local/lib/wpaas/entry.sh"]"#;
    let options = CreateImageOptionsBuilder::new()
        .from_src("-")
        .repo(name)
        .tag(tag)
        .changes(vec![run.to_owned()])
        .build();
    let body = bollard::body_full(tar.into_inner().unwrap().into());
    docker.create_image(Some(options), Some(body), None).try_for_each(|_| async { Ok(()) }).await.unwrap();
}

/// Puts a file into an archive.
pub fn add(tar: &mut tar::Builder<Vec<u8>>, path: &str, mode: u32, bytes: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.set_mode(mode);
    header.set_size(bytes.len() as u64);
    tar.append_data(&mut header, path, bytes).unwrap();
}

/// These programs and what they are linked with.
fn libraries(programs: &[&str]) -> Vec<String> {
    let mut paths: Vec<String> = programs.iter().map(|path| (*path).to_owned()).collect();
    for program in programs {
        let output = Command::new("ldd").arg(program).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        paths.extend(text.split_whitespace().filter(|word| word.starts_with('/')).map(str::to_owned));
    }
    paths.sort();
    paths.dedup();
    paths
}
