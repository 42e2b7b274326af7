use tokio::task::JoinSet;

use super::{
    Arc, Change, EventKind, EventScope, Expect, Page, Quota, Store, StoreError, Subject, USAGE, Write, cid,
    customer, done, event, org, site, with_place, write,
};

const TASKS: u32 = 64;

/// How many of the changes were done; the others must have been refused.
pub(super) async fn race(store: &Arc<dyn Store>, change: impl Fn(u32) -> Change) -> usize {
    let mut tasks = JoinSet::new();
    for n in 0..TASKS {
        let (store, change) = (Arc::clone(store), change(n));
        tasks.spawn(async move { store.commit(change).await });
    }
    let results = tasks.join_all().await;
    let refused = |result: &_| matches!(result, Err(StoreError::Violated(_)));
    assert!(results.iter().all(|result| result.is_ok() || refused(result)), "{results:?}");
    results.iter().filter(|result| result.is_ok()).count()
}

pub(super) async fn a_raced_quota_is_never_passed(store: Arc<dyn Store>) {
    with_place(&*store, Quota { wordpress_instances: Some(21), ..Quota::default() }).await;
    let done = race(&store, |n| {
        let site = site(&format!("site-{n}"));
        let quota = Expect::QuotaAllows { org: site.org, space: site.space, site: None, usage: USAGE };
        write(Write::InsertSite(site, USAGE)).expect(quota)
    })
    .await;
    assert_eq!(done, 10);
    let usage = store.org_usage(org().id).await.expect("read");
    assert_eq!((usage.sites, usage.wordpress_instances), (10, 20));
}

pub(super) async fn a_raced_default_is_one_row_and_one_event(store: Arc<dyn Store>) {
    done(&*store, write(Write::InsertCustomer(customer(&cid(), "acme")))).await;
    let made = race(&store, |_| {
        write(Write::InsertOrg(org())).event(event(Subject::Org(org().id), EventKind::OrgCreated))
    })
    .await;
    assert_eq!(made, 1);
    assert_eq!(store.orgs(&cid(), &Page::first(9)).await.expect("read"), [org()]);
    let events = store.events(&EventScope::All.into(), 0, 9).await.expect("read");
    assert_eq!(events.len(), 1);
}

pub(super) async fn a_raced_name_has_one_owner(store: Arc<dyn Store>) {
    with_place(&*store, Quota::default()).await;
    let owners = race(&store, |_| write(Write::InsertSite(site("blog"), USAGE))).await;
    assert_eq!(owners, 1);
}
