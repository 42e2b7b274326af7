//! Sites that are made before anybody asks for one, and who gets them.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use super::server::{Server, Site, Tenant};
use super::wordpress::Wordpress;
use super::{docker, engine_alone};

/// What a spare is made of: a network, a volume, a database and a gateway. A site has a WordPress node and its uploads
/// besides.
const OBJECTS: usize = 4;

async fn is_its_own(url: &str, title: &str) {
    let wordpress = Wordpress::at(url);
    let (status, page) = wordpress.get("/").await;
    assert_eq!(status, 200);
    assert!(page.contains(&format!("<title>{title}")), "{page}");
    assert!(wordpress.login("admin", &format!("{title}-of-{title}")).await);
}

async fn posted(server: &Server, tenant: &Tenant, name: &str) -> Site {
    let body = json!({"name": name, "title": name, "admin_password": format!("{name}-of-{name}")});
    server.post_site(tenant, body).await
}

#[tokio::test]
async fn a_site_takes_over_a_spare_and_what_is_not_wanted_goes() {
    let Some(_alone) = engine_alone().await else { return };
    let mut server = Server::start().await;
    server.ready().await;
    server.run_with_spares(2).await;
    let spares = server.objects();
    assert_eq!(spares.len(), 2 * OBJECTS, "{spares:?}");
    let (acme, other) = (server.tenant("acme").await, server.tenant("other").await);

    let blog = posted(&server, &acme, "blog").await;
    let nodes = ["database-0", "gateway-0"].map(|part| Server::container(&blog, part));
    assert!(nodes.iter().all(|node| !node.is_empty()), "it was up before it was asked for");
    let blog_url = server.settled(&blog).await;
    is_its_own(&blog_url, "blog").await;
    assert_eq!(["database-0", "gateway-0"].map(|part| Server::container(&blog, part)), nodes);

    // Another customer's, by a server that dies at once.
    let shop = posted(&server, &other, "shop").await;
    assert_ne!(shop.id, blog.id);
    assert!(!Server::container(&shop, "database-0").is_empty());
    server.run_with_spares(0).await;
    let shop_url = server.settled(&shop).await;
    is_its_own(&shop_url, "shop").await;
    is_its_own(&blog_url, "blog").await;
    server
        .until("no more than two sites", Duration::from_secs(60), async || {
            (server.objects().len() == 2 * (OBJECTS + 2)).then_some(())
        })
        .await;

    // A node that died comes back as any site's, and a deletion leaves nothing.
    docker(&["rm", "--force", &Server::container(&blog, "database-0")]);
    server.done(Method::DELETE, &format!("{}?grace=0", shop.path), &other.key, None).await;
    assert_eq!(server.settled(&blog).await, blog_url);
    is_its_own(&blog_url, "blog").await;
    server.done(Method::DELETE, &format!("{}?grace=0", blog.path), &acme.key, None).await;
    server
        .until("nothing is left", Duration::from_secs(60), async || server.objects().is_empty().then_some(()))
        .await;
}

#[tokio::test]
async fn a_spare_that_loses_a_node_is_whole_before_it_is_given_away() {
    let Some(_alone) = engine_alone().await else { return };
    let mut server = Server::start().await;
    server.ready().await;
    server.run_with_spares(1).await;
    let filter = format!("label=wpaas.installation={}", server.installation);
    let nodes = docker(&["ps", "--quiet", "--filter", &filter]);
    docker(&[&["rm", "--force"], &nodes.lines().collect::<Vec<_>>()[..]].concat());
    let tenant = server.tenant("acme").await;
    // Whether it is this one or one of its own: it comes up.
    let site = posted(&server, &tenant, "blog").await;
    let url = server.settled(&site).await;
    is_its_own(&url, "blog").await;
}
