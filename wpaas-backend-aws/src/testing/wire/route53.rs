//! Route 53's XML over REST.

use std::collections::BTreeSet;

use super::request::Request;
use super::{Answer, ZONE, xml};
use crate::cloud::{CloudError, Record, RecordChange, TextRecord, Zone as _};
use crate::testing::Simulator;

pub(super) async fn answer(aws: &Simulator, request: &Request) -> Result<Answer, CloudError> {
    if let Some((_, change)) = request.path.split_once("/change/") {
        let status = if aws.in_sync(change).await? { "INSYNC" } else { "PENDING" };
        return Ok(Answer::ok(xml::all("GetChangeResponse", &[change_info(change, status)])));
    }
    if !request.path.contains(&format!("/hostedzone/{ZONE}/rrset")) {
        return Err(CloudError::new("NoSuchHostedZone", "No hosted zone found"));
    }
    let body =
        if request.method == "GET" { listing(aws, request).await? } else { changing(aws, request).await? };
    Ok(Answer::ok(body))
}

async fn changing(aws: &Simulator, request: &Request) -> Result<String, CloudError> {
    let document = String::from_utf8_lossy(&request.body);
    let changes: Option<Vec<_>> = xml::within(&document, "Change").into_iter().map(change).collect();
    let changes = changes.ok_or_else(|| CloudError::new("InvalidInput", "a change can't be read"))?;
    let id = aws.change(&changes).await?;
    Ok(xml::all("ChangeResourceRecordSetsResponse", &[change_info(&id, "PENDING")]))
}

fn change_info(id: &str, status: &str) -> String {
    let about = [("Id", id), ("Status", status), ("SubmittedAt", "2027-01-15T08:00:00Z")];
    xml::all("ChangeInfo", &about.map(|(name, value)| xml::text(name, value)))
}

pub(super) fn failure(error: &CloudError) -> String {
    let error = xml::all("Error", &[xml::text("Code", &error.code), xml::text("Message", &error.message)]);
    xml::all("ErrorResponse", &[error])
}

fn change(document: &str) -> Option<RecordChange> {
    let value = |name| xml::value(document, name);
    let (name, ttl) = (value("Name")?.trim_end_matches('.').to_owned(), value("TTL")?.parse().ok()?);
    let address = || Some(Record { name: name.clone(), ip: value("Value")?.parse().ok()?, ttl });
    let texts = || Some(TextRecord { name: name.clone(), texts: quoted(document)?, ttl });
    match (value("Action")?.as_str(), value("Type")?.as_str()) {
        ("UPSERT", "A") => address().map(RecordChange::Upsert),
        ("DELETE", "A") => address().map(RecordChange::Delete),
        ("UPSERT", "TXT") => texts().map(RecordChange::UpsertTexts),
        ("DELETE", "TXT") => texts().map(RecordChange::DeleteTexts),
        _ => None,
    }
}

/// All values of a record set, each of which has to be in quotes.
fn quoted(document: &str) -> Option<BTreeSet<String>> {
    let values = xml::within(document, "ResourceRecord").into_iter();
    let bare = |value: String| Some(value.strip_prefix('"')?.strip_suffix('"')?.to_owned());
    values.map(|record| xml::value(record, "Value").and_then(bare)).collect()
}

/// Names end with a dot, and an asterisk is written in octal.
fn listing(aws: &Simulator, request: &Request) -> impl Future<Output = Result<String, CloudError>> {
    let next = request.query.some("name").map(|name| name.trim_end_matches('.').replace("\\052", "*"));
    async move {
        let page = aws.records(next.as_deref()).await?;
        let written = |name: &str| format!("{}.", name.replace('*', "\\052"));
        let set = |Record { name, ip, ttl }: &Record| {
            let value = xml::all("ResourceRecord", &[xml::text("Value", ip)]);
            let about = [("Name", written(name)), ("Type", "A".to_owned()), ("TTL", ttl.to_string())];
            let about = about.map(|(name, value)| xml::text(name, value)).concat();
            about + &xml::all("ResourceRecords", &[value])
        };
        let sets = xml::list("ResourceRecordSets", "ResourceRecordSet", &page.items, set);
        let next = page.next.as_deref().map(written);
        let kind = next.is_some().then_some("A");
        let more = xml::text("IsTruncated", next.is_some()) + &xml::text("MaxItems", 300);
        let next = xml::some("NextRecordName", next) + &xml::some("NextRecordType", kind);
        Ok(xml::all("ListResourceRecordSetsResponse", &[sets, more, next]))
    }
}
