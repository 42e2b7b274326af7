//! An installation that moves from `SQLite` to `PostgreSQL` and back, and one that is restored, with the commands that
//! README names. What needs `PostgreSQL` is empty without `WPAAS_TEST_POSTGRES`.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use wpaas_core::converge::simulated::World;
use wpaas_core::store::scratch;
use wpaas_server::config::Flags;

use super::harness::{Api, Runs, site};
use super::several::on;

/// What the server's program prints, with this data folder and, if one is named, on this database.
pub fn run(data: &Path, database: Option<&str>, words: &[&str]) -> Result<String, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wpaas-server"));
    command.args(words).arg("--data").arg(data).args(["--backend", "simulated"]);
    if let Some(database) = database {
        command.args(["--database", database]);
    }
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// A key, the path of a site, and all that its server answers of it but the status.
struct Known {
    key: String,
    path: String,
    site: serde_json::Value,
}

impl Known {
    async fn make(api: &Api) -> Self {
        let tenant = api.tenant("acme").await;
        api.post("/wpaas", &tenant.key, site("blog")).await.is(202);
        let path = format!("/wpaas/{}/default/blog", tenant.cid);
        let site = Self::spec(api.until(&path, &tenant.key, |site| site["num_instances"] == 1).await);
        Self { key: tenant.key, path, site }
    }

    fn spec(mut site: serde_json::Value) -> serde_json::Value {
        site.as_object_mut()
            .unwrap()
            .retain(|name, _| ["id", "name", "generation", "title"].contains(&name.as_str()));
        site
    }

