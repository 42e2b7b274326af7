//! From `POST /wpaas` to WordPress: everything that a visitor, an editor and a stranger would try.

use serde_json::json;

use super::server::{Server, Site};
use super::tree::Tree;
use super::wordpress::{GIF, Wordpress};
use super::{docker, engine_alone, sql};

const MU_PLUGIN: &str = "<?php add_action('wp_footer', function () { echo 'first-release'; });
add_action('wpaas_tick', function () { update_option('wpaas_ticks', 1 + (int) get_option('wpaas_ticks'));
  update_option('wpaas_ticked_by', $_SERVER['SERVER_PORT'] . (DISABLE_WP_CRON ? ' alone' : '')); });
add_action('init', function () { if (!wp_next_scheduled('wpaas_tick')) wp_schedule_single_event(time() - 1, 'wpaas_tick'); });
add_action('rest_api_init', function () { register_rest_route('t/v1', '/opcache', ['methods' => 'GET',
  'permission_callback' => '__return_true', 'callback' => function () { return opcache_get_status(false); }]); });";

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a story: each step stands on those before it")]
async fn a_site_from_git_does_what_wordpress_does() {
    let Some(_alone) = engine_alone().await else { return };
    let server = Server::start().await;
    server.ready().await;
    let tenant = server.tenant("acme").await;
    let git = server.repository("blog", &[("mu-plugins/first.php", MU_PLUGIN)]);
    let site = server
        .post_site(&tenant, json!({
            "name": "blog", "title": "Ünïcode & <b>bold</b>", "code": {"git": git, "ref": "main"}, "num_instances": 2,
            "admin_username": "boss", "admin_email": "boss@blog.example", "admin_password": "swordfish-1",
            "domains": ["www.blog.example"],
        }))
        .await;
    let url = server.settled(&site).await;
    let wordpress = Wordpress::at(&url);

    let (status, front) = wordpress.get("/").await;
    assert_eq!(status, 200);
    assert!(
        front.contains("<title>Ünïcode &#038; &lt;b&gt;bold&lt;/b&gt;") || front.contains("Ünïcode &amp; "),
        "{front}"
    );
    assert!(front.contains("first-release"), "the code from git runs");

    // Names: the address, the platform's, the site's own; no other.
    for host in [format!("blog.{}.www.wpaas.localhost", tenant.cid).as_str(), "www.blog.example"] {
        let (status, page) = wordpress.get_as(host).await;
        assert_eq!(status, 200, "{host}");
        assert!(page.contains(&format!("http://{host}/")), "{host}: links keep the name");
    }
    assert_eq!(wordpress.get_as("evil.example").await.0, 421);

    // An editor.
    assert!(!Wordpress::at(&url).login("boss", "wrong").await);
    assert!(!Wordpress::at(&url).login("admin", "swordfish-1").await);
    assert!(wordpress.login("boss", "swordfish-1").await);
    let me = wordpress.rest(reqwest::Method::GET, "/wp/v2/users/me?context=edit", None).await;
    assert_eq!((me["username"].as_str(), me["email"].as_str()), (Some("boss"), Some("boss@blog.example")));
    let post = wordpress.publish("A permalink").await;
    assert_eq!(post, "/a-permalink/");
    assert_eq!(wordpress.get(&post).await.0, 200);
    assert_eq!(wordpress.get("/wp-json/").await.0, 200);
    let picture = wordpress.upload("dot.gif", GIF).await;
    for part in ["wordpress-0", "wordpress-1"] {
        let path = format!("http://127.0.0.1{picture}");
        let read = "echo bin2hex(file_get_contents($argv[1]));";
        let node = Server::container(&site, part);
        let seen = docker(&["exec", &node, "php", "-r", read, &path]);
        assert_eq!(seen, hex(GIF), "{part} serves the upload");
    }
    assert_eq!(wordpress.bytes(&picture).await, GIF);

    // PHP keeps what it has compiled.
    let opcache = wordpress.rest(reqwest::Method::GET, "/t/v1/opcache", None).await;
    assert_eq!(opcache["opcache_enabled"], true, "{opcache}");
    assert!(opcache["opcache_statistics"]["hits"].as_u64() > Some(0), "{opcache}");

    // Cron runs outside page loads: nobody asks for one meanwhile.
    let database = Server::container(&site, "database-0");
    let ticks = "SELECT option_value FROM wordpress.wp_options WHERE option_name = 'wpaas_ticks'";
    server
        .until("cron", std::time::Duration::from_secs(120), async || {
            docker(&sql(&database, ticks)).parse().ok().filter(|ticks: &u32| *ticks > 0)
        })
        .await;

    // At the runner's own port, and by it alone.
    let by = "SELECT option_value FROM wordpress.wp_options WHERE option_name = 'wpaas_ticked_by'";
    assert_eq!(docker(&sql(&database, by)), "81 alone");

    // What serves is read-only, and no secret is where it must not be.
    let node = Server::container(&site, "wordpress-0");
    let inspected = docker(&["inspect", &node]);
    assert!(!inspected.contains("swordfish-1"));
    let password = docker(&["exec", &node, "cat", "/etc/wpaas/secrets/database-password"]);
    assert!(password.len() >= 20);
    assert!(!inspected.contains(&password) && !server.log().contains(&password));
    no_secret_is_in_a_list_of_processes(&site);
    let write = std::process::Command::new("docker")
        .args(["exec", &node, "touch", "/srv/wordpress/wp-content/mu-plugins/x"])
        .output()
        .unwrap();
    assert!(!write.status.success(), "code is read-only");
    let durable = docker(&sql(&database, "SELECT @@innodb_flush_log_at_trx_commit"));
    assert_eq!(durable, "1");

    // A new password is set once.
    let change = json!({"admin_password": "swordfish-2"});
    server.done(reqwest::Method::PUT, &site.path, &tenant.key, Some(change)).await;
    server.settled(&site).await;
    server
        .until("the new password", std::time::Duration::from_secs(30), async || {
            Wordpress::at(&url).login("boss", "swordfish-2").await.then_some(())
        })
        .await;
    assert!(!Wordpress::at(&url).login("boss", "swordfish-1").await);

    // One that is set inside WordPress is no drift: it outlives the nodes of the release that follows.
    let editor = Wordpress::at(&url);
    assert!(editor.login("boss", "swordfish-2").await);
    let own = json!({"password": "set-inside-3"});
    editor.rest(reqwest::Method::POST, "/wp/v2/users/me", Some(own)).await;

    // A moved branch, as another commit: the new release serves.
    server.repository(
        "blog",
        &[("mu-plugins/first.php", "<?php add_action('wp_footer', function () { echo 'second-release'; });")],
    );
    let commit = std::process::Command::new("git")
        .args(["-C", server.path("git/blog.git").to_str().unwrap(), "rev-parse", "main"])
        .output()
        .unwrap();
    let commit = String::from_utf8(commit.stdout).unwrap().trim().to_owned();
    let change = json!({"code": {"git": git, "ref": commit}});
    server.done(reqwest::Method::PUT, &site.path, &tenant.key, Some(change)).await;
    server
        .until("the new release", std::time::Duration::from_secs(60), async || {
            wordpress.get("/").await.1.contains("second-release").then_some(())
        })
        .await;
    server.settled(&site).await;
    assert_eq!(wordpress.get(&post).await.0, 200, "the data stayed");
    assert!(Wordpress::at(&url).login("boss", "set-inside-3").await);
    assert!(!Wordpress::at(&url).login("boss", "swordfish-2").await);
}

