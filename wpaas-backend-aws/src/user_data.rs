//! What an instance boots with: the machine's part, and where the node's own files are. Secrets are never in it.

use std::io::Write as _;
use std::sync::OnceLock;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};
use wpaas_core::converge::NodeRole;
use wpaas_core::node;

use crate::config::AwsConfig;

const BOOT: &str = include_str!("../machine/boot.sh");
const START: &str = include_str!("../machine/start.sh");
const BAKE: &str = include_str!("../machine/bake.sh");
const MACHINE: &str = include_str!("../machine/machine.py");

/// What EC2 takes, at most.
pub const LIMIT: usize = 16 * 1024;

/// The user data of nodes of this kind: a script, gzipped, as cloud-init takes it. Always the same for the same
/// configuration.
#[must_use]
pub fn of(config: &AwsConfig, role: NodeRole) -> Vec<u8> {
    gzip(format!("{}{START}", files(config, role)).as_bytes())
}

/// The user data of an instance that is to become an image for nodes of these kinds: it installs what they are made of,
/// and then says `wpaas: baked` on its console, or `wpaas: baking failed`. It needs the nodes' instance profile, and the
/// set-up in the bucket, where a server leaves it at its start.
#[must_use]
pub fn bake(config: &AwsConfig, roles: &[NodeRole]) -> Vec<u8> {
    let [first, ..] = roles else { return gzip(b"#!/bin/bash\n") };
    let roles: Vec<_> = roles.iter().map(NodeRole::to_string).collect();
    gzip(format!("{}roles='{}'\n{BAKE}", files(config, *first), roles.join(" ")).as_bytes())
}

/// The beginning of a script that puts the machine's part there.
fn files(config: &AwsConfig, role: NodeRole) -> String {
    let AwsConfig { installation, region, bucket, role_id, endpoint, .. } = config;
    let endpoint = endpoint.as_deref().unwrap_or_default();
    let (setup, digest) = (setup_key(installation), &setup().1);
    format!(
        "#!/bin/bash\ncat >/etc/wpaas-machine.conf <<'END_OF_CONF'\nrole={role}\nsetup={setup}\n\
         digest={digest}\nroot={installation}\nregion={region}\nbucket={bucket}\nrole_id={role_id}\n\
         endpoint={endpoint}\nEND_OF_CONF\nmkdir -p /usr/local/lib\n\
         cat >/usr/local/lib/wpaas-machine.py <<'END_OF_MACHINE'\n{MACHINE}END_OF_MACHINE\n\
         cat >/usr/local/lib/wpaas-boot.sh <<'END_OF_BOOT'\n{BOOT}END_OF_BOOT\n"
    )
}

/// Where the bucket has the nodes' set-up.
pub(crate) fn setup_key(installation: &str) -> String {
    format!("{installation}/setup/{}.tar.gz", setup().1)
}

/// The nodes' set-up as an archive, and its SHA-256 in hex.
pub(crate) fn setup() -> &'static (Vec<u8>, String) {
    static SETUP: OnceLock<(Vec<u8>, String)> = OnceLock::new();
    SETUP.get_or_init(|| {
        let mut archive = tar::Builder::new(Vec::new());
        for file in node::context() {
            let mut header = tar::Header::new_gnu();
            header.set_size(file.bytes.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            append(&mut archive, &mut header, file.path, file.bytes);
        }
        let archive =
            gzip(&archive.into_inner().unwrap_or_else(|_| unreachable!("a vector takes everything")));
        let digest = hex::encode(Sha256::digest(&archive));
        (archive, digest)
    })
}

fn append(archive: &mut tar::Builder<Vec<u8>>, header: &mut tar::Header, path: &str, bytes: &[u8]) {
    if archive.append_data(header, path, bytes).is_err() {
        unreachable!("a vector takes everything, and the names are short");
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    match encoder.write_all(bytes).and_then(|()| encoder.finish()) {
        Ok(gzipped) => gzipped,
        Err(_) => unreachable!("a vector takes everything"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::testing::config;

    #[test]
    fn user_data_fits_and_is_always_the_same() {
        for role in [NodeRole::Database, NodeRole::Wordpress, NodeRole::Gateway] {
            let data = of(&config(), role);
            assert!(data.len() < LIMIT / 2, "{role}: {} bytes", data.len());
            assert_eq!(data, of(&config(), role));
        }
    }

    #[test]
    fn what_an_instance_runs_is_valid_bash_and_python() {
        let folder = tempfile::tempdir().unwrap();
        let check = |name: &str, text: &str, command: &[&str]| {
            let file = folder.path().join(name);
            std::fs::write(&file, text).unwrap();
            let status = std::process::Command::new(command[0]).args(&command[1..]).arg(&file).status();
            assert!(status.unwrap().success(), "{name}");
        };
        check("boot.sh", BOOT, &["bash", "-n"]);
        check("start.sh", START, &["bash", "-n"]);
        check("bake.sh", BAKE, &["bash", "-n"]);
        check("machine.py", MACHINE, &["python3", "-m", "py_compile"]);
    }

    /// The bucket's policy lets a node neither look for the bucket nor make one, which rclone does unless it is told.
    #[test]
    fn rclone_is_told_of_the_uploads_alone() {
        let machine = concat!(env!("CARGO_MANIFEST_DIR"), "/machine/machine.py");
        let remote = |endpoint: &str| {
            let ask = format!(
                "import pathlib, runpy\n\
                 pathlib.Path.read_text = lambda _: 'role=wordpress\\nregion=r\\nbucket=b\\nendpoint={endpoint}\\n'\n\
                 print(runpy.run_path({machine:?}, run_name='machine')['remote']('lab/uploads/s/'), end='')"
            );
            let said = std::process::Command::new("python3").args(["-c", &ask]).output().unwrap();
            assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
            String::from_utf8(said.stdout).unwrap()
        };
        let how = ":s3,env_auth=true,no_check_bucket=true,region=r";
        assert_eq!(remote(""), format!("{how},provider=AWS:b/lab/uploads/s/"));
        let at = "provider=Other,endpoint=\"http://10.0.0.1\",force_path_style=true";
        assert_eq!(remote("http://10.0.0.1"), format!("{how},{at}:b/lab/uploads/s/"));
    }

    #[test]
    fn what_is_baked_is_what_nodes_of_each_kind_boot_with() {
        let text = |data: &[u8]| {
            let mut text = String::new();
            flate2::read::GzDecoder::new(data).read_to_string(&mut text).map(|_| text).unwrap()
        };
        let roles = [NodeRole::Database, NodeRole::Wordpress, NodeRole::Gateway];
        let baked = bake(&config(), &roles);
        assert!(baked.len() < LIMIT / 2, "{} bytes", baked.len());
        let baked = text(&baked);
        assert!(baked.contains("\nroles='database wordpress gateway'\n") && baked.ends_with(BAKE));
        assert!(text(&of(&config(), roles[0])).starts_with(&baked[..baked.find("roles=").unwrap()]));
    }

    #[test]
    fn the_set_up_holds_every_file_of_the_nodes() {
        let (archive, digest) = setup();
        assert_eq!(digest.len(), 64);
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(archive.as_slice()));
        let names: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap().path().unwrap().display().to_string())
            .collect();
        assert_eq!(names, node::context().iter().map(|file| file.path.to_owned()).collect::<Vec<_>>());
    }
}
