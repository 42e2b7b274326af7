//! An Engine that can't be reached: the server starts, says so, and converges when it is back.

use std::time::Duration;

use serde_json::json;

use super::engine_alone;
use super::server::Server;

#[tokio::test]
async fn a_server_without_an_engine_says_so_and_converges_when_it_is_back() {
    let Some(_alone) = engine_alone().await else { return };
    let folder = tempfile::TempDir::new().unwrap();
    let socket = folder.path().join("docker.sock");
    let server = Server::start_with(Some(format!("unix://{}", socket.display()))).await;
    let (status, answer) = server.call(reqwest::Method::GET, "/readyz", &server.operator, None).await;
    assert_eq!((status, &answer["backend"]["ready"]), (200, &json!(false)), "the API answers: {answer}");
    assert!(answer["backend"]["reason"].to_string().contains("Docker"), "{answer}");
    let tenant = server.tenant("late").await;
    let site = server.post_site(&tenant, json!({"name": "late", "admin_password": "swordfish-1"})).await;
    server
        .until("the site says so", Duration::from_secs(30), async || {
            let answer = server.site(&site).await;
            let conditions = answer["status"]["conditions"].as_array()?;
            let unknown = |c: &serde_json::Value| c["type"] == "Ready" && c["status"] == "Unknown";
            conditions.iter().any(unknown).then_some(())
        })
        .await;
    std::os::unix::fs::symlink("/var/run/docker.sock", &socket).unwrap();
    server.ready().await;
    server.settled(&site).await;
}
