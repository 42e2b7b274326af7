use super::{
    Change, CodeState, Customer, Expect, Lifecycle, NOW, Org, Page, Quota, Record, Site, SiteId,
    SiteLifecycle, Space, Store, USAGE, Usage, Violation, Write, at, cid, customer, done, org, parse, site,
    space, violation, with_place, write,
};
use crate::code::{Code, Digest, GitCode, Layout};
use crate::converge::Part;
use crate::id::ReleaseId;
use crate::secret::SecretName;
use crate::site::{
    Autoscale, CodeFailure, Condition, ConditionKind, DomainClaim, PartStatus, Proof, Release, Route, Scaled,
    SiteStatus, Tombstone, Truth,
};
use crate::store::{Located, SealedSecret, StoredStatus};

pub(super) async fn with_site(store: &dyn Store) -> Site {
    with_place(store, Quota::default()).await;
    let site = site("blog");
    done(store, write(Write::InsertSite(site.clone(), USAGE))).await;
    site
}

fn status() -> StoredStatus {
    StoredStatus {
        status: SiteStatus {
            observed_generation: 1,
            num_instances: 2,
            database_instances: 3,
            address: Some(crate::site::SiteAddress {
                ip: std::net::IpAddr::from([10, 0, 0, 1]),
                local_port: Some(8080),
            }),
            conditions: vec![Condition {
                kind: ConditionKind::Ready,
                status: Truth::True,
                reason: "Serves".into(),
                message: "serves".into(),
                since: NOW,
            }],
            parts: vec![PartStatus { part: "network".into(), state: "ready".into() }],
            waiting: vec!["for nothing".to_owned()],
            last_error: Some("an error".to_owned()),
            next_try: Some(at(9)),
            wordpress_version: Some("6.9".to_owned()),
            challenge: Some("Our-thumb_print".to_owned()),
        },
        founded: true,
        recorded_at: at(1),
    }
}

pub(super) async fn a_site_comes_back_as_it_was_written(store: &dyn Store) {
    let mut site = with_site(store).await;
    site.version = 2;
    site.generation = 2;
    site.spec.code = Some(Code::Git(GitCode {
        url: "https://example.com/a".to_owned(),
        reference: Some("main".to_owned()),
        path: None,
    }));
    let release = Release {
        id: ReleaseId::new(),
        digest: Digest::from_sha256([9; 32]),
        layout: Layout::Tree,
        revision: "abc".to_owned(),
        generation: 2,
        created_at: at(3),
        proof: Proof::Untried,
        restores: None,
        changes: None,
    };
    site.releases.add(release.clone(), &site.pinned());
    assert!(site.releases.judge(release.id, Proof::Proved { wordpress: None, schema: Some(60421) }));
    site.spec.routes.insert("beta".parse().expect("a label"), Route { release: Some(release.id) });
    site.code = CodeState {
        wanted: 2,
        credential_version: 1,
        has_credential: true,
        keeps_stock: true,
        failure: Some(CodeFailure { message: "no".to_owned(), at: NOW, retry_at: Some(at(7)) }),
    };
    let mut feed = store.feed();
    done(store, write(Write::UpdateSite(site.clone(), USAGE))).await;
    assert_eq!(feed.try_recv().expect("was told").sites, [site.id]);
    assert_eq!(store.site(site.id).await.expect("read").expect("is there").site, site);
    let located = async |space: &str, name: Option<&str>| {
        let name = name.map(parse);
        store.located(&cid(), &parse("default"), &parse(space), name.as_ref()).await.expect("read")
    };
    let there = located("default", Some("blog")).await;
    assert_eq!((there.org, there.space), (Some(org()), Some(space())));
    assert_eq!(there.customer, Some(customer(&cid(), "acme")));
    let by_name = there.site.expect("is there");
    let elsewhere = located("other", Some("blog")).await;
    assert_eq!((elsewhere.space, elsewhere.site.as_ref()), (None, Some(&by_name)));
    assert_eq!(located("default", Some("nothing")).await.site, None);
    assert_eq!(located("default", None).await.site, None);
    let (nobody, default) = (parse("oth"), parse("default"));
    let nothing = store.located(&nobody, &default, &default, Some(&site.name)).await.expect("read");
    assert_eq!(nothing, Located::default());
    assert_eq!(by_name.site, site);
    let in_space = store.sites_in_space(space().id, &Page::first(9)).await.expect("read");
    assert_eq!(in_space.len(), 1);
    assert_eq!(store.sites_of(&cid(), None, &Page::first(9)).await.expect("read"), [site.clone()]);
    assert_eq!(store.sites_of(&cid(), Some(org().id), &Page::first(9)).await.expect("read"), [site]);
    let elsewhere = Some(crate::id::OrgId::new());
    assert_eq!(store.sites_of(&cid(), elsewhere, &Page::first(9)).await.expect("read"), []);
}

