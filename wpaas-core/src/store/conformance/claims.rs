use std::collections::BTreeSet;
use std::time::Duration;

use super::Store;
use crate::claim::{Member, ServerId, Share};

fn member(name: &str) -> Member {
    let server = ServerId::new(name).expect("a name");
    Member { server, reports: Some(format!("http://{name}")), until: jiff::Timestamp::UNIX_EPOCH }
}

fn share(number: u8) -> Share {
    Share::new(number).expect("a share")
}

const LONG: Duration = Duration::from_secs(3600);

pub(super) async fn a_share_is_one_servers_until_it_is_dead_or_gives_it_up(store: &dyn Store) {
    let (a, b) = (member("a"), member("b"));
    let board = store.beat(&a, LONG).await.expect("beats");
    assert_eq!((board.alive().count(), board.claims.len()), (1, 0));
    let taken = store.take(&[(share(0), 0), (share(1), 0)], &a.server).await.expect("takes");
    assert_eq!(taken.iter().map(|(share, _)| *share).collect::<Vec<_>>(), [share(0), share(1)]);
    let (first, second) = (taken[0].1, taken[1].1);

    let board = store.beat(&b, LONG).await.expect("beats");
    assert_eq!(board.alive().count(), 2);
    assert!(board.members.iter().any(|found| found.reports == a.reports));
    assert_eq!(store.take(&[(share(0), first)], &b.server).await.expect("answers"), [], "its owner lives");
    store.give_up(share(0), first).await.expect("gives up");
    assert_eq!(store.take(&[(share(0), first + 1)], &b.server).await.expect("answers"), [], "seen otherwise");
    let taken = store.take(&[(share(0), first)], &b.server).await.expect("takes");
    assert!(taken[0].1 > first, "a newer token");
    store.give_up(share(0), first).await.expect("answers");
    let claims = store.board().await.expect("reads").claims;
    assert_eq!(claims[0].server, Some(b.server.clone()), "an older token gives nothing up");

    let again = store.take(&[(share(1), second)], &a.server).await.expect("takes");
    assert!(again[0].1 > second, "its own of a life before");
    store.beat(&a, Duration::ZERO).await.expect("beats");
    let taken = store.take(&[(share(1), again[0].1)], &b.server).await.expect("takes");
    assert!(taken[0].1 > again[0].1, "its owner is dead");

    store.leave(&b.server).await.expect("leaves");
    let board = store.board().await.expect("reads");
    assert!(board.claims.iter().all(|claim| claim.server.is_none()));
    assert!(board.members.iter().all(|found| found.server != b.server));
}

pub(super) async fn a_raced_share_has_one_owner(store: std::sync::Arc<dyn Store>) {
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..16 {
        let store = store.clone();
        tasks.spawn(async move {
            let me = member(&format!("server-{number}"));
            store.beat(&me, LONG).await.expect("beats");
            let wanted: Vec<_> = Share::all().map(|share| (share, 0)).collect();
            store.take(&wanted, &me.server).await.expect("answers")
        });
    }
    let taken: Vec<Share> = tasks.join_all().await.into_iter().flatten().map(|(share, _)| share).collect();
    assert_eq!(taken.len(), usize::from(Share::COUNT));
    assert_eq!(taken.into_iter().collect::<BTreeSet<_>>().len(), usize::from(Share::COUNT));
}
