//! A site from its POST to nothing left of it.

use serde_json::json;
use wpaas_backend_aws::cloud::Ec2 as _;

use crate::account::{Account, KEY};
use crate::server::Server;

async fn a_life_of_a_site(aws: &Account, server: &Server) {
    server.until("ready", async || server.ready().await?.ok()).await;
    let tenant = server.tenant("cloud").await;
    let body = json!({"name": "blog", "admin_password": "swordfish-1", "num_instances": 2,
        "database": {"num_instances": 3}});
    let path = server.post_site(&tenant, body).await;
    let is = async |kind: &str, wanted: &str| {
        server.condition(&tenant, &path, kind).await.filter(|(status, _)| status == wanted).map(drop)
    };
    server.until("the site is ready", async || is("Ready", "True").await).await;
    server.until("nothing is under way", async || is("Progressing", "False").await).await;
    let parts: Vec<_> = aws.instances().await.into_iter().map(|(part, _)| part).collect();
    let all =
        ["database-0", "database-1", "database-2", "gateway-0", "gateway-1", "wordpress-0", "wordpress-1"];
    assert_eq!(parts, all);
    server.until("its name is answered for", async || is("DnsReady", "True").await).await;
    let (held, _) = aws.holds().await;
    assert_eq!(held, [7, 3, 2, 1, aws.records().await.len()], "once each");
    let name = format!("blog.{}.www.{}", tenant.cid, aws.prepared.domain);
    let address = server.site(&tenant, &path).await["status"]["address"]["ip"].as_str().unwrap().to_owned();
    let records = aws.records().await;
    assert!(records.contains(&(name, address.clone())), "{address}: {records:?}");

    let (_, node) = aws.instances().await.into_iter().find(|(part, _)| part == "wordpress-0").unwrap();
    aws.ec2.terminate_instance(&node).await.unwrap();
    let replaced = async || {
        let now = aws.instances().await;
        (now.len() == 7 && now.iter().all(|(_, id)| *id != node)).then_some(())
    };
    server.until("a new instance in its place", replaced).await;
    server.until("the site is ready again", async || is("Ready", "True").await).await;

    server.delete(&tenant, &path).await;
    let nothing = async || {
        let (held, keys) = aws.holds().await;
        (held == [0; 5] && keys.is_empty()).then_some(())
    };
    server.until("nothing of it is left", nothing).await;
    assert!(!server.log().contains("swordfish-1"), "{}", server.log());
}

#[tokio::test]
async fn a_site_comes_up_heals_and_leaves_nothing() {
    let Some(aws) = Account::prepared("eu-north-1").await else { return };
    let server = Server::start(&aws.prepared.domain, &aws.configuration(), &KEY).await;
    tokio::select! {
        () = a_life_of_a_site(&aws, &server) => {}
        () = aws.live() => {}
    }
}
