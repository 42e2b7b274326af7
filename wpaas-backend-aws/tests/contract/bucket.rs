use std::collections::BTreeSet;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use wpaas_backend_aws::cloud::{Page, When};

use crate::check::{Case, Told, all, cases, ensure, refused, same};
use crate::world::{World, account, moto};

pub const CASES: &[Case] = cases![
    an_object_is_written_read_listed_and_removed,
    conditions_hold_or_nothing_is_written,
    a_listing_of_more_than_a_page_has_every_key_once_in_order,
    a_file_is_written_and_many_are_removed,
];

#[tokio::test(start_paused = true)]
async fn the_simulator_is_a_bucket() {
    all(&World::simulated(), CASES).await;
    all(&World::wired().await, CASES).await;
}

#[tokio::test]
async fn moto_is_a_bucket() {
    let Some(world) = moto("eu-west-3").await else { return };
    all(&world, CASES).await;
}

#[tokio::test]
async fn an_account_has_a_bucket() {
    let Some(world) = account().await else { return };
    all(&world, CASES).await;
}

/// With keys as the backend has them, and stranger ones.
async fn an_object_is_written_read_listed_and_removed(world: &World) -> Told {
    let (bucket, folder) = (&world.bucket, world.name());
    for name in ["nodes/AROATEST:i-0123", "uploads/ä b&+%.jpg"] {
        let key = format!("{folder}/{name}");
        same("an object before it was written", bucket.get(&key).await?, None)?;
        let etag = bucket.put(&key, b"one".to_vec(), When::Always).await?;
        let other = bucket.put(&key, b"two".to_vec(), When::Always).await?;
        ensure!(etag != other && !other.is_empty(), "the state of another content: {etag}, {other}");
        let read = bucket.get(&key).await?.map(|blob| (blob.content, blob.etag));
        same("an object", read, Some((b"two".to_vec(), other.clone())))?;
        let Page { items, unreadable, next } = bucket.list(&folder, None).await?;
        same("unreadable keys", unreadable, 0)?;
        same("a next page", next, None)?;
        let listed: Vec<_> = items.iter().map(|item| (item.key.as_str(), item.etag.as_str())).collect();
        same("a listing", listed, vec![(key.as_str(), other.as_str())])?;
        ensure!(items[0].modified > 1_700_000_000, "when it was written: {}", items[0].modified);
        bucket.delete(&[key.clone(), format!("{folder}/never there")]).await?;
        same("an object after its removal", bucket.get(&key).await?, None)?;
    }
    Ok(())
}

async fn conditions_hold_or_nothing_is_written(world: &World) -> Told {
    let (bucket, key) = (&world.bucket, format!("{}/sites/a", world.name()));
    let first = bucket.put(&key, b"one".to_vec(), When::Absent).await?;
    let again = bucket.put(&key, b"two".to_vec(), When::Absent).await;
    refused("writing what is there", again, "PreconditionFailed")?;
    let second = bucket.put(&key, b"three".to_vec(), When::Is(&first)).await?;
    let stale = bucket.put(&key, b"four".to_vec(), When::Is(&first)).await;
    refused("writing over a newer state", stale, "PreconditionFailed")?;
    let read = bucket.get(&key).await?.map(|blob| (blob.content, blob.etag));
    same("what is there", read, Some((b"three".to_vec(), second)))?;
    Ok(bucket.delete(&[key]).await?)
}

async fn a_listing_of_more_than_a_page_has_every_key_once_in_order(world: &World) -> Told {
    let (bucket, folder) = (&world.bucket, world.name());
    let keys: Vec<String> = (0..1005).map(|n| format!("{folder}/reports/{n:04}")).collect();
    bucket.put(&format!("{folder}/other"), b"x".to_vec(), When::Always).await?;
    let put = |key: &String| {
        let key = key.clone();
        async move { bucket.put(&key, b"x".to_vec(), When::Always).await.map(drop) }
    };
    stream::iter(&keys).map(put).buffer_unordered(8).try_collect::<()>().await?;
    let prefix = format!("{folder}/reports/");
    let first = bucket.list(&prefix, None).await?;
    same("keys of a page", first.items.len(), 1000)?;
    let second = bucket.list(&prefix, first.next.as_deref()).await?;
    same("a third page", second.next, None)?;
    let listed: Vec<_> = first.items.into_iter().chain(second.items).map(|item| item.key).collect();
    same("all keys", listed, keys.clone())?;
    bucket.delete(&keys[..1000]).await?;
    let left = bucket.list(&folder, None).await?.items.into_iter().map(|item| item.key);
    let left: BTreeSet<_> = left.collect();
    same("what is left", left.len(), 6)?;
    Ok(bucket.delete(&left.into_iter().collect::<Vec<_>>()).await?)
}

async fn a_file_is_written_and_many_are_removed(world: &World) -> Told {
    let (bucket, key) = (&world.bucket, format!("{}/releases/a.tar.gz", world.name()));
    let content = vec![7_u8; 3 << 20];
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &content).unwrap();
    bucket.put_file(&key, file.path()).await?;
    let read = bucket.get(&key).await?.map(|blob| blob.content);
    ensure!(read == Some(content), "a file of 3 MiB came back otherwise");
    bucket.delete(&[]).await?;
    Ok(bucket.delete(&[key]).await?)
}
