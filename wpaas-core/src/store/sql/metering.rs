//! Meters and usage records.

use async_trait::async_trait;
use jiff::Timestamp;

use super::db::Db;
use super::query::{Query, query};
use super::read::{limit, parsed, time};
use super::{SqlStore, int, micros};
use crate::converge::{ObjectId, Part};
use crate::id::{OrgId, SiteId, SpaceId};
use crate::metering::{
    Advanced, Look, Meter, MeterState, Slice, UsageFilter, UsageKind, UsageRecord, UsageSum, advance, gib,
};
use crate::name::Cid;
use crate::quota::VolumeSizes;
use crate::store::{StoreError, UsageReads};

/// Whom the use of a site is billed to.
type Owner = (String, String, String);
type MeterColumns = (String, String, i64, i64, i64, String);
/// Of a site's owner, and of one of its meters; of these columns none without a meter. Since when the site is its owner's,
/// if it was a spare.
type MeteredColumns = (
    String,
    String,
    String,
    Option<String>,
    Option<String>,
    Option<i64>,
    Option<i64>,
    Option<i64>,
    Option<String>,
    Option<i64>,
);
type RecordColumns = (i64, String, String, String, String, String, String, i64, i64, i64);

/// Takes a look into the site's meters, on a connection that is in a transaction. Records are numbered from `least` on.
/// One turn of the database: what is written goes with the next, as looks come by the hundred.
pub(super) async fn meter(
    db: &mut Db,
    look: &Look,
    sizes: VolumeSizes,
    least: i64,
) -> Result<(), StoreError> {
    let site = look.site.to_string();
    let found: Vec<MeteredColumns> = query(
        "SELECT sites.cid, sites.org_id, sites.space_id, \
         meters.object, meters.part, meters.started_at, meters.counted_to, meters.seen_at, meters.state, \
         spares.since FROM sites LEFT JOIN meters ON meters.site_id = sites.id \
         LEFT JOIN spares ON spares.id = sites.id WHERE sites.id = $1",
    )
    .bind(site.clone())
    .all(&mut *db)
    .await?;
    let Some((cid, org, space, .., taken_at)) = found.first() else { return Ok(()) };
    let owner: Owner = (cid.clone(), org.clone(), space.clone());
    let look = &*look.since(taken_at.map(time).transpose()?);
    let meters: Vec<Meter> = found.into_iter().filter_map(known).map(read).collect::<Result<_, _>>()?;
    let Advanced { meters, slices, forgotten } = advance(&meters, look);
    for meter in forgotten {
        forget(db, &site, &meter).await?;
    }
    for meter in meters {
        put(db, &site, meter).await?;
    }
    for slice in slices {
        append(db, &site, &owner, slice, (sizes, least)).await?;
    }
    Ok(())
}

/// The meter, if there is one.
fn known(columns: MeteredColumns) -> Option<MeterColumns> {
    let (_, _, _, object, part, started_at, counted_to, seen_at, state, _) = columns;
    Some((object?, part?, started_at?, counted_to?, seen_at?, state?))
}

fn read((object, part, started_at, counted_to, seen_at, state): MeterColumns) -> Result<Meter, StoreError> {
    Ok(Meter {
        object: ObjectId::new(&object),
        part: parsed(&part)?,
        started_at: time(started_at)?,
        counted_to: time(counted_to)?,
        seen_at: time(seen_at)?,
        state: match state.as_str() {
            "running" => MeterState::Running,
            "lost" => MeterState::Lost,
            "ended" => MeterState::Ended,
            _ => return Err(StoreError::Corrupt { what: format!("a meter is {state:?}") }),
        },
    })
}

async fn forget(db: &mut Db, site: &str, meter: &Meter) -> Result<(), StoreError> {
    let delete = query("DELETE FROM meters WHERE site_id = $1 AND object = $2 AND started_at = $3");
    let delete = delete.bind(site.to_owned()).bind(meter.object.to_string()).bind(micros(meter.started_at));
    delete.run_by_the_next(db).await
}

async fn put(db: &mut Db, site: &str, meter: Meter) -> Result<(), StoreError> {
    let Meter { object, part, started_at, counted_to, seen_at, state } = meter;
    let state = match state {
        MeterState::Running => "running",
        MeterState::Lost => "lost",
        MeterState::Ended => "ended",
    };
    query(
        "INSERT INTO meters (site_id, object, part, started_at, counted_to, seen_at, state) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (site_id, object, started_at) DO UPDATE SET \
         counted_to = excluded.counted_to, seen_at = excluded.seen_at, state = excluded.state",
    )
    .bind(site.to_owned())
    .bind(object.to_string())
    .bind(part.to_string())
    .bind(micros(started_at))
    .bind(micros(counted_to))
    .bind(micros(seen_at))
    .bind(state)
    .run_by_the_next(db)
    .await
}

