use jiff::SignedDuration;

use super::sites::with_site;
use super::{NOW, USAGE, at, done, parse, site, violation, write};
use crate::name::Hostname;
use crate::site::{DOMAIN_REMEMBERED, DomainClaim, DomainClaims, Site, SiteLifecycle, Tombstone};
use crate::store::{Change, Expect, Page, PastHolder, Store, Violation, Write};

/// The site after it was given a domain, proved or only asked for.
fn with_domain(site: &Site, domain: &Hostname, proved: bool) -> Site {
    let mut next = site.clone();
    next.version += 1;
    next.spec.domains = vec![domain.clone()];
    next.domains.follow(&next.spec.domains, NOW);
    if proved {
        next.domains.set(domain, DomainClaim::trusted(NOW));
    }
    next
}

pub(super) async fn a_domain_is_one_sites_at_a_time(store: &dyn Store) {
    let first = with_site(store).await;
    let second = site("shop");
    done(store, write(Write::InsertSite(second.clone(), USAGE))).await;
    let domain: Hostname = parse("www.example.com");
    let holder = async || store.site_of_domain(&domain).await.expect("read");

    let past = async || store.past_holder(&domain).await.expect("read");

    let asking = with_domain(&second, &domain, false);
    done(store, write(Write::UpdateSite(asking.clone(), USAGE))).await;
    assert_eq!((holder().await, past().await), (None, None), "who asks has nothing");
    let proved = with_domain(&first, &domain, true);
    done(store, write(Write::UpdateSite(proved.clone(), USAGE))).await;
    assert_eq!(holder().await, Some(first.id));
    let stored = store.site(first.id).await.expect("read").expect("is there");
    assert_eq!(stored.site, proved);

    let too = with_domain(&asking, &domain, true);
    let taken = Expect::DomainsFree(second.id, vec![domain.clone()]);
    let refused = violation(store, write(Write::UpdateSite(too.clone(), USAGE))).await;
    assert_eq!(refused, Violation::Taken(Box::new(taken)));
    let mut gives_up = proved.clone();
    gives_up.version += 1;
    gives_up.domains = DomainClaims::default();
    let moved =
        write(Write::UpdateSite(gives_up.clone(), USAGE)).write(Write::UpdateSite(too.clone(), USAGE));
    done(store, moved).await;
    assert_eq!(holder().await, Some(second.id), "handed over in one change");
    assert_eq!(past().await, Some(PastHolder { cid: first.cid.clone(), until: NOW }));

    let left = Tombstone { id: too.id, cid: too.cid.clone(), org: too.org, generation: 4, purged_at: at(5) };
    let purged = Change::at(at(5)).write(Write::PurgeSite(left, too.version));
    done(store, purged).await;
    assert_eq!(holder().await, None);
    assert_eq!(past().await, Some(PastHolder { cid: too.cid, until: at(5) }), "which outlives the site");
    let mut again = with_domain(&gives_up, &domain, true);
    done(store, write(Write::UpdateSite(again.clone(), USAGE))).await;
    assert_eq!(holder().await, Some(first.id));

    again.version += 1;
    again.domains = DomainClaims::default();
    done(store, Change::at(at(6)).write(Write::UpdateSite(again, USAGE))).await;
    let third = site("third");
    let left =
        Tombstone { id: third.id, cid: third.cid.clone(), org: third.org, generation: 1, purged_at: at(6) };
    done(store, write(Write::InsertSite(third.clone(), USAGE))).await;
    let later = at(6) + DOMAIN_REMEMBERED;
    done(store, Change::at(later).write(Write::PurgeSite(left, third.version))).await;
    assert!(past().await.is_some(), "it still counts");
    let fourth = site("fourth");
    let left = Tombstone {
        id: fourth.id,
        cid: fourth.cid.clone(),
        org: fourth.org,
        generation: 1,
        purged_at: at(6),
    };
    done(store, write(Write::InsertSite(fourth.clone(), USAGE))).await;
    let too_late = later + SignedDuration::from_secs(1);
    done(store, Change::at(too_late).write(Write::PurgeSite(left, fourth.version))).await;
    assert_eq!(past().await, None, "what counts no more is forgotten");
}

pub(super) async fn claims_are_looked_at_when_they_are_due(store: &dyn Store) {
    let site = with_site(store).await;
    let due = async |now| {
        let found = store.sites_to_look_at(now, &Page::first(9)).await.expect("read");
        found.len()
    };
    assert_eq!(due(at(9)).await, 0, "it asks for none");
    let mut site = with_domain(&site, &parse("www.example.com"), false);
    done(store, write(Write::UpdateSite(site.clone(), USAGE))).await;
    assert_eq!((due(at(-1)).await, due(NOW).await), (0, 1));
    assert_eq!(store.sites_to_look_at(NOW, &Page::after(site.id, 9)).await.expect("read"), []);
    let later = DomainClaim { look_at: at(60), ..DomainClaim::trusted(NOW) };
    site.domains.set(&parse("www.example.com"), later);
    site.version += 1;
    done(store, write(Write::UpdateSite(site.clone(), USAGE))).await;
    assert_eq!((due(at(59)).await, due(at(60)).await), (0, 1));
    site.lifecycle = SiteLifecycle::Deleting { since: NOW, purge_after: at(90) };
    site.version += 1;
    done(store, write(Write::UpdateSite(site, USAGE))).await;
    assert_eq!(due(at(60)).await, 0, "nobody looks at a deleted site's");
}
