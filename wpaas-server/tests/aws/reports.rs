//! Nodes that report to the server itself, and credentials of a profile in a file.

use std::collections::HashMap;

use serde_json::{Value, json};
use tempfile::TempDir;
use wpaas_backend_aws::cloud::Bucket as _;

use crate::account::{Account, ROLE};
use crate::server::Server;

/// Passes on what nodes write into the bucket, as each would say it itself: where its files say, with their token.
async fn nodes_speak(aws: &Account) {
    let client = reqwest::Client::new();
    let mut said = HashMap::new();
    loop {
        let below = format!("{}/reports/{ROLE}:", aws.installation);
        for key in aws.bucket.list(&below, None).await.unwrap().items {
            let node = key.key.replace("/reports/", "/nodes/");
            let Some(files) = aws.bucket.get(&node).await.unwrap() else { continue };
            let Some(report) = aws.bucket.get(&key.key).await.unwrap() else { continue };
            let files: Value = serde_json::from_slice(&files.content).unwrap();
            let request =
                client.post(text(&files, "node.conf", "report=")).bearer_auth(text(&files, TOKEN, ""));
            let request = request.header("content-type", "application/json").body(report.content);
            let status = request.send().await.unwrap().status().as_u16();
            said.insert(node, status);
        }
        assert!(said.values().all(|status| *status == 204), "{said:?}");
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
}

const TOKEN: &str = "secrets/report-token";

/// The line of a node's file that begins so.
fn text(files: &Value, path: &str, begins: &str) -> String {
    let mut all = files["files"].as_array().unwrap().iter();
    let file = all.find(|file| file["path"] == path).unwrap()["content"].as_str().unwrap();
    file.lines().find_map(|line| line.strip_prefix(begins)).unwrap().to_owned()
}

#[tokio::test]
async fn nodes_report_to_the_server_whose_credentials_are_a_profiles() {
    let Some(aws) = Account::prepared("us-west-2").await else { return };
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("config");
    std::fs::write(&file, "[profile ops]\naws_access_key_id = test\naws_secret_access_key = test\n").unwrap();
    let file = file.to_str().unwrap();
    let config = aws.configuration() + "reports = \"http://REPORTS\"\n";
    let without = Server::start(&aws.prepared.domain, &config, &[("AWS_CONFIG_FILE", file)]).await;
    let told = without.until("it says why", async || without.ready().await?.err()).await;
    assert!(told.contains("give the control plane credentials"), "no profile is chosen: {told}");
    drop(without);

    let profile = [("AWS_CONFIG_FILE", file), ("AWS_PROFILE", "ops")];
    let server = Server::start(&aws.prepared.domain, &config, &profile).await;
    let reports = async {
        server.until("ready", async || server.ready().await?.ok()).await;
        let tenant = server.tenant("cloud").await;
        let path = server.post_site(&tenant, json!({"name": "blog", "admin_password": "swordfish-1"})).await;
        let is = async |kind: &str, wanted: &str| {
            server.condition(&tenant, &path, kind).await.filter(|(status, _)| status == wanted).map(drop)
        };
        server.until("the site is ready", async || is("Ready", "True").await).await;
        server.until("nothing is under way", async || is("Progressing", "False").await).await;
        server.delete(&tenant, &path).await;
        server.until("gone", async || (aws.holds().await.0 == [0; 5]).then_some(())).await;
    };
    tokio::select! {
        () = reports => {}
        () = aws.live() => {}
        () = nodes_speak(&aws) => {}
    }
}
