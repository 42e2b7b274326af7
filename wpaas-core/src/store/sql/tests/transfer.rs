//! From one database to another.

use super::{Place, filled, telling};
use crate::store::Commit as _;
use crate::store::sql::schema::known;
use crate::store::sql::{SqlStore, TransferError, schema};

async fn exported(store: &SqlStore) -> String {
    let mut text = Vec::new();
    store.export(&mut text).await.unwrap();
    String::from_utf8(text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_it_goes_from_one_database_to_another_and_back() {
    let file = Place::file();
    let first = filled(&file).await;
    let text = exported(&first).await;
    for table in schema::tables().iter().filter(|table| !["members", "claims"].contains(&table.name)) {
        assert!(text.contains(&format!("[\"{}\",", table.name)), "a row of {}", table.name);
    }
    for place in Place::each().await {
        let second = place.open().await.unwrap();
        let rows = second.import(text.as_bytes()).await.unwrap();
        assert_eq!(usize::try_from(rows).unwrap(), text.lines().count() - 2);
        assert_eq!(exported(&second).await, text);
        assert!(matches!(second.import(text.as_bytes()).await, Err(TransferError::NotEmpty)));
        second.commit(telling(1)).await.unwrap();
    }
}

#[tokio::test]
async fn a_damaged_export_leaves_nothing_behind() {
    let file = Place::file();
    let text = exported(&filled(&file).await).await;
    let lines: Vec<&str> = text.lines().collect();
    let cut = lines[..lines.len() - 1].join("\n");
    let missing = [&lines[..3], &lines[4..]].concat().join("\n");
    let head = format!("{{\"wpaas_export\":{}}}", known());
    let newer = text.replacen(&head, "{\"wpaas_export\":99}", 1);
    assert_ne!(newer, text);
    for place in Place::each().await {
        let store = place.open().await.unwrap();
        for damaged in [&cut, &missing, &newer, &text[..text.len() / 2].to_owned()] {
            assert!(store.import(damaged.as_bytes()).await.is_err());
            assert_eq!(exported(&store).await.lines().count(), 2, "nothing is kept");
        }
        store.import(text.as_bytes()).await.unwrap();
    }
}
