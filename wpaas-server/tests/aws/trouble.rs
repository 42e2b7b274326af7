//! What is wrong with an account or its configuration is said where an operator looks first, and by its name.

use crate::account::{Account, KEY};
use crate::server::Server;

/// What `/readyz` says that is not so.
async fn trouble(aws: &Account, from: &str, to: &str, key: &[(&str, &str)]) -> String {
    let configuration = aws.configuration().replace(from, to);
    let server = Server::start(&aws.prepared.domain, &configuration, key).await;
    server.until("it says why", async || server.ready().await?.err()).await
}

#[tokio::test]
async fn missing_things_are_named() {
    let Some(aws) = Account::prepared("eu-south-1").await else { return };
    let (bucket, image) = (&aws.prepared.bucket, &aws.prepared.image);
    let told =
        trouble(&aws, &format!("bucket = \"{bucket}\""), "bucket = \"wpaas-no-such-bucket\"", &KEY).await;
    assert!(told.contains("NoSuchBucket") && told.contains("aws.bucket names none"), "{told}");
    let told = trouble(&aws, image, "ami-0123456789abcdef0", &KEY).await;
    assert!(told.contains("aws.image names no AMI"), "{told}");
    assert_eq!(aws.holds().await.0, [0; 5], "nothing was made");
}

#[tokio::test]
async fn without_credentials_it_says_where_they_could_be() {
    let Some(aws) = Account::prepared("eu-south-2").await else { return };
    let told = trouble(&aws, "", "", &[]).await;
    assert!(told.contains("give the control plane credentials"), "{told}");
}