pub(super) async fn a_status_is_kept_beside_its_site(store: &dyn Store) {
    let site = with_site(store).await;
    let mut feed = store.feed();
    let record = |id| write(Write::RecordStatus(id, Box::new(status())));
    done(store, record(site.id)).await;
    assert_eq!(feed.try_recv().expect("was told").sites, [], "a status is no change of what is wanted");
    let stored = store.site(site.id).await.expect("read").expect("is there");
    assert_eq!((stored.site.version, stored.status), (1, Some(status())));
    assert!(store.site_facts_of(site.id).await.expect("read").expect("is there").founded);
    done(store, record(SiteId::new())).await;
}

pub(super) async fn secrets_are_never_replaced(store: &dyn Store) {
    let site = with_site(store).await;
    let secret =
        |name, version, sealed: &[u8]| SealedSecret { site: site.id, name, version, sealed: sealed.to_vec() };
    let first = secret(SecretName::Salt, 1, b"first");
    let token = secret(SecretName::ReportToken(Part::Database(0)), 1, b"token");
    let change = write(Write::InsertSecret(first.clone()))
        .write(Write::InsertSecret(secret(SecretName::Salt, 1, b"again")))
        .write(Write::InsertSecret(secret(SecretName::Salt, 2, b"second")))
        .write(Write::InsertSecret(token.clone()));
    done(store, change).await;
    let read = async |name, version| store.secret(site.id, name, version).await.expect("read");
    assert_eq!(read(SecretName::Salt, 1).await, Some(first));
    assert_eq!(read(SecretName::Salt, 3).await, None);
    assert_eq!(read(SecretName::AdminHash, 1).await, None);
    assert_eq!(read(SecretName::ReportToken(Part::Database(0)), 1).await, Some(token));
    let elsewhere = SealedSecret { site: SiteId::new(), ..secret(SecretName::Salt, 1, b"x") };
    let absent = Violation::Absent(Record::Site(elsewhere.site));
    assert_eq!(violation(store, write(Write::InsertSecret(elsewhere))).await, absent);
}

pub(super) async fn a_hash_takes_the_place_of_its_password(store: &dyn Store) {
    let site = with_site(store).await;
    let secret =
        |name, version, sealed: &[u8]| SealedSecret { site: site.id, name, version, sealed: sealed.to_vec() };
    let (password, hash) = (SecretName::AdminPassword, SecretName::AdminHash);
    let (one, two) = (secret(password, 1, b"one"), secret(password, 2, b"two"));
    done(store, write(Write::InsertSecret(one.clone())).write(Write::InsertSecret(two.clone()))).await;
    let waiting = async |limit| store.passwords_to_hash(limit).await.expect("read");
    assert_eq!((waiting(1).await, waiting(9).await), (vec![one.clone()], vec![one, two.clone()]));
    let hashed = secret(hash, 1, b"hash of one");
    done(store, write(Write::HashPassword(hashed.clone()))).await;
    let read = async |name, version| store.secret(site.id, name, version).await.expect("read");
    assert_eq!((read(password, 1).await, read(hash, 1).await), (None, Some(hashed.clone())));
    assert_eq!(waiting(9).await, vec![two]);
    // Another server was slower, or the password was never there.
    done(store, write(Write::HashPassword(secret(hash, 1, b"another")))).await;
    done(store, write(Write::HashPassword(secret(hash, 7, b"of nothing")))).await;
    assert_eq!((read(hash, 1).await, read(hash, 7).await), (Some(hashed), None));
}

