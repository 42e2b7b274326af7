//! `bake-user-data`, which asks nobody.

use std::process::{Command, Output};

use tempfile::TempDir;

const AWS: &str = "[aws]\nregion = 'eu-central-1'\nvpc = 'vpc-1'\nbucket = 'example-wpaas'\nprofile = 'p'\n\
                   role_id = 'AROA1'\nimage = 'ami-1'\nsubnets = [{ id = 'subnet-a', zone = 'eu-central-1a' }]\n";

fn bake(config: &str, roles: &[&str]) -> Output {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("server.toml");
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_wpaas-server"));
    command.arg("--config").arg(file).arg("bake-user-data").args(roles).output().unwrap()
}

/// What cloud-init makes of it, as a script that bash understands.
fn script(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout.len() < 16 * 1024, "more than EC2 takes");
    let folder = TempDir::new().unwrap();
    let (zipped, plain) = (folder.path().join("script.gz"), folder.path().join("script"));
    std::fs::write(&zipped, &output.stdout).unwrap();
    assert!(Command::new("gunzip").arg(zipped).status().unwrap().success());
    assert!(Command::new("bash").arg("-n").arg(&plain).status().unwrap().success());
    std::fs::read_to_string(plain).unwrap()
}

#[test]
fn the_user_data_of_an_image_is_made_from_the_configuration_alone() {
    let config = format!("backend = 'aws'\n{AWS}");
    let all = script(&bake(&config, &[]));
    assert!(all.starts_with("#!/bin/bash\n") && all.contains("\nbucket=example-wpaas\n"), "{all}");
    assert!(all.contains("\nroles='database wordpress gateway'\n"), "{all}");
    let one = script(&bake(&config, &["gateway"]));
    assert!(one.contains("\nrole=gateway\n") && one.contains("\nroles='gateway'\n"), "{one}");
}

#[test]
fn what_can_not_be_baked_is_said() {
    let told = |output: Output| {
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(told(bake("backend = 'simulated'", &[])).contains("[aws] is not configured"));
    let told = told(bake(&format!("backend = 'aws'\n{AWS}"), &["edge"]));
    assert!(told.contains("edge") && told.contains("wordpress"), "{told}");
}
