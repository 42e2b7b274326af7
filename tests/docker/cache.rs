//! Pages kept for visitors without a name: what one editor publishes, every node shows at once, and nobody is shown
//! what was meant for another.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Method};
use serde_json::json;

use super::server::{Server, Site};
use super::wordpress::Wordpress;
use super::{docker, engine_alone};

/// Answers that are not to be kept, and one that says what PHP was told.
const ANSWERS: &str = "<?php add_action('init', function () { switch (strtok($_SERVER['REQUEST_URI'], '?')) {
  case '/t/cookie': setcookie('cart', '1'); exit('cookie ' . uniqid());
  case '/t/private': header('Cache-Control: private, max-age=600'); exit('private ' . uniqid());
  case '/t/asked-not-to': define('DONOTCACHEPAGE', true); exit('asked ' . uniqid());
  case '/t/missing': status_header(404); exit('missing ' . uniqid());
  case '/t/echo': exit(json_encode([uniqid(), $_SERVER, $_COOKIE, $_GET, wp_is_mobile()]));
  case '/t/transient': set_transient('seen', uniqid(), 60); exit('transient ' . uniqid());
  case '/t/option': update_option('seen', uniqid()); exit('option');
} });";

/// One node, asked past the gateway.
struct Node {
    client: Client,
    url: String,
    host: String,
}

/// What a node answered: whether from its cache, and the page.
type Page = (String, String);

impl Node {
    fn of(site: &Site, part: &str, url: &str) -> Self {
        let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        let address = docker(&["inspect", "--format", format, &Server::container(site, part)]);
        let host = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let client = Client::builder().redirect(Policy::none()).build().unwrap();
        Self { client, url: format!("http://{address}"), host }
    }

