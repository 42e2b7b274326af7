//! What is wrong with an account or its configuration is said where an operator looks first, and on the site, by its name.

use serde_json::json;

use crate::account::{Account, KEY};
use crate::server::{Server, Tenant};

/// A server for which something is not as it should be.
async fn troubled(aws: &Account, from: &str, to: &str, key: &[(&str, &str)]) -> Server {
    let configuration = aws.configuration().replace(from, to);
    Server::start(&aws.prepared.domain, &configuration, key).await
}

/// A site of it, once a condition of this kind says this, and does not hold.
async fn site_that_says(server: &Server, kind: &str, what: &str) -> (Tenant, String) {
    let tenant = server.tenant("cloud").await;
    let path = server.post_site(&tenant, json!({"name": "blog", "admin_password": "swordfish-1"})).await;
    let says = async || {
        let (status, message) = server.condition(&tenant, &path, kind).await?;
        (status != "True" && message.contains(what)).then_some(())
    };
    server.until(&format!("{kind} says {what}"), says).await;
    (tenant, path)
}

/// What `/readyz` says that is not so.
async fn told(server: &Server) -> String {
    server.until("it says why", async || server.ready().await?.err()).await
}

#[tokio::test]
async fn a_bucket_that_is_missing_is_named() {
    let Some(aws) = Account::prepared("eu-south-1").await else { return };
    let bucket = format!("bucket = \"{}\"", aws.prepared.bucket);
    let server = troubled(&aws, &bucket, "bucket = \"wpaas-no-such-bucket\"", &KEY).await;
    let told = told(&server).await;
    assert!(told.contains("NoSuchBucket") && told.contains("aws.bucket names none"), "{told}");
    site_that_says(&server, "Ready", "aws.bucket names none").await;
    assert_eq!(aws.holds().await.0, [0; 5], "nothing was made");
}

#[tokio::test]
async fn an_image_that_is_missing_is_named_and_what_was_made_goes_with_the_site() {
    let Some(aws) = Account::prepared("eu-south-1").await else { return };
    let server = troubled(&aws, &aws.prepared.image, "ami-0123456789abcdef0", &KEY).await;
    let told = told(&server).await;
    assert!(told.contains("aws.image names no AMI"), "{told}");
    let (tenant, path) = site_that_says(&server, "Ready", "aws.image names no AMI").await;
    server.delete(&tenant, &path).await;
    server.until("nothing is left", async || (aws.holds().await.0 == [0; 5]).then_some(())).await;
}

#[tokio::test]
async fn without_credentials_it_says_where_they_could_be() {
    let Some(aws) = Account::prepared("eu-south-2").await else { return };
    let server = troubled(&aws, "", "", &[]).await;
    let told = told(&server).await;
    assert!(told.contains("give the control plane credentials"), "{told}");
    site_that_says(&server, "Ready", "give the control plane credentials").await;
}

#[tokio::test]
async fn a_zone_that_is_missing_is_named_on_the_site_which_comes_up_without_it() {
    let Some(aws) = Account::prepared("us-west-1").await else { return };
    let zone = format!("zone = \"{}\"\nimage", aws.prepared.zone);
    let server = troubled(&aws, &zone, "zone = \"ZNOSUCHZONE\"\nimage", &KEY).await;
    let says = async {
        let (tenant, path) = site_that_says(&server, "DnsReady", "aws.zone names none").await;
        let (_, message) = server.condition(&tenant, &path, "DnsReady").await.unwrap();
        assert!(message.contains("NoSuchHostedZone"), "{message}");
        let ready = async || {
            let (status, _) = server.condition(&tenant, &path, "Ready").await?;
            (status == "True").then_some(())
        };
        server.until("it serves at its address", ready).await;
    };
    tokio::select! {
        () = says => {}
        () = aws.live() => {}
    }
}