async fn append(
    db: &mut Db,
    site: &str,
    (cid, org, space): &Owner,
    slice: Slice,
    (sizes, least): (VolumeSizes, i64),
) -> Result<(), StoreError> {
    let Slice { part, object, from, to } = slice;
    let Some(kind) = UsageKind::of(part) else { return Ok(()) };
    // The next number, but `$1` at least.
    query(
        "INSERT INTO usage_records \
         (seq, cid, org_id, space_id, site_id, part, kind, object, gib, from_at, to_at) VALUES \
         ((SELECT MAX(next) FROM (SELECT MAX(seq) + 1 AS next FROM usage_records UNION ALL SELECT $1) AS numbers), \
         $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (site_id, object, from_at) DO NOTHING",
    )
    .bind(least)
    .bind(cid.clone())
    .bind(org.clone())
    .bind(space.clone())
    .bind(site.to_owned())
    .bind(part.to_string())
    .bind(kind.as_str())
    .bind(object.to_string())
    .bind(i64::from(gib(part, sizes)))
    .bind(micros(from))
    .bind(micros(to))
    .run_by_the_next(db)
    .await
}

fn record(columns: RecordColumns) -> Result<UsageRecord, StoreError> {
    let (seq, cid, org, space, site, part, object, gib, from, to) = columns;
    let part: Part = parsed(&part)?;
    let unbilled = || StoreError::Corrupt { what: format!("a usage record of {part}") };
    Ok(UsageRecord {
        seq: u64::try_from(seq).unwrap_or(0),
        cid: parsed::<Cid>(&cid)?,
        org: parsed::<OrgId>(&org)?,
        space: parsed::<SpaceId>(&space)?,
        site: parsed::<SiteId>(&site)?,
        part,
        kind: UsageKind::of(part).ok_or_else(unbilled)?,
        object: ObjectId::new(&object),
        gib: u32::try_from(gib).unwrap_or(0),
        from: time(from)?,
        to: time(to)?,
    })
}

/// A query for what a filter lets through, whose values are bound by [`bound`]. An index serves it where the filter
/// names a customer.
macro_rules! filtered {
    ($filter:expr, $select:literal, $rest:literal) => {
        match ($filter.cid.is_some(), $filter.org.is_some()) {
            (true, true) => filtered!(@ $select, "cid = $1 AND org_id = $2", $rest),
            (true, false) => filtered!(@ $select, "cid = $1 AND CAST($2 AS TEXT) IS NULL", $rest),
            (false, _) => filtered!(@ $select, "CAST($1 AS TEXT) IS NULL AND ($2 IS NULL OR org_id = $2)", $rest),
        }
    };
    (@ $select:literal, $place:literal, $rest:literal) => {
        concat!(
            "SELECT ",
            $select,
            " FROM usage_records WHERE ",
            $place,
            " AND ($3 IS NULL OR site_id = $3) AND ($4 IS NULL OR from_at >= $4) \
             AND ($5 IS NULL OR from_at < $5) ",
            $rest
        )
    };
}

fn bound(query: Query, filter: &UsageFilter) -> Query {
    let UsageFilter { cid, org, site, from, to } = filter;
    let at = |time: &Option<Timestamp>| time.map(micros);
    query
        .bind(cid.as_ref().map(ToString::to_string))
        .bind(org.map(|org| org.to_string()))
        .bind(site.map(|site| site.to_string()))
        .bind(at(from))
        .bind(at(to))
}

#[async_trait]
impl UsageReads for SqlStore {
    async fn usage_records(
        &self,
        filter: &UsageFilter,
        after: u64,
        most: usize,
    ) -> Result<Vec<UsageRecord>, StoreError> {
        let sql = filtered!(
            filter,
            "seq, cid, org_id, space_id, site_id, part, object, gib, from_at, to_at",
            "AND seq > $6 ORDER BY seq LIMIT $7"
        );
        let query = bound(query(sql), filter).bind(int(after)).bind(limit(most));
        let found: Vec<RecordColumns> = query.all(&self.readers).await?;
        found.into_iter().map(record).collect()
    }

    async fn usage_sums(&self, filter: &UsageFilter) -> Result<Vec<UsageSum>, StoreError> {
        let sql = filtered!(
            filter,
            "kind, CAST(SUM((to_at - from_at) / 1000) AS BIGINT), \
             CAST(SUM((to_at - from_at) / 1000 * gib) AS BIGINT)",
            "GROUP BY kind"
        );
        let query = bound(query(sql), filter);
        let found: Vec<(String, i64, i64)> = query.all(&self.readers).await?;
        let sum = |kind: UsageKind| {
            let (_, millis, gib_millis) = found.iter().find(|(name, ..)| name == kind.as_str())?;
            let number = |sum: &i64| u64::try_from(*sum).unwrap_or(0);
            Some(UsageSum { kind, millis: number(millis), gib_millis: number(gib_millis) })
        };
        Ok(UsageKind::ALL.into_iter().filter_map(sum).collect())
    }
}
