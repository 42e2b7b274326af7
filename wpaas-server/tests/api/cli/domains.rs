use wpaas_server::config::Flags;

use super::{Person, Ran};
use crate::domains::Dns;
use crate::harness::Api;

/// Has DNS looked at until this is seen there: what is written to the zone is served a moment later.
async fn checked(person: &Person, text: &str) -> Ran {
    let began = std::time::Instant::now();
    loop {
        let ran = person.run(&["domains", "check", "blog"]).await.is(0);
        if ran.out.contains(text) {
            return ran;
        }
        assert!(began.elapsed().as_secs() < 60, "no {text:?} in:\n{}", ran.out);
    }
}

#[tokio::test]
async fn a_domain_is_asked_for_proved_shown_and_taken_away() {
    let dns = Dns::start();
    let nobody = Some("https://127.0.0.1:9/directory".to_owned());
    let resolvers = Some(vec![dns.at]);
    let api =
        Api::with(Flags { domains_resolvers: resolvers, acme_directory: nobody, ..Flags::default() }).await;
    let tenant = api.tenant("acme").await;
    let person = Person::with_key(&api, &tenant.key).await;
    let password = person.file("password", "a-password-of-the-admin");
    let domain = ["--domain", "www.example.com"];
    let create = ["sites", "create", "blog", "--admin-password-file", &password, "--wait"];
    // A domain that is not proved keeps the site from nothing.
    person.run(&[&create[..], &domain].concat()).await.is(0).shows(&["ready"]);

    let platform = format!("blog.{}.www.wpaas.localhost", tenant.cid);
    let pending = checked(&person, "has no TXT record").await;
    let pending =
        pending.shows(&["www.example.com: pending", "TXT", "_wpaas.www.example.com", "CNAME", &platform]);
    let token = pending.out.split_whitespace().find(|word| word.starts_with("wpaas-site=")).unwrap();
    dns.says(&format!("_wpaas.www IN TXT \"{token}\"\nwww IN A 192.0.2.1"));
    let seen = "www.example.com leads to 192.0.2.1, which is not this site";
    checked(&person, "www.example.com: verified")
        .await
        .shows(&["_wpaas.www.example.com names this site", seen]);
    person.run(&["domains", "list", "blog"]).await.is(0).shows(&["www.example.com: verified", seen]);

    let shown = person.run(&["sites", "show", "blog"]).await.is(0);
    shown.shows(&["DOMAIN", "www.example.com", "verified", seen, "CERTIFICATE", &platform, "pending"]);
    let primary = async || {
        let shown = person.run(&["sites", "show", "blog", "-o", "json"]).await.is(0).json();
        shown["spec"]["primary_domain"].clone()
    };
    assert_eq!(primary().await, serde_json::Value::Null);
    let update = |more: [&'static str; 2]| [&["sites", "update", "blog", "--wait"][..], &more].concat();
    person.run(&update(["--primary-domain", "www.example.com"])).await.is(0);
    assert_eq!(primary().await, "www.example.com");

    person.run(&update(["--title", "Another"])).await.is(0);
    assert_eq!(primary().await, "www.example.com", "what is not named stays");
    person.run(&update(["--primary-domain", "none"])).await.is(0);
    person.run(&update(["--domain", "none"])).await.is(0);
    person.run(&["domains", "list", "blog"]).await.is(1).says(&["blog asks for no domains"]);
    let shown = person.run(&["sites", "show", "blog"]).await.is(0);
    assert!(!shown.out.contains("www.example.com"), "{}", shown.out);
}
