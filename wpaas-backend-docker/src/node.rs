//! What the Engine is told of a node.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use bollard::models::{
    ContainerCreateBody, EndpointIpamConfig, EndpointSettings, HostConfig, HostConfigLogConfig, Mount,
    MountType, MountVolumeOptions, NetworkingConfig, PortBinding, RestartPolicy, RestartPolicyNameEnum,
};
use wpaas_core::converge::{FileContent, NodeFile, NodeRole, NodeSpec, Step};
use wpaas_core::secret::{SecretName, SecretRef};

use crate::host;
use crate::label::Labels;

/// What a node may do as root, of what the Engine lets containers do; the rest is `node/README.md`'s.
const CAPABILITIES: [&str; 6] = ["CHOWN", "DAC_OVERRIDE", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID"];

/// Processes and threads of a node: far above what any needs, far below what hurts the host.
const PROCESSES: i64 = 2048;

/// Takes the node's files from standard input, then is the node.
const ENTRY: [&str; 2] = ["/bin/bash", "/usr/local/lib/wpaas/receive.sh"];

/// Where on the Engine a node goes.
pub(crate) struct Place<'a> {
    pub installation: &'a str,
    /// The image's name and id.
    pub image: (&'a str, &'a str),
    /// The id of the site's network.
    pub network: &'a str,
    pub address: Ipv4Addr,
    pub hosts: Vec<String>,
    /// The volumes behind the spec's mounts, in the same order.
    pub volumes: Vec<String>,
    /// The port on 127.0.0.1 that leads to port 80.
    pub port: Option<u16>,
}

/// Seconds from the request to stop to the end by force: for the last query, page or session.
const fn patience(role: NodeRole) -> i64 {
    match role {
        NodeRole::Database => 60,
        NodeRole::Wordpress | NodeRole::Gateway => 30,
    }
}

/// The labels and the body of the request that makes a node.
pub(crate) fn body(step: &Step, spec: &NodeSpec, place: Place<'_>) -> (Labels, ContainerCreateBody) {
    let (image, image_id) = place.image;
    let endpoint = EndpointSettings {
        ipam_config: Some(EndpointIpamConfig {
            ipv4_address: Some(place.address.to_string()),
            ..EndpointIpamConfig::default()
        }),
        ..EndpointSettings::default()
    };
    let endpoints = HashMap::from([(place.network.to_owned(), endpoint)]);
    let (installation, exposed) = (place.installation, place.port.map(|_| vec![HTTP.to_owned()]));
    let host = host_config(step, spec, place);
    let labels = Labels {
        fingerprint: Some(spec.fingerprint),
        host: Some(host::fingerprint(image_id, &host)),
        ..Labels::of(step)
    };
    let body = ContainerCreateBody {
        hostname: Some(step.part.to_string()),
        image: Some(image.to_owned()),
        entrypoint: Some(ENTRY.map(str::to_owned).to_vec()),
        // Where its files come from.
        open_stdin: Some(true),
        stdin_once: Some(true),
        exposed_ports: exposed,
        labels: Some(labels.write(installation)),
        stop_timeout: Some(patience(spec.role)),
        host_config: Some(host),
        networking_config: Some(NetworkingConfig { endpoints_config: Some(endpoints) }),
        ..ContainerCreateBody::default()
    };
    (labels, body)
}

const HTTP: &str = "80/tcp";

fn host_config(step: &Step, spec: &NodeSpec, place: Place<'_>) -> HostConfig {
    let mounts = spec.mounts.iter().zip(place.volumes).map(|(mount, volume)| {
        let labels = Labels { part: mount.part, ..Labels::of(step) }.write(place.installation);
        volume_at(&mount.path, volume, mount.read_only, labels)
    });
    HostConfig {
        memory: Some(i64::from(spec.memory_mib) << 20),
        network_mode: Some(place.network.to_owned()),
        extra_hosts: Some(place.hosts),
        port_bindings: place.port.map(|port| HashMap::from([(HTTP.to_owned(), Some(vec![local(port)]))])),
        restart_policy: Some(RestartPolicy {
            name: Some(if spec.restart {
                RestartPolicyNameEnum::UNLESS_STOPPED
            } else {
                RestartPolicyNameEnum::NO
            }),
            maximum_retry_count: None,
        }),
        mounts: Some(mounts.collect()),
        ..limited()
    }
}

/// What every container of ours may and may not, whatever it is for.
pub(crate) fn limited() -> HostConfig {
    let texts = |texts: &[&str]| Some(texts.iter().map(|text| (*text).to_owned()).collect());
    HostConfig {
        init: Some(true),
        pids_limit: Some(PROCESSES),
        security_opt: texts(&["no-new-privileges"]),
        cap_drop: texts(&["ALL"]),
        cap_add: texts(&CAPABILITIES),
        log_config: Some(HostConfigLogConfig {
            typ: Some("json-file".to_owned()),
            config: Some(HashMap::from([
                ("max-size".to_owned(), "10m".to_owned()),
                ("max-file".to_owned(), "3".to_owned()),
            ])),
        }),
        ..HostConfig::default()
    }
}

fn local(port: u16) -> PortBinding {
    PortBinding { host_ip: Some(Ipv4Addr::LOCALHOST.to_string()), host_port: Some(port.to_string()) }
}

