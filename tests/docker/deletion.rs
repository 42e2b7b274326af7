//! Deleting a site: at once, with a grace, and back again; and nothing of another.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use super::decoys::Decoys;
use super::engine_alone;
use super::server::Server;
use super::wordpress::Wordpress;

#[tokio::test]
async fn a_deleted_site_can_come_back_until_its_grace_is_over() {
    let Some(_alone) = engine_alone().await else { return };
    let server = Server::start().await;
    server.ready().await;
    let tenant = server.tenant("gone").await;
    let stays = server.post_site(&tenant, json!({"name": "stays", "admin_password": "swordfish-1"})).await;
    let stays_url = server.settled(&stays).await;
    let others = server.objects();
    let body = json!({"name": "goes", "admin_password": "swordfish-1"});
    let site = server.post_site(&tenant, body.clone()).await;
    let url = server.settled(&site).await;
    let decoys = Decoys::new(&server, &site.id);
    let wordpress = Wordpress::at(&url);
    assert!(wordpress.login("admin", "swordfish-1").await);
    let post = wordpress.publish("Restored").await;

    server.done(Method::DELETE, &site.path, &tenant.key, None).await;
    server
        .until("nothing of it runs", Duration::from_secs(60), async || {
            Server::container(&site, "database-0").is_empty().then_some(())
        })
        .await;
    let again =
        server.call(Method::POST, &format!("/wpaas/{}/default", tenant.cid), &tenant.key, Some(body)).await;
    assert_eq!((again.0, again.1["code"].as_str()), (409, Some("name_in_deletion")));
    server.done(Method::POST, &format!("{}/restore", site.path), &tenant.key, None).await;
    assert_eq!(server.settled(&site).await, url, "the address was kept");
    assert_eq!(Wordpress::at(&url).get(&post).await.0, 200, "the data was kept");

    server.done(Method::DELETE, &format!("{}?grace=0", site.path), &tenant.key, None).await;
    server
        .until("nothing of it is left", Duration::from_secs(60), async || {
            (server.objects() == others).then_some(())
        })
        .await;
    server
        .until("404", Duration::from_secs(30), async || {
            (server.call(Method::GET, &site.path, &tenant.key, None).await.0 == 404).then_some(())
        })
        .await;
    assert_eq!(Wordpress::at(&stays_url).get("/").await.0, 200);
    decoys.are_untouched();
}
