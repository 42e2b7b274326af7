//! Signing in at an identity provider: what is right opens, whatever is not to the letter does not.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Url;
use serde_json::json;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use wpaas_core::store::scratch;
use wpaas_server::config::{Flags, Registration};

use super::harness::{Api, CLIENT_SECRET, LOG};

pub mod browser;
mod github;
pub mod provider;
mod untrusted;

use browser::{approve, begin, come_back, look, sign_in};
use provider::Provider;

/// Where browsers are sent back to; nothing listens there, the tests' own browser comes to the server itself.
const PUBLIC: &str = "http://localhost:9";

/// What makes a server know these providers; the folder is read when it starts.
fn configured(providers: &str, flags: Flags) -> (TempDir, Flags) {
    let folder = TempDir::new().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, format!("{CLIENT_SECRET}\n")).unwrap();
    let config = folder.path().join("wpaas.toml");
    let text = providers.replace("SECRET", &secret.display().to_string());
    std::fs::write(&config, format!("public_url = '{PUBLIC}'\n{text}")).unwrap();
    (folder, Flags { config: Some(config), limits_attempts_per_minute: Some(0), ..flags })
}

/// A server that knows these providers.
async fn server(providers: &str, flags: Flags) -> Api {
    let (_folder, flags) = configured(providers, flags);
    Api::with(flags).await
}

fn named(provider: &Provider, more: &str) -> String {
    let issuer = &provider.issuer;
    format!("[sso.mock]\nissuer = '{issuer}'\nclient_id = 'us'\nclient_secret_file = 'SECRET'\n{more}\n")
}

pub async fn open_to(provider: &Provider, more: &str) -> Api {
    let registration = Some(Registration::Open);
    server(&named(provider, more), Flags { registration, ..Flags::default() }).await
}

const START: &str = "/sso/mock/start";

#[tokio::test]
async fn an_account_registers_signs_in_and_is_unlinked() {
    let Some(provider) = Provider::start().await else { return };
    let api = open_to(&provider, "title = 'The mock'").await;
    provider.person("ada", json!({"email": "ada@example.com", "email_verified": true})).await;
    let providers = api.get("/sso", "").await.is(200).body;
    let (title, start) = (&providers["items"][0]["title"], &providers["items"][0]["start"]);
    assert_eq!((title, start), (&json!("The mock"), &json!(format!("{PUBLIC}{START}"))));

    let login = begin(&api, START).await;
    let redirect = format!("{PUBLIC}/sso/mock/callback");
    assert_eq!(
        (login.parameter("redirect_uri"), login.parameter("response_type")),
        (redirect.clone(), "code".into())
    );
    assert_eq!(
        (login.parameter("client_id"), login.parameter("scope")),
        ("us".into(), "openid email profile".into())
    );
    assert_eq!(login.parameter("code_challenge_method"), "S256");
    assert!(login.parameter("nonce").len() >= 22 && login.parameter("state").len() >= 43, "{}", login.url);
    let back = approve(&login, "ada").await;
    assert!(back.as_str().starts_with(&redirect), "{back}");
    let answer = come_back(&api, &back, login.kept()).await.is(200);
    assert_eq!((&answer.body["account"], &answer.body["session"]), (&json!("ada@example.com"), &json!(null)));
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(answer.header("set-cookie").contains("Max-Age=0"), "{:?}", answer.headers);
    let (secret, form) = provider.asked.lock().unwrap().clone();
    assert_eq!(secret, basic(&format!("us:{}", CLIENT_SECRET.replace(' ', "+"))));
    let form: Vec<(String, String)> = form_urlencoded::parse(form.as_bytes()).into_owned().collect();
    let of = |name: &str| form.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str());
    assert_eq!(of("redirect_uri"), Some(redirect.as_str()));
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(of("code_verifier").unwrap()));
    assert_eq!(challenge, login.parameter("code_challenge"));

    let log = String::from_utf8_lossy(&LOG.lock().unwrap()).into_owned();
    let code = back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    for secret in [of("code_verifier").unwrap(), &code, &login.parameter("state"), &login.parameter("nonce")]
    {
        assert!(!log.contains(secret), "what opens a login is in the log");
    }

    let ticket = answer.body["ticket"]["ticket"].as_str().unwrap();
    let acme = json!({"name": "Acme", "email": "ada@example.com", "ticket": ticket});
    let acme = api.post("/customers", "", acme).await.is(201).body;
    let session = sign_in(&api, START, "ada").await.is(200).body;
    assert_eq!((&session["session"]["cid"], &session["ticket"]), (&acme["cid"], &json!(null)));
    let token = session["session"]["token"].as_str().unwrap();
    let path = format!("/customers/{}", acme["cid"].as_str().unwrap());
    api.get(&path, token).await.is(200);
    let again = json!({"name": "Other", "email": "other@example.com", "ticket": ticket});
    api.post("/customers", "", again).await.is_problem(409, "login_taken");

    let own = api.get("/logins", token).await.is(200).body;
    assert_eq!(
        (&own["items"][0]["provider"], &own["items"][0]["account"]),
        (&json!("mock"), &json!("ada@example.com"))
    );
    api.delete(&format!("/logins/{}", own["items"][0]["id"].as_str().unwrap()), token).await.is(204);
    api.get(&path, token).await.is_problem(401, "unauthenticated");
    assert_eq!(sign_in(&api, START, "ada").await.is(200).body["session"], json!(null));
    let told =
        api.get(&format!("/events?cid={}", acme["cid"].as_str().unwrap()), &api.operator).await.is(200);
    let kinds: Vec<_> =
        told.body["items"].as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["customer_registered", "login_linked", "session_started", "login_unlinked"]);
    assert_eq!(told.body["items"][2]["detail"]["means"], "sso/mock");
}