pub(super) async fn a_purged_site_leaves_a_tombstone_and_its_name(store: &dyn Store) {
    let site = with_site(store).await;
    let secret = SealedSecret { site: site.id, name: SecretName::Salt, version: 1, sealed: b"salt".to_vec() };
    let status = Write::RecordStatus(site.id, Box::new(status()));
    done(store, write(Write::InsertSecret(secret)).write(status)).await;
    let left = Tombstone { id: site.id, cid: cid(), org: org().id, generation: 4, purged_at: at(5) };
    let late = write(Write::PurgeSite(left.clone(), 7));
    let found = Violation::Version { record: Record::Site(site.id), found: Some(1) };
    assert_eq!(violation(store, late).await, found);
    done(store, write(Write::PurgeSite(left.clone(), 1))).await;

    assert_eq!(store.site(site.id).await.expect("read"), None);
    assert_eq!(store.site_facts(&Page::first(9)).await.expect("read"), []);
    assert_eq!(store.secret(site.id, SecretName::Salt, 1).await.expect("read"), None);
    assert_eq!(store.tombstone(site.id).await.expect("read"), Some(left));
    assert_eq!(store.org_usage(org().id).await.expect("read"), Usage::default());
    let again = write(Write::InsertSite(site.clone(), USAGE));
    assert_eq!(violation(store, again).await, Violation::Present(Record::Site(site.id)));
    done(store, write(Write::InsertSite(Site { id: SiteId::new(), ..site }, USAGE))).await;
}

pub(super) async fn the_converger_sees_where_the_customer_stands(store: &dyn Store) {
    let site = with_site(store).await;
    let facts = store.site_facts_of(site.id).await.expect("read").expect("is there");
    assert_eq!((facts.customer, facts.founded), (Lifecycle::Active, false));
    assert_eq!(facts.org_name, Some(parse("default")));
    let suspended = Customer { lifecycle: Lifecycle::Suspended, version: 2, ..customer(&cid(), "acme") };
    let mut feed = store.feed();
    done(store, write(Write::UpdateCustomer(suspended))).await;
    assert_eq!(feed.try_recv().expect("was told").customers, [cid()]);
    let page = store.site_facts(&Page::first(1)).await.expect("read");
    assert_eq!(page[0].customer, Lifecycle::Suspended);
    assert_eq!(store.site_facts(&Page::after(site.id, 1)).await.expect("read"), []);
    let active = Change::at(NOW).expect(Expect::CustomerActive(cid()));
    assert_eq!(violation(store, active).await, Violation::CustomerInactive(Lifecycle::Suspended));
    done(store, Change::at(NOW).expect(Expect::CustomerPresent(cid()))).await;
    let unknown = Change::at(NOW).expect(Expect::CustomerPresent(parse("oth")));
    assert_eq!(violation(store, unknown).await, Violation::CustomerAbsent);
}

pub(super) async fn code_is_wanted_until_it_is_a_release_or_failed(store: &dyn Store) {
    let mut site = with_site(store).await;
    let wanting = async |now| {
        let found = store.sites_wanting_code(now, &Page::first(9)).await.expect("read");
        found.len()
    };
    assert_eq!(wanting(NOW).await, 0);
    site.spec.code =
        Some(Code::Git(GitCode { url: "https://example.com/a".to_owned(), reference: None, path: None }));
    site.code.wanted = 2;
    let next = async |site: &mut Site| {
        site.version += 1;
        done(store, write(Write::UpdateSite(site.clone(), USAGE))).await;
    };
    next(&mut site).await;
    assert_eq!(wanting(NOW).await, 1);
    site.code.failure = Some(CodeFailure { message: "no".to_owned(), at: NOW, retry_at: Some(at(9)) });
    next(&mut site).await;
    assert_eq!((wanting(at(8)).await, wanting(at(9)).await), (0, 1));
    site.code.failure = Some(CodeFailure { message: "no".to_owned(), at: NOW, retry_at: None });
    next(&mut site).await;
    assert_eq!(wanting(at(9)).await, 0);
    site.code.failure = None;
    site.lifecycle = SiteLifecycle::Deleting { since: NOW, purge_after: at(60) };
    next(&mut site).await;
    assert_eq!(wanting(at(9)).await, 0);
}

