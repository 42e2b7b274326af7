use std::path::Path;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{self as aws, Delete, ObjectIdentifier};

use super::{failed, page};
use crate::cloud::{Blob, Bucket, CloudError, Key, Page, When, actions};

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

fn key(of: &aws::Object) -> Option<Key> {
    Some(Key {
        key: of.key()?.to_owned(),
        etag: of.e_tag().unwrap_or_default().to_owned(),
        modified: of.last_modified().map_or(0, DateTime::secs),
    })
}

#[async_trait]
impl Bucket for SdkBucket {
    async fn list(&self, prefix: &str, next: Option<&str>) -> Result<Page<Key>, CloudError> {
        let request = self.client.list_objects_v2().bucket(&self.name).prefix(prefix);
        let answer = request.set_continuation_token(next.map(str::to_owned)).send().await;
        let answer = answer.map_err(failed(actions::LIST_BUCKET))?;
        let more = answer.is_truncated().unwrap_or(false);
        let next = answer.next_continuation_token().filter(|_| more);
        if more && next.is_none() {
            return Err(CloudError::unanswered("a listing broke off"));
        }
        Ok(page(answer.contents(), key, next))
    }

    async fn get(&self, key: &str) -> Result<Option<Blob>, CloudError> {
        let answer = self.client.get_object().bucket(&self.name).key(key).send().await;
        let answer = match answer.map_err(failed(actions::GET_OBJECT)) {
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
        let answer = request.send().await.map_err(failed(actions::PUT_OBJECT))?;
        Ok(answer.e_tag().unwrap_or_default().to_owned())
    }

    async fn put_file(&self, key: &str, file: &Path) -> Result<(), CloudError> {
        let body = ByteStream::from_path(file).await;
        let body = body.map_err(|error| CloudError::unanswered(error.to_string()))?;
        let request = self.client.put_object().bucket(&self.name).key(key).body(body);
        request.send().await.map(drop).map_err(failed(actions::PUT_OBJECT))
    }

    async fn delete(&self, keys: &[String]) -> Result<(), CloudError> {
        if keys.is_empty() {
            return Ok(());
        }
        let id = |key: &String| ObjectIdentifier::builder().key(key).build();
        let ids: Result<Vec<_>, _> = keys.iter().map(id).collect();
        let delete = ids.and_then(|ids| Delete::builder().set_objects(Some(ids)).quiet(true).build());
        let delete = delete.map_err(|error| CloudError::new("InvalidInput", error.to_string()))?;
        let answer = self.client.delete_objects().bucket(&self.name).delete(delete).send().await;
        let answer = answer.map_err(failed(actions::DELETE_OBJECT))?;
        let refusal = |error: &aws::Error| {
            let code = error.code().unwrap_or("InternalError");
            let error = CloudError::new(code, error.message().unwrap_or("an object could not be removed"));
            error.to(actions::DELETE_OBJECT)
        };
        answer.errors().first().map_or(Ok(()), |error| Err(refusal(error)))
    }
}