fn basic(text: &str) -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text))
}

#[tokio::test]
async fn a_user_links_an_account_by_hand_and_an_invited_one_by_address() {
    let Some(provider) = Provider::start().await else { return };
    let api = open_to(&provider, "trust_email = true").await;
    let tenant = api.tenant("acme").await;
    for (subject, verified) in
        [("ben", json!(true)), ("cyd", json!(false)), ("dan", json!("true")), ("eve", json!(null))]
    {
        let email = format!("{subject}@example.com");
        provider.person(subject, json!({"email": email, "email_verified": verified})).await;
        let user = json!({"cid": tenant.cid, "name": subject, "email": email});
        api.post("/users", &api.operator, user).await.is(201);
    }
    let start = format!("{START}?cid={}", tenant.cid);
    let session = async |start: &str, subject: &str| sign_in(&api, start, subject).await.is(200).body;
    assert_eq!(session(START, "ben").await["session"], json!(null), "a customer was not invited as that");
    let ben = session(&start, "ben").await;
    assert_eq!(ben["session"]["cid"], *tenant.cid);
    let token = ben["session"]["token"].as_str().unwrap();
    assert_eq!(api.get(&format!("/users/{}/ben", tenant.cid), token).await.is(200).body["name"], "ben");
    assert_eq!(session(START, "ben").await["session"]["user_id"], ben["session"]["user_id"]);
    assert_ne!(session(&start, "dan").await["session"], json!(null), "some say it as a text");
    for unverified in ["cyd", "eve"] {
        let ticket = session(&start, unverified).await;
        assert_eq!(
            (&ticket["session"], &ticket["verified_email"]),
            (&json!(null), &json!(null)),
            "{unverified}"
        );
    }

    // One that has a key links what account it likes.
    let ticket = session(&start, "cyd").await["ticket"]["ticket"].clone();
    let link = async |key: &str| api.post("/logins", key, json!({"ticket": ticket})).await;
    link(&api.operator).await.is_problem(403, "forbidden");
    link("").await.is_problem(401, "unauthenticated");
    let linked = link(&tenant.key).await.is(201).body;
    assert_eq!(linked["account"], "cyd@example.com");
    link(token).await.is_problem(409, "login_taken");
    assert_eq!(session(START, "cyd").await["session"]["cid"], *tenant.cid);
    let bad = api.post("/logins", &tenant.key, json!({"ticket": "wpt_00"})).await;
    assert_eq!(bad.is_problem(422, "invalid").body["field"], "ticket");

    // Whom the account is linked to is disabled.
    api.put(&format!("/users/{}/dev", tenant.cid), &api.operator, json!({"enabled": false})).await.is(200);
    sign_in(&api, START, "cyd").await.is_problem(403, "sso_disabled");
}

