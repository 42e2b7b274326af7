//! The server itself: health, limits, files, start and stop.

use std::os::unix::fs::PermissionsExt;

use wpaas_server::config::{BackendKind, Flags, Settings};
use wpaas_server::{Server, StartError};

use super::harness::{Api, send};

#[tokio::test]
async fn health_readiness_and_metrics_need_no_key() {
    let api = Api::start().await;
    assert_eq!(api.get("/healthz", "").await.is(200).body, "ok\n");
    let ready = api.until("/readyz", "", |answer| answer["backend"]["ready"] == true).await;
    assert_eq!((&ready["ready"], &ready["stopping"]), (&true.into(), &false.into()));
    assert_eq!((&ready["simulated"], &ready["backend"]["kind"]), (&true.into(), &"simulated".into()));
    let metrics = api.get("/metrics", "").await.is(200);
    let text = metrics.body.as_str().unwrap();
    assert!(
        text.contains("wpaas_http_requests_total{method=\"GET\",route=\"/readyz\",status=\"200\"}"),
        "{text}"
    );
    assert!(text.contains("wpaas_backend_looks_total{outcome=\"complete\"}"), "{text}");
}

#[tokio::test]
async fn every_answer_says_that_nothing_real_runs() {
    let api = Api::start().await;
    for path in ["/healthz", "/readyz", "/nothing", "/customers"] {
        assert_eq!(api.get(path, "").await.header("x-wpaas-simulated"), "true", "{path}");
    }
}

#[tokio::test]
async fn the_operators_token_and_all_data_are_for_us_alone() {
    let api = Api::start().await;
    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(api.data()), 0o700);
    assert_eq!(mode(api.data().join("operator-token")), 0o600);
    for entry in std::fs::read_dir(api.data()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(path.clone()) & 0o077, 0, "{}", path.display());
    }
}

#[tokio::test]
async fn state_and_token_outlive_a_restart() {
    let api = Api::start().await;
    let cid = api.customer("acme").await;
    let Api { server, operator, folder, .. } = api;
    server.stop().await;
    let local = Some("127.0.0.1:0".parse().unwrap());
    let data = Some(folder.path().join("data"));
    let backend = Some(BackendKind::Simulated);
    let flags = Flags { listen: local, report_listen: local, data, backend, ..Flags::default() };
    let server = Server::start(Settings::load(flags).unwrap()).await.unwrap();
    let url = format!("http://{}/customers/{cid}", server.address());
    send(reqwest::Client::new().get(url).bearer_auth(operator)).await.is(200);
    server.stop().await;
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let api = Api::start().await;
    let taken = api.server.address();
    let flags = Flags {
        listen: Some(taken),
        report_listen: Some("127.0.0.1:0".parse().unwrap()),
        data: Some(api.folder.path().join("other")),
        backend: Some(BackendKind::Simulated),
        ..Flags::default()
    };
    let error = Server::start(Settings::load(flags).unwrap()).await.unwrap_err();
    assert!(matches!(error, StartError::Listen { address, .. } if address == taken), "{error}");
}

#[tokio::test]
async fn a_stopped_server_answers_no_more() {
    // An address of its own: no other test gets its port meanwhile.
    let listen = Some("127.0.0.42:0".parse().unwrap());
    let api = Api::with(Flags { listen, ..Flags::default() }).await;
    let request = api.request(reqwest::Method::GET, "/healthz");
    api.server.stop().await;
    assert!(request.send().await.unwrap_err().is_connect());
}
