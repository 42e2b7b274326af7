//! An installation that moves from `SQLite` to `PostgreSQL` and back, and one that is restored, with the commands that
//! README names. Empty without `WPAAS_TEST_POSTGRES`.

use std::path::Path;
use std::process::Command;

use wpaas_core::store::scratch;
use wpaas_server::config::Flags;

use super::harness::{Api, site};
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