#[tokio::test]
async fn a_person_is_shown_a_page() {
    let Some(provider) = Provider::start().await else { return };
    let api = open_to(&provider, "title = 'Mock & Sons'").await;
    provider.person("gus", json!({"email": "gus&<b>@example.com"})).await;
    let page = async || {
        let login = begin(&api, START).await;
        let back = approve(&login, "gus").await;
        let page = look(&api, &back, login.kept()).await.is(200).body.as_str().unwrap().to_owned();
        assert!(page.contains("gus&amp;&lt;b&gt;@example.com") && page.contains("Mock &amp; Sons"), "{page}");
        let used = look(&api, &back, login.kept()).await.is(400).body.as_str().unwrap().to_owned();
        assert!(used.contains("was used already") && !used.contains("wps_"), "{used}");
        page
    };
    let ticket = page().await;
    let ticket = ticket
        .split("<pre>")
        .find_map(|part| part.split("</pre>").next().filter(|text| text.starts_with("wpt_")));
    let acme = json!({"name": "Acme", "email": "gus@example.com", "ticket": ticket.unwrap()});
    api.post("/customers", "", acme).await.is(201);
    let session = page().await;
    let token = session
        .split("<pre>")
        .find_map(|part| part.split("</pre>").next().filter(|text| text.starts_with("wps_")));
    api.get("/sessions", token.unwrap()).await.is(200);
}

#[tokio::test]
async fn what_was_used_or_began_elsewhere_opens_nothing() {
    let Some(provider) = Provider::start().await else { return };
    let api =
        server(&format!("{}{}", named(&provider, ""), github::named("http://127.0.0.1:9")), Flags::default())
            .await;
    let login = begin(&api, START).await;
    let back = approve(&login, "fay").await;
    come_back(&api, &back, login.kept()).await.is(200);
    // The same again, in every part.
    come_back(&api, &back, login.kept()).await.is_problem(400, "sso_unknown");
    let fresh = begin(&api, START).await;
    let code = |url: &Url| url.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let path = |state: &str, code: &str| -> Url {
        format!("{PUBLIC}/sso/mock/callback?state={state}&code={code}").parse().unwrap()
    };
    let replayed = path(&fresh.parameter("state"), &code(&back));
    come_back(&api, &replayed, fresh.kept()).await.is_problem(403, "sso_refused");

    // Of another state, browser or provider, or of none.
    let (one, two) = (begin(&api, START).await, begin(&api, START).await);
    let one_back = approve(&one, "fay").await;
    come_back(&api, &path("invented", &code(&one_back)), one.kept()).await.is_problem(400, "sso_unknown");
    come_back(&api, &one_back, two.kept()).await.is_problem(400, "sso_unknown");
    come_back(&api, &one_back, one.kept()).await.is_problem(400, "sso_unknown");
    let (three, four) = (begin(&api, START).await, begin(&api, START).await);
    let name = |login: &browser::Login| login.kept().split('=').next().unwrap().to_owned();
    let as_if = four.kept().replace(&name(&four), &name(&three));
    come_back(&api, &approve(&three, "fay").await, &as_if).await.is_problem(400, "sso_unknown");
    let three = begin(&api, START).await;
    come_back(&api, &approve(&three, "fay").await, "").await.is_problem(400, "sso_unknown");
    let elsewhere = approve(&two, "fay").await.as_str().replace("/sso/mock/", "/sso/github/");
    come_back(&api, &elsewhere.parse().unwrap(), two.kept()).await.is_problem(400, "sso_unknown");
    api.get("/sso/mock/callback?code=x", "").await.is_problem(400, "invalid_query");

    // The person or the provider says no, or the provider is not the one that was asked.
    let comes_back_with = async |more: &str| {
        let login = begin(&api, START).await;
        let back = format!("{PUBLIC}/sso/mock/callback?state={}&{more}", login.parameter("state"));
        come_back(&api, &back.parse().unwrap(), login.kept()).await
    };
    comes_back_with("error=access_denied").await.is_problem(403, "sso_refused");
    comes_back_with("session_state=1").await.is_problem(400, "invalid_query");
    comes_back_with("code=x&iss=https://evil.example").await.is_problem(502, "sso_untrusted");
    for path in ["/sso/nobody/start", "/sso/nobody/callback?state=x", "/sso/No%20body/start"] {
        api.get(path, "").await.is_problem(404, "not_found");
    }
}

