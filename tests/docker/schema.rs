//! A release that changes the database's schema, and the ways back: of the code alone, and with the database.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::first_site::{put, s3};
use super::server::{Server, Site};
use super::tree::Tree;
use super::wordpress::Wordpress;
use super::{docker, engine_alone, sql};

struct Lab {
    server: Server,
    site: Site,
    url: String,
}

#[tokio::test]
async fn a_release_changes_the_schema_and_a_rollback_restores_what_was_before() {
    let Some(endpoint) = s3() else { return };
    let Some(_alone) = engine_alone().await else { return };
    let server = Server::start().await;
    server.ready().await;
    let tenant = server.tenant("schema").await;
    let site = server.post_site(&tenant, json!({"name": "blog", "admin_password": "swordfish-1"})).await;
    let url = server.settled(&site).await;
    let lab = Lab { server, site, url };
    let wordpress = Wordpress::at(&lab.url);
    assert!(wordpress.login("admin", "swordfish-1").await);
    let tree = Tree::of(&lab.server, &lab.site);
    let schema = tree.schema();
    assert_eq!(lab.database_schema(), schema);

    lab.deploy(&endpoint, &tree, "old").await;
    let before = wordpress.publish("Written before").await;
    tree.set_schema(schema + 1);
    lab.deploy(&endpoint, &tree, "new").await;
    assert_eq!(lab.database_schema(), schema + 1);
    let after = wordpress.publish("Written after").await;
    assert_eq!(lab.warnings().await, [""; 0]);
    let log = lab.server.log();
    let change = format!("changes its schema from {schema} to {}", schema + 1);
    assert!(log.contains(&change), "the plan says so");

    // The code alone: at once, with a warning, and nothing that was written is gone.
    lab.roll_back("", json!({})).await;
    lab.shows("release-old").await;
    assert_eq!(lab.database_schema(), schema + 1);
    let warned = lab.warnings().await;
    assert!(warned[0].contains("goes back to the dump"), "{warned:?}");
    assert_eq!(wordpress.get(&after).await.0, 200);

    // With the database: what was written since is gone from it, and in a dump.
    let old = lab.serving().await["id"].clone();
    lab.roll_back("?with_database=true", json!({"release": old})).await;
    lab.server
        .until("the database is restored", Duration::from_secs(120), async || {
            let refused = lab.server.site(&lab.site).await["refused"].clone();
            assert!(refused.is_null(), "{refused:#}");
            (lab.database_schema() == schema).then_some(())
        })
        .await;
    lab.server
        .until("what was restored serves", Duration::from_secs(120), async || {
            lab.serving().await["restores"].is_string().then_some(())
        })
        .await;
    lab.server.settled(&lab.site).await;
    lab.shows("release-old").await;
    assert_eq!(lab.warnings().await, [""; 0]);
    assert_eq!(wordpress.get(&before).await.0, 200);
    assert_eq!(wordpress.get(&after).await.0, 404, "it was written after the dump");
    assert!(Wordpress::at(&lab.url).login("admin", "swordfish-1").await);
    wordpress.publish("Written in the end").await;
    let dumps = lab.on_node("ls /srv/release/wp-content/uploads/.wpaas/*.sql.gz");
    assert_eq!(dumps.lines().count(), 2, "the one before the change, and that before it was undone: {dumps}");
    let tables = lab.sql("SELECT GROUP_CONCAT(SCHEMA_NAME) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE 'wordpress%'");
    assert_eq!(tables, "wordpress", "nothing is left aside");

    // Nothing changed the schema since, so there is nothing to go back to.
    let path = format!("{}/rollback?with_database=true", lab.site.path);
    let body = Some(json!({"release": lab.serving().await["id"]}));
    let (status, answer) = lab.server.call(Method::POST, &path, &lab.site.tenant.key, body).await;
    assert_eq!((status, answer["code"].as_str()), (409, Some("no_dump")), "{answer}");
}

impl Lab {
    /// Has the site serve the tree as it is now.
    async fn deploy(&self, endpoint: &str, tree: &Tree, name: &str) {
        let bucket = format!("schema-{name}-{}", std::process::id());
        let archive = tree.archive(name, &format!("release-{name}"));
        put(&format!("{endpoint}/{bucket}"), "tree.tar.gz", archive).await;
        let code =
            json!({"s3": bucket, "key": "tree.tar.gz", "endpoint": endpoint, "credential": "key:secret"});
        let key = &self.site.tenant.key;
        self.server.done(Method::PUT, &self.site.path, key, Some(json!({"code": code}))).await;
        self.shows(&format!("release-{name}")).await;
    }

    async fn roll_back(&self, query: &str, body: Value) {
        let path = format!("{}/rollback{query}", self.site.path);
        self.server.done(Method::POST, &path, &self.site.tenant.key, Some(body)).await;
    }

    async fn shows(&self, marker: &str) {
        self.server
            .until(marker, Duration::from_secs(120), async || {
                Wordpress::at(&self.url).get("/").await.1.contains(marker).then_some(())
            })
            .await;
        self.server.settled(&self.site).await;
    }

    async fn serving(&self) -> Value {
        self.server.site(&self.site).await["release"].clone()
    }

    async fn warnings(&self) -> Vec<String> {
        let site = self.server.site(&self.site).await;
        let warnings = site["warnings"].as_array().unwrap();
        warnings.iter().map(|warning| warning.as_str().unwrap().to_owned()).collect()
    }

    fn sql(&self, query: &str) -> String {
        let node = Server::container(&self.site, "database-0");
        docker(&sql(&node, query))
    }

    fn database_schema(&self) -> u64 {
        let query = "SELECT option_value FROM wordpress.wp_options WHERE option_name = 'db_version'";
        self.sql(query).parse().unwrap_or_default()
    }

    /// On a node that serves, whichever slot it has.
    fn on_node(&self, command: &str) -> String {
        let node = (0..4).map(|n| Server::container(&self.site, &format!("wordpress-{n}")));
        docker(&["exec", &node.into_iter().find(|node| !node.is_empty()).unwrap(), "sh", "-c", command])
    }
}
