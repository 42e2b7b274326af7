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

/// Where a text or a number has no limit.
fn unlimited(document: &Value, schema: &Value, at: &str, found: &mut BTreeSet<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let named = document.pointer(reference.trim_start_matches('#')).unwrap();
        return unlimited(document, named, at, found);
    }
    let kinds = schema["type"].as_array().cloned().unwrap_or_else(|| vec![schema["type"].clone()]);
    let is = |kind: &str| kinds.iter().any(|one| one == kind);
    let has = |limits: &[&str]| limits.iter().any(|limit| schema.get(limit).is_some());
    let text = is("string") && !has(&["enum", "const", "pattern", "maxLength", "format"]);
    let number = (is("integer") || is("number")) && !has(&["enum", "const", "maximum", "format"]);
    if text || number {
        found.insert(at.to_owned());
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        unlimited(document, property, &format!("{at}.{name}"), found);
    }
    for parts in ["oneOf", "anyOf", "allOf"] {
        schema[parts].as_array().into_iter().flatten().for_each(|part| unlimited(document, part, at, found));
    }
    for parts in ["items", "additionalProperties", "propertyNames"] {
        if schema[parts].is_object() {
            unlimited(document, &schema[parts], &format!("{at}.{parts}"), found);
        }
    }
}

#[test]
fn every_text_and_number_of_a_request_has_a_limit() {
    let document = written();
    let mut found = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let at = format!("{method} {path}");
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let at = format!("{at} {}", parameter["name"]);
                unlimited(&document, &parameter["schema"], &at, &mut found);
            }
            for body in operation["requestBody"]["content"].as_object().into_iter().flatten() {
                unlimited(&document, &body.1["schema"], &at, &mut found);
            }
        }
    }
    assert!(found.is_empty(), "these have no limit: {found:#?}");
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
