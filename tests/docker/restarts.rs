//! The server dies by SIGKILL at some moment of a creation or a deletion, and goes on where it was.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use super::decoys::Decoys;
use super::engine_alone;
use super::server::Server;
use super::wordpress::Wordpress;

/// What a small site is made of.
const OBJECTS: usize = 6;

#[tokio::test]
async fn a_server_killed_at_any_moment_makes_nothing_twice_and_leaves_nothing_over() {
    let Some(_alone) = engine_alone().await else { return };
    let mut server = Server::start().await;
    server.ready().await;
    let tenant = server.tenant("crash").await;
    let decoys = Decoys::new(&server, "00000000000000000000000000000000");
    let git = server.repository("code", &[("mu-plugins/site.php", "<?php // Ours.")]);
    // Moments of a creation that takes some two seconds, and of a deletion.
    for (round, moment) in [10, 60, 150, 300, 500, 800, 1200, 1700].into_iter().enumerate() {
        let mut body = json!({"name": format!("s{round}"), "admin_password": "swordfish-1"});
        let mut objects = OBJECTS;
        if round % 2 == 1 {
            body["code"] = json!({"git": git});
            // A volume with the code, and a container that keeps it.
            objects += 2;
        }
        let site = server.post_site(&tenant, body).await;
        tokio::time::sleep(Duration::from_millis(moment)).await;
        server.kill();
        server.run().await;
        let url = server.settled(&site).await;
        assert_eq!(Wordpress::at(&url).get("/").await.0, 200);
        assert_eq!(server.objects().len(), objects, "nothing twice: {:?}", server.objects());

        server.done(Method::DELETE, &format!("{}?grace=0", site.path), &tenant.key, None).await;
        tokio::time::sleep(Duration::from_millis(moment)).await;
        server.kill();
        server.run().await;
        server
            .until("nothing is left", Duration::from_secs(60), async || {
                server.objects().is_empty().then_some(())
            })
            .await;
    }
    decoys.are_untouched();
}
