use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_route53::Client;
use aws_sdk_route53::error::BuildError;
use aws_sdk_route53::types::{
    Change, ChangeAction, ChangeBatch, ChangeStatus, ResourceRecord, ResourceRecordSet, RrType,
};

use super::{failed, lacking};
use crate::cloud::{CloudError, Page, Record, RecordChange, TextRecord, Zone, actions};

/// A hosted zone by the SDK.
#[derive(Debug, Clone)]
pub struct SdkZone {
    client: Client,
    id: String,
}

impl SdkZone {
    /// With [`super::configuration`].
    #[must_use]
    pub fn new(config: &SdkConfig, id: &str) -> Self {
        Self { client: Client::new(config), id: id.to_owned() }
    }
}

/// Where a listing goes on: Route 53 names the next record by its name, its type and, of several, its identifier.
struct Next {
    name: String,
    kind: Option<RrType>,
    identifier: Option<String>,
}

impl Next {
    fn read(text: &str) -> Self {
        let mut parts = text.splitn(3, '\t').map(str::to_owned);
        Self {
            name: parts.next().unwrap_or_default(),
            kind: parts.next().filter(|kind| !kind.is_empty()).map(|kind| RrType::from(kind.as_str())),
            identifier: parts.next(),
        }
    }

    fn write(name: &str, kind: Option<&RrType>, identifier: Option<&str>) -> String {
        let kind = kind.map(RrType::as_str).unwrap_or_default();
        match identifier {
            Some(identifier) => format!("{name}\t{kind}\t{identifier}"),
            None => format!("{name}\t{kind}"),
        }
    }
}

/// A name as we write it: Route 53 ends it with a dot, and writes an asterisk in octal.
fn plain(name: &str) -> String {
    name.trim_end_matches('.').replace("\\052", "*")
}

/// `None` for what is no A record with one address, as somebody else made it.
fn record(set: &ResourceRecordSet) -> Option<Record> {
    let [one] = set.resource_records() else { return None };
    let ttl = u32::try_from(set.ttl()?).ok()?;
    (*set.r#type() == RrType::A && set.set_identifier().is_none()).then_some(())?;
    Some(Record { name: plain(set.name()), ip: one.value().parse().ok()?, ttl })
}

fn change(change: &RecordChange) -> Result<Change, CloudError> {
    let (action, set) = match change {
        RecordChange::Upsert(record) => (ChangeAction::Upsert, address_set(record)),
        RecordChange::Delete(record) => (ChangeAction::Delete, address_set(record)),
        RecordChange::UpsertTexts(record) => (ChangeAction::Upsert, text_set(record)),
        RecordChange::DeleteTexts(record) => (ChangeAction::Delete, text_set(record)),
    };
    let built = set.and_then(|set| Change::builder().action(action).resource_record_set(set).build());
    built.map_err(|error| CloudError::new("InvalidInput", error.to_string()))
}

fn address_set(Record { name, ip, ttl }: &Record) -> Result<ResourceRecordSet, BuildError> {
    set(name, RrType::A, *ttl, [ip.to_string()])
}

/// Texts are quoted.
fn text_set(TextRecord { name, texts, ttl }: &TextRecord) -> Result<ResourceRecordSet, BuildError> {
    set(name, RrType::Txt, *ttl, texts.iter().map(|text| format!("\"{text}\"")))
}

fn set(
    name: &str,
    kind: RrType,
    ttl: u32,
    values: impl IntoIterator<Item = String>,
) -> Result<ResourceRecordSet, BuildError> {
    let values = values.into_iter().map(|value| ResourceRecord::builder().value(value).build());
    let values = values.collect::<Result<_, _>>()?;
    let set = ResourceRecordSet::builder().name(name).r#type(kind).ttl(i64::from(ttl));
    set.set_resource_records(Some(values)).build()
}

#[async_trait]
impl Zone for SdkZone {
    async fn records(&self, next: Option<&str>) -> Result<Page<Record>, CloudError> {
        let mut request = self.client.list_resource_record_sets().hosted_zone_id(&self.id);
        if let Some(Next { name, kind, identifier }) = next.map(Next::read) {
            request = request.start_record_name(name).set_start_record_type(kind);
            request = request.set_start_record_identifier(identifier);
        }
        let answer = request.send().await.map_err(failed(actions::LIST_RECORDS))?;
        let next = answer
            .next_record_name()
            .map(|name| Next::write(name, answer.next_record_type(), answer.next_record_identifier()));
        if answer.is_truncated() && next.is_none() {
            return Err(lacking("next name"));
        }
        let items = answer.resource_record_sets().iter().filter_map(record).collect();
        Ok(Page { items, unreadable: 0, next: next.filter(|_| answer.is_truncated()) })
    }

    async fn change(&self, changes: &[RecordChange]) -> Result<String, CloudError> {
        let changes: Result<Vec<_>, _> = changes.iter().map(change).collect();
        let batch = ChangeBatch::builder().comment("by wpaas").set_changes(Some(changes?)).build();
        let batch = batch.map_err(|error| CloudError::new("InvalidInput", error.to_string()))?;
        let request = self.client.change_resource_record_sets().hosted_zone_id(&self.id);
        let answer = request.change_batch(batch).send().await.map_err(failed(actions::CHANGE_RECORDS))?;
        answer.change_info.map(|info| info.id).ok_or_else(|| lacking("change"))
    }

    async fn in_sync(&self, change: &str) -> Result<bool, CloudError> {
        let request = self.client.get_change().id(change.trim_start_matches("/change/"));
        let answer = request.send().await.map_err(failed(actions::GET_CHANGE))?;
        Ok(answer.change_info.is_some_and(|info| info.status == ChangeStatus::Insync))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_goes_on_at_the_very_record() {
        let written = Next::write("a.example.com.", Some(&RrType::Txt), Some("blue one"));
        let Next { name, kind, identifier } = Next::read(&written);
        assert_eq!(
            (name.as_str(), kind, identifier.as_deref()),
            ("a.example.com.", Some(RrType::Txt), Some("blue one"))
        );
        let Next { name, kind, identifier } = Next::read(&Next::write("a.", None, None));
        assert_eq!((name.as_str(), kind, identifier), ("a.", None, None));
    }

    #[test]
    fn what_somebody_else_made_is_no_record_of_ours() {
        let set = |kind, values: &[&str]| {
            let value = |value: &&str| ResourceRecord::builder().value(*value).build().unwrap();
            ResourceRecordSet::builder()
                .name("\\052.a.example.com.")
                .r#type(kind)
                .ttl(60)
                .set_resource_records(Some(values.iter().map(value).collect()))
        };
        let ours = set(RrType::A, &["203.0.113.1"]).build().unwrap();
        assert_eq!(record(&ours).unwrap().name, "*.a.example.com");
        for other in [
            set(RrType::A, &["203.0.113.1", "203.0.113.2"]),
            set(RrType::A, &[]),
            set(RrType::A, &["203.0.113.1"]).set_identifier("blue"),
            set(RrType::Txt, &["203.0.113.1"]),
        ] {
            assert_eq!(record(&other.build().unwrap()), None);
        }
    }
}
