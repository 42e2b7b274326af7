use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::Request;
use axum::http::header::ALLOW;
use serde_json::Value;
use tower::ServiceExt;

use super::*;

fn written() -> Value {
    serde_json::from_slice(&DOCUMENT).unwrap()
}

/// Every `$ref` in it.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str).map(ToOwned::to_owned));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = written();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 40, "{found:?}");
    found.retain(|reference| document.pointer(reference.trim_start_matches('#')).is_none());
    assert!(found.is_empty(), "these lead nowhere: {found:?}");
}

#[test]
fn every_operation_has_a_name_of_its_own_and_says_what_it_answers() {
    let mut names = BTreeSet::new();
    for (path, mut item) in router::document().paths.paths {
        for (method, operation) in operation::operations(&mut item) {
            let name = operation.operation_id.clone().unwrap();
            assert!(names.insert(name.clone()), "two operations are {name}");
            assert!(operation.summary.is_some(), "{method} {path} says nothing of itself");
            let fine = operation.responses.responses.keys().any(|status| status.starts_with(['2', '3']));
            assert!(fine, "{method} {path} is never answered well");
        }
    }
}

#[tokio::test]
async fn the_document_knows_each_method_of_each_route() {
    let folder = tempfile::tempdir().unwrap();
    let flags = crate::config::Flags {
        data: Some(folder.path().join("data")),
        backend: Some(crate::config::BackendKind::Simulated),
        ..crate::config::Flags::default()
    };
    let settings = Arc::new(crate::config::Settings::load(flags).unwrap());
    let nothing = wpaas_core::converge::simulated::World::default();
    let (state, _tasks) = crate::app::open(&settings, nothing).await.unwrap();
    let operator = std::fs::read_to_string(folder.path().join("data/operator-token")).unwrap();
    let api = router::api(state);
    for (path, mut item) in router::document().paths.paths {
        let request = Request::builder().method("PROBE").uri(path.replace(['{', '}'], ""));
        let request = request.header("authorization", format!("Bearer {}", operator.trim()));
        let answer = api.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), 405, "{path}");
        let allowed = answer.headers()[ALLOW].to_str().unwrap();
        let allowed: BTreeSet<_> = allowed.split(',').filter(|method| *method != "HEAD").collect();
        let known = operation::operations(&mut item).map(|(method, _)| method).collect();
        assert_eq!(allowed, known, "{path}");
    }
}
