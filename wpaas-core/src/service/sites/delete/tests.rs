use super::*;
use crate::account::Lifecycle;
use crate::service::test::{NOW, customer, site};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(NOW.as_second() + seconds).unwrap()
}

fn deleting(purge_after: i64) -> Site {
    Site { lifecycle: SiteLifecycle::Deleting { since: NOW, purge_after: at(purge_after) }, ..site() }
}

#[test]
fn deleting_again_can_only_shorten_the_grace() {
    let grace = |site: &Site, end, now| {
        decide_delete(site, at(end), at(now)).unwrap().map(|after| (after.lifecycle, after.generation))
    };
    let to = |since, end| Some((SiteLifecycle::Deleting { since: at(since), purge_after: at(end) }, 2));
    assert_eq!(grace(&site(), 60, 0), to(0, 60));
    assert_eq!(grace(&deleting(60), 90, 5), None);
    assert_eq!(grace(&deleting(60), 60, 5), None);
    assert_eq!(grace(&deleting(60), 5, 5), to(0, 5));
}

#[test]
fn a_protected_site_is_not_deleted() {
    let mut protected = site();
    protected.spec.deletion_protection = true;
    assert_eq!(decide_delete(&protected, NOW, NOW).unwrap_err().code(), "site_protected");
}

#[test]
fn a_site_is_restored_within_its_grace_only() {
    let restore = |lifecycle, site: &Site, now| {
        decide_restore(&customer(lifecycle), site, at(now)).map_err(|e| e.code()).map(|after| after.lifecycle)
    };
    assert_eq!(restore(Lifecycle::Active, &deleting(60), 59), Ok(SiteLifecycle::Live));
    assert_eq!(restore(Lifecycle::Active, &deleting(60), 60), Err("not_in_deletion"));
    assert_eq!(restore(Lifecycle::Active, &site(), 0), Err("not_in_deletion"));
    assert_eq!(restore(Lifecycle::Suspended, &deleting(60), 0), Err("customer_suspended"));
}
