//! The images on a base from a registry, one that we did not write: Debian's `docker-registry`, on loopback.

use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::query_parameters::{ListImagesOptionsBuilder, RemoveImageOptions};
use tempfile::TempDir;
use wpaas_backend_docker::Images;

use crate::lab::{Lab, backend};

/// Under which the images of this test are made.
const PREFIX: &str = "wpaas-test-pulled";

/// Ends with the test.
struct Registry {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Registry {
    /// `None` where the program is not there, unless it has to be.
    async fn start() -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let settings = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: \"{}\"}}}}\nhttp: {{addr: \"127.0.0.1:{port}\"}}\n",
            folder.path().join("data").display()
        );
        std::fs::write(folder.path().join("config.yml"), settings).unwrap();
        let mut program = Command::new("docker-registry");
        program.arg("serve").arg(folder.path().join("config.yml"));
        let Ok(child) = program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
        else {
            assert!(
                std::env::var("WPAAS_TEST_REGISTRY").as_deref() != Ok("1"),
                "there is no docker-registry"
            );
            println!("skipped: there is no docker-registry");
            return None;
        };
        let began = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(began.elapsed() < Duration::from_secs(30), "the registry does not listen");
            tokio::task::yield_now().await;
        }
        Some(Self { child, port, _folder: folder })
    }

    /// It has this image under a name that is returned, and the Engine has it under that name no more.
    fn has(&self, image: &str) -> String {
        let name = format!("127.0.0.1:{}/debian:trixie-slim", self.port);
        for words in [&["tag", image, &name][..], &["push", "--quiet", &name], &["rmi", &name]] {
            let done = Command::new("docker").args(words).output().unwrap();
            assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
        }
        name
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _waited = self.child.wait();
    }
}

/// The names of images that match.
async fn images(docker: &Docker, reference: &str) -> Vec<String> {
    let filters = std::collections::HashMap::from([("reference", vec![reference])]);
    let options = ListImagesOptionsBuilder::new().filters(&filters).build();
    let found = docker.list_images(Some(options)).await.unwrap();
    found.into_iter().flat_map(|image| image.repo_tags).collect()
}

/// Builds what is missing under this prefix and on this base; returns what was said meanwhile.
async fn build(lab: &Lab, prefix: &str, base: &str) -> Vec<String> {
    let mut config = lab.config.clone();
    config.images = Images::Built { prefix: prefix.to_owned(), base: base.to_owned() };
    let said = Mutex::new(Vec::new());
    backend(&config).ensure_images(&|line| said.lock().unwrap().push(line.to_owned())).await.unwrap();
    said.into_inner().unwrap()
}

#[tokio::test]
async fn images_are_built_on_a_base_that_a_registry_has() {
    if std::env::var_os("WPAAS_TEST_DOCKER_IMAGES").is_none() {
        println!("skipped: WPAAS_TEST_DOCKER_IMAGES=1 builds the real images");
        return;
    }
    Lab::run("registry", |lab| async move {
        let Some(registry) = Registry::start().await else { return };
        // What all images are made of on this machine; so the Engine has their layers, and nothing is installed again.
        build(&lab, "wpaas", "debian:trixie-slim").await;
        let mut there = images(&lab.docker, "debian:trixie-slim").await;
        there.extend(images(&lab.docker, "wpaas/base").await);
        let base = registry.has(&there[0]);

        let said = build(&lab, PREFIX, &base).await;
        assert_eq!(said.first(), Some(&format!("pulling {base}")));
        assert!(!said.iter().any(|line| line.contains("mmdebstrap")), "{said:?}");
        let mut made = images(&lab.docker, &format!("{PREFIX}/*")).await;
        made.sort();
        let kinds: Vec<_> = made.iter().map(|name| name.split(['/', ':']).nth(1).unwrap()).collect();
        assert_eq!(kinds, ["database", "gateway", "wordpress"], "and no base of its own");
        made.push(base);
        for name in made {
            lab.docker.remove_image(&name, None::<RemoveImageOptions>, None).await.unwrap();
        }
    })
    .await;
}
