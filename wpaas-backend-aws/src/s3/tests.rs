use std::collections::BTreeMap;
use std::fs;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream;
use wpaas_core::code::fetch::{MadeRelease, ReleaseMaker};
use wpaas_core::code::local_store::LocalReleaseStore;

use super::*;

#[cfg(feature = "s3")]
mod real;

/// A bucket in memory: pages of two, parts of ten bytes.
#[derive(Debug, Clone, Default)]
struct Memory {
    objects: BTreeMap<String, String>,
    fault: Option<Fault>,
    asked: Arc<Mutex<Vec<(Place, Identity)>>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Fault {
    /// Every call fails so.
    Fails(ObjectError),
    /// Contents break off.
    Cut,
    /// Contents go on for ever.
    Flood,
    /// Contents never come.
    Hang,
    /// What is listed is not what is read any more.
    Changes,
}

#[async_trait]
impl Connect for Memory {
    async fn connect(&self, place: &Place, identity: Identity) -> Result<Box<dyn Objects>, ObjectError> {
        self.asked.lock().unwrap().push((place.clone(), identity));
        Ok(Box::new(self.clone()))
    }
}

#[async_trait]
impl Objects for Memory {
    async fn list(&self, prefix: &str, next: Option<String>) -> Result<Page, ObjectError> {
        if let Some(Fault::Fails(error)) = &self.fault {
            return Err(error.clone());
        }
        let from = next.unwrap_or_else(|| prefix.to_owned());
        let mut found = self.objects.range(from..).filter(|(key, _)| key.starts_with(prefix));
        let object = |(key, content): (&String, &String)| Object {
            key: key.clone(),
            size: content.len() as u64,
            etag: format!("{content:?}"),
        };
        let objects = found.by_ref().take(2).map(object).collect();
        Ok(Page { objects, next: found.next().map(|(key, _)| key.clone()) })
    }

    async fn get(&self, key: &str, etag: Option<&str>) -> Result<Download, ObjectError> {
        let content = self.objects.get(key).ok_or(ObjectError::NoObject)?.clone();
        let current = format!("{content:?}");
        if etag.is_some_and(|etag| etag != current || self.fault == Some(Fault::Changes)) {
            return Err(ObjectError::Changed);
        }
        let parts: Vec<_> = content.as_bytes().chunks(10).map(Bytes::copy_from_slice).map(Ok).collect();
        let broken = || Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        let body = match &self.fault {
            Some(Fault::Fails(error)) => return Err(error.clone()),
            Some(Fault::Cut) => {
                stream::iter(parts.into_iter().take(1)).chain(stream::iter([broken()])).boxed()
            }
            Some(Fault::Flood) => stream::repeat_with(|| Ok(Bytes::from_static(&[0; 4096]))).boxed(),
            Some(Fault::Hang) => stream::pending().boxed(),
            _ => stream::iter(parts).boxed(),
        };
        Ok(Download { body, size: None, revision: current })
    }
}

impl Memory {
    fn of(objects: &[(&str, &str)]) -> Self {
        let objects = objects.iter().map(|(key, content)| ((*key).to_owned(), (*content).to_owned()));
        Self { objects: objects.collect(), ..Self::default() }
    }

    fn with(self, fault: Fault) -> Self {
        Self { fault: Some(fault), ..self }
    }

    async fn make(&self, key: Option<&str>, limits: &Limits) -> Result<MadeRelease, CodeError> {
        let code = Code::S3(S3Code {
            bucket: "bucket".into(),
            key: key.map(str::to_owned),
            endpoint: None,
            region: None,
        });
        let policy = CodePolicy::default();
        make(S3Source::with_connect(policy.clone(), Arc::new(self.clone())), &policy, &code, None, limits)
            .await
    }