#[tokio::test]
async fn a_program_on_the_persons_machine_gets_what_it_alone_can_use() {
    let Some(provider) = Provider::start().await else { return };
    let api = open_to(&provider, "").await;
    let verifier = "v".repeat(43);
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
    let start = format!("{START}?loopback=4711&challenge={challenge}");
    let code = async || {
        let login = begin(&api, &start).await;
        let answer = come_back(&api, &approve(&login, "jan").await, login.kept()).await.is(303);
        let to: Url = answer.header("location").parse().unwrap();
        assert!(to.as_str().starts_with("http://127.0.0.1:4711/?code="), "{to}");
        (to.query_pairs().next().unwrap().1.into_owned(), login)
    };
    let finish = async |code: &str, verifier: &str| {
        api.post("/sso/finish", "", json!({"code": code, "verifier": verifier})).await
    };
    let (first, login) = code().await;
    finish(&first, &"w".repeat(43)).await.is_problem(400, "sso_unknown");
    finish(&first, &verifier).await.is_problem(400, "sso_unknown");
    let (second, _) = code().await;
    let answer = finish(&second, &verifier).await.is(200);
    assert_eq!((&answer.body["account"], answer.header("cache-control")), (&json!("jan"), "no-store"));
    assert!(answer.body["ticket"]["ticket"].as_str().unwrap().starts_with("wpt_"));
    finish(&second, &verifier).await.is_problem(400, "sso_unknown");
    // Neither is a state a code, nor a code a state.
    let open = begin(&api, &start).await;
    finish(&open.parameter("state"), &verifier).await.is_problem(400, "sso_unknown");
    let (third, _) = code().await;
    let as_state = format!("{PUBLIC}/sso/mock/callback?state={third}&code=x").parse().unwrap();
    come_back(&api, &as_state, login.kept()).await.is_problem(400, "sso_unknown");
    for half in [
        "loopback=4711",
        &format!("challenge={challenge}"),
        "loopback=0&challenge=x",
        "loopback=1&challenge=x",
    ] {
        api.get(&format!("{START}?{half}"), "").await.is_problem(400, "invalid_query");
    }
}

#[tokio::test]
async fn linkedin_is_held_to_what_it_knows() {
    let Some(provider) = Provider::start().await else { return };
    let api = open_to(&provider, "kind = 'linkedin'").await;
    let login = begin(&api, START).await;
    assert_eq!(login.parameter("code_challenge"), "", "it would refuse the verifier");
    let back = approve(&login.without("nonce"), "lee").await;
    come_back(&api, &back, login.kept()).await.is(200);
    let (secret, form) = provider.asked.lock().unwrap().clone();
    assert!(
        secret.is_empty() && form.contains("client_secret=a+secret"),
        "in the form, as it takes it: {secret}"
    );
    come_back(&api, &back, login.kept()).await.is_problem(400, "sso_unknown");

    // One that is there must fit all the same.
    let login = begin(&api, START).await;
    let back = approve(&login.with("nonce", "another"), "lee").await;
    come_back(&api, &back, login.kept()).await.is_problem(502, "sso_untrusted");
}

#[tokio::test]
async fn what_began_at_one_server_ends_once_at_any() {
    let (Some(provider), Some(url)) = (Provider::start().await, scratch::url().await) else { return };
    let on = Flags { database_url: Some(url), ..Flags::default() };
    let (_folder, flags) = configured(&named(&provider, ""), on);
    let first = Api::with(flags.clone()).await;
    let second = first.beside(flags).await;
    for _ in 0..5 {
        let login = begin(&first, START).await;
        let back = approve(&login, "mia").await;
        let (one, two, three) = tokio::join!(
            come_back(&first, &back, login.kept()),
            come_back(&second, &back, login.kept()),
            come_back(&second, &back, login.kept())
        );
        let mut statuses = [one.status, two.status, three.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 400, 400]);
    }
    // The one that opens an account's ticket need not be the one that gave it.
    let tenant = first.tenant("acme").await;
    let ticket = sign_in(&second, START, "mia").await.is(200).body["ticket"]["ticket"].clone();
    first.post("/logins", &tenant.key, json!({"ticket": ticket})).await.is(201);
    assert_eq!(sign_in(&second, START, "mia").await.is(200).body["session"]["cid"], *tenant.cid);
}
