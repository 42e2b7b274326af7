use super::{Quota, Site, Store, USAGE, Write, at, cid, done, org, site, with_place, write};
use crate::converge::{ObjectId, Part, Run};
use crate::id::{OrgId, SiteId};
use crate::metering::{Look, UsageFilter, UsageKind, UsageSum};
use crate::quota::VolumeSizes;
use crate::site::Tombstone;

const HOUR: i64 = 3600;
const SIZES: VolumeSizes = VolumeSizes { database_gib: 7, uploads_gib: 5 };

fn run(part: Part, from: i64, to: Option<i64>) -> Run {
    let object = ObjectId::new(&format!("{part}-a"));
    Run { part, object, started_at: at(from), ended_at: to.map(at), previous_end: None }
}

pub(super) fn meter(site: &Site, seen: i64, runs: Vec<Run>) -> Write {
    let look = Look { site: site.id, seen_at: at(seen), complete: true, runs, others: Vec::new() };
    Write::Meter(look, SIZES)
}

async fn with_site(store: &dyn Store) -> Site {
    with_place(store, Quota::default()).await;
    let site = site("blog");
    done(store, write(Write::InsertSite(site.clone(), USAGE))).await;
    site
}

/// What was used, each in seconds from the beginning.
pub(super) async fn used(store: &dyn Store, filter: &UsageFilter) -> Vec<(Part, i64, i64)> {
    let records = store.usage_records(filter, 0, 99).await.expect("read");
    let second = |time: jiff::Timestamp| time.as_second() - at(0).as_second();
    records.iter().map(|record| (record.part, second(record.from), second(record.to))).collect()
}

pub(super) async fn what_ran_is_recorded_once(store: &dyn Store) {
    let site = with_site(store).await;
    let node = Part::Wordpress(3);
    let seen = |to| vec![run(node, 60, to), run(Part::Network, 0, None)];
    let all = UsageFilter::default();
    for _ in 0..2 {
        done(store, write(meter(&site, 2 * HOUR, seen(None)))).await;
    }
    assert_eq!(used(store, &all).await, [(node, 60, HOUR)]);
    let both = write(meter(&site, 3 * HOUR, seen(None))).write(meter(&site, 3 * HOUR, seen(Some(9000))));
    done(store, both).await;
    done(store, write(meter(&site, 4 * HOUR, Vec::new()))).await;
    done(store, write(meter(&site, 2 * HOUR, seen(None)))).await;
    assert_eq!(used(store, &all).await, [(node, 60, HOUR), (node, HOUR, 2 * HOUR), (node, 2 * HOUR, 9000)]);
    let first = &store.usage_records(&all, 0, 1).await.expect("read")[0];
    assert_eq!((&first.cid, first.org, first.space), (&cid(), org().id, site.space));
    assert_eq!((first.site, first.kind, first.gib), (site.id, UsageKind::Wordpress, 0));
    assert_eq!(first.object.to_string(), "wordpress-3-a");
}

pub(super) async fn records_are_filtered_summed_and_paged(store: &dyn Store) {
    let blog = with_site(store).await;
    let shop = site("shop");
    done(store, write(Write::InsertSite(shop.clone(), USAGE))).await;
    let (database, volume) = (Part::Database(0), Part::DatabaseVolume(0));
    let runs = || vec![run(database, 0, Some(HOUR + 60)), run(volume, 0, Some(HOUR + 120))];
    done(store, write(meter(&blog, 2 * HOUR, runs())).write(meter(&shop, 2 * HOUR, runs()))).await;

    let page = store.usage_records(&UsageFilter::default(), 0, 3).await.expect("read");
    let rest = store.usage_records(&UsageFilter::default(), page[2].seq, 99).await.expect("read");
    assert_eq!((page.len(), rest.len()), (3, 5));
    let numbers = page.iter().chain(&rest).map(|record| record.seq);
    assert!(numbers.is_sorted_by(|a, b| a < b), "each once, in order");

    let of = |site: &Site| UsageFilter { cid: Some(cid()), site: Some(site.id), ..UsageFilter::default() };
    assert_eq!(used(store, &of(&shop)).await.len(), 4);
    let first_hour = UsageFilter { from: Some(at(0)), to: Some(at(HOUR)), ..of(&blog) };
    assert_eq!(used(store, &first_hour).await, [(database, 0, HOUR), (volume, 0, HOUR)]);
    let second_hour =
        UsageFilter { from: Some(at(HOUR)), to: Some(at(2 * HOUR)), org: Some(org().id), ..of(&blog) };
    assert_eq!(used(store, &second_hour).await, [(database, HOUR, HOUR + 60), (volume, HOUR, HOUR + 120)]);
    for nothing in [
        UsageFilter { org: Some(OrgId::new()), ..of(&blog) },
        UsageFilter { cid: Some("oth".parse().expect("an id")), ..UsageFilter::default() },
        UsageFilter { org: Some(OrgId::new()), ..UsageFilter::default() },
        UsageFilter { site: Some(SiteId::new()), ..UsageFilter::default() },
    ] {
        assert_eq!(used(store, &nothing).await, []);
        assert_eq!(store.usage_sums(&nothing).await.expect("read"), []);
    }
    let sums = store.usage_sums(&of(&blog)).await.expect("read");
    let node = UsageSum { kind: UsageKind::Database, millis: 3_660_000, gib_millis: 0 };
    let storage = UsageSum { kind: UsageKind::Storage, millis: 3_720_000, gib_millis: 7 * 3_720_000 };
    assert_eq!(sums, [node, storage]);
}

pub(super) async fn what_was_used_outlives_its_site(store: &dyn Store) {
    let site = with_site(store).await;
    let seen = vec![run(Part::Gateway(0), 0, None)];
    done(store, write(meter(&site, 600, seen.clone()))).await;
    let left = Tombstone { id: site.id, cid: cid(), org: org().id, generation: 1, purged_at: at(700) };
    let last = write(meter(&site, 700, Vec::new())).write(Write::PurgeSite(left, 1));
    done(store, last).await;
    let late = Write::Meter(
        Look { site: site.id, seen_at: at(9 * HOUR), complete: true, runs: seen, others: Vec::new() },
        SIZES,
    );
    done(store, write(late)).await;
    assert_eq!(used(store, &UsageFilter::default()).await, [(Part::Gateway(0), 0, 600)]);
}

/// A site whose node ran: its meter, and a record of it.
pub(super) async fn fill(store: &dyn Store) {
    let site = site("metered");
    let change = write(Write::InsertSite(site.clone(), USAGE));
    done(store, change.write(meter(&site, 2 * HOUR, vec![run(Part::Wordpress(0), 60, None)]))).await;
}
