//! The direction of the arrows between the crates, as ARCHITECTURE.md draws them.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

/// The crates that each crate may use, tests aside.
const ALLOWED: [(&str, &[&str]); 6] = [
    ("wpaas-core", &[]),
    ("wpaas-backend-docker", &["wpaas-core"]),
    ("wpaas-backend-aws", &["wpaas-core"]),
    ("wpaas-server", &["wpaas-core", "wpaas-backend-docker", "wpaas-backend-aws"]),
    ("wpaas-examples", &["wpaas-core", "wpaas-backend-docker", "wpaas-backend-aws", "wpaas-server"]),
    ("wpaas-tests", &["wpaas-core", "wpaas-backend-docker", "wpaas-backend-aws", "wpaas-server"]),
];

/// What only one crate may know, by the crate's name.
const OWNED: [(&str, &str); 9] = [
    ("axum", "wpaas-server"),
    ("tower-http", "wpaas-server"),
    ("clap", "wpaas-server"),
    ("bollard", "wpaas-backend-docker"),
    ("aws-config", "wpaas-backend-aws"),
    ("aws-sdk-s3", "wpaas-backend-aws"),
    ("aws-sdk-ec2", "wpaas-backend-aws"),
    ("aws-sdk-route53", "wpaas-backend-aws"),
    ("sqlx", "wpaas-core"),
];

fn packages() -> Vec<Value> {
    let cargo = std::env::var("CARGO").unwrap();
    let arguments = ["metadata", "--format-version", "1", "--no-deps", "--offline"];
    let output = Command::new(cargo).args(arguments).output().unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn name(of: &Value) -> &str {
    of["name"].as_str().unwrap()
}

/// What the package uses in itself, not in its tests.
fn uses(package: &Value) -> BTreeSet<&str> {
    let dependencies = package["dependencies"].as_array().unwrap();
    dependencies.iter().filter(|dependency| dependency["kind"] != "dev").map(name).collect()
}

#[test]
fn the_arrows_point_one_way() {
    let packages = packages();
    assert_eq!(packages.len(), ALLOWED.len(), "a crate that ARCHITECTURE.md does not know");
    for package in &packages {
        let (_, allowed) = ALLOWED.iter().find(|(crate_name, _)| *crate_name == name(package)).unwrap();
        for used in uses(package).into_iter().filter(|used| used.starts_with("wpaas-")) {
            assert!(allowed.contains(&used), "{} may not use {used}", name(package));
        }
    }
}

#[test]
fn each_protocol_is_known_to_one_crate() {
    for package in &packages() {
        for (library, owner) in OWNED {
            let used = uses(package).contains(library);
            assert!(
                !used || name(package) == owner,
                "{} may not use {library}: that is {owner}'s",
                name(package)
            );
        }
    }
}

/// What a plain build compiles, and one with these arguments.
fn tree(arguments: &[&str]) -> String {
    let cargo = std::env::var("CARGO").unwrap();
    let mut command = Command::new(cargo);
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let output = command.args(["tree", "--offline", "--edges", "normal,build", "--prefix", "none"]);
    let output = output.args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// It takes minutes, and who has no sites on AWS need not wait for it.
#[test]
fn only_who_asks_for_aws_compiles_the_sdk_of_ec2() {
    let plain = tree(&[]);
    assert!(plain.contains("aws-sdk-s3 ") && !plain.contains("aws-sdk-ec2 "), "{plain}");
    assert!(!plain.contains("aws-sdk-route53 "), "{plain}");
    let asked = tree(&["--package", "wpaas-server", "--features", "aws"]);
    assert!(asked.contains("aws-sdk-ec2 ") && asked.contains("aws-sdk-route53 "), "{asked}");
}

#[test]
fn the_command_line_knows_the_api_alone() {
    fn read(folder: &std::path::Path, files: &mut Vec<(std::path::PathBuf, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read(&path, files);
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                files.push((path, text));
            }
        }
    }
    let mut files = Vec::new();
    read(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../wpaas-server/src/bin/wpaas"), &mut files);
    assert!(files.len() > 10, "the command line is not where it was");
    for (path, text) in files {
        for knows in ["wpaas_core", "wpaas_server", "wpaas_backend"] {
            assert!(!text.contains(knows), "{} may not use {knows}", path.display());
        }
    }
}

#[test]
fn an_embedder_of_the_core_pays_for_no_feature_by_default() {
    let packages = packages();
    let core = packages.iter().find(|package| name(package) == "wpaas-core").unwrap();
    assert_eq!(core["features"]["default"], serde_json::json!([]));
    let optional = |library: &str| {
        let dependencies = core["dependencies"].as_array().unwrap();
        dependencies
            .iter()
            .filter(|d| name(d) == library && d["kind"] != "dev")
            .all(|d| d["optional"] == true)
    };
    assert!(optional("sqlx"));
}
