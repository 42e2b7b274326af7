//! Domains: whose they are, whoever asks for them.

use wpaas_core::access::Actor;
use wpaas_core::name::{Cid, Hostname};
use wpaas_core::service::{DomainEvidence, IfMatch, Mode, NewSite, SiteUpdate, SiteView};
use wpaas_core::site::{DomainLeads, DomainLook, DomainProof, DomainState, DomainWants, NoAnswer};

use crate::{NOW, World, at, customer, parse, path, place, site, world, world_on_postgres};

/// What DNS says of every name: these records, of those that a person can set.
fn evidence(wants: &DomainWants, says: &[&str]) -> DomainEvidence {
    let of = |kind: &str| {
        let records = wants.records().into_iter().filter(move |record| record.r#type == kind);
        records.map(|record| record.value).filter(|_| says.contains(&kind)).collect::<Vec<_>>()
    };
    let leads = DomainLeads { aliases: of("CNAME"), addresses: Vec::new() };
    DomainEvidence::Look(DomainLook { texts: Ok(of("TXT")), leads: Ok(leads) })
}

fn silence() -> DomainEvidence {
    let none = || NoAnswer("timed out".to_owned());
    DomainEvidence::Look(DomainLook { texts: Err(none()), leads: Err(none()) })
}

struct Claimant<'a> {
    world: &'a World,
    cid: Cid,
}

impl<'a> Claimant<'a> {
    /// A customer with a site that asks for the domain.
    async fn new(world: &'a World, name: &str) -> Self {
        let made = world.register_customer(Some(&Actor::Operator), customer(name, name), NOW).await;
        let cid = made.expect("registers").cid;
        let new = NewSite { domains: vec![parse("www.example.com")], ..site("blog") };
        world.create_site(&Actor::Operator, &place(&cid), new, Mode::Commit, NOW).await.expect("is made");
        Self { world, cid }
    }

    async fn view(&self) -> SiteView {
        self.world.site(&Actor::Operator, &path(&self.cid, "blog")).await.expect("is there")
    }

    async fn state(&self) -> DomainState {
        self.view().await.domains[0].claim.state
    }

    async fn names(&self) -> Vec<Hostname> {
        self.view().await.names.domains
    }

    /// As the worker does it: what DNS says of its names and of those of whoever has them.
    async fn look(&self, seconds: i64, says: &[&str], other_says: &[&str]) {
        let claims =
            self.world.claims_to_check(&Actor::Operator, &path(&self.cid, "blog")).await.expect("read");
        let found: Vec<_> =
            claims.wants.into_iter().map(|wants| (wants.clone(), evidence(&wants, says))).collect();
        let contests =
            self.world.record_evidence(claims.site, &found, false, at(seconds)).await.expect("kept");
        for contest in contests {
            let theirs = [(contest.wants.clone(), evidence(&contest.wants, other_says))];
            self.world.record_evidence(contest.holder, &theirs, true, at(seconds)).await.expect("kept");
            self.world.record_evidence(claims.site, &found, false, at(seconds)).await.expect("kept");
        }
    }

    /// The domain leads to the address that the site has, and has this text.
    async fn at_its_address(&self, seconds: i64, text: Option<&str>) {
        let view = self.view().await;
        let address = std::net::IpAddr::from([192, 0, 2, 7]);
        let wants = DomainWants::new(parse("www.example.com"), &view.site, &view.names, Some(address));
        let leads = DomainLeads { aliases: Vec::new(), addresses: vec![address] };
        let texts = Ok(text.map(str::to_owned).into_iter().collect());
        let look = DomainLook { texts, leads: Ok(leads) };
        let found = [(wants, DomainEvidence::Look(look))];
        self.world.record_evidence(view.site.id, &found, false, at(seconds)).await.expect("kept");
    }

    /// Whether the site has the domain, and by what.
    async fn proof(&self) -> Option<DomainProof> {
        self.view().await.domains[0].claim.proof
    }

    async fn asks_for(&self, domains: &[&str], seconds: i64) {
        let domains = Some(domains.iter().map(|domain| parse(domain)).collect());
        let (update, blog) = (SiteUpdate { domains, ..SiteUpdate::default() }, path(&self.cid, "blog"));
        let update =
            self.world.update_site(&Actor::Operator, &blog, update, IfMatch::Any, Mode::Commit, at(seconds));
        update.await.expect("is changed");
    }
}

async fn worlds() -> Vec<World> {
    let mut worlds = vec![world("memory").await, world("file").await];
    worlds.extend(world_on_postgres().await);
    worlds
}

#[tokio::test]
async fn a_site_answers_by_a_domain_once_it_is_proved() {
    for world in worlds().await {
        let acme = Claimant::new(&world, "acme").await;
        assert_eq!((acme.state().await, acme.names().await), (DomainState::Pending, Vec::new()));
        acme.look(1, &[], &[]).await;
        assert_eq!(acme.state().await, DomainState::Pending);
        acme.look(20, &["TXT"], &[]).await;
        assert_eq!(
            (acme.state().await, acme.names().await),
            (DomainState::Verified, vec![parse("www.example.com")])
        );
        acme.look(40, &["TXT", "CNAME"], &[]).await;
        assert_eq!(acme.state().await, DomainState::Active);
        let told = world.kinds().await.into_iter().filter(|kind| *kind == "site_domain_changed").count();
        assert_eq!(told, 2, "verified, then active");
        assert!(world.claims_due(None, 9, at(40)).await.expect("read").is_empty());
        assert_eq!(world.claims_due(None, 9, at(7 * 3600)).await.expect("read").len(), 1);

        let none = SiteUpdate { domains: Some(Vec::new()), ..SiteUpdate::default() };
        let blog = path(&acme.cid, "blog");
        let update = world.update_site(&Actor::Operator, &blog, none, IfMatch::Any, Mode::Commit, at(50));
        assert!(update.await.expect("is changed").domains.is_empty());
        let other = Claimant::new(&world, "other").await;
        other.look(60, &["TXT"], &[]).await;
        assert_eq!(other.state().await, DomainState::Verified, "what nobody asks for is free");
    }
}

