//! S3's XML over REST.

use jiff::Timestamp;

use super::request::Request;
use super::{Answer, xml};
use crate::cloud::{Blob, Bucket as _, CloudError, Key, When};
use crate::testing::Simulator;

pub(super) async fn answer(aws: &Simulator, request: &Request) -> Result<Answer, CloudError> {
    let key = request.path.trim_start_matches('/');
    match (request.method.as_str(), key) {
        ("GET", "") => listing(aws, request).await.map(Answer::ok),
        ("POST", "") if request.query.has("delete") => {
            let document = String::from_utf8_lossy(&request.body).into_owned();
            let objects = xml::within(&document, "Object").into_iter();
            let keys: Vec<_> = objects.filter_map(|object| xml::value(object, "Key")).collect();
            aws.delete(&keys).await.map(|()| Answer::ok(xml::all("DeleteResult", &[])))
        }
        ("GET", key) => {
            let missing = || CloudError::new("NoSuchKey", "The specified key does not exist.");
            let Blob { content, etag } = aws.get(key).await?.ok_or_else(missing)?;
            Ok(Answer { etag: Some(etag), ..Answer::ok(content) })
        }
        ("PUT", key) => {
            let when = match (&request.if_match, &request.if_none_match) {
                (Some(etag), _) => When::Is(etag),
                (None, Some(_)) => When::Absent,
                (None, None) => When::Always,
            };
            let etag = aws.put(key, request.body.clone(), when).await?;
            Ok(Answer { etag: Some(etag), ..Answer::ok("") })
        }
        (method, key) => {
            Err(CloudError::new("NotImplemented", format!("{method} of '{key}' is not simulated")))
        }
    }
}

pub(super) fn failure(error: &CloudError) -> String {
    xml::all("Error", &[xml::text("Code", &error.code), xml::text("Message", &error.message)])
}

async fn listing(aws: &Simulator, request: &Request) -> Result<String, CloudError> {
    let query = &request.query;
    let page = aws.list(query.get("prefix"), query.some("continuation-token")).await?;
    let show = |Key { key, etag, modified }: &Key| {
        let modified = Timestamp::from_second(*modified).unwrap_or(Timestamp::UNIX_EPOCH);
        let (key, etag) = (xml::text("Key", key), xml::text("ETag", etag));
        xml::all("Contents", &[key, etag, xml::text("LastModified", modified)])
    };
    let contents: String = page.items.iter().map(show).collect();
    let more = xml::text("IsTruncated", page.next.is_some());
    Ok(xml::all(
        "ListBucketResult",
        &[more, xml::some("NextContinuationToken", page.next.as_ref()), contents],
    ))
}
