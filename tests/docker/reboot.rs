//! The machine starts anew without the server: what the Engine starts by itself, and what the server adds when it is back.

use std::time::Duration;

use serde_json::json;

use super::server::Server;
use super::wordpress::Wordpress;
use super::{docker, engine_alone};

#[tokio::test]
async fn a_site_outlives_a_reboot_and_is_whole_when_the_server_is_back() {
    let Some(_alone) = engine_alone().await else { return };
    let mut server = Server::start().await;
    server.ready().await;
    let tenant = server.tenant("reboot").await;
    let body = json!({"name": "blog", "num_instances": 2, "admin_password": "swordfish-1"});
    let site = server.post_site(&tenant, body).await;
    let url = server.settled(&site).await;
    let wordpress = Wordpress::at(&url);
    assert!(wordpress.login("admin", "swordfish-1").await);
    let post = wordpress.publish("Kept").await;
    let nodes =
        ["database-0", "wordpress-0", "wordpress-1", "gateway-0"].map(|part| Server::container(&site, part));

    server.kill();
    for node in &nodes {
        docker(&["kill", node]);
    }
    // As the Engine does when it starts: all that have the policy `unless-stopped`.
    for node in &nodes {
        if docker(&["inspect", "--format", "{{.HostConfig.RestartPolicy.Name}}", node]) == "unless-stopped" {
            docker(&["start", node]);
        }
    }
    let answer = server
        .until("the gateway answers", Duration::from_secs(60), async || {
            let (status, page) = Wordpress::at(&url).try_get(&post).await?;
            Some((status.as_u16(), page.contains("This site is starting")))
        })
        .await;
    assert_eq!(answer, (503, true), "its database waits for the server, and visitors are told");

    server.run().await;
    assert_eq!(server.settled(&site).await, url);
    assert_eq!(Wordpress::at(&url).get(&post).await.0, 200);
    for (part, node) in [("database-0", &nodes[0]), ("gateway-0", &nodes[3])] {
        assert_eq!(&Server::container(&site, part), node, "{part} was started, not replaced");
    }
}
