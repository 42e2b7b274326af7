//! Two orgs of one customer: from within a site of one, nothing of the other's is reached, mounted or opened.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json;

use super::server::{Server, Site, Tenant};
use super::{docker, engine_alone};

/// Says whether a port takes a connection.
const KNOCK: &str = "echo @fsockopen($argv[1], 3306, $number, $text, 2) ? 'open' : 'closed';";

/// Says whether the node's own database takes a password.
const SIGN_IN: &str = "
mysqli_report(MYSQLI_REPORT_OFF);
$db = mysqli_init();
echo @$db->real_connect('gateway-0', 'wordpress', $argv[1], 'wordpress') ? 'let in' : $db->connect_errno;
";

/// MariaDB's number of a wrong password.
const ACCESS_DENIED: &str = "1045";

fn from(site: &Site, script: &str, word: &str) -> String {
    docker(&["exec", &Server::container(site, "wordpress-0"), "php", "-r", script, "--", word])
}

fn address(site: &Site, part: &str) -> String {
    let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    docker(&["inspect", "--format", format, &Server::container(site, part)])
}

fn password(site: &Site) -> String {
    let file = "/etc/wpaas/secrets/database-password";
    docker(&["exec", &Server::container(site, "wordpress-0"), "cat", file])
}

fn volumes(site: &Site) -> BTreeSet<String> {
    let filter = format!("label=wpaas.site={}", site.id);
    docker(&["volume", "ls", "--quiet", "--filter", &filter]).lines().map(str::to_owned).collect()
}

fn mounted(site: &Site) -> BTreeSet<String> {
    let format = "{{range .Mounts}}{{.Name}} {{end}}";
    let parts = ["wordpress-0", "database-0", "gateway-0"];
    let mounts = parts.map(|part| docker(&["inspect", "--format", format, &Server::container(site, part)]));
    mounts.iter().flat_map(|mounts| mounts.split_whitespace()).map(str::to_owned).collect()
}

#[tokio::test]
async fn an_org_is_nothing_to_another_of_the_same_customer() {
    let Some(_alone) = engine_alone().await else { return };
    let server = Server::start().await;
    server.ready().await;
    let Tenant { cid, .. } = server.tenant("apart").await;
    let org = json!({"cid": cid, "name": "other"});
    server.done(Method::POST, "/orgs", &server.operator, Some(org)).await;
    let operator = Tenant { cid: cid.clone(), key: server.operator.clone() };
    let one = json!({"name": "one", "admin_password": "swordfish-1"});
    let one = server.post_site(&operator, one).await;
    let (all, other) = (format!("/orgs/{cid}/other/spaces/default/wpaas"), "two");
    let made = json!({"name": other, "admin_password": "swordfish-1"});
    let made = server.done(Method::POST, &all, &server.operator, Some(made)).await;
    let id = made["id"].as_str().unwrap().to_owned();
    let two = Site { path: format!("{all}/{other}"), id, tenant: operator };
    server.settled(&one).await;
    server.settled(&two).await;

    for (own, others) in [(&one, &two), (&two, &one)] {
        for part in ["database-0", "gateway-0"] {
            assert_eq!(from(own, KNOCK, &address(own, part)), "open", "its own {part}");
            assert_eq!(from(own, KNOCK, &address(others, part)), "closed", "the other's {part}");
        }
        assert_eq!(from(own, SIGN_IN, &password(own)), "let in");
        assert_eq!(from(own, SIGN_IN, &password(others)), ACCESS_DENIED);
        assert!(mounted(own).is_superset(&volumes(own)) && !volumes(own).is_empty(), "{:?}", mounted(own));
        assert!(mounted(own).is_disjoint(&volumes(others)), "{:?}", mounted(own));
    }
}
