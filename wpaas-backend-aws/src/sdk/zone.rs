use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_route53::Client;
use aws_sdk_route53::types::{Change, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet, RrType};

use super::{failed, lacking};
use crate::cloud::{CloudError, Page, Record, RecordChange, Zone};

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

/// A name as we write it: Route 53 ends it with a dot, and writes what is no letter, digit or hyphen in octal.
fn plain(name: &str) -> String {
    name.trim_end_matches('.').replace("\\052", "*")
}

/// `None` for what is no A record with one address.
fn record(set: &ResourceRecordSet) -> Option<Record> {
    let [one] = set.resource_records() else { return None };
    let ttl = u32::try_from(set.ttl()?).ok()?;
    (*set.r#type() == RrType::A).then_some(())?;
    Some(Record { name: plain(set.name()), ip: one.value().parse().ok()?, ttl })
}

fn change(change: &RecordChange) -> Result<Change, CloudError> {
    let (action, Record { name, ip, ttl }) = match change {
        RecordChange::Upsert(record) => (ChangeAction::Upsert, record),
        RecordChange::Delete(record) => (ChangeAction::Delete, record),
    };
    let built = || {
        let value = ResourceRecord::builder().value(ip.to_string()).build()?;
        let set = ResourceRecordSet::builder().name(name).r#type(RrType::A).ttl(i64::from(*ttl));
        Change::builder().action(action).resource_record_set(set.resource_records(value).build()?).build()
    };
    built().map_err(|error| CloudError::new("InvalidInput", error.to_string()))
}

#[async_trait]
impl Zone for SdkZone {
    async fn records(&self, next: Option<&str>) -> Result<Page<Record>, CloudError> {
        let request = self.client.list_resource_record_sets().hosted_zone_id(&self.id);
        let answer = request.set_start_record_name(next.map(str::to_owned)).send().await.map_err(failed)?;
        let next = answer.next_record_name().map(str::to_owned);
        if answer.is_truncated() && next.is_none() {
            return Err(lacking("next name"));
        }
        let items = answer.resource_record_sets().iter().filter_map(record).collect();
        Ok(Page { items, next: next.filter(|_| answer.is_truncated()) })
    }

    async fn change(&self, changes: &[RecordChange]) -> Result<(), CloudError> {
        let changes: Result<Vec<_>, _> = changes.iter().map(change).collect();
        let batch = ChangeBatch::builder().comment("by wpaas").set_changes(Some(changes?)).build();
        let batch = batch.map_err(|error| CloudError::new("InvalidInput", error.to_string()))?;
        let request = self.client.change_resource_record_sets().hosted_zone_id(&self.id);
        request.change_batch(batch).send().await.map(drop).map_err(failed)
    }
}