#[tokio::test]
async fn a_domain_stays_whose_it_is_as_long_as_dns_says_so() {
    for world in worlds().await {
        let (first, second) = (Claimant::new(&world, "first").await, Claimant::new(&world, "second").await);
        first.look(1, &["TXT"], &[]).await;
        second.look(2, &["TXT"], &["TXT"]).await;
        assert_eq!((first.state().await, second.state().await), (DomainState::Verified, DomainState::Failed));
        assert_eq!(second.names().await, Vec::<Hostname>::new());
        let told = second.view().await.domains[0].claim.found.clone();
        assert!(told.starts_with("another site has this domain") && !told.contains("first"), "{told}");

        second.look(3, &["TXT"], &[]).await;
        assert_eq!((first.state().await, second.state().await), (DomainState::Failed, DomainState::Verified));
        assert_eq!((first.names().await.len(), second.names().await.len()), (0, 1));
    }
}

#[tokio::test]
async fn a_record_for_a_site_says_more_than_an_alias_that_was_left() {
    for world in worlds().await {
        let (first, second) = (Claimant::new(&world, "first").await, Claimant::new(&world, "second").await);
        first.look(1, &["CNAME"], &[]).await;
        assert_eq!(first.state().await, DomainState::Active);
        second.look(2, &["TXT"], &["CNAME"]).await;
        assert_eq!((first.state().await, second.state().await), (DomainState::Failed, DomainState::Verified));
    }
}

#[tokio::test]
async fn silence_takes_nothing_from_anybody() {
    let world = world("memory").await;
    let (first, second) = (Claimant::new(&world, "first").await, Claimant::new(&world, "second").await);
    first.look(1, &["CNAME"], &[]).await;
    let claims = world.claims_to_check(&Actor::Operator, &path(&second.cid, "blog")).await.expect("read");
    let found = [(claims.wants[0].clone(), evidence(&claims.wants[0], &["CNAME"]))];
    let contests = world.record_evidence(claims.site, &found, false, at(2)).await.expect("kept");
    let theirs = [(contests[0].wants.clone(), silence())];
    world.record_evidence(contests[0].holder, &theirs, true, at(2)).await.expect("kept");
    assert_eq!((first.state().await, second.state().await), (DomainState::Active, DomainState::Failed));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_that_prove_it_at_once_has_it() {
    for world in worlds().await {
        let mut claims = Vec::new();
        for name in ["aaa", "bbb", "ccc", "ddd", "eee", "fff", "ggg", "hhh"] {
            let claimant = Claimant::new(&world, name).await;
            claims.push(
                world.claims_to_check(&Actor::Operator, &path(&claimant.cid, "blog")).await.expect("read"),
            );
        }
        let mut all = tokio::task::JoinSet::new();
        for claims in claims.clone() {
            let service = world.service.clone();
            all.spawn(async move {
                let found = [(claims.wants[0].clone(), evidence(&claims.wants[0], &["TXT"]))];
                service.record_evidence(claims.site, &found, false, at(1)).await.expect("kept").len()
            });
        }
        assert_eq!(all.join_all().await.iter().sum::<usize>(), 7, "all but one contest it");
    }
}

/// An address that one site gives up is another's soon, and what was left in DNS leads there.
#[tokio::test]
async fn an_address_that_was_given_out_again_takes_nobodys_domain() {
    let day = 24 * 3600;
    for world in worlds().await {
        let (first, second) = (Claimant::new(&world, "first").await, Claimant::new(&world, "second").await);
        first.at_its_address(1, None).await;
        assert_eq!(
            (first.state().await, first.proof().await),
            (DomainState::Active, Some(DomainProof::Address))
        );
        second.at_its_address(2, None).await;
        assert_eq!(
            (second.state().await, second.proof().await),
            (DomainState::Pending, None),
            "while it is held"
        );

        first.asks_for(&[], 3).await;
        second.at_its_address(4, None).await;
        let told = second.view().await.domains[0].claim.clone();
        assert_eq!((told.state, told.proof), (DomainState::Pending, None));
        assert!(
            told.found.contains("addresses are given out again") && !told.found.contains("first"),
            "{told:?}"
        );
        second.at_its_address(4 * day, None).await;
        assert_eq!(second.state().await, DomainState::Failed, "nobody proves it for days");

        first.asks_for(&["www.example.com"], 4 * day).await;
        first.at_its_address(4 * day, None).await;
        assert_eq!(first.proof().await, Some(DomainProof::Address), "whose it was takes it up again");
        first.asks_for(&[], 5 * day).await;
        second.at_its_address(94 * day, None).await;
        assert_eq!(second.proof().await, None);
        let token = format!("wpaas-site={}", second.view().await.site.id);
        second.at_its_address(94 * day, Some(&token)).await;
        assert_eq!(second.proof().await, Some(DomainProof::Record), "the record is the site's own");
        second.at_its_address(94 * day + 1, None).await;
        assert_eq!(second.proof().await, Some(DomainProof::Address), "what it has it keeps by its address");
        second.asks_for(&[], 95 * day).await;
        first.asks_for(&["www.example.com"], 95 * day).await;
        first.at_its_address(184 * day, None).await;
        assert_eq!(first.proof().await, None, "now it was the second one's");
        first.at_its_address(186 * day, None).await;
        assert_eq!(first.proof().await, Some(DomainProof::Address), "in the end it is forgotten");
    }
}
