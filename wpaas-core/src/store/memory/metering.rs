use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{MemoryStore, State};
use crate::metering::{Advanced, Look, Meter, UsageFilter, UsageKind, UsageRecord, UsageSum, advance, gib};
use crate::quota::VolumeSizes;
use crate::store::{StoreError, UsageReads};

impl State {
    pub(super) fn meter(&mut self, look: &Look, sizes: VolumeSizes) {
        let Some((site, _)) = self.sites.get(&look.site) else { return };
        let look = &*look.since(self.spares.get(&look.site).map(|(spare, _)| spare.since));
        let meters = self.meters.entry(look.site).or_default();
        let Advanced { meters: changed, slices, forgotten } = advance(meters, look);
        let is = |a: &Meter, b: &Meter| (&a.object, a.started_at) == (&b.object, b.started_at);
        meters.retain(|old| changed.iter().chain(&forgotten).all(|new| !is(old, new)));
        meters.extend(changed);
        for slice in slices {
            let Some(kind) = UsageKind::of(slice.part) else { continue };
            self.usage.push(UsageRecord {
                seq: self.usage.len() as u64 + 1,
                cid: site.cid.clone(),
                org: site.org,
                space: site.space,
                site: site.id,
                part: slice.part,
                kind,
                object: slice.object,
                gib: gib(slice.part, sizes),
                from: slice.from,
                to: slice.to,
            });
        }
    }
}

#[async_trait]
impl UsageReads for MemoryStore {
    async fn usage_records(
        &self,
        filter: &UsageFilter,
        after: u64,
        limit: usize,
    ) -> Result<Vec<UsageRecord>, StoreError> {
        let state = self.state();
        let found = state.usage.iter().filter(|record| record.seq > after && filter.matches(record));
        Ok(found.take(limit.max(1)).cloned().collect())
    }

    async fn usage_sums(&self, filter: &UsageFilter) -> Result<Vec<UsageSum>, StoreError> {
        let mut sums = BTreeMap::new();
        for record in self.state().usage.iter().filter(|record| filter.matches(record)) {
            let kind = record.kind;
            let sum = sums.entry(kind).or_insert(UsageSum { kind, millis: 0, gib_millis: 0 });
            sum.millis += record.millis();
            sum.gib_millis += record.millis() * u64::from(record.gib);
        }
        Ok(sums.into_values().collect())
    }
}
