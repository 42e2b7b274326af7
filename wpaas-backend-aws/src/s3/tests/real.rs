//! The SDK itself: against an S3 when `WPAAS_TEST_S3_ENDPOINT` names one (`moto_server` will do), and against
//! rules that need none.

use std::net::IpAddr;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Builder, Credentials, Region};
use aws_sdk_s3::types::{BucketVersioningStatus, ObjectCannedAcl, VersioningConfiguration};
use wpaas_core::reach::Resolve;

use super::*;

/// A bucket of its own for each test, or nothing when no S3 is named. Fails when the S3 can't be reached.
async fn bucket() -> Option<(Client, String, String)> {
    let endpoint = std::env::var("WPAAS_TEST_S3_ENDPOINT").ok()?;
    let config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .force_path_style(true)
        .endpoint_url(&endpoint);
    let client = Client::from_conf(config.build());
    let name = format!("wpaas-{}", uuid::Uuid::now_v7());
    client.create_bucket().bucket(&name).send().await.expect("WPAAS_TEST_S3_ENDPOINT answers");
    Some((client, endpoint, name))
}

async fn put(client: &Client, bucket: &str, key: &str, content: &str) {
    let body = content.as_bytes().to_vec().into();
    client.put_object().bucket(bucket).key(key).body(body).send().await.unwrap();
}

async fn make_from(endpoint: &str, bucket: &str, key: Option<&str>) -> Result<MadeRelease, CodeError> {
    make_as(Some("test:test"), endpoint, bucket, key).await
}

async fn make_as(
    credential: Option<&str>,
    endpoint: &str,
    bucket: &str,
    key: Option<&str>,
) -> Result<MadeRelease, CodeError> {
    let policy = CodePolicy { allowed_endpoints: vec![endpoint.to_owned()], ..CodePolicy::default() };
    let code = Code::S3(S3Code {
        bucket: bucket.to_owned(),
        key: key.map(str::to_owned),
        endpoint: Some(endpoint.to_owned()),
        region: None,
    });
    let limits = Limits { entries: 3000, bytes: 4 << 20, ..LIMITS };
    make(S3Source::new(policy.clone()), &policy, &code, credential, &limits).await
}

#[tokio::test]
async fn a_tree_of_more_than_a_page_and_a_version_of_an_archive() {
    let Some((client, endpoint, bucket)) = bucket().await else { return };
    let status = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    client.put_bucket_versioning().bucket(&bucket).versioning_configuration(status).send().await.unwrap();
    let files: Vec<(String, String)> =
        (0..1100).map(|n| (format!("themes/a/{n:04}.php"), format!("<?php // {n}"))).collect();
    let mut files: Vec<(&str, &str)> =
        files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    files.push(("themes/a/style.css", "/* ä &+ */"));
    for (path, text) in &files {
        put(&client, &bucket, &format!("site one/{path}"), text).await;
    }
    let archive = tar_of(&files);
    put(&client, &bucket, "site.tar", &archive).await;
    let tree = make_from(&endpoint, &bucket, Some("site one/")).await.unwrap();
    let first = make_from(&endpoint, &bucket, Some("site.tar")).await.unwrap();
    assert_eq!(tree.digest, first.digest);
    put(&client, &bucket, "site.tar", &archive).await;
    let second = make_from(&endpoint, &bucket, Some("site.tar")).await.unwrap();
    assert_eq!(first.digest, second.digest);
    assert_ne!(first.revision, second.revision, "versions");
}

#[tokio::test]
async fn hostile_keys_and_absences_of_a_real_bucket() {
    let Some((client, endpoint, bucket)) = bucket().await else { return };
    put(&client, &bucket, "site/../../evil", "x").await;
    let refusal =
        async |bucket: &str, key| make_from(&endpoint, bucket, Some(key)).await.unwrap_err().to_string();
    let error = refusal(&bucket, "site/").await;
    assert!(error.contains("leads out of the archive"), "{error}");
    let error = refusal(&bucket, "nope.zip").await;
    assert_eq!(error, format!("code.key: there is no object \"nope.zip\" in {bucket}"));
    let error = refusal("wpaas-there-is-none", "nope.zip").await;
    assert_eq!(error, "code.s3: there is no bucket wpaas-there-is-none");
}

#[tokio::test]
async fn without_a_credential_only_what_is_public_is_read() {
    let Some((client, endpoint, bucket)) = bucket().await else { return };
    let archive = tar_of(&[("themes/a/style.css", "")]);
    for (key, acl) in [("private.tar", ObjectCannedAcl::Private), ("public.tar", ObjectCannedAcl::PublicRead)]
    {
        let body = archive.clone().into_bytes().into();
        client.put_object().bucket(&bucket).key(key).acl(acl).body(body).send().await.unwrap();
    }
    let error = make_as(None, &endpoint, &bucket, Some("private.tar")).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("code.s3: the bucket {bucket} wants a credential")), "{error}");
    make_as(None, &endpoint, &bucket, Some("public.tar")).await.unwrap();
}

#[derive(Debug)]
struct Metadata;

#[async_trait]
impl Resolve for Metadata {
    async fn resolve(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(vec![[169, 254, 169, 254].into()])
    }
}

#[tokio::test]
async fn a_private_address_behind_a_public_name_is_refused() {
    let connect = SdkConnect::with_resolver(Arc::new(Metadata));
    let policy = CodePolicy::default();
    let code =
        Code::S3(S3Code { bucket: "bucket".into(), key: Some("a.zip".into()), endpoint: None, region: None });
    let source = S3Source::with_connect(policy.clone(), Arc::new(connect));
    let error = make(source, &policy, &code, None, &LIMITS).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "code.s3: the host bucket.s3.us-east-1.amazonaws.com is not on the public internet; code is fetched \
         from there only"
    );
}
