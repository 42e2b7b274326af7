//! Names on the wire: what a gateway answers to, what it says of a visitor, and what it lets through.

use std::time::{Duration, Instant};

use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, StatusCode};
use serde_json::json;

use super::server::{Server, Site};
use super::{docker, engine_alone, try_docker};

/// Says what PHP was told, plants cookies, and takes its time.
pub const ECHO: &str = "<?php add_action('init', function () { switch (strtok($_SERVER['REQUEST_URI'], '?')) {
  case '/t/echo': header('Content-Type: application/json'); header('Cache-Control: no-store'); exit(json_encode(['server' => $_SERVER, 'home' => home_url('/')]));
  case '/t/cookies':
    foreach (['a=1; Domain=.www.wpaas.localhost; Path=/', 'b=2; path=/; domain = wpaas.localhost;Domain=localhost; HttpOnly', 'c=3; Path=/; HttpOnly'] as $cookie) header(\"Set-Cookie: $cookie\", false);
    exit('planted');
  case '/t/slow': header('Cache-Control: no-store'); sleep(6); exit('slow and whole');
  case '/t/long': // at least so many halves of a second, and until it is told to end
    $file = WP_CONTENT_DIR . '/uploads/long-' . $_SERVER['REQUEST_METHOD'];
    file_put_contents($file, gethostname());
    for ($n = 0; $n < (int) $_GET['least'] || (!file_exists(\"$file-end\") && $n < 300); $n++) { echo str_repeat('long', 16384); flush(); usleep(500000); clearstatcache(); }
    exit('and whole');
  case '/t/half':
    echo str_repeat('half ', 20000);
    $half = WP_CONTENT_DIR . '/uploads/half';
    if (!file_exists($half)) { file_put_contents($half, gethostname()); sleep(50); }
    exit('and the other');
} });";

struct Visitor {
    client: Client,
    url: String,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Visitor {
    fn at(url: &str) -> Self {
        let client = Client::builder().redirect(Policy::none()).build().unwrap();
        Self { client, url: url.trim_end_matches('/').to_owned() }
    }

    async fn ask(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = self.client.get(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, body: response.text().await.unwrap() }
    }
}

#[tokio::test]
async fn a_gateway_answers_to_its_site_s_names_and_vouches_for_what_it_says() {
    let Some(_alone) = engine_alone().await else { return };
    let mut server = Server::start().await;
    server.ready().await;
    let tenant = server.tenant("names").await;
    let code = server.repository("echo", &[("mu-plugins/echo.php", ECHO)]);
    let body = json!({
        "name": "blog", "admin_password": "swordfish-1", "code": {"git": code, "ref": "main"}, "num_instances": 2,
        "domains": ["example.com", "www.example.com"],
    });
    let site = server.post_site(&tenant, body).await;
    let url = server.settled(&site).await;
    what_runs_comes_back_with_the_engine_and_is_marked(&server, &site);
    let visitor = Visitor::at(&url);
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let platform = format!("blog.{}.www.wpaas.localhost", tenant.cid);

    // Every listed authority is answered, and is the home of its pages; any other is told so.
    for host in [address, platform.as_str(), "example.com", "www.example.com", "WWW.Example.COM"] {
        let answer = visitor.ask("/t/echo", &[("Host", host)]).await;
        assert_eq!(answer.status, 200, "{host}");
        let echo: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(
            echo["home"],
            format!("http://{}/", host.to_lowercase()),
            "home is the request's authority"
        );
    }
    for host in
        ["evil.example", "example.com:8000", "blog.other.www.wpaas.localhost", "example.com.evil.example"]
    {
        let answer = visitor.ask("/", &[("Host", host)]).await;
        assert_eq!(answer.status, 421, "{host}");
        assert!(answer.body.contains("No site of that name is here"), "a page for people: {}", answer.body);
    }
    assert_eq!(visitor.ask("/-/ping", &[]).await.status, 404, "the nodes' own paths");

    forwarded_headers(&visitor, address).await;
    cookies(&visitor).await;
    one_domain_is_primary(&server, &site, &visitor, address, &platform).await;
    checks_need_no_database(&mut server, &site, &visitor).await;
    half_a_page_is_not_sent(&server, &site, &url).await;
    a_request_under_way_ends_before_its_node_goes(&server, &site, &url).await;
    requests_of_half_a_minute_outlive_a_release(&server, &site, &url).await;
    a_killed_gateway_is_back(&server, &site, &visitor).await;
}

/// After a reboot without the server all but a database node, which waits for an order, runs again by itself.
fn what_runs_comes_back_with_the_engine_and_is_marked(server: &Server, site: &Site) {
    for (part, policy) in [
        ("database-0", "no"),
        ("wordpress-0", "unless-stopped"),
        ("wordpress-1", "unless-stopped"),
        ("gateway-0", "unless-stopped"),
    ] {
        let format = "{{.HostConfig.RestartPolicy.Name}}";
        assert_eq!(
            docker(&["inspect", "--format", format, &Server::container(site, part)]),
            policy,
            "{part}"
        );
    }
    let all = format!("label=wpaas.installation={}", server.installation);
    let marked = ["--filter", &all, "--filter", "label=wpaas.fingerprint"];
    for list in [
        &["container", "ls", "--all", "--quiet"][..],
        &["network", "ls", "--quiet"],
        &["volume", "ls", "--quiet"],
    ] {
        let count = |filter: &[&str]| docker(&[list, filter].concat()).lines().count();
        assert_eq!(count(&marked), count(&marked[..2]), "{list:?}");
        assert!(count(&marked) > 0, "{list:?}");
    }
}

/// What a client says of itself is overwritten: the first hop alone is believed.
async fn forwarded_headers(visitor: &Visitor, address: &str) {
    let lies = [
        ("X-Forwarded-For", "203.0.113.7"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Port", "443"),
        ("X-Real-IP", "203.0.113.7"),
        ("Forwarded", "for=203.0.113.7"),
        ("Proxy", "http://evil.example"),
    ];
    // With a question, as PHP is told nothing of who asks for a page that may be kept.
    let echo = visitor.ask("/t/echo?all", &lies).await.body;
    let said: serde_json::Value = serde_json::from_str(&echo).unwrap();
    assert!(!echo.contains("203.0.113.7") && !echo.contains("evil.example"), "{echo}");
    let server = &said["server"];
    assert_eq!(server["HTTP_X_FORWARDED_PROTO"], "http");
    assert_eq!(server["HTTP_X_FORWARDED_HOST"], address);
    assert_eq!(server["HTTP_X_FORWARDED_FOR"], server["REMOTE_ADDR"]);
    assert_eq!(server["HTTP_X_FORWARDED_PORT"], serde_json::Value::Null);
}

/// No tenant plants cookies for another.
async fn cookies(visitor: &Visitor) {
    let answer = visitor.ask("/t/cookies", &[]).await;
    let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().map(|c| c.to_str().unwrap()).collect();
    assert_eq!(cookies, ["a=1; Path=/", "b=2; path=/", "c=3; Path=/; HttpOnly"], "{}", answer.body);
}

async fn one_domain_is_primary(
    server: &Server,
    site: &Site,
    visitor: &Visitor,
    address: &str,
    platform: &str,
) {
    let change = json!({"primary_domain": "www.example.com", "routes": {"beta": {}}});
    let route = server.done(Method::PUT, &site.path, &site.tenant.key, Some(change)).await;
    assert_eq!(server.settled(site).await, "http://www.example.com/");
    let answer = visitor.ask("/a/path?q=1&r=2", &[("Host", "example.com")]).await;
    assert_eq!(answer.status, 308);
    assert_eq!(answer.headers["location"], "http://www.example.com/a/path?q=1&r=2");
    let route = route["names"]["routes"]["beta"].as_str().unwrap();
    for host in ["www.example.com", address, platform, route] {
        assert_eq!(visitor.ask("/", &[("Host", host)]).await.status, 200, "{host} does not redirect");
    }
    let change = json!({"primary_domain": null, "routes": {}});
    server.done(Method::PUT, &site.path, &site.tenant.key, Some(change)).await;
    server.settled(site).await;
    assert_eq!(visitor.ask("/", &[("Host", "example.com")]).await.status, 200);
}

/// The nodes that the gateway takes for well, as HAProxy says.
fn up(site: &Site) -> Vec<String> {
    let ask = "exec 3<>/dev/tcp/127.0.0.1/8404; echo 'show servers state wordpress' >&3; cat <&3";
    let state = docker(&["exec", &Server::container(site, "gateway-0"), "bash", "-c", ask]);
    let fields = state.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    // Neither down nor, as one that has left, in maintenance.
    let up = |field: &Vec<&str>| field.len() > 6 && field[5] == "2" && field[6] == "0";
    let well = fields.filter(|field| up(field) && field[3].starts_with("wordpress-"));
    well.map(|field| field[3].to_owned()).collect()
}

/// A check that needs the database would take every node out during a failover: within 2.2 s, by the intervals that
/// HAProxy checks at. Without the server nobody ends the frozen database meanwhile.
async fn checks_need_no_database(server: &mut Server, site: &Site, visitor: &Visitor) {
    let database = Server::container(site, "database-0");
    server.kill();
    let before = up(site);
    docker(&["pause", &database]);
    let frozen = Instant::now();
    while frozen.elapsed() < Duration::from_secs(6) {
        let answer = visitor.ask("/wp-includes/css/dashicons.css", &[]).await;
        assert_eq!(answer.status, 200, "what needs no database is served without one");
        assert_eq!(up(site), before, "a node left {:?} after the database froze", frozen.elapsed());
    }
    docker(&["unpause", &database]);
    server.run().await;
    // What was said of the site before counts for a while: only a page of its own tells.
    server
        .until("the database answers again", Duration::from_secs(60), async || {
            (visitor.ask("/wp-login.php", &[]).await.status == 200).then_some(())
        })
        .await;
    server.settled(site).await;
}

/// Of a node that dies while it makes a page nothing has been sent: the visitor gets the page from another.
async fn half_a_page_is_not_sent(server: &Server, site: &Site, url: &str) {
    let visitor = Visitor::at(url);
    let page = tokio::spawn(async move { visitor.ask("/t/half", &[]).await });
    let busy = async || {
        let any = Server::container(site, "wordpress-0");
        try_docker(&["exec", &any, "cat", "/srv/wordpress/wp-content/uploads/half"])
            .filter(|node| !node.is_empty())
    };
    let node = server.until("a node is at it", Duration::from_secs(60), busy).await;
    docker(&["kill", &Server::container(site, &node)]);
    let page = page.await.unwrap();
    assert_eq!((page.status, page.body.len()), (StatusCode::OK, 5 * 20000 + "and the other".len()));
    server.settled(site).await;
}

async fn a_request_under_way_ends_before_its_node_goes(server: &Server, site: &Site, url: &str) {
    let slow: Vec<_> = (0..4)
        .map(|_| {
            let visitor = Visitor::at(url);
            tokio::spawn(async move { visitor.ask("/t/slow", &[]).await })
        })
        .collect();
    // They have reached their nodes when PHP is busy with them; leastconn has put them on both.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let change = json!({"num_instances": 1});
    server.done(Method::PUT, &site.path, &site.tenant.key, Some(change)).await;
    for slow in slow {
        let answer = slow.await.unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, "slow and whole"));
    }
    server.settled(site).await;
    assert_eq!(server.parts(site).await.iter().filter(|part| part.starts_with("wordpress")).count(), 1);
}

/// The old node stays until it has ended what it had, however long the release is served by then.
async fn requests_of_half_a_minute_outlive_a_release(server: &Server, site: &Site, url: &str) {
    let long = |method: Method| {
        let request = Client::new().request(method, format!("{url}t/long?least=60"));
        tokio::spawn(async move { request.send().await.unwrap().text().await })
    };
    let (download, form) = (long(Method::GET), long(Method::POST));
    let uploads = "/srv/wordpress/wp-content/uploads";
    let node = server
        .until("both are under way", Duration::from_secs(60), async || {
            let any = server.parts(site).await.into_iter().find(|part| part.starts_with("wordpress"))?;
            let node = Server::container(site, &any);
            let files = ["GET", "POST"].map(|method| format!("{uploads}/long-{method}"));
            try_docker(&["exec", &node, "ls", &files[0], &files[1]]).map(|_| node)
        })
        .await;
    let second = "<?php add_action('wp_footer', function () { echo 'second-release'; });";
    server.repository("echo", &[("mu-plugins/second.php", second)]);
    let releases = format!("{}/releases", site.path);
    server.done(Method::POST, &releases, &site.tenant.key, Some(json!({}))).await;
    let visitor = Visitor::at(url);
    server
        .until("the release is served, and the old node drains", Duration::from_secs(140), async || {
            let waiting = server.site(site).await["status"]["waiting"].to_string();
            let drains = waiting.contains("requests under way: 2");
            (drains && visitor.ask("/", &[]).await.body.contains("second-release")).then_some(())
        })
        .await;
    let ends = ["GET", "POST"].map(|method| format!("{uploads}/long-{method}-end"));
    docker(&["exec", &node, "touch", &ends[0], &ends[1]]);
    for answer in [download, form] {
        let body = answer.await.unwrap().expect("nothing was cut");
        let chunks = (body.len() - "and whole".len()) / 65536;
        assert!(body.ends_with("and whole") && chunks >= 60, "{chunks} of at least 60 chunks");
    }
    server
        .until("then it goes", Duration::from_secs(60), async || {
            try_docker(&["inspect", "--format", "{{.Id}}", &node]).is_none().then_some(())
        })
        .await;
    server.settled(site).await;
}

/// The median of five: within 1.5 s on a machine that has nothing else to do, which `scripts/bench --only steady` holds
/// it to; here others may be at work.
async fn a_killed_gateway_is_back(server: &Server, site: &Site, visitor: &Visitor) {
    let quick = Client::builder().timeout(Duration::from_millis(300)).build().unwrap();
    let mut took = Vec::new();
    for _ in 0..5 {
        server.settled(site).await;
        docker(&["kill", &Server::container(site, "gateway-0")]);
        let began = Instant::now();
        loop {
            let answer = quick.get(format!("{}/", visitor.url)).send().await;
            if answer.is_ok_and(|answer| answer.status() == 200) {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "the gateway does not come back");
        }
        took.push(began.elapsed());
    }
    took.sort_unstable();
    println!("a killed gateway answered again after {took:?}");
    assert!(took[2] < Duration::from_secs(5), "{took:?}");
}
