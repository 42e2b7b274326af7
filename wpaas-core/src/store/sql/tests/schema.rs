//! What a database is opened with, and what its statements never do.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::{Place, filled, telling};
use crate::store::sql::query::query;
use crate::store::sql::{SqlStore, schema};
use crate::store::{Commit as _, EventReads as _, OrgReads as _, Page, StoreError, Write};

#[tokio::test]
async fn the_file_is_its_owners_alone_and_opens_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wpaas.db");
    drop(SqlStore::open(&path).await.unwrap());
    let store = SqlStore::open(&path).await.unwrap();
    assert_eq!(store.last_event().await.unwrap(), 0);
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", file.file_name());
    }
}

#[tokio::test]
async fn a_newer_database_is_refused() {
    let newer = "UPDATE schema_version SET version = 99";
    for place in Place::each().await {
        drop(place.open().await.unwrap());
        place.run(newer).await;
        let refused = place.open().await.unwrap_err();
        let known = schema::known();
        assert_eq!(
            refused.to_string(),
            format!("the database has schema 99, this program knows {known}: use the program that wrote it")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_that_start_at_once_make_one_schema() {
    for place in Place::each().await {
        let place = Arc::new(place);
        let mut starts = JoinSet::new();
        for _ in 0..12 {
            let place = place.clone();
            starts.spawn(async move { place.open().await.unwrap() });
        }
        for store in starts.join_all().await {
            assert_eq!(store.last_event().await.unwrap(), 0);
        }
    }
}

/// As a release to come may have: the last one fails where it is run twice.
const NEXT: &str = "ALTER TABLE orgs ADD COLUMN motto TEXT; CREATE TABLE mottos (org_id TEXT NOT NULL); \
                    INSERT INTO mottos SELECT id FROM orgs";

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_runs_once_over_what_is_there_and_servers_of_before_go_on() {
    for place in Place::each().await {
        let before = filled(&place).await;
        let mut starts = JoinSet::new();
        for _ in 0..12 {
            let mut db = place.beside().await;
            let migrations = [schema::MIGRATIONS.as_slice(), &[NEXT]].concat();
            starts.spawn(async move { schema::migrate_by(&migrations, &mut db).await });
        }
        starts.join_all().await.into_iter().collect::<Result<(), _>>().unwrap();
        let mut db = place.beside().await;
        let mut count = async |sql: &'static str| query(sql).count(&mut db).await.unwrap();
        let orgs = count("SELECT COUNT(*) FROM orgs").await;
        assert!(orgs > 0);
        assert_eq!(count("SELECT COUNT(*) FROM mottos").await, orgs, "what was there was carried over");
        let next = schema::known() + 1;
        assert_eq!(count("SELECT version FROM schema_version").await, u64::try_from(next).unwrap());

        let page = Page::first(9);
        let mut org = before.orgs(&"acm".parse().unwrap(), &page).await.unwrap().swap_remove(0);
        org.version += 1;
        before.commit(telling(1).write(Write::UpdateOrg(org.clone()))).await.unwrap();
        assert!(before.orgs(&org.cid, &page).await.unwrap().contains(&org));
        drop(before);
        let refused = place.open().await.unwrap_err();
        assert!(matches!(refused, StoreError::TooNew { found, .. } if found == next), "{refused}");
    }
}

#[test]
fn the_schemas_tables_are_read_whole() {
    let tables = schema::tables();
    let customers = tables.iter().find(|table| table.name == "customers").unwrap();
    let names: Vec<&str> = customers.columns.iter().map(|column| column.name).collect();
    assert_eq!(names, ["cid", "login", "email", "lifecycle", "purge_after", "version", "doc"]);
    let sql = schema::MIGRATIONS.concat();
    let is_column =
        |line: &&str| line.starts_with("    ") && line.trim().starts_with(|c: char| c.is_ascii_lowercase());
    let columns: usize = tables.iter().map(|table| table.columns.len()).sum();
    assert_eq!(columns, sql.lines().filter(is_column).count(), "a column of a type that is not known here");
    assert_eq!(tables.len(), sql.matches("CREATE TABLE").count());
}

/// Every file of the store that holds SQL.
fn texts(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.file_stem().is_some_and(|stem| stem == "tests") {
            continue;
        }
        if path.is_dir() {
            found.extend(texts(&path));
        } else {
            found.push(std::fs::read_to_string(&path).unwrap());
        }
    }
    found
}

/// What was done and what was used is only ever added to: no statement changes it, takes it away or puts it anew.
#[test]
fn no_statement_changes_or_removes_an_event_or_a_usage_record() {
    let mut added = 0;
    for text in texts(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/sql")) {
        for statement in text.split(['"', ';']).map(str::to_lowercase) {
            let words: Vec<_> = statement.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
            let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
            for table in ["events", "usage_records"] {
                let names =
                    |verb: &[&str]| words.windows(verb.len() + 1).any(|at| at == [verb, &[table]].concat());
                for verb in [&["update"][..], &["delete", "from"], &["truncate"], &["drop", "table"]] {
                    assert!(!names(verb), "{statement}");
                }
                let adds = names(&["into"]);
                assert!(
                    !adds || !words.iter().any(|word| ["update", "replace"].contains(word)),
                    "{statement}"
                );
                added += usize::from(adds);
            }
        }
    }
    assert!(added >= 2, "the statements are looked at");
}
