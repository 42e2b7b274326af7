//! The host side of a container: what can be changed behind our back without any listing showing it.

use bollard::models::{ContainerInspectResponse, HostConfig, Mount};
use wpaas_core::converge::Fingerprint;

use crate::label::Labels;

/// Names what a container is on its host: the image, memory, processor, processes, restarts, mounts and hosts.
/// Equal for what the Engine was told and for what it answers, unless it was changed since.
pub(crate) fn fingerprint(image: &str, host: &HostConfig) -> Fingerprint {
    let restart = host.restart_policy.as_ref().and_then(|policy| policy.name);
    let restart = restart.map(|name| name.to_string()).filter(|name| name != "no").unwrap_or_default();
    let number = |number: Option<i64>| number.unwrap_or(0).to_string();
    let mut texts = vec![
        image.to_owned(),
        number(host.memory),
        number(host.nano_cpus),
        number(host.cpu_quota),
        number(host.cpu_shares),
        number(host.cpu_period),
        host.cpuset_cpus.clone().unwrap_or_default(),
        host.cpuset_mems.clone().unwrap_or_default(),
        number(host.memory_reservation),
        number(host.pids_limit),
        restart,
    ];
    texts.extend(sorted(host.mounts.iter().flatten().map(mount).collect()));
    texts.extend(sorted(host.extra_hosts.clone().unwrap_or_default()));
    Fingerprint::of(texts.iter().map(String::as_str))
}

/// Whether the container is no longer what its label says; `None` without a label to compare with.
pub(crate) fn has_drifted(labels: &Labels, container: &ContainerInspectResponse) -> Option<bool> {
    let host = container.host_config.as_ref()?;
    Some(fingerprint(container.image.as_deref()?, host) != labels.host?)
}

fn mount(mount: &Mount) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let read_only = mount.read_only.unwrap_or(false);
    format!("{} {} {read_only}", text(&mount.source), text(&mount.target))
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts.push(texts.len().to_string());
    texts
}

#[cfg(test)]
mod tests {
    use bollard::models::{RestartPolicy, RestartPolicyNameEnum};

    use super::*;

    fn told() -> HostConfig {
        let mount = |source: &str| Mount {
            source: Some(source.to_owned()),
            target: Some("/data".to_owned()),
            ..Mount::default()
        };
        HostConfig {
            memory: Some(64 << 20),
            restart_policy: Some(RestartPolicy {
                name: Some(RestartPolicyNameEnum::UNLESS_STOPPED),
                maximum_retry_count: None,
            }),
            mounts: Some(vec![mount("b"), mount("a")]),
            ..HostConfig::default()
        }
    }

    #[test]
    fn what_the_engine_fills_in_changes_nothing() {
        let mut answered = told();
        answered.mounts.as_mut().unwrap().reverse();
        for mount in answered.mounts.iter_mut().flatten() {
            mount.read_only = Some(false);
        }
        answered.nano_cpus = Some(0);
        answered.cpuset_cpus = Some(String::new());
        answered.extra_hosts = Some(Vec::new());
        answered.memory_swap = Some(-1);
        assert_eq!(fingerprint("sha256:1", &answered), fingerprint("sha256:1", &told()));
        let no = |name| HostConfig {
            restart_policy: Some(RestartPolicy { name, maximum_retry_count: Some(0) }),
            ..HostConfig::default()
        };
        let unset = fingerprint("i", &HostConfig::default());
        assert_eq!(fingerprint("i", &no(Some(RestartPolicyNameEnum::NO))), unset);
        assert_eq!(fingerprint("i", &no(Some(RestartPolicyNameEnum::EMPTY))), unset);
    }

    #[test]
    fn what_a_person_changes_shows() {
        let before = fingerprint("sha256:1", &told());
        assert_ne!(fingerprint("sha256:2", &told()), before);
        let changes: [fn(&mut HostConfig); 7] = [
            |host| host.pids_limit = Some(5),
            |host| host.memory_reservation = Some(1),
            |host| host.memory = Some(1),
            |host| host.cpu_quota = Some(1000),
            |host| host.restart_policy = None,
            |host| host.mounts.as_mut().unwrap()[0].read_only = Some(true),
            |host| host.extra_hosts = Some(vec!["control:10.0.0.1".to_owned()]),
        ];
        for change in changes {
            let mut host = told();
            change(&mut host);
            assert_ne!(fingerprint("sha256:1", &host), before, "{host:?}");
        }
    }
}