    /// The same key opens, and the same site is there and comes up.
    async fn is_at(&self, api: &Api) {
        let found = api.until(&self.path, &self.key, |site| site["num_instances"] == 1).await;
        assert_eq!(Self::spec(found), self.site);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_moves_to_postgres_and_back_with_all_that_it_has() {
    let Some(url) = scratch::url().await else { return };
    let api = Api::start().await;
    let known = Known::make(&api).await;
    let Api { server, folder, .. } = api;
    server.stop().await;
    let (data, file) = (folder.path().join("data"), |name: &str| folder.path().join(name));
    let (first, second) = (file("first"), file("second"));
    let [first_name, second_name] = [&first, &second].map(|path| path.to_str().unwrap());
    run(&data, None, &["export", first_name]).unwrap();
    let refused = run(&data, None, &["export", first_name]).unwrap_err();
    assert!(refused.contains("can't be made"), "{refused}");
    run(&data, Some(&url), &["import", first_name]).unwrap();
    let refused = run(&data, Some(&url), &["import", first_name]).unwrap_err();
    assert!(refused.contains("already holds something"), "{refused}");
    run(&data, Some(&url), &["export", second_name]).unwrap();
    assert_eq!(std::fs::read_to_string(&first).unwrap(), std::fs::read_to_string(&second).unwrap());

    let api = Api::in_folder(folder, on(&url)).await;
    known.is_at(&api).await;
    let more = api.customer("more").await;
    let Api { server, folder, .. } = api;
    server.stop().await;
    let third = folder.path().join("third");
    run(&data, Some(&url), &["export", third.to_str().unwrap()]).unwrap();
    for left in ["wpaas.sqlite", "wpaas.sqlite-wal", "wpaas.sqlite-shm"] {
        let _absent = std::fs::remove_file(data.join(left));
    }
    run(&data, None, &["import", third.to_str().unwrap()]).unwrap();
    let api = Api::in_folder(folder, Flags::default()).await;
    known.is_at(&api).await;
    api.get(&format!("/customers/{more}"), &api.operator).await.is(200);
    api.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_of_the_database_is_a_backup() {
    let (Some(url), Some(empty)) = (scratch::url().await, scratch::url().await) else { return };
    let api = Api::with(on(&url)).await;
    let known = Known::make(&api).await;
    let dump = api.folder.path().join("dump");
    let done = |command: &mut Command| {
        let output = command.output().expect("PostgreSQL's own programs are there");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    done(Command::new("pg_dump").args(["--format=custom", "--dbname", &url, "--file"]).arg(&dump));
    let lost = api.customer("lost").await;
    let Api { server, folder, .. } = api;
    server.stop().await;
    done(Command::new("pg_restore").args(["--exit-on-error", "--dbname", &empty]).arg(&dump));
    let api = Api::in_folder(folder, on(&empty)).await;
    known.is_at(&api).await;
    api.get(&format!("/customers/{lost}"), &api.operator).await.is(404);
    api.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_data_folder_of_a_stopped_server_is_a_backup() {
    let api = Api::start().await;
    let known = Known::make(&api).await;
    api.until(&known.path, &known.key, |site| site["status"]["phase"] == "ready").await;
    let (world, runs, folder) = stopped(api).await;
    let (data, backup) = (folder.path().join("data"), folder.path().join("backup"));
    copy(&data, &backup);
    let api = Api::in_world(folder, Flags::default(), world).await;
    known.is_at(&api).await;
    let lost = api.customer("lost").await;
    let (world, _, folder) = stopped(api).await;
    std::fs::remove_dir_all(&data).unwrap();
    copy(&backup, &data);
    let api = Api::in_world(folder, Flags::default(), world).await;
    known.is_at(&api).await;
    api.until(&known.path, &known.key, |site| site["status"]["phase"] == "ready").await;
    api.get(&format!("/customers/{lost}"), &api.operator).await.is(404);
    assert_eq!(api.runs(), runs, "nothing of the site was touched");
    api.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_older_than_what_runs_takes_nothing_from_it() {
    let api = Api::start().await;
    let known = Known::make(&api).await;
    let (data, dump) = (api.data(), api.folder.path().join("dump"));
    run(&data, None, &["export", dump.to_str().unwrap()]).unwrap();
    let made = api.post("/wpaas", &known.key, site("shop")).await.is(202).body["id"].clone();
    let shop = known.path.replace("blog", "shop");
    api.until(&shop, &known.key, |site| site["status"]["phase"] == "ready").await;
    let cid = known.path.split('/').nth(2).unwrap();
    api.until_named(&format!("shop.{cid}")).await;
    let archive = data.join(format!("releases/sha256-{}.tar.gz", "0".repeat(64)));
    std::fs::File::create(&archive).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();

    let (world, runs, folder) = stopped(api).await;
    for left in ["wpaas.sqlite", "wpaas.sqlite-wal", "wpaas.sqlite-shm"] {
        let _absent = std::fs::remove_file(data.join(left));
    }
    run(&data, None, &["import", dump.to_str().unwrap()]).unwrap();
    let api = Api::in_world(folder, Flags::default(), world).await;
    known.is_at(&api).await;
    api.get(&shop, &known.key).await.is_problem(404, "not_found");
    Api::until_left_alone(made.as_str().unwrap()).await;
    // Once the zone has a later name, the server has been through all that a start does.
    api.post("/wpaas", &known.key, site("next")).await.is(202);
    api.until_named(&format!("next.{cid}")).await;
    assert!(api.has_name(&format!("shop.{cid}")), "its name leads there");
    assert!(archive.exists(), "and its code is kept");
    assert!(runs.is_subset(&api.runs()), "nothing of either was touched");
    api.server.stop().await;
}

/// Stops the server: what ran stays.
async fn stopped(api: Api) -> (World, Runs, TempDir) {
    let (world, runs) = (api.world(), api.runs());
    let Api { server, folder, .. } = api;
    server.stop().await;
    // A store's connections close beside whoever dropped it; those of a process that has ended are closed. What is copied
    // while the last one empties the log into the file is neither the one nor the other.
    let (log, began) = (folder.path().join("data/wpaas.sqlite-wal"), Instant::now());
    while log.exists() && began.elapsed() < Duration::from_secs(10) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (world, runs, folder)
}

/// Copies what a server left that has ended. Here it was a part of this process, whose connections close a moment later; the
/// last may take the database's log along just while it is copied.
fn copy(from: &Path, to: &Path) {
    let copied = (0..10).any(|_| {
        let _absent = std::fs::remove_dir_all(to);
        Command::new("cp").arg("-a").args([from, to]).status().unwrap().success()
    });
    assert!(copied, "{} can't be copied", from.display());
}
