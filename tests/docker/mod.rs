//! Real WordPress in real containers. Runs where a Docker Engine answers; with `WPAAS_TEST_DOCKER=1`, as CI has
//! it, an Engine that does not answer is a failure; with `WPAAS_TEST_DOCKER=0` they are skipped.

mod autoscale;
mod cache;
mod decoys;
mod deletion;
mod edge;
mod engine;
mod first_site;
mod healing;
mod https;
mod isolation;
mod names;
mod reboot;
mod redundancy;
mod releases;
mod reports;
mod restarts;
mod schema;
mod server;
mod spares;
mod tree;
mod wordpress;
mod writer;

use std::process::Command;

/// Runs `docker` and returns what it prints.
pub fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docker {arguments:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// What `docker` prints; `None` where it fails, as of a node that has just gone.
pub fn try_docker(arguments: &[&str]) -> Option<String> {
    let output = Command::new("docker").args(arguments).output().unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

/// The `docker` command that asks a database node this.
pub fn sql<'a>(node: &'a str, query: &'a str) -> [&'a str; 6] {
    ["exec", node, "mariadb", "--defaults-file=/usr/local/lib/wpaas/mariadb.cnf", "-BNe", query]
}

/// Whether there is an Engine to test with.
fn engine() -> bool {
    let asked = std::env::var("WPAAS_TEST_DOCKER").unwrap_or_default();
    if asked == "0" {
        println!("skipped: WPAAS_TEST_DOCKER=0");
        return false;
    }
    let answers =
        Command::new("docker").args(["version"]).output().is_ok_and(|output| output.status.success());
    let demanded = asked == "1";
    assert!(answers || !demanded, "WPAAS_TEST_DOCKER=1, and no Docker Engine answers");
    if !answers {
        println!("skipped: no Docker Engine answers");
    }
    answers
}

/// One test with the Engine at a time: two cores, and times that people wait for. `None` where there is none.
pub async fn engine_alone() -> Option<tokio::sync::MutexGuard<'static, ()>> {
    static ENGINE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    if engine() { Some(ENGINE.lock().await) } else { None }
}
