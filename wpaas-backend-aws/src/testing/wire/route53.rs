//! Route 53's XML over REST.

use super::request::Request;
use super::{Answer, ZONE, xml};
use crate::cloud::{CloudError, Record, RecordChange, Zone as _};
use crate::testing::Simulator;

pub(super) async fn answer(aws: &Simulator, request: &Request) -> Result<Answer, CloudError> {
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
    aws.change(&changes).await?;
    let info = ["Id", "Status"].map(|name| xml::text(name, "PENDING")).concat();
    let info = xml::all("ChangeInfo", &[info, xml::text("SubmittedAt", "2027-01-15T08:00:00Z")]);
    Ok(xml::all("ChangeResourceRecordSetsResponse", &[info]))
}

pub(super) fn failure(error: &CloudError) -> String {
    let error = xml::all("Error", &[xml::text("Code", &error.code), xml::text("Message", &error.message)]);
    xml::all("ErrorResponse", &[error])
}

fn change(document: &str) -> Option<RecordChange> {
    let value = |name| xml::value(document, name);
    (value("Type")? == "A").then_some(())?;
    let name = value("Name")?.trim_end_matches('.').to_owned();
    let record = Record { name, ip: value("Value")?.parse().ok()?, ttl: value("TTL")?.parse().ok()? };
    match value("Action")?.as_str() {
        "UPSERT" => Some(RecordChange::Upsert(record)),
        "DELETE" => Some(RecordChange::Delete(record)),
        _ => None,
    }
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
