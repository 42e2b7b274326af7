//! What people are told of a site while the backend does nothing that it is asked to do.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use jiff::Timestamp;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use wpaas_core::converge::Converger;
use wpaas_core::converge::simulated::{Simulated, Weather, World};

use crate::config::{BackendKind, Flags, Settings};
use crate::router;
use crate::state::Shared;

struct Api {
    router: Router,
    operator: String,
}

impl Api {
    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        let request = request.header("authorization", format!("Bearer {}", self.operator)).body(body);
        let answer = self.router.clone().oneshot(request.unwrap()).await.unwrap();
        assert!(answer.status().is_success(), "{method} {path}: {}", answer.status());
        serde_json::from_slice(&to_bytes(answer.into_body(), usize::MAX).await.unwrap()).unwrap()
    }
}

#[tokio::test]
async fn a_status_says_what_is_waited_for_what_went_wrong_and_when_it_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let flags = Flags { data: Some(data.clone()), backend: Some(BackendKind::Simulated), ..Flags::default() };
    let settings = Arc::new(Settings::load(flags).unwrap());
    let (state, tasks) = crate::app::open(&settings, World::default()).await.unwrap();
    // Its own backend has no part in this.
    tasks.stop(std::time::Duration::from_secs(10)).await;
    let (backend, _said) = Simulated::in_weather(Weather { lost: 1000, ..Weather::calm() });
    let (converger, handle) = Converger::new(backend, Arc::new(state.service.intents()));
    tokio::spawn(converger.run(std::future::pending()));
    let operator = std::fs::read_to_string(data.join("operator-token")).unwrap().trim().to_owned();
    let router = router::api(Shared { converger: handle, ..Shared::clone(&state) }.into());
    let api = Api { router, operator };
    let customer = json!({"name": "Acme", "email": "acme@example.com", "password": "correct horse battery"});
    let cid = api.call("POST", "/customers", Some(customer)).await["cid"].as_str().unwrap().to_owned();
    let space = format!("/wpaas/{cid}/default");
    let site = json!({"name": "blog", "num_instances": 1, "admin_password": "a fine password"});
    api.call("POST", &space, Some(site)).await;
    let began = std::time::Instant::now();
    let status = loop {
        let mut site = api.call("GET", &format!("{space}/blog"), None).await;
        if !site["status"]["last_error"].is_null() && !site["status"]["next_try"].is_null() {
            break site["status"].take();
        }
        assert!(began.elapsed().as_secs() < 30, "{site}");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    };
    let error = status["last_error"].as_str().unwrap();
    assert!(error.contains("the request was lost"), "{error}");
    let next_try: Timestamp = status["next_try"].as_str().unwrap().parse().unwrap();
    assert!(next_try > Timestamp::now() - jiff::SignedDuration::from_secs(30), "{next_try}");
    let waiting = status["waiting"].as_array().unwrap();
    assert!(waiting.contains(&json!("database-0 waits for network")), "{waiting:?}");
}
