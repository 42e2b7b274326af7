use std::fs;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use tempfile::TempDir;

use super::*;
use crate::code::local_store::LocalReleaseStore;
use crate::code::{GitCode, S3Code};

/// Does to the folder what the function does.
#[derive(Clone, Copy)]
struct Source(fn(&Path) -> Result<String, CodeError>);

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Source")
    }
}

#[async_trait]
impl CodeSource for Source {
    async fn fetch(
        &self,
        _: &Code,
        _: Option<&Secret>,
        _: &Limits,
        into: &Path,
    ) -> Result<String, CodeError> {
        assert_eq!(fs::read_dir(into).unwrap().count(), 0, "the folder is fresh");
        (self.0)(into)
    }
}

/// Writes something, then never ends.
#[derive(Debug)]
struct Endless(tokio::sync::Notify);

#[async_trait]
impl CodeSource for Endless {
    async fn fetch(
        &self,
        _: &Code,
        _: Option<&Secret>,
        _: &Limits,
        into: &Path,
    ) -> Result<String, CodeError> {
        fs::write(into.join("part"), "x")?;
        self.0.notify_one();
        std::future::pending().await
    }
}

/// A disk that is full.
#[derive(Debug, Default)]
struct FullStore(Mutex<Vec<PathBuf>>);

#[async_trait]
impl ReleaseStore for FullStore {
    async fn put(&self, _: &Digest, file: &Path) -> std::io::Result<()> {
        self.0.lock().unwrap().push(file.to_owned());
        Err(std::io::ErrorKind::StorageFull.into())
    }

    async fn open(&self, _: &Digest) -> std::io::Result<BoxStream<'static, std::io::Result<bytes::Bytes>>> {
        Err(std::io::ErrorKind::NotFound.into())
    }

    async fn unused(
        &self,
        _: &std::collections::BTreeSet<Digest>,
        _: std::time::SystemTime,
    ) -> std::io::Result<Vec<(Digest, std::time::SystemTime)>> {
        Ok(Vec::new())
    }

    async fn remove(&self, _: &Digest) -> std::io::Result<()> {
        Ok(())
    }
}

fn good(into: &Path) -> Result<String, CodeError> {
    fs::create_dir_all(into.join("themes/a"))?;
    fs::write(into.join("themes/a/style.css"), "x")?;
    Ok("abc".into())
}

fn maker(temp: &TempDir) -> ReleaseMaker {
    let path = |name: &str| temp.path().join(name);
    let maker = ReleaseMaker {
        git: Some(Arc::new(Source(good))),
        s3: None,
        store: Arc::new(LocalReleaseStore::open(path("releases")).unwrap()),
        limits: Limits::default(),
        policy: CodePolicy::default(),
        temp_root: path("work"),
    };
    maker.sweep().unwrap();
    maker
}

fn git() -> Code {
    Code::Git(GitCode { url: "https://example.com/a".into(), reference: None, path: None })
}

fn left(maker: &ReleaseMaker) -> usize {
    fs::read_dir(&maker.temp_root).unwrap().count()
}

#[tokio::test]
async fn a_release_is_made_and_nothing_else_is_left() {
    let temp = tempfile::tempdir().unwrap();
    let maker = maker(&temp);
    let made = maker.make(&git(), None).await.unwrap();
    assert_eq!((made.layout, made.revision.as_str()), (Layout::Content, "abc"));
    assert!(maker.store.open(&made.digest).await.is_ok());
    assert_eq!(left(&maker), 0);
}

#[tokio::test]
async fn every_failure_is_told_and_leaves_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let ok = maker(&temp);
    let with = |source| ReleaseMaker { git: Some(Arc::new(Source(source))), ..ok.clone() };
    let bucket = Code::S3(S3Code { bucket: "bucket".into(), key: None, endpoint: None, region: None });
    let http = Code::Git(GitCode { url: "http://a.example/a".into(), reference: None, path: None });
    for (maker, code, why) in [
        (ok.clone(), bucket, "this server fetches no code from S3"),
        (ok.clone(), http, "code.git: http: is not allowed; use https://…, ssh://… or git@host:path"),
        (with(|_| Err(CodeError::Refused("no".into()))), git(), "no"),
        (with(|_| Err(CodeError::Unavailable("later".into()))), git(), "later"),
        (
            with(|into| fs::write(into.join("a.txt"), "x").map(|()| String::new()).map_err(Into::into)),
            git(),
            "the code is no WordPress",
        ),
        (
            ReleaseMaker { store: Arc::new(FullStore::default()), ..ok.clone() },
            git(),
            "the release store failed",
        ),
    ] {
        let error = maker.make(&code, None).await.unwrap_err().to_string();
        assert!(error.starts_with(why), "{error}");
        assert_eq!(left(&maker), 0, "{why}");
    }
}

#[tokio::test]
async fn what_takes_too_long_or_is_dropped_leaves_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let endless = Arc::new(Endless(tokio::sync::Notify::new()));
    let maker = ReleaseMaker {
        git: Some(endless.clone()),
        limits: Limits { time: Duration::from_millis(20), ..Limits::default() },
        ..maker(&temp)
    };
    let error = maker.make(&git(), None).await.unwrap_err();
    assert!(
        matches!(&error, CodeError::Unavailable(why) if why.ends_with("took longer than 0 s")),
        "{error}"
    );
    assert_eq!(left(&maker), 0);
    endless.0.notified().await;
    let maker = ReleaseMaker { limits: Limits::default(), ..maker };
    let working = maker.clone();
    let task = tokio::spawn(async move { working.make(&git(), None).await.map(|made| made.revision) });
    endless.0.notified().await;
    assert_eq!(left(&maker), 1);
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert_eq!(left(&maker), 0);
}

#[test]
fn what_a_killed_process_left_is_swept_away_and_nothing_else() {
    let temp = tempfile::tempdir().unwrap();
    let maker = maker(&temp);
    fs::create_dir_all(maker.temp_root.join("wpaas-code-abc/code/a")).unwrap();
    fs::create_dir(maker.temp_root.join("other")).unwrap();
    maker.sweep().unwrap();
    assert_eq!(left(&maker), 1);
    assert_eq!(maker.limits.time, Duration::from_mins(5));
}
