use std::fmt::Write;
use std::net::IpAddr;
use std::path::Path;

use super::HostKeys;
use super::command::Git;
use super::credential::KEY;
use crate::code::CodeError;
use crate::code::reference::{GitUrl, Transport};
use crate::reach::Pinned;

/// What ssh is told besides, so that nothing of this machine's configuration counts.
const SSH: [&str; 12] = [
    "BatchMode=yes",
    "IdentitiesOnly=yes",
    "IdentityAgent=none",
    "PreferredAuthentications=publickey",
    "ProxyCommand=none",
    "ProxyJump=none",
    "PermitLocalCommand=no",
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "ControlPath=none",
    "GlobalKnownHostsFile=/dev/null",
    "CanonicalizeHostname=no",
];

/// Opens the one transport of the URL, to the addresses that were checked.
pub(super) fn reach(git: Git, url: &GitUrl, pinned: &Pinned, host_keys: &HostKeys) -> Result<Git, CodeError> {
    let git = allow(git, url.transport);
    match url.transport {
        Transport::Https | Transport::Http => Ok(match resolved(url, pinned) {
            Some(resolved) => git.with_config(format!("http.curloptResolve={resolved}")),
            None => git,
        }),
        Transport::Ssh => {
            let command = ssh_command(git.work(), pinned, host_keys)?;
            Ok(git.with_environment("GIT_SSH_COMMAND", command).with_environment("GIT_SSH_VARIANT", "ssh"))
        }
        Transport::Git if url.host.parse::<IpAddr>().is_err() => {
            // This transport can't be told an address apart from the name.
            Err(CodeError::Refused("a git:// address must have an IP address in place of the name".into()))
        }
        Transport::Git | Transport::File => Ok(git),
    }
}

/// A local path, which the operator allowed.
pub(super) fn reach_files(git: Git) -> Git {
    allow(git, Transport::File)
}

fn allow(git: Git, transport: Transport) -> Git {
    let name = transport.as_str();
    git.with_config(format!("protocol.{name}.allow=always")).with_environment("GIT_ALLOW_PROTOCOL", name)
}

/// As curl has it: `host:port:address,address`. Not needed when the host is an address.
fn resolved(url: &GitUrl, pinned: &Pinned) -> Option<String> {
    if url.host.parse::<IpAddr>().is_ok() {
        return None;
    }
    let addresses: Vec<String> = pinned.addresses.iter().map(bracketed).collect();
    Some(format!("{}:{}:{}", url.host, url.port, addresses.join(",")))
}

fn bracketed(address: &IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    }
}

fn ssh_command(work: &Path, pinned: &Pinned, host_keys: &HostKeys) -> Result<String, CodeError> {
    let (policy, file) = match host_keys {
        HostKeys::None => {
            let why =
                "this server knows the keys of no SSH servers, so ssh addresses can't be used: use https";
            return Err(CodeError::Refused(why.into()));
        }
        HostKeys::Known(file) => ("yes", file),
        HostKeys::AcceptNew(file) => ("accept-new", file),
    };
    let Some(address) = pinned.addresses.first() else {
        return Err(CodeError::Unavailable(format!("the host {} can't be found", pinned.host)));
    };
    let mut command = "ssh -F /dev/null".to_owned();
    let mut add = |option: &str| write!(command, " -o {option}").is_ok();
    let mut added = SSH.iter().all(|option| add(option));
    added &= add(&format!("HostName={address}"));
    added &= add(&format!("HostKeyAlias={}", pinned.host.to_ascii_lowercase()));
    added &= add("User=git");
    added &= add(&format!("StrictHostKeyChecking={policy}"));
    added &= add(&format!("UserKnownHostsFile={}", quoted(file)?));
    added &= add(&format!("IdentityFile={}", quoted(&work.join(KEY))?));
    debug_assert!(added, "writing to a string does not fail");
    Ok(command)
}

/// The path as a shell takes it. The options of ssh are split once more, at spaces.
pub(super) fn quoted(path: &Path) -> Result<String, CodeError> {
    let text = path.to_str().filter(|text| !text.contains(['\'', '"', ' ', '%', '\n']));
    let bad = || CodeError::Unavailable("this server's folders for code have unusual names".into());
    text.map(|text| format!("'{text}'")).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::Limits;
    use crate::code::reference::CodePolicy;

    fn pinned(host: &str, addresses: &[&str]) -> Pinned {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        Pinned { host: host.to_owned(), addresses }
    }

    fn arguments(url: &str, to: &Pinned, keys: &HostKeys) -> Result<String, String> {
        let policy =
            CodePolicy { allowed_prefixes: vec!["git://127.0.0.1/".into()], ..CodePolicy::default() };
        let url = GitUrl::parse(url, &policy).unwrap();
        let git = Git::local(Path::new("git"), Path::new("/tmp/fetch"), &Limits::default());
        let git = reach(git, &url, to, keys).map_err(|error| error.to_string())?;
        Ok(format!("{:?}", git.command(&["fetch"])))
    }

    #[test]
    fn https_goes_to_the_addresses_that_were_checked() {
        let to = pinned("example.com", &["1.1.1.1", "2606:4700::1"]);
        let command = arguments("https://example.com:8443/a", &to, &HostKeys::None).unwrap();
        assert!(command.contains("http.curloptResolve=example.com:8443:1.1.1.1,[2606:4700::1]"), "{command}");
        assert!(command.contains("protocol.allow=never") && command.contains("protocol.https.allow=always"));
        assert!(command.contains("http.followRedirects=false"));
    }

    #[test]
    fn ssh_goes_to_the_address_under_the_hosts_name_with_a_known_key() {
        let to = pinned("Example.com", &["1.1.1.1"]);
        let refused = arguments("git@Example.com:a", &to, &HostKeys::None).unwrap_err();
        assert!(refused.contains("keys of no SSH servers"), "{refused}");
        let keys = HostKeys::Known("/etc/known".into());
        let command = arguments("git@Example.com:a", &to, &keys).unwrap();
        for option in [
            "ssh -F /dev/null",
            "HostName=1.1.1.1",
            "HostKeyAlias=example.com",
            "StrictHostKeyChecking=yes",
            "UserKnownHostsFile='/etc/known'",
            "IdentityFile='/tmp/fetch/key'",
        ] {
            assert!(command.contains(option), "{option}: {command}");
        }
        let spaced = HostKeys::AcceptNew("/etc/known hosts'; id".into());
        assert!(arguments("git@Example.com:a", &to, &spaced).unwrap_err().contains("unusual names"));
    }
}
