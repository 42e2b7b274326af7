use std::path::Path;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use super::failed;
use crate::cloud::{Blob, Bucket, CloudError, Key, Page, When};

/// A bucket by the SDK.
#[derive(Debug, Clone)]
pub struct SdkBucket {
    client: Client,
    name: String,
}

impl SdkBucket {
    /// With [`super::configuration`]. Calls of S3 do the same when they are made again, so here the SDK may.
    #[must_use]
    pub fn new(config: &SdkConfig, name: &str) -> Self {
        let own = Builder::from(config)
            .retry_config(RetryConfig::standard())
            .force_path_style(config.endpoint_url().is_some());
        Self { client: Client::from_conf(own.build()), name: name.to_owned() }
    }
}

#[async_trait]
impl Bucket for SdkBucket {
    async fn list(&self, prefix: &str, next: Option<&str>) -> Result<Page<Key>, CloudError> {
        let request = self.client.list_objects_v2().bucket(&self.name).prefix(prefix);
        let answer = request.set_continuation_token(next.map(str::to_owned)).send().await.map_err(failed)?;
        let more = answer.is_truncated().unwrap_or(false);
        let items = answer.contents().iter().filter_map(|object| {
            Some(Key {
                key: object.key()?.to_owned(),
                etag: object.e_tag().unwrap_or_default().to_owned(),
                modified: object.last_modified().map_or(0, aws_sdk_s3::primitives::DateTime::secs),
            })
        });
        let next = answer.next_continuation_token().filter(|_| more).map(str::to_owned);
        if more && next.is_none() {
            return Err(CloudError::unanswered("a listing broke off"));
        }
        Ok(Page { items: items.collect(), next })
    }

    async fn get(&self, key: &str) -> Result<Option<Blob>, CloudError> {
        let answer = self.client.get_object().bucket(&self.name).key(key).send().await.map_err(failed);
        let answer = match answer {
            Err(error) if error.is("NoSuchKey") => return Ok(None),
            answer => answer?,
        };
        let etag = answer.e_tag().unwrap_or_default().to_owned();
        let content = answer.body.collect().await;
        let content = content.map_err(|error| CloudError::unanswered(error.to_string()))?;
        Ok(Some(Blob { content: content.to_vec(), etag }))
    }

    async fn put(&self, key: &str, content: Vec<u8>, when: When<'_>) -> Result<String, CloudError> {
        let request = self.client.put_object().bucket(&self.name).key(key).body(content.into());
        let request = match when {
            When::Always => request,
            When::Absent => request.if_none_match("*"),
            When::Is(etag) => request.if_match(etag),
        };
        let answer = request.send().await.map_err(failed)?;
        Ok(answer.e_tag().unwrap_or_default().to_owned())
    }

    async fn put_file(&self, key: &str, file: &Path) -> Result<(), CloudError> {
        let body = ByteStream::from_path(file).await;
        let body = body.map_err(|error| CloudError::unanswered(error.to_string()))?;
        self.client.put_object().bucket(&self.name).key(key).body(body).send().await.map(drop).map_err(failed)
    }

    async fn delete(&self, keys: &[String]) -> Result<(), CloudError> {
        if keys.is_empty() {
            return Ok(());
        }
        let id = |key: &String| ObjectIdentifier::builder().key(key).build();
        let ids: Result<Vec<_>, _> = keys.iter().map(id).collect();
        let delete = ids.and_then(|ids| Delete::builder().set_objects(Some(ids)).quiet(true).build());
        let delete = delete.map_err(|error| CloudError::new("InvalidInput", error.to_string()))?;
        let answer =
            self.client.delete_objects().bucket(&self.name).delete(delete).send().await.map_err(failed)?;
        match answer.errors().first() {
            Some(error) => Err(CloudError::new(
                error.code().unwrap_or("InternalError"),
                error.message().unwrap_or("an object could not be removed"),
            )),
            None => Ok(()),
        }
    }
}