pub(super) async fn sites_that_are_scaled_are_found(store: &dyn Store) {
    type Changed = fn(&mut Site);
    let mut site = with_site(store).await;
    let found = async || store.sites_scaling(&Page::first(9)).await.expect("read");
    assert_eq!(found().await, [], "its instances are as many as was asked for");
    let bounds = Autoscale { min: 1, max: 4, target: 8 };
    let scaled = Scaled { instances: 3, since: NOW, limited: Some("a quota".to_owned()) };
    let changes: [(Changed, bool); 4] = [
        (|site| site.spec.num_instances = 0, false),
        (|site| site.spec.num_instances = 2, true),
        (|site| site.lifecycle = SiteLifecycle::Deleting { since: NOW, purge_after: at(9) }, false),
        (|site| site.lifecycle = SiteLifecycle::Live, true),
    ];
    site.spec.features.autoscale = Some(bounds);
    site.scaled = Some(scaled);
    for (change, is_found) in changes {
        site.version += 1;
        change(&mut site);
        done(store, write(Write::UpdateSite(site.clone(), USAGE))).await;
        assert_eq!(found().await, if is_found { vec![site.clone()] } else { Vec::new() });
    }
    assert_eq!(store.sites_scaling(&Page::after(site.id, 9)).await.expect("read"), []);
    let other = Site { spec: site.spec.clone(), ..self::site("shop") };
    done(store, write(Write::InsertSite(other.clone(), USAGE))).await;
    let first = store.sites_scaling(&Page::first(1)).await.expect("read");
    assert_eq!(first, [site.clone()]);
    assert_eq!(store.sites_scaling(&Page::after(site.id, 9)).await.expect("read"), [other]);
}

pub(super) async fn quotas_refuse_growth_only(store: &dyn Store) {
    let quota = Quota { wordpress_instances: Some(3), ..Quota::default() };
    with_place(store, quota).await;
    let site = site("blog");
    done(store, write(Write::InsertSite(site.clone(), USAGE))).await;
    assert_eq!(store.org_usage(org().id).await.expect("read"), USAGE);
    assert_eq!(store.space_usage(space().id).await.expect("read"), USAGE);
    let wants = |id, wordpress_instances| {
        let usage = Usage { wordpress_instances, ..USAGE };
        Change::at(NOW).expect(Expect::QuotaAllows { org: org().id, space: space().id, site: id, usage })
    };
    done(store, wants(Some(site.id), 3)).await;
    let exceeded = crate::quota::QuotaExceeded { what: "wordpress_instances", wanted: 4, limit: 3 };
    assert_eq!(violation(store, wants(Some(site.id), 4)).await, Violation::OrgQuota(exceeded));
    assert_eq!(violation(store, wants(None, 2)).await, Violation::OrgQuota(exceeded));

    let lowered = Org { quota: Quota { wordpress_instances: Some(1), ..quota }, version: 2, ..org() };
    done(store, write(Write::UpdateOrg(lowered))).await;
    done(store, wants(Some(site.id), 2)).await;

    let narrow = Quota { sites: Some(0), ..Quota::default() };
    let space = Space { quota: narrow, version: 2, ..space() };
    done(store, write(Write::UpdateSpace(space))).await;
    let exceeded = crate::quota::QuotaExceeded { what: "sites", wanted: 2, limit: 0 };
    assert_eq!(violation(store, wants(None, 0)).await, Violation::SpaceQuota(exceeded));

    let wide = Quota { wordpress_instances: Some(2), ..Quota::default() };
    let above = Change::at(NOW).expect(Expect::QuotaFitsOrg(org().id, wide));
    assert_eq!(violation(store, above).await, Violation::QuotaAboveOrg);
    let uncovered = Quota { sites: Some(0), ..Quota::default() };
    done(store, Change::at(NOW).expect(Expect::QuotaCoversSpaces(org().id, uncovered))).await;
}

/// A site with its status and a secret.
pub(super) fn filling() -> Vec<Write> {
    let mut site = site("filled");
    site.spec.domains = vec![parse("www.example.com")];
    site.domains.follow(&site.spec.domains, NOW);
    site.domains.set(&site.spec.domains[0], DomainClaim::trusted(NOW));
    let secret = SealedSecret { site: site.id, name: SecretName::Salt, version: 1, sealed: vec![0, 1, 255] };
    vec![
        Write::InsertSite(site.clone(), USAGE),
        Write::RecordStatus(site.id, Box::new(status())),
        Write::InsertSecret(secret),
    ]
}

/// What a purged site leaves: also whose its domain was.
pub(super) async fn leave_a_tombstone(store: &dyn Store) {
    let mut gone = site("gone");
    gone.spec.domains = vec![parse("gone.example.com")];
    gone.domains.follow(&gone.spec.domains, NOW);
    gone.domains.set(&gone.spec.domains[0], DomainClaim::trusted(NOW));
    let left = Tombstone { id: gone.id, cid: cid(), org: org().id, generation: 4, purged_at: at(5) };
    done(store, write(Write::InsertSite(gone, USAGE)).write(Write::PurgeSite(left, 1))).await;
}
