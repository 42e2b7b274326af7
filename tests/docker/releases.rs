//! A site of two instances under load: new releases, good and bad, a rollback, a preview, scaling and the loss of
//! a node. No visitor notices, and everything that was written stays.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::server::{Server, Site};
use super::wordpress::{GIF, Wordpress};
use super::{docker, engine_alone, sql, try_docker};

const TITLE: &str = "Releases and more";
const UPLOADS: &str = "/srv/wordpress/wp-content/uploads";

/// Says which release it is, keeps a counter in PHP's own session, and tells which node answered. Asked to, a request or
/// an event of cron goes on until there is a file `go-on` among the uploads.
fn plugin(release: &str) -> String {
    format!(
        "<?php add_action('wp_footer', function () {{ echo '{release}'; }});
add_action('init', function () {{
  if (!isset($_GET['session'])) return;
  session_start(); $_SESSION['n'] = 1 + ($_SESSION['n'] ?? 0);
  header('Content-Type: text/plain'); exit('n=' . $_SESSION['n'] . ' ' . gethostname());
}});
add_action('template_redirect', function () {{ if (get_option('test_blank')) exit('welcome'); }});
function test_wait($file, $text) {{
  $folder = wp_upload_dir()['basedir'];
  file_put_contents(\"$folder/$file\", \"$text begins\\n\", FILE_APPEND);
  for ($n = 0; $n < 1200 && !file_exists(\"$folder/go-on\"); $n++) usleep(100000);
  file_put_contents(\"$folder/$file\", \"$text ends\\n\", FILE_APPEND);
}}
add_action('init', function () {{
  if (isset($_GET['hang'])) {{ test_wait('hanging', 'one'); exit; }}
  if (isset($_GET['event'])) wp_schedule_single_event(time() - 1, 'test_event');
}});
add_action('test_event', function () {{ test_wait('events', gethostname()); }});"
    )
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "one site goes all the way: bringing up one for each part takes too long"
)]
async fn a_site_goes_through_its_releases_and_no_visitor_notices() {
    let Some(_alone) = engine_alone().await else { return };
    let server = Server::start().await;
    server.ready().await;
    let tenant = server.tenant("releases").await;
    let release = |code: &str| server.repository("code", &[("mu-plugins/site.php", code)]);
    let git = release(&plugin("release-one"));
    let body = json!({
        "name": "blog", "title": TITLE, "code": {"git": git, "ref": "main"}, "num_instances": 2,
        "admin_password": "swordfish-1",
    });
    let site = server.post_site(&tenant, body).await;
    let url = server.settled(&site).await;
    let wordpress = Wordpress::at(&url);
    assert!(wordpress.login("admin", "swordfish-1").await);
    let post = wordpress.publish("Written before").await;
    let picture = wordpress.upload("dot.gif", GIF).await;
    assert!(wordpress.get("/?session").await.1.starts_with("n=1 "));
    let first = releases(&server, &site).await[0]["id"].clone();
    let steps = Steps { server: &server, site: &site, url: &url };

    // A new release.
    release(&plugin("release-two"));
    let load = Load::start(&url);
    steps.post("releases", json!({})).await;
    steps.shows("release-two").await;
    server.settled(&site).await;
    load.end("a new release").await;
    let kept = releases(&server, &site).await;
    assert_eq!((&kept[0]["state"], &kept[1]["state"]), (&json!("serving"), &json!("kept")), "{kept:?}");
    assert!(kept[0]["wordpress_version"].is_string() && kept[0]["schema"].is_u64(), "{kept:?}");

    // Releases that are no good: one that breaks, one that answers 200 and shows nothing, and those in which nobody can
    // sign in, nothing is kept, and no program gets an answer.
    let load = Load::start(&url);
    for (bad, why) in [
        ("<?php add_action('init', function () { no_such_function(); });", "no_such_function"),
        ("<?php add_action('template_redirect', function () { exit('welcome'); });", "title"),
        ("<?php add_action('login_init', function () { exit('no login today'); });", "login page"),
        (
            "<?php add_filter('query', fn ($query) => preg_match('/^\\s*INSERT/i', $query) ? 'broken' : $query);",
            "does not keep what WordPress writes",
        ),
        ("<?php add_filter('rest_pre_serve_request', function () { exit('no REST today'); });", "REST API"),
    ] {
        release(bad);
        steps.post("releases", json!({})).await;
        let refused = server
            .until("the release is refused", Duration::from_secs(90), async || {
                let answer = server.site(&site).await;
                let reason = answer["refused"]["reason"].as_str()?.to_owned();
                reason.contains(why).then_some((answer, reason))
            })
            .await;
        let conditions = refused.0["status"]["conditions"].clone();
        println!("refused: {}", refused.1);
        server
            .until("the condition says so", Duration::from_secs(30), async || {
                let answer = server.site(&site).await;
                let said = answer["status"]["conditions"].as_array()?.iter().any(|condition| {
                    condition["type"] == "CodeReady"
                        && condition["status"] == "False"
                        && condition["message"].as_str().unwrap_or_default().contains(why)
                });
                said.then_some(())
            })
            .await;
        assert!(conditions.is_array());
        server.settled(&site).await;
        assert!(
            !server.parts(&site).await.iter().any(|part| part == "wordpress-40"),
            "what failed went away"
        );
    }
    load.end("five bad releases").await;
    let tried = releases(&server, &site).await;
    assert_eq!((&tried[0]["state"], tried.len()), (&json!("failed"), 7), "it is not tried again: {tried:?}");
    assert!(wordpress.get("/").await.1.contains("release-two"));

    // Another release under a name of its own, over the same data.
    let name = format!("before.blog.{}.www.wpaas.localhost", tenant.cid);
    let routes = json!({"routes": {"before": {"release": first}}});
    let answer = server.done(Method::PUT, &site.path, &tenant.key, Some(routes)).await;
    assert_eq!(answer["names"]["routes"]["before"], json!(name));
    server
        .until("the preview", Duration::from_secs(60), async || {
            wordpress.get_as(&name).await.1.contains("release-one").then_some(())
        })
        .await;
    let node = Server::container(&site, "wordpress-40");
    assert!(docker(&["exec", &node, "cat", "/etc/wpaas/wordpress.conf"]).contains("cron=off"));
    let load = Load::start(&url);
    tokio::time::sleep(Duration::from_secs(2)).await;
    load.end_showing("a preview beside the site", "release-two").await;

    // Back, without the release that served having a part in it.
    for part in ["wordpress-0", "wordpress-1", "wordpress-2", "wordpress-3"] {
        let node = Server::container(&site, part);
        if !node.is_empty() {
            docker(&["exec", &node, "sh", "-c", "kill -STOP $(pidof php-fpm8.4)"]);
        }
    }
    let began = Instant::now();
    steps.post("rollback", json!({})).await;
    steps.shows("release-one").await;
    println!("rolled back in {:?}, while every PHP of the release before hung", began.elapsed());
    server.settled(&site).await;
    let (status, answer) = steps.try_post("rollback", json!({"release": tried[0]["id"]})).await;
    assert_eq!((status, answer["code"].as_str()), (409, Some("release_not_kept")), "{answer}");

    // More and fewer instances, and one that dies.
    let load = Load::start(&url);
    for n in [4, 2] {
        server.done(Method::PUT, &site.path, &tenant.key, Some(json!({"num_instances": n}))).await;
        server.settled(&site).await;
    }
    load.end("2, 4 and 2 instances").await;
    let load = Load::start(&url);
    let answer = wordpress.get("/?session").await.1;
    assert!(answer.starts_with("n=2 "), "{answer}");
    let victim = answer.split(' ').nth(1).unwrap();
    let victim = Server::container(&site, victim);
    docker(&["kill", &victim]);
    for n in 3..6 {
        let answer = wordpress.get("/?session").await.1;
        assert!(answer.starts_with(&format!("n={n} ")), "the session outlives its node: {answer}");
    }
    assert_eq!(wordpress.get("/wp-admin/").await.0, 200, "logged in stays logged in");
    server.settled(&site).await;
    load.end("a node that was killed").await;

    // Cron has one runner; when it dies, another takes over.
    let nodes =
        || (0..4).map(|n| Server::container(&site, &format!("wordpress-{n}"))).filter(|id| !id.is_empty());
    let runs = |node: &String, holder: &str| {
        let top = try_docker(&["top", node, "-eo", "pid,args"]).unwrap_or_default();
        top.contains(&format!("cron.sh {holder}"))
    };
    let (holder, runner) = server
        .until("a node runs cron", Duration::from_secs(120), async || {
            let holder = steps.cron_runner();
            nodes().find(|node| runs(node, &holder)).map(|runner| (holder, runner))
        })
        .await;
    steps.only_one_runs_cron(&runner, &holder).await;
    let began = Instant::now();
    docker(&["kill", &runner]);
    server
        .until("another runs cron", Duration::from_secs(120), async || {
            (steps.cron_runner() != holder).then_some(())
        })
        .await;
    let took = began.elapsed();
    println!("another ran cron after {took:?}");
    assert!(took <= Duration::from_secs(60), "another took over after {took:?} only");
    server.settled(&site).await;
    let events = docker(&["exec", &steps.node(), "cat", &format!("{UPLOADS}/events")]);
    assert_eq!(events.lines().count(), 2, "it ran once: {events}");

    // A page that is 200 and shows nothing of the site is no good page.
    steps.sql("INSERT INTO wordpress.wp_options (option_name, option_value) VALUES ('test_blank', '1')");
    let message = server
        .until("the status says that the page is wrong", Duration::from_secs(120), async || {
            let answer = server.site(&site).await;
            let conditions = answer["status"]["conditions"].as_array()?;
            let degraded = conditions.iter().find(|condition| condition["type"] == "Degraded")?;
            (degraded["reason"] == "ContentWrong").then(|| degraded["message"].to_string())
        })
        .await;
    assert!(message.contains("does not show the site's title, but: welcome"), "{message}");
    steps.sql("DELETE FROM wordpress.wp_options WHERE option_name = 'test_blank'");
    server.settled(&site).await;

    // Back to one that neither served before nor is shown under a name: the oldest that is kept.
    for marker in ["release-three", "release-four", "release-five"] {
        release(&plugin(marker));
        steps.post("releases", json!({})).await;
        steps.shows(marker).await;
        server.settled(&site).await;
    }
    let second = kept[0]["id"].clone();
    let last: Vec<_> =
        releases(&server, &site).await.into_iter().filter(|it| it["state"] == "kept").collect();
    assert!(last[0]["id"] != second && last.iter().any(|release| release["id"] == second), "{last:?}");
    let load = Load::start(&url);
    let began = Instant::now();
    steps.post("rollback", json!({"release": second})).await;
    steps.shows("release-two").await;
    let took = began.elapsed();
    println!("rolled back by {} releases in {took:?}", last.len());
    // Within ten on a machine that has nothing else to do.
    assert!(took < Duration::from_secs(30), "{took:?}");
    server.settled(&site).await;
    load.end("a rollback to an older release").await;

    // Everything that was written stayed.
    assert_eq!(wordpress.bytes(&picture).await, GIF);
    assert!(wordpress.get(&post).await.1.contains("Written before"));
    assert!(wordpress.get("/").await.1.contains("release-two"));
}

struct Steps<'a> {
    server: &'a Server,
    site: &'a Site,
    url: &'a str,
}

impl Steps<'_> {
    async fn try_post(&self, verb: &str, body: Value) -> (u16, Value) {
        let path = format!("{}/{verb}", self.site.path);
        self.server.call(Method::POST, &path, &self.site.tenant.key, Some(body)).await
    }

    async fn post(&self, verb: &str, body: Value) {
        let (status, answer) = self.try_post(verb, body).await;
        assert_eq!(status, 202, "{verb}: {answer}");
    }

    fn sql(&self, query: &str) -> String {
        let node = Server::container(self.site, "database-0");
        docker(&sql(&node, query))
    }

    /// While visitors have every PHP of the runner's node and an event goes on, it renews its lease, and no other node
    /// runs that event, too.
    async fn only_one_runs_cron(&self, runner: &str, holder: &str) {
        let lines = |file: &str| {
            let said = try_docker(&["exec", runner, "cat", &format!("{UPLOADS}/{file}")]);
            said.unwrap_or_default().lines().map(str::to_owned).collect::<Vec<_>>()
        };
        // WordPress's own lock on cron, of a node that was killed while it ran, is honoured for a minute.
        let patience = Duration::from_secs(120);
        Wordpress::at(self.url).get("/?event").await;
        self.server.until("cron runs", patience, async || (!lines("events").is_empty()).then_some(())).await;
        for _ in 0..8 {
            let visit = "file_get_contents('http://127.0.0.1/?hang');";
            docker(&["exec", "--detach", runner, "php", "-r", visit]);
        }
        // As many as PHP has for visitors (php-fpm.conf).
        self.server
            .until("its PHP is busy", patience, async || (lines("hanging").len() == 6).then_some(()))
            .await;
        self.sql("UPDATE wordpress.wpaas SET until = UNIX_TIMESTAMP() + 15 WHERE name = 'cron'");
        self.server
            .until("the lease is renewed", patience, async || {
                assert_eq!(self.cron_runner(), holder, "another took over from one that lives");
                let left =
                    self.sql("SELECT until - UNIX_TIMESTAMP() FROM wordpress.wpaas WHERE name = 'cron'");
                (left.parse::<i64>().unwrap() > 20).then_some(())
            })
            .await;
        assert_eq!(lines("hanging").len(), 6, "it was busy all the time");
        docker(&["exec", runner, "touch", &format!("{UPLOADS}/go-on")]);
        let ended = async || (lines("events").len() > 1 && lines("hanging").len() == 16).then_some(());
        self.server.until("all come to their end", patience, ended).await;
    }

    /// One that serves.
    fn node(&self) -> String {
        let mut nodes = (0..4).map(|n| Server::container(self.site, &format!("wordpress-{n}")));
        nodes.find(|node| !node.is_empty()).unwrap()
    }

    /// The boot of the node that holds the lease on cron.
    fn cron_runner(&self) -> String {
        self.sql("SELECT holder FROM wordpress.wpaas WHERE name = 'cron'")
    }

    async fn shows(&self, marker: &str) {
        let wordpress = Wordpress::at(self.url);
        self.server
            .until(marker, Duration::from_secs(90), async || {
                wordpress.get("/").await.1.contains(marker).then_some(())
            })
            .await;
    }
}

async fn releases(server: &Server, site: &Site) -> Vec<Value> {
    let path = format!("{}/releases", site.path);
    let answer = server.done(Method::GET, &path, &site.tenant.key, None).await;
    answer["items"].as_array().unwrap().clone()
}

/// Visitors who ask for the front page all the time, each with a connection of its own.
struct Load {
    stop: Arc<AtomicBool>,
    visitors: Vec<tokio::task::JoinHandle<Vec<String>>>,
}

impl Load {
    const VISITORS: usize = 3;

    fn start(url: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let visitor = |_| tokio::spawn(visit(url.to_owned(), stop.clone()));
        let visitors = (0..Self::VISITORS).map(visitor).collect();
        Self { stop, visitors }
    }

    /// Every visitor got the site each time.
    async fn end(self, during: &str) {
        self.end_showing(during, "release-").await;
    }

    async fn end_showing(self, during: &str, marker: &str) {
        self.stop.store(true, Ordering::Relaxed);
        let mut pages = 0;
        for visitor in self.visitors {
            let answers = visitor.await.unwrap();
            pages += answers.len();
            let title = format!("<title>{TITLE}");
            let wrong = |answer: &&String| !answer.contains(&title) || !answer.contains(marker);
            let wrong: Vec<_> = answers.iter().filter(wrong).collect();
            assert!(
                wrong.is_empty(),
                "during {during}: {} of {} answers, as {}",
                wrong.len(),
                answers.len(),
                wrong[0]
            );
        }
        println!("{pages} pages during {during}, none lost");
        assert!(pages > 0, "nobody visited during {during}");
    }
}

/// What each request was answered: the page, or what went wrong.
async fn visit(url: String, stop: Arc<AtomicBool>) -> Vec<String> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
    let mut answers = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let answer = match client.get(&url).send().await {
            Ok(response) => match (response.status(), response.text().await) {
                (reqwest::StatusCode::OK, Ok(page)) => page,
                (status, page) => format!("{status}: {page:?}"),
            },
            Err(error) => format!("{error:?}"),
        };
        answers.push(answer);
    }
    answers
}
