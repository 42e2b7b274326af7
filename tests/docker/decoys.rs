//! Objects of somebody else with names like ours, which have to be there when a test ends.

use super::docker;
use super::server::Server;

/// Two containers, of which one runs, a network and a volume, without a label of the server's installation.
pub struct Decoys {
    /// Each with the kind that `docker` knows it by.
    ids: Vec<(&'static str, String)>,
}

impl Decoys {
    /// Named as parts of this site, or of none, would be. The server has to be ready: they are made of its images.
    pub fn new(server: &Server, site: &str) -> Self {
        let images = docker(&["image", "ls", "--quiet", "--filter", "reference=wpaas/gateway"]);
        let image = images.lines().next().expect("a server that is ready has images");
        let name = |part: &str| format!("wpaas-{site}-{part}-{}", server.installation);
        let (network, volume) = (name("network"), name("volume-database-7-g1"));
        let made =
            [("network", vec!["network", "create", &network]), ("volume", vec!["volume", "create", &volume])];
        let mut ids: Vec<_> = made.map(|(kind, words)| (kind, docker(&words))).into();
        let (stopped, running) = (name("database-7"), name("wordpress-7"));
        let sleeps = ["--label", "wpaas.site=x", "--entrypoint", "sleep", image, "infinity"];
        for (words, name) in [(&["create"][..], &stopped), (&["run", "--detach", "--init"], &running)] {
            let named = ["--name", name, "--network", &network];
            ids.push(("container", docker(&[words, &named, &sleeps].concat())));
        }
        Self { ids }
    }

    /// Fails where one of them is gone, or no longer does what it did.
    pub fn are_untouched(&self) {
        for (kind, id) in &self.ids {
            docker(&[kind, "inspect", "--format", "{{.}}", id]);
        }
        let states = self.ids.iter().filter(|(kind, _)| *kind == "container");
        let states: Vec<_> =
            states.map(|(_, id)| docker(&["inspect", "--format", "{{.State.Status}}", id])).collect();
        assert_eq!(states, ["created", "running"]);
    }
}

impl Drop for Decoys {
    fn drop(&mut self) {
        for (kind, id) in self.ids.iter().rev() {
            let force = if *kind == "network" { &[][..] } else { &["--force"] };
            docker(&[&[*kind, "rm"][..], force, &[id.as_str()]].concat());
        }
    }
}
