//! Whatever is killed, changed or removed by hand comes back, with its data; what is not ours is not touched.

use std::time::Duration;

use serde_json::json;

use super::decoys::Decoys;
use super::server::{Server, Site};
use super::wordpress::{GIF, Wordpress};
use super::{docker, engine_alone};

const MU_PLUGIN: &str = "<?php add_action('wp_footer', function () { echo 'our-code'; });";

const NODES: [&str; 4] = ["database-0", "wordpress-0", "wordpress-1", "gateway-0"];

fn one_of(parts: &[String], kind: &str) -> String {
    parts.iter().find(|part| part.starts_with(kind)).cloned().unwrap()
}

#[tokio::test]
async fn a_site_comes_back_from_every_loss_with_its_data() {
    let Some(_alone) = engine_alone().await else { return };
    let server = Server::start().await;
    server.ready().await;
    let tenant = server.tenant("heal").await;
    let git = server.repository("blog", &[("mu-plugins/site.php", MU_PLUGIN)]);
    let body = json!({
        "name": "blog", "num_instances": 2, "admin_password": "swordfish-1", "code": {"git": git},
    });
    let site = server.post_site(&tenant, body).await;
    let decoys = Decoys::new(&server, &site.id);
    let url = server.settled(&site).await;
    let wordpress = Wordpress::at(&url);
    assert!(wordpress.login("admin", "swordfish-1").await);
    let post = wordpress.publish("Kept").await;
    let picture = wordpress.upload("kept.gif", GIF).await;
    let kept = async |after: &str| {
        let url = server.settled(&site).await;
        let wordpress = Wordpress::at(&url);
        server
            .until(after, Duration::from_secs(60), async || {
                (wordpress.get(&post).await.0 == 200).then_some(())
            })
            .await;
        assert_eq!(wordpress.bytes(&picture).await, GIF, "{after}");
        assert!(wordpress.get(&post).await.1.contains("our-code"), "{after}");
    };

    for part in NODES {
        let node = Server::container(&site, part);
        docker(&["kill", &node]);
        runs_again(&server, &site, part, &node).await;
        kept(&format!("{part} killed")).await;
        let node = Server::container(&site, part);
        docker(&["rm", "--force", &node]);
        replaced(&server, &site, part, &node).await;
        kept(&format!("{part} removed")).await;
    }

    // What keeps the code: nodes that were made of it go on, and those of later find it again.
    let release = one_of(&server.parts(&site).await, "release-");
    let keeper = Server::container(&site, &release);
    docker(&["rm", "--force", &keeper]);
    replaced(&server, &site, &release, &keeper).await;
    let node = Server::container(&site, "wordpress-0");
    docker(&["rm", "--force", &node]);
    replaced(&server, &site, "wordpress-0", &node).await;
    kept("the keeper of its code removed").await;

    let node = Server::container(&site, "wordpress-1");
    docker(&["pause", &node]);
    server
        .until("the frozen node runs", Duration::from_secs(60), async || {
            let state = docker(&[
                "inspect",
                "--format",
                "{{.State.Status}}",
                &Server::container(&site, "wordpress-1"),
            ]);
            (state == "running").then_some(())
        })
        .await;
    kept("wordpress-1 frozen").await;

    // An agent that hangs can't say so: its node ends by itself.
    let gateway = Server::container(&site, "gateway-0");
    let started = || docker(&["inspect", "--format", "{{.State.StartedAt}}", &gateway]);
    let before = started();
    docker(&["exec", &gateway, "sh", "-c", "kill -STOP $(cut -d' ' -f1 /proc/1/task/1/children)"]);
    server
        .until("the gateway is started anew", Duration::from_secs(120), async || {
            (started() != before).then_some(())
        })
        .await;
    kept("an agent that hung").await;

    let changes: [&[&str]; 3] = [
        &["update", "--memory", "200m", "--memory-swap", "400m"],
        &["update", "--pids-limit", "5000"],
        &["network", "connect", "bridge"],
    ];
    for change in changes {
        // In any slot: slots have no identity.
        let nodes =
            || docker(&["ps", "--quiet", "--no-trunc", "--filter", &format!("label=wpaas.site={}", site.id)]);
        let node = Server::container(&site, &one_of(&server.parts(&site).await, "wordpress-"));
        docker(&[change, &[node.as_str()]].concat());
        server
            .until("the changed node is replaced", Duration::from_secs(60), async || {
                (!nodes().contains(&node)).then_some(())
            })
            .await;
        kept(&format!("{change:?} behind our back")).await;
    }

    network_removed(&server, &site).await;
    kept("network removed").await;
    decoys.are_untouched();
}

/// Its nodes are cut off by hand, and it goes; there is another soon.
async fn network_removed(server: &Server, site: &Site) {
    let network = docker(&["network", "ls", "--quiet", "--filter", &format!("label=wpaas.site={}", site.id)]);
    let nodes = server.parts(site).await;
    for part in nodes.iter().filter(|part| {
        part.starts_with("database") || part.starts_with("wordpress") || part.starts_with("gateway")
    }) {
        docker(&["network", "disconnect", "--force", &network, &Server::container(site, part)]);
    }
    docker(&["network", "rm", &network]);
    server
        .until("another network", Duration::from_secs(60), async || {
            let now =
                docker(&["network", "ls", "--quiet", "--filter", &format!("label=wpaas.site={}", site.id)]);
            (!now.is_empty() && now != network).then_some(())
        })
        .await;
}

async fn runs_again(server: &Server, site: &Site, part: &str, before: &str) {
    server
        .until(&format!("{part} runs again"), Duration::from_secs(60), async || {
            let now = Server::container(site, part);
            let state = docker(&["inspect", "--format", "{{.State.Running}}", &now]);
            assert_eq!(now, before, "{part} is started, not replaced");
            (state == "true").then_some(())
        })
        .await;
}

async fn replaced(server: &Server, site: &Site, part: &str, before: &str) {
    server
        .until(&format!("another {part}"), Duration::from_secs(60), async || {
            let now = Server::container(site, part);
            (!now.is_empty() && now != before && !now.contains('\n')).then_some(())
        })
        .await;
}