    async fn refusal(&self, key: Option<&str>) -> String {
        self.make(key, &LIMITS).await.unwrap_err().to_string()
    }
}

const LIMITS: Limits = Limits { bytes: 1 << 20, entries: 10, time: Duration::from_mins(1) };

/// Makes a release; whatever comes of it, nothing is left of the work.
async fn make(
    source: S3Source,
    policy: &CodePolicy,
    code: &Code,
    credential: Option<&str>,
    limits: &Limits,
) -> Result<MadeRelease, CodeError> {
    let temp = tempfile::tempdir().unwrap();
    let maker = ReleaseMaker {
        git: None,
        s3: Some(Arc::new(source)),
        store: Arc::new(LocalReleaseStore::open(temp.path().join("releases")).unwrap()),
        limits: *limits,
        policy: policy.clone(),
        temp_root: temp.path().join("work"),
    };
    maker.sweep().unwrap();
    let secret = credential.map(|text| Secret::new(text.to_owned()));
    let made = maker.make(code, secret.as_ref()).await;
    // A write that was under way when the work was dropped is cleaned up a moment later.
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while fs::read_dir(&maker.temp_root).unwrap().count() > 0 {
        assert!(std::time::Instant::now() < deadline, "something was left in the temporary folder");
        std::thread::yield_now();
    }
    made
}

const SITE: [(&str, &str); 4] = [
    ("site/", ""),
    ("site/plugins/b.php", "<?php // longer than one part"),
    ("site/themes/a/style.css", "/* A */"),
    ("site/themes/a/index.php", ""),
];

fn tar_of(files: &[(&str, &str)]) -> String {
    let mut tar = String::new();
    for (path, content) in files {
        let mut header = vec![0_u8; 512];
        header[..path.len()].copy_from_slice(path.as_bytes());
        header[100..107].copy_from_slice(b"0000644");
        header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        header[156] = b'0';
        header[257..265].copy_from_slice(b"ustar\x0000");
        header[148..156].copy_from_slice(b"        ");
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        tar.push_str(std::str::from_utf8(&header).unwrap());
        tar.push_str(content);
        tar.push_str(&"\0".repeat(content.len().next_multiple_of(512) - content.len()));
    }
    tar + &"\0".repeat(1024)
}

#[tokio::test]
async fn a_tree_of_objects_and_an_archive_make_the_same_release() {
    let below: Vec<(&str, &str)> =
        SITE[1..].iter().map(|(key, content)| (key.strip_prefix("site/").unwrap(), *content)).collect();
    let archive = tar_of(&below);
    let bucket = Memory::of(&[&SITE[..], &[("site.tar", &archive), ("other", "x")]].concat());
    let tree = bucket.make(Some("site/"), &LIMITS).await.unwrap();
    let one = bucket.make(Some("site.tar"), &LIMITS).await.unwrap();
    assert_eq!(tree.digest, one.digest);
    assert_eq!(one.revision, format!("{archive:?}"));
    assert!(tree.revision.starts_with("listing-") && tree.revision.len() == 40, "{}", tree.revision);
    let whole = Memory::of(&below).make(None, &LIMITS).await.unwrap();
    assert_eq!(whole.digest, tree.digest);
    let mut changed = bucket.clone();
    changed.objects.insert("site/themes/a/style.css".into(), "/* B */".into());
    let after = changed.make(Some("site/"), &LIMITS).await.unwrap();
    assert_ne!(after.digest, tree.digest);
    assert_ne!(after.revision, tree.revision);
}

#[tokio::test]
async fn hostile_keys_are_refused() {
    for (key, why) in [
        ("site/../../evil", "leads out of the archive"),
        ("site//etc/evil", "its path is absolute"),
        ("site/a\\..\\evil", "its name has a backslash"),
        ("site/a\nb", "its name has control characters"),
        ("site/Plugins/b.php", "differ only in case"),
        ("site/plugins", "is there twice"),
        ("site/plugins//b.php", "is there twice"),
        (&format!("site/{}", "x".repeat(300)), "its name is too long"),
    ] {
        let bucket = Memory::of(&[&SITE[..], &[(key, "x")]].concat());
        let error = bucket.refusal(Some("site/")).await;
        assert!(error.contains(why), "{key:?}: {error}");
    }
    let evil = Memory::of(&[("a.tar", &tar_of(&[("../evil", "x")]))]);
    let error = evil.refusal(Some("a.tar")).await;
    assert!(error.contains("leads out of the archive"), "{error}");
}

#[tokio::test]
async fn limits_hold_by_what_arrives() {
    let larger = "the code is larger than 1048576 bytes";
    let big = "x".repeat(600_000);
    let two = Memory::of(&[("themes/a", &big), ("themes/b", &big)]);
    assert_eq!(two.refusal(None).await, larger);
    let flood = Memory::of(&SITE).with(Fault::Flood);
    assert_eq!(flood.refusal(Some("site/")).await, larger);
    let flood = Memory::of(&[("a.zip", "x")]).with(Fault::Flood);
    assert_eq!(flood.refusal(Some("a.zip")).await, larger);
    let names: Vec<String> = (0..11).map(|n| format!("themes/{n}")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    assert_eq!(Memory::of(&many).refusal(None).await, "the code has more than 10 files and folders");
}

#[tokio::test]
async fn faults_are_told_and_leave_nothing() {
    let site = || Memory::of(&[&SITE[..], &[("a.tar", "not a tar")]].concat());
    let fails = |error| site().with(Fault::Fails(error));
    for (bucket, key, why) in [
        (site(), "nope/", "code.key: there are no objects below \"nope/\" in bucket"),
        (site(), "nope.zip", "code.key: there is no object \"nope.zip\" in bucket"),
        (site(), "a.tar", "the object is no archive: a .zip, .tar or .tar.gz is needed"),
        (site().with(Fault::Cut), "site/", "the bucket bucket can't be read: the connection broke off"),
        (site().with(Fault::Cut), "a.tar", "the bucket bucket can't be read: the connection broke off"),
        (site().with(Fault::Changes), "site/", "the bucket changed while it was being read"),
        (fails(ObjectError::NoBucket), "site/", "code.s3: there is no bucket bucket"),
        (fails(ObjectError::Denied), "a.tar", "code.s3: the bucket bucket wants a credential"),
        (
            fails(ObjectError::OtherRegion(Some("eu-west-1".into()))),
            "a.tar",
            "code.region: the bucket bucket is in the region eu-west-1",
        ),
        (fails(ObjectError::Unavailable("503".into())), "site/", "the bucket bucket can't be read: 503"),
    ] {
        let error = bucket.refusal(Some(key)).await;
        assert!(error.starts_with(why), "{key}: {error}");
    }
}

#[tokio::test]
async fn a_bucket_that_hangs_is_left_after_the_time_given() {
    let limits = Limits { time: Duration::from_millis(50), ..LIMITS };
    for key in ["site/", "site/plugins/b.php"] {
        let error = Memory::of(&SITE).with(Fault::Hang).make(Some(key), &limits).await.unwrap_err();
        assert!(matches!(&error, CodeError::Unavailable(why) if why.contains("took longer")), "{error}");
    }
}

#[tokio::test]
async fn an_endpoint_is_asked_only_if_the_operator_allows_it() {
    let bucket = Memory::of(&SITE);
    let limits = LIMITS;
    let temp = tempfile::tempdir().unwrap();
    let code = Code::S3(S3Code {
        bucket: "bucket".into(),
        key: None,
        endpoint: Some("http://169.254.169.254".into()),
        region: None,
    });
    let source = S3Source::with_connect(CodePolicy::default(), Arc::new(bucket.clone()));
    let error = source.fetch(&code, None, &limits, temp.path()).await.unwrap_err().to_string();
    assert!(error.starts_with("code.endpoint: http://169.254.169.254 is not an endpoint"), "{error}");
    assert_eq!(*bucket.asked.lock().unwrap(), []);
}
