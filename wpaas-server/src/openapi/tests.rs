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

/// Where a text, a number, an array, a map or the fields of an object have no limit.
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
    let array = is("array") && !has(&["maxItems"]);
    let map = is("object") && schema["additionalProperties"].is_object() && !has(&["maxProperties"]);
    // All requests refuse fields that they do not know.
    let fields = schema["properties"].is_object() && schema["additionalProperties"] != false;
    if text || number || map || array || fields {
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
fn every_text_number_array_and_map_of_a_request_has_a_limit() {
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

/// Where an example is not what its own schema takes.
fn bad_examples(schema: &Value, at: &str, found: &mut Vec<String>) {
    let pattern = schema["pattern"].as_str().map(|pattern| regex_lite::Regex::new(pattern).unwrap());
    let shortest = schema["minLength"].as_u64().unwrap_or(0);
    let longest = schema["maxLength"].as_u64().unwrap_or(u64::MAX);
    for example in schema["examples"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let length = example.chars().count() as u64;
        let fits = pattern.as_ref().is_none_or(|pattern| pattern.is_match(example));
        if !fits || !(shortest..=longest).contains(&length) {
            found.push(format!("{at}: {example}"));
        }
    }
    for (name, part) in schema.as_object().into_iter().flatten() {
        bad_examples(part, &format!("{at}.{name}"), found);
    }
    for part in schema.as_array().into_iter().flatten() {
        bad_examples(part, at, found);
    }
}

#[test]
fn every_example_fits_its_own_schema() {
    let mut found = Vec::new();
    let document = written();
    bad_examples(&document, "", &mut found);
    assert!(found.is_empty(), "{found:#?}");
    for (name, texts) in [("Lifetime", ["1d", "10d", "30d", "90d"]), ("Grace", ["0", "0d", "20d", "90d"])] {
        let pattern = document["components"]["schemas"][name]["pattern"].as_str().unwrap();
        let pattern = regex_lite::Regex::new(pattern).unwrap();
        assert!(texts.iter().all(|text| pattern.is_match(text)), "{name}: {texts:?}");
        assert!(!pattern.is_match("91d") && !pattern.is_match("100d"), "{name}");
    }
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

/// How often each source adds a route by itself, tests and programs aside.
fn routes_added(folder: &std::path::Path, found: &mut Vec<(String, usize)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "bin" {
            routes_added(&path, found);
        } else if path.is_file() && name != "tests.rs" {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
            let count = [".route(", ".route_service(", ".nest(", ".nest_service(", ".fallback_service("]
                .map(|call| code.matches(call).count());
            found.extend(Some((name, count.iter().sum())).filter(|(_, count)| *count > 0));
        }
    }
}

/// A route of the API goes through `Routes::at`, which describes it, and through which the access matrix sees it.
#[test]
fn no_route_goes_past_the_document() {
    let mut found = Vec::new();
    routes_added(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut found);
    found.sort();
    // The document and its page; what nodes report.
    assert_eq!(found, [("openapi.rs".to_owned(), 3), ("router.rs".to_owned(), 1)]);
}

/// The API over nothing real, asked by the operator.
struct Served {
    api: Router,
    operator: String,
    _folder: tempfile::TempDir,
}

impl Served {
    async fn start() -> Self {
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
        Self { api: router::api(state), operator: operator.trim().to_owned(), _folder: folder }
    }

    async fn ask(&self, method: &str, uri: &str, body: &'static str) -> Response {
        let request = Request::builder().method(method).uri(uri).header(CONTENT_TYPE, "application/json");
        let request = request.header("authorization", format!("Bearer {}", self.operator));
        self.api.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap()
    }
}

#[tokio::test]
async fn the_document_knows_each_method_of_each_route() {
    let served = Served::start().await;
    for (path, mut item) in router::document().paths.paths {
        let answer = served.ask("PROBE", &path.replace(['{', '}'], ""), "").await;
        assert_eq!(answer.status(), 405, "{path}");
        let allowed = answer.headers()[ALLOW].to_str().unwrap();
        let allowed: BTreeSet<_> = allowed.split(',').filter(|method| *method != "HEAD").collect();
        let known = operation::operations(&mut item).map(|(method, _)| method).collect();
        assert_eq!(allowed, known, "{path}");
    }
}

/// The status, and the field that the problem names.
async fn problem(answer: Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    (status, body["field"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn what_an_operation_does_not_take_is_refused_by_name() {
    let served = Served::start().await;
    let (mut without_query, mut without_body) = (0, 0);
    for (path, mut item) in router::document().paths.paths {
        let place = path.replace(['{', '}'], "");
        for (method, operation) in operation::operations(&mut item) {
            let open = !operation.responses.responses.contains_key("401");
            let asks = operation.parameters.iter().flatten().any(|parameter| {
                matches!(parameter, RefOr::T(it) if it.parameter_in == utoipa::openapi::path::ParameterIn::Query)
            });
            // There the query may say the org once more, which the document leaves out.
            let asks = asks || path.contains("/spaces/{space}/wpaas");
            if !open && !asks {
                without_query += 1;
                let answer = problem(served.ask(method, &format!("{place}?zzz=1"), "").await).await;
                assert_eq!(answer, (400, "zzz".to_owned()), "{method} {path}?zzz=1");
            }
            if !open && method != "GET" && operation.request_body.is_none() {
                without_body += 1;
                let answer = problem(served.ask(method, &place, r#"{"zzz": 1}"#).await).await;
                assert_eq!(answer, (422, "zzz".to_owned()), "{method} {path} with a body");
            }
        }
    }
    assert!(without_query > 30 && without_body > 20, "{without_query} {without_body}");
    assert_eq!(served.ask("GET", "/healthz?zzz=1", "").await.status(), 200);
}
