use super::metering::{meter, used};
use super::races::race;
use super::{
    Arc, NOW, Quota, Record, Site, SiteId, Store, USAGE, Violation, Write, at, cid, done, org, site,
    violation, with_place, write,
};
use crate::converge::{ObjectId, Part, Run};
use crate::metering::UsageFilter;
use crate::secret::SecretName;
use crate::site::{DatabaseSize, Spare, SpareState, Tombstone};
use crate::store::{Change, SealedSecret};

fn spare() -> Spare {
    Spare { id: SiteId::new(), database: DatabaseSize::Three, state: SpareState::Kept, since: NOW }
}

pub(super) fn filling() -> Vec<Write> {
    vec![Write::InsertSpare(spare(), vec![0, 1, 255])]
}

async fn with_spare(store: &dyn Store) -> Spare {
    with_place(store, Quota::default()).await;
    let spare = spare();
    done(store, write(Write::InsertSpare(spare.clone(), vec![7, 8]))).await;
    spare
}

/// The site that takes the spare.
fn taker(spare: &Spare, name: &str) -> Site {
    Site { id: spare.id, ..site(name) }
}

fn taking(spare: &Spare, name: &str) -> Change {
    let site = taker(spare, name);
    Change::at(at(60)).write(Write::InsertSite(site, USAGE)).write(Write::TakeSpare(spare.id))
}

async fn password(store: &dyn Store, site: SiteId) -> Option<SealedSecret> {
    store.secret(site, SecretName::DatabasePassword, 1).await.expect("read")
}

pub(super) async fn a_spare_becomes_one_site(store: &dyn Store) {
    let spare = with_spare(store).await;
    assert_eq!(store.spares().await.expect("read"), std::slice::from_ref(&spare));
    let kept = password(store, spare.id).await.expect("it is kept");
    assert_eq!((kept.site, kept.sealed.as_slice()), (spare.id, [7, 8].as_slice()));
    assert_eq!(store.secret(spare.id, SecretName::Salt, 1).await.expect("read"), None);
    assert_eq!(store.secret(spare.id, SecretName::DatabasePassword, 2).await.expect("read"), None);

    // Nobody's site.
    let lone = write(Write::TakeSpare(spare.id));
    assert_eq!(violation(store, lone).await, Violation::Absent(Record::Site(spare.id)));
    assert_eq!(store.spares().await.expect("read"), std::slice::from_ref(&spare));

    done(store, taking(&spare, "blog")).await;
    assert_eq!(store.spares().await.expect("read"), []);
    let taken = Spare { state: SpareState::Taken, since: at(60), ..spare.clone() };
    assert_eq!(store.spare(spare.id).await.expect("read"), Some(taken));
    assert_eq!(password(store, spare.id).await, Some(kept));
    assert_eq!(violation(store, write(Write::EndSpare(spare.id))).await, Violation::SpareNotKept);

    let left = Tombstone { id: spare.id, cid: cid(), org: org().id, generation: 1, purged_at: at(90) };
    done(store, write(Write::PurgeSite(left, 1))).await;
    assert_eq!(store.spare(spare.id).await.expect("read"), None);
    assert_eq!(password(store, spare.id).await, None);
    let again = write(Write::InsertSpare(spare.clone(), Vec::new()));
    assert_eq!(violation(store, again).await, Violation::Present(Record::Site(spare.id)));
}

pub(super) async fn a_spare_that_is_gone_stays_known(store: &dyn Store) {
    let spare = with_spare(store).await;
    done(store, Change::at(at(9)).write(Write::EndSpare(spare.id))).await;
    assert_eq!(store.spares().await.expect("read"), []);
    let gone = Spare { state: SpareState::Gone, since: at(9), ..spare.clone() };
    assert_eq!(store.spare(spare.id).await.expect("read"), Some(gone));
    assert_eq!(password(store, spare.id).await, None);
    assert_eq!(violation(store, taking(&spare, "blog")).await, Violation::SpareNotKept);
    assert_eq!(store.site(spare.id).await.expect("read"), None);
}

pub(super) async fn nobody_pays_for_a_spare(store: &dyn Store) {
    let spare = with_spare(store).await;
    let site = taker(&spare, "blog");
    let run = |name, part, from, to: Option<i64>| Run {
        part,
        object: ObjectId::new(name),
        started_at: at(from),
        ended_at: to.map(at),
        previous_end: None,
    };
    let seen = || {
        vec![
            run("a", Part::Database(0), 1, None),
            run("b", Part::Gateway(0), 2, Some(50)),
            run("c", Part::Gateway(0), 55, Some(70)),
            run("d", Part::Wordpress(0), 65, Some(80)),
        ]
    };
    done(store, write(meter(&site, 40, seen()))).await;
    done(store, taking(&spare, "blog")).await;
    done(store, write(meter(&site, 2 * 3600, seen()))).await;
    let mut used = used(store, &UsageFilter::default()).await;
    used.sort_unstable();
    assert_eq!(
        used,
        [(Part::Database(0), 60, 3600), (Part::Wordpress(0), 65, 80), (Part::Gateway(0), 60, 70)]
    );
}

pub(super) async fn a_raced_spare_has_one_owner(store: Arc<dyn Store>) {
    let spare = with_spare(&*store).await;
    assert_eq!(race(&store, |n| taking(&spare, &format!("site-{n}"))).await, 1);
}
