//! The program's configuration: a flag wins over the environment, the environment over the file.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::process::{Command, Output};

use tempfile::TempDir;

fn check(file: &str, variables: &[(&str, &str)], flags: &[&str]) -> Output {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("wpaas.toml");
    std::fs::write(&path, file).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_wpaas-server"));
    command.arg("check-config").arg("--config").arg(path).args(flags);
    command.envs(variables.iter().copied()).output().unwrap()
}

fn value(output: &Output, name: &str) -> String {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let table: toml::Table = text.parse().unwrap();
    table[name].as_str().unwrap().to_owned()
}

#[test]
fn flag_then_environment_then_file_then_default() {
    let file = "domain = 'file.example'";
    let variable = [("WPAAS_DOMAIN", "variable.example")];
    let domain = |file, variables, flags| value(&check(file, variables, flags), "domain");
    assert_eq!(domain("", &[], &[]), "wpaas.localhost");
    assert_eq!(domain(file, &[], &[]), "file.example");
    assert_eq!(domain(file, &variable, &[]), "variable.example");
    assert_eq!(domain(file, &variable, &["--domain", "flag.example"]), "flag.example");
}

#[test]
fn help_names_the_commands_the_flags_and_their_variables() {
    let output = Command::new(env!("CARGO_BIN_EXE_wpaas-server")).arg("--help").output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    for what in ["Usage: wpaas-server", "check-config", "dns", "--backend", "simulated", "WPAAS_LISTEN"] {
        assert!(told.contains(what), "{what} is not in\n{told}");
    }
}

#[test]
fn what_is_not_known_is_refused_by_name() {
    for (file, flags, name) in [
        ("lisen = '127.0.0.1:1'", &[][..], "lisen"),
        ("[docker]\nsubnet = 'x'", &[], "subnet"),
        ("backend = 'kubernetes'", &[], "kubernetes"),
        ("", &["--lisen", "x"], "--lisen"),
    ] {
        let output = check(file, &[], flags);
        assert!(!output.status.success(), "{file}");
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains(name), "{told}");
    }
}

#[test]
fn what_is_printed_of_aws_can_be_read_again() {
    let file = "backend = 'aws'\n[aws]\nregion = 'eu-central-1'\nvpc = 'vpc-1'\nbucket = 'b'\nprofile = 'p'\n\
                role_id = 'AROA1'\nimage = 'ami-1'\nsubnets = [{ id = 'subnet-a', zone = 'eu-central-1a' }]";
    let first = check(file, &[], &[]);
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    let second = check(&String::from_utf8(first.stdout.clone()).unwrap(), &[], &[]);
    assert_eq!(first.stdout, second.stdout);
    let without = check("backend = 'aws'", &[], &[]);
    assert!(String::from_utf8_lossy(&without.stderr).contains("aws.region: is needed"));
}

#[test]
fn what_is_printed_can_be_read_again() {
    let sso = "[sso.google]\nclient_id = 'us'\nclient_secret_file = '/etc/wpaas/google'";
    let file = format!("public_url = 'https://wpaas.example'\n[grace]\nsite = '1h'\n{sso}");
    let first = check(&file, &[], &["--backend", "simulated"]);
    let second = check(&String::from_utf8(first.stdout.clone()).unwrap(), &[], &[]);
    let printed = String::from_utf8_lossy(&first.stdout);
    assert!(printed.contains("issuer = \"https://accounts.google.com\""), "{printed}");
    assert_eq!(first.stdout, second.stdout);
}