/// What any user of a node's machine can read of its processes has none of the secrets that the node was given.
fn no_secret_is_in_a_list_of_processes(site: &Site) {
    for part in ["database-0", "wordpress-0", "gateway-0"] {
        let lists =
            ["-c", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'; true"];
        let node = Server::container(site, part);
        let running = docker(&[&["exec", &node, "sh"][..], &lists].concat());
        assert!(running.contains("entry.sh"), "{running}");
        let kept = docker(&["exec", &node, "sh", "-c", "cat /etc/wpaas/secrets/*"]);
        for secret in kept.split_whitespace().filter(|word| word.len() >= 16) {
            assert!(!running.contains(secret), "a secret of {part} is in a command line or an environment");
        }
        assert!(!running.contains("swordfish-1"));
    }
}

#[tokio::test]
async fn stock_wordpress_needs_no_code_and_refused_code_harms_nothing() {
    let Some(_alone) = engine_alone().await else { return };
    let server = Server::start().await;
    server.ready().await;
    let tenant = server.tenant("plain").await;
    let site = server.post_site(&tenant, json!({"name": "plain", "admin_password": "swordfish-1"})).await;
    let url = server.settled(&site).await;
    let (status, page) = Wordpress::at(&url).get("/").await;
    assert_eq!(status, 200);
    assert!(page.contains("twentytwentyfive"), "a theme is there");
    let told = "cat /var/lib/mysql/wpaas-founding; ls /etc/wpaas";
    let told = docker(&["exec", &Server::container(&site, "database-0"), "sh", "-c", told]);
    assert!(
        told.starts_with("1\n") && !told.contains("order"),
        "founded as it started, no order is left: {told}"
    );

    let git = server.repository("nothing", &[("README", "no WordPress in here")]);
    let change = json!({"code": {"git": git}});
    server.done(reqwest::Method::PUT, &site.path, &tenant.key, Some(change)).await;
    let failure = server
        .until("the code is refused", std::time::Duration::from_secs(60), async || {
            let failure = server.site(&site).await["code_failure"].clone();
            (!failure.is_null()).then_some(failure)
        })
        .await;
    assert!(failure.to_string().contains("wp-content"), "it says what is expected: {failure}");
    assert_eq!(Wordpress::at(&url).get("/").await.0, 200, "the site stays on what it served");
}

#[tokio::test]
async fn a_site_from_s3_serves_its_code() {
    let Some(endpoint) = s3() else { return };
    let Some(_alone) = engine_alone().await else { return };
    let server = Server::start().await;
    server.ready().await;
    let tenant = server.tenant("bucket").await;
    let bucket = format!("code-{}", std::process::id());
    let key = "releases/site.zip";
    put_archive(&format!("{endpoint}/{bucket}"), key, &server.path("archive")).await;
    let site = server
        .post_site(
            &tenant,
            json!({
                "name": "bucket", "admin_password": "swordfish-1",
                "code": {"s3": bucket, "key": key, "endpoint": endpoint, "region": "us-east-1", "credential": "key:secret"},
            }),
        )
        .await;
    let url = server.settled(&site).await;
    let page = Wordpress::at(&url).get("/").await.1;
    assert!(page.contains("from-the-bucket"), "{page}");
    assert!(!server.site(&site).await.to_string().contains("key:secret"), "the credential is write-only");
}

#[tokio::test]
async fn a_whole_wordpress_tree_replaces_the_stock_one() {
    let Some(endpoint) = s3() else { return };
    let Some(_alone) = engine_alone().await else { return };
    let server = Server::start().await;
    server.ready().await;
    let tenant = server.tenant("tree").await;
    let site = server.post_site(&tenant, json!({"name": "tree", "admin_password": "swordfish-1"})).await;
    let url = server.settled(&site).await;
    assert!(Wordpress::at(&url).login("admin", "swordfish-1").await);

    let archive = Tree::of(&server, &site).archive("tree", "from-the-tree");
    let bucket = format!("tree-{}", std::process::id());
    put(&format!("{endpoint}/{bucket}"), "tree.tar.gz", archive).await;

    let change = json!({"code": {"s3": bucket, "key": "tree.tar.gz", "endpoint": endpoint, "credential": "key:secret"}});
    server.done(reqwest::Method::PUT, &site.path, &tenant.key, Some(change)).await;
    server
        .until("the tree serves", std::time::Duration::from_secs(120), async || {
            Wordpress::at(&url).get("/").await.1.contains("from-the-tree").then_some(())
        })
        .await;
    server.settled(&site).await;
    assert!(Wordpress::at(&url).login("admin", "swordfish-1").await, "the same site");
    assert_eq!(server.site(&site).await["release"]["layout"], "tree");
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

/// The S3 to test with, if there is one.
pub fn s3() -> Option<String> {
    let endpoint = std::env::var("WPAAS_TEST_S3_ENDPOINT").ok();
    if endpoint.is_none() {
        println!("skipped: WPAAS_TEST_S3_ENDPOINT names no S3");
    }
    endpoint
}

/// A `wp-content` as a zip in a new bucket.
async fn put_archive(bucket: &str, key: &str, work: &std::path::Path) {
    let plugins = work.join("wp-content/mu-plugins");
    std::fs::create_dir_all(&plugins).unwrap();
    let code = "<?php add_action('wp_footer', function () { echo 'from-the-bucket'; });";
    std::fs::write(plugins.join("s3.php"), code).unwrap();
    let zip = "import shutil, sys; shutil.make_archive(sys.argv[1], 'zip', sys.argv[1])";
    let made =
        std::process::Command::new("python3").args(["-c", zip, work.to_str().unwrap()]).status().unwrap();
    assert!(made.success());
    put(bucket, key, std::fs::read(work.with_extension("zip")).unwrap()).await;
}

/// An object in a new bucket.
pub async fn put(bucket: &str, key: &str, body: Vec<u8>) {
    let client = reqwest::Client::new();
    assert!(client.put(bucket).send().await.unwrap().status().is_success());
    assert!(client.put(format!("{bucket}/{key}")).body(body).send().await.unwrap().status().is_success());
}