/// A volume in a node: nothing of the image is copied into it. The labels are for the case that somebody took the
/// volume away at this moment: then the Engine makes an empty one of the same name, which has to be known as ours.
pub(crate) fn volume_at(
    path: &str,
    volume: String,
    read_only: bool,
    labels: HashMap<String, String>,
) -> Mount {
    Mount {
        target: Some(path.to_owned()),
        source: Some(volume),
        typ: Some(MountType::VOLUME),
        read_only: Some(read_only),
        volume_options: Some(MountVolumeOptions {
            no_copy: Some(true),
            labels: Some(labels),
            ..MountVolumeOptions::default()
        }),
        ..Mount::default()
    }
}

/// The files of a node: those of its spec, and what only the backend knows: who it is and where it reports to. The last
/// says that all of them are there.
pub(crate) fn files(step: &Step, spec: &NodeSpec, report_port: u16) -> Vec<NodeFile> {
    let Step { site, part, .. } = step;
    let about =
        format!("site={site}\npart={part}\nreport=http://control:{report_port}/reports/{site}/{part}\n");
    let token = SecretRef { site: *site, name: SecretName::ReportToken(*part), version: 1 };
    let own = [
        ("node.conf", 0o444, FileContent::Text(about)),
        ("secrets/report-token", 0o400, FileContent::Secret(token)),
    ];
    let whole = ("whole", 0o444, FileContent::Text(String::new()));
    let file = |(path, mode, content): (&str, u32, FileContent)| NodeFile {
        path: path.to_owned(),
        mode,
        group: "root",
        content,
    };
    let given = spec.files.iter().cloned().chain(spec.first_order());
    own.into_iter().map(file).chain(given).chain([file(whole)]).collect()
}

#[cfg(test)]
mod tests {
    use wpaas_core::converge::{Action, Fingerprint, ObjectId, Part, StepReason};
    use wpaas_core::id::SiteId;

    use super::*;

    fn spec() -> NodeSpec {
        NodeSpec {
            role: NodeRole::Database,
            fingerprint: Fingerprint::of(["spec"]),
            files: Vec::new(),
            mounts: vec![wpaas_core::converge::Mount {
                part: Part::DatabaseVolume(0),
                path: "/var/lib/mysql".to_owned(),
                read_only: false,
            }],
            memory_mib: 256,
            restart: false,
            founds: None,
        }
    }

    fn step() -> Step {
        let action = Action::CreateNode(spec());
        Step {
            site: SiteId::new(),
            generation: 2,
            epoch: 1,
            part: Part::Database(0),
            action,
            why: StepReason::Missing,
        }
    }

    fn place() -> Place<'static> {
        Place {
            installation: "lab",
            image: ("wpaas/database:1", "sha256:1"),
            network: "n1",
            address: Ipv4Addr::new(10, 208, 0, 4),
            hosts: vec!["control:10.208.0.1".to_owned()],
            volumes: vec!["v1".to_owned()],
            port: Some(20_000),
        }
    }

    #[test]
    fn the_engine_is_told_what_the_spec_says() {
        let step = step();
        let (labels, body) = body(&step, &spec(), place());
        let host = body.host_config.unwrap();
        assert_eq!(labels.host, Some(host::fingerprint("sha256:1", &host)));
        assert_eq!(body.labels.unwrap()["wpaas.fingerprint"], spec().fingerprint.to_string());
        assert_eq!(host.memory, Some(256 << 20));
        assert_eq!(host.restart_policy.unwrap().name, Some(RestartPolicyNameEnum::NO));
        let mounts = host.mounts.unwrap();
        let own = Labels { part: Part::DatabaseVolume(0), ..Labels::of(&step) }.write("lab");
        assert_eq!(mounts, [volume_at("/var/lib/mysql", "v1".to_owned(), false, own)]);
        assert_eq!(host.port_bindings.unwrap()["80/tcp"].as_ref().unwrap()[0], local(20_000));
        let endpoints = body.networking_config.unwrap().endpoints_config.unwrap();
        let address = endpoints["n1"].ipam_config.as_ref().unwrap().ipv4_address.clone();
        assert_eq!(address.as_deref(), Some("10.208.0.4"));
        assert_eq!((body.env, body.cmd), (None, None), "nothing goes where others can see it");
    }

    #[test]
    fn a_node_is_told_who_it_is() {
        let step = step();
        let files = files(&step, &spec(), 8010);
        let site = step.site;
        let about =
            format!("site={site}\npart=database-0\nreport=http://control:8010/reports/{site}/database-0\n");
        assert_eq!(files[0].content, FileContent::Text(about));
        let token = SecretRef { site, name: SecretName::ReportToken(Part::Database(0)), version: 1 };
        assert_eq!(files[1].content, FileContent::Secret(token));
        assert_eq!(files[1].mode, 0o400);
        assert_eq!(files.last().unwrap().path, "whole", "and that it was told all");
        assert!(files.iter().all(|file| file.path != "first-order"));
    }

    #[test]
    fn the_first_node_of_a_database_is_told_to_found_it() {
        let first = NodeSpec { founds: Some(ObjectId::new("v1")), ..spec() };
        let files = files(&step(), &first, 8010);
        let order = files.iter().find(|file| file.path == "first-order").unwrap();
        assert_eq!((&order.content, order.mode), (&FileContent::Text("found 1\n".to_owned()), 0o400));
        assert_eq!(files.last().unwrap().path, "whole");
    }
}
