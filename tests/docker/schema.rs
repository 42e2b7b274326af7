//! A release that changes the database's schema, and the ways back: of the code alone, and with the database.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::first_site::{put, s3};
use super::server::{Server, Site};
use super::tree::Tree;
use super::wordpress::{GIF, Wordpress};
use super::writer::Writer;
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

    let picture = wordpress.upload("dot.gif", GIF).await;

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

    // With the database: what was written since is gone from it, and in a dump, until the very moment.
    let mut writer = Writer::start(&lab.node());
    lab.server
        .until("somebody writes", Duration::from_secs(30), async || {
            (writer.acknowledged().len() > 10).then_some(())
        })
        .await;
    lab.restore(schema).await;
    writer.stop();
    let dumped = lab.dumped_proof().await;
    let lost: Vec<_> = writer.acknowledged().difference(&dumped).copied().collect();
    assert_eq!(
        lost,
        [0; 0],
        "acknowledged, and not in the dump of what was there, which has {}",
        dumped.len()
    );
    assert_eq!(wordpress.get(&before).await.0, 200);
    assert_eq!(wordpress.get(&after).await.0, 404, "it was written after the dump");
    assert!(Wordpress::at(&lab.url).login("admin", "swordfish-1").await);
    wordpress.publish("Written in the end").await;
    let dumps = lab.on_node("ls /srv/release/wp-content/uploads/.wpaas/*.sql.gz");
    assert_eq!(dumps.lines().count(), 2, "the one before the change, and that before it was undone: {dumps}");
    let tables = lab.sql("SELECT GROUP_CONCAT(SCHEMA_NAME) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE 'wordpress%'");
    assert_eq!(tables, "wordpress", "nothing is left aside");

    // One that breaks once it has changed the schema: the site stays on what it serves, with a warning and a way back.
    tree.set_schema(schema + 2);
    let breaks = format!(
        "add_action('init', function () {{ if ((int) get_option('db_version') > {schema}) no_such_function(); }});"
    );
    lab.put(&endpoint, "bad", tree.archive_with("bad", "release-bad", &breaks)).await;
    let reason = lab.refused().await;
    assert!(reason.contains("no_such_function"), "{reason}");
    lab.server.settled(&lab.site).await;
    lab.shows("release-old").await;
    assert_eq!(lab.database_schema(), schema + 2);
    let warned = lab.warnings().await;
    assert!(warned[0].contains(&format!("schema {}", schema + 2)), "{warned:?}");
    let since = wordpress.publish("Written since").await;
    lab.restore(schema).await;
    assert_eq!((wordpress.get(&before).await.0.as_u16(), wordpress.get(&since).await.0.as_u16()), (200, 404));
    assert_eq!(wordpress.get("/written-in-the-end/").await.0, 200);
    assert_eq!(wordpress.bytes(&picture).await, GIF);

    // Nothing changed the schema since, so there is nothing to go back to.
    let path = format!("{}/rollback?with_database=true", lab.site.path);
    let body = Some(json!({"release": lab.serving().await["id"]}));
    let (status, answer) = lab.server.call(Method::POST, &path, &lab.site.tenant.key, body).await;
    assert_eq!((status, answer["code"].as_str()), (409, Some("no_dump")), "{answer}");
}

impl Lab {
    /// Has the site serve the tree as it is now.
    async fn deploy(&self, endpoint: &str, tree: &Tree, name: &str) {
        let marker = format!("release-{name}");
        self.put(endpoint, name, tree.archive(name, &marker)).await;
        self.shows(&marker).await;
    }

    /// Has the site want this tree.
    async fn put(&self, endpoint: &str, name: &str, archive: Vec<u8>) {
        let bucket = format!("schema-{name}-{}", std::process::id());
        put(&format!("{endpoint}/{bucket}"), "tree.tar.gz", archive).await;
        let code =
            json!({"s3": bucket, "key": "tree.tar.gz", "endpoint": endpoint, "credential": "key:secret"});
        let key = &self.site.tenant.key;
        self.server.done(Method::PUT, &self.site.path, key, Some(json!({"code": code}))).await;
    }

    /// Why what is wanted failed, once it has.
    async fn refused(&self) -> String {
        self.server
            .until("it is refused", Duration::from_secs(300), async || {
                let site = self.server.site(&self.site).await;
                site["refused"]["reason"].as_str().map(str::to_owned)
            })
            .await
    }

    /// Goes back to what serves with the database as it was with this schema.
    async fn restore(&self, schema: u64) {
        let serving = self.serving().await["id"].clone();
        self.roll_back("?with_database=true", json!({"release": serving})).await;
        self.server
            .until("what was restored serves", Duration::from_secs(120), async || {
                let refused = self.server.site(&self.site).await["refused"].clone();
                assert!(refused.is_null(), "{refused:#}");
                (self.serving().await["id"] != serving).then_some(())
            })
            .await;
        self.server.settled(&self.site).await;
        self.shows("release-old").await;
        assert_eq!(self.database_schema(), schema);
        assert_eq!(self.warnings().await, [""; 0]);
    }

    /// What the dump of what was there before the last restore has of the writer's table.
    async fn dumped_proof(&self) -> BTreeSet<u64> {
        let release = self.serving().await["id"].as_str().unwrap().to_owned();
        let file = format!("/srv/release/wp-content/uploads/.wpaas/before-{release}.sql.gz");
        let dump = self.on_node(&format!("php -r 'readfile(\"compress.zlib://{file}\");'"));
        let rows =
            dump.split("INSERT INTO `proof` VALUES").skip(1).map(|rows| rows.split(';').next().unwrap());
        let numbers = rows.flat_map(|rows| rows.split(|c: char| !c.is_ascii_digit()));
        numbers.filter(|number| !number.is_empty()).map(|number| number.parse().unwrap()).collect()
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

    /// One that serves, whichever slot it has.
    fn node(&self) -> String {
        let mut nodes = (0..4).map(|n| Server::container(&self.site, &format!("wordpress-{n}")));
        nodes.find(|node| !node.is_empty()).unwrap()
    }

    fn on_node(&self, command: &str) -> String {
        docker(&["exec", &self.node(), "sh", "-c", command])
    }
}