    async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Page {
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        request = request.header("X-Forwarded-Proto", "http");
        if !headers.iter().any(|(name, _)| *name == "Host") {
            request = request.header("Host", &self.host);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let word = response.headers().get("x-wpaas-cache").map(|word| word.to_str().unwrap().to_owned());
        (word.unwrap_or_default(), response.text().await.unwrap())
    }

    async fn get(&self, path: &str) -> Page {
        self.ask(Method::GET, path, &[]).await
    }

    /// Asks until the page is kept: at any time WordPress may write something by itself, and then it is another page.
    async fn warm(&self, path: &str) -> String {
        let (_, mut before) = self.get(path).await;
        for _ in 0..20 {
            let (word, page) = self.get(path).await;
            if word == "HIT" {
                assert_eq!(before, page);
                return page;
            }
            before = page;
        }
        panic!("{path} is not kept");
    }

    /// Checks that this, done once the page of `path` is kept, is answered with that page from the cache.
    async fn hits(&self, path: &str, ask: impl AsyncFn() -> Page) {
        let mut last = None;
        for _ in 0..5 {
            let kept = self.warm(path).await;
            let answer = ask().await;
            if answer == ("HIT".to_owned(), kept) {
                return;
            }
            last = Some(answer);
        }
        panic!("{path}: {last:?} is not what is kept");
    }
}

#[tokio::test]
async fn pages_are_kept_for_nobody_in_particular_and_never_longer_than_they_are_true() {
    let Some(_alone) = engine_alone().await else { return };
    let server = Server::start().await;
    server.ready().await;
    let tenant = server.tenant("cache").await;
    let code = server.repository("answers", &[("mu-plugins/answers.php", ANSWERS)]);
    let body = json!({
        "name": "blog", "admin_password": "swordfish-1", "num_instances": 2, "code": {"git": code, "ref": "main"},
        "domains": ["www.example.com"],
    });
    let site = server.post_site(&tenant, body).await;
    let url = server.settled(&site).await;
    let nodes = [Node::of(&site, "wordpress-0", &url), Node::of(&site, "wordpress-1", &url)];

    only_visitors_without_a_name(&nodes[0]).await;
    only_answers_for_all(&nodes[0]).await;
    each_name_has_pages_of_its_own(&nodes[0]).await;
    let platform = format!("blog.{}.www.wpaas.localhost", tenant.cid);
    what_is_published_under_one_name_shows_under_all(&nodes, &url, ["www.example.com", &platform]).await;
    changes_show_everywhere_at_once(&nodes, &url).await;
    a_node_that_was_away_shows_no_older_page(&server, &site, &nodes, &url).await;
}

async fn only_visitors_without_a_name(node: &Node) {
    let kept = node.warm("/t/echo").await;
    // Neither what browsers' scripts alone read, nor anything else that PHP is not told, makes it another page.
    for (path, headers) in [
        ("/t/echo?utm_source=news&fbclid=x", &[] as &[(&str, &str)]),
        ("/t/echo", &[("Cookie", "_ga=GA1.2.3; _gid=4")]),
        ("/t/echo", &[("Referer", "http://elsewhere.example/"), ("Accept-Language", "de")]),
        ("/t/echo", &[("X-Original-URL", "/wp-admin/"), ("X-HTTP-Method-Override", "DELETE")]),
    ] {
        node.hits("/t/echo", async || node.ask(Method::GET, path, headers).await).await;
    }
    // What PHP was told when it made the page says nothing of who asked.
    let first =
        node.ask(Method::GET, "/t/echo/?gclid=abc", &[("Cookie", "_ga=secret"), ("Referer", "secret")]).await;
    assert!(!first.1.contains("secret") && !first.1.contains("gclid"), "{}", first.1);

    for (method, path, headers) in [
        (Method::GET, "/t/echo", &[("Cookie", "wordpress_logged_in_abc=admin")] as &[(&str, &str)]),
        (Method::GET, "/t/echo", &[("Cookie", "comment_author_abc=me")]),
        (Method::GET, "/t/echo", &[("Cookie", "_ga=1; wp-postpass_abc=x")]),
        (Method::GET, "/t/echo", &[("Cookie", "anything=1")]),
        (Method::GET, "/t/echo", &[("Authorization", "Basic YWRtaW46eA==")]),
        (Method::GET, "/t/echo?s=words", &[]),
        (Method::GET, "/t/echo?utm_source=x&preview=true", &[]),
        (Method::GET, "/wp-json/", &[]),
        (Method::GET, "/wp-login.php", &[]),
        (Method::POST, "/t/echo", &[]),
    ] {
        for _ in 0..2 {
            let (word, page) = node.ask(method.clone(), path, headers).await;
            assert_eq!(word, "BYPASS", "{method} {path} {headers:?}");
            assert_ne!(page, kept, "{method} {path} {headers:?}");
        }
    }
    // HEAD has an answer of its own, without a body; it is not taken for the page.
    assert_eq!(node.ask(Method::HEAD, "/t/head/", &[]).await.1, "");
    assert_ne!(node.get("/t/head/").await.1, "");

    // WordPress tells telephones from others: so does the cache.
    let phone = [("User-Agent", "Mozilla/5.0 (Linux; Android 14) Mobile")];
    let (word, page) = node.ask(Method::GET, "/t/echo", &phone).await;
    assert!(word == "MISS" && page.ends_with("true]") && kept.ends_with("false]"), "{word} {page}");
}

async fn only_answers_for_all(node: &Node) {
    for path in ["/t/cookie", "/t/private", "/t/asked-not-to", "/t/missing"] {
        let (_, first) = node.get(path).await;
        let (word, again) = node.get(path).await;
        assert_eq!(word, "MISS", "{path}");
        assert_ne!(first, again, "{path} is made anew");
    }
}

async fn each_name_has_pages_of_its_own(node: &Node) {
    let page = node.warm("/").await;
    let (word, other) = node.ask(Method::GET, "/", &[("Host", "www.example.com")]).await;
    assert_eq!(word, "MISS");
    assert!(other.contains("http://www.example.com/") && !page.contains("http://www.example.com/"));
}

/// An editor at the site's address ends what is kept under its domain and under its platform name, too.
async fn what_is_published_under_one_name_shows_under_all(nodes: &[Node; 2], url: &str, names: [&str; 2]) {
    let editor = Wordpress::at(url);
    assert!(editor.login("admin", "swordfish-1").await);
    let ask = async |node: &Node, name: &str| node.ask(Method::GET, "/", &[("Host", name)]).await;
    for node in nodes {
        for name in names {
            for _ in 0..20 {
                if ask(node, name).await.0 == "HIT" {
                    break;
                }
            }
        }
    }
    editor.publish("Words for every name").await;
    for node in nodes {
        for name in names {
            let (word, page) = ask(node, name).await;
            assert!(page.contains("Words for every name"), "{name}: {word}");
        }
    }
}

async fn changes_show_everywhere_at_once(nodes: &[Node; 2], url: &str) {
    let editor = Wordpress::at(url);
    assert!(editor.login("admin", "swordfish-1").await);
    let post = editor.publish("First words").await;
    let warm = async |path: &str| {
        for node in nodes {
            node.warm(path).await;
        }
    };
    let shows = async |path: &str, text: &str, is: bool| {
        for node in nodes {
            let (word, page) = node.get(path).await;
            assert_eq!(page.contains(text), is, "{word} {path}: {text}");
        }
    };
    warm("/").await;
    shows("/", "First words", true).await;
    editor.publish("Second words").await;
    shows("/", "Second words", true).await;

    warm(&post).await;
    let edited = json!({"title": "Edited words", "content": "Other content."});
    let id = editor.rest(Method::GET, "/wp/v2/posts?search=First", None).await[0]["id"].as_u64().unwrap();
    editor.rest(Method::POST, &format!("/wp/v2/posts/{id}"), Some(edited)).await;
    shows(&post, "Other content.", true).await;

    warm(&post).await;
    let comment = json!({"post": id, "content": "A comment of weight"});
    editor.rest(Method::POST, "/wp/v2/comments", Some(comment)).await;
    shows(&post, "A comment of weight", true).await;

    warm("/").await;
    editor.rest(Method::POST, "/wp/v2/settings", Some(json!({"title": "Another title"}))).await;
    shows("/", "<title>Another title", true).await;

    warm(&post).await;
    editor.rest(Method::DELETE, &format!("/wp/v2/posts/{id}"), None).await;
    shows(&post, "Other content.", false).await;

    // What no page is to show changes none; anything else does, whoever writes it.
    nodes[0]
        .hits("/t/echo", async || {
            nodes[1].get("/t/transient").await;
            nodes[0].get("/t/echo").await
        })
        .await;
    let kept = nodes[0].warm("/t/echo").await;
    nodes[1].get("/t/option").await;
    assert_ne!(nodes[0].get("/t/echo").await.1, kept);
}

async fn a_node_that_was_away_shows_no_older_page(
    server: &Server,
    site: &Site,
    nodes: &[Node; 2],
    url: &str,
) {
    let editor = Wordpress::at(url);
    assert!(editor.login("admin", "swordfish-1").await);
    nodes[1].warm("/").await;
    docker(&["kill", &Server::container(site, "wordpress-1")]);
    editor.publish("While it was away").await;
    server
        .until("the node is back", Duration::from_secs(60), async || {
            let answer = nodes[1].client.get(format!("{}/-/ping", nodes[1].url)).send().await.ok()?;
            (answer.status() == 200).then_some(())
        })
        .await;
    assert!(nodes[1].get("/").await.1.contains("While it was away"));
}
