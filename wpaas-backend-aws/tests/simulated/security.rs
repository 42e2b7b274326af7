//! What a site's nodes are allowed, as AWS was told it.

use std::collections::BTreeSet;

use wpaas_backend_aws::cloud::{Cidr, Ec2 as _, Filter, Peer, Rule};
use wpaas_backend_aws::testing::{Simulator, config};
use wpaas_core::converge::Part;
use wpaas_core::converge::trial::wanted;
use wpaas_core::site::DatabaseSize::One;

use crate::lab::Lab;

#[tokio::test(start_paused = true)]
async fn a_sites_nodes_are_reached_by_each_other_and_its_gateways_by_everybody_at_two_ports() {
    let aws = Simulator::default();
    let lab = Lab::start(&aws).await;
    let [site, other] = [(); 2].map(|()| lab.site(wanted(1, One)));
    lab.ready(site).await;
    lab.ready(other).await;
    let mut all = BTreeSet::new();
    for site in [site, other] {
        let filter = Filter { tags: vec![("wpaas:site".to_owned(), site.to_string())] };
        let groups = aws.groups(&filter, None).await.unwrap().items;
        let of = |kind: &str| groups.iter().find(|group| group.name.ends_with(kind)).unwrap();
        let (nodes, gateways) = (of("-nodes"), of("-gateways"));
        assert_eq!(nodes.rules, [Rule { port: None, from: Peer::Group(nodes.id.clone()) }]);
        let web = [80, 443].map(|port| Rule { port: Some(port), from: Peer::Net(Cidr::ALL) });
        assert_eq!(gateways.rules, web);
        for (part, has) in [
            (Part::Database(0), vec![&nodes.id]),
            (Part::Wordpress(0), vec![&nodes.id]),
            (Part::Gateway(0), vec![&nodes.id, &gateways.id]),
            (Part::Gateway(1), vec![&nodes.id, &gateways.id]),
        ] {
            let id = lab.instances(site, part).remove(0);
            let launch = aws.launch(&id).unwrap();
            assert_eq!(launch.groups.iter().collect::<Vec<_>>(), has, "{part}");
            assert_eq!(launch.profile, config().profile, "{part}");
        }
        all.extend(groups.into_iter().map(|group| group.id));
    }
    assert_eq!(all.len(), 4, "no group is of two sites");
}
