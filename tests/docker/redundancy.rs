//! Three database nodes: whatever is killed, frozen, removed or changed, no write that was acknowledged is lost, and
//! all three are back.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use super::server::{Server, Site};
use super::wordpress::Wordpress;
use super::writer::Writer;
use super::{docker, engine_alone, sql, try_docker};

/// A site with its control plane and somebody who writes to it.
struct Lab {
    server: Server,
    site: Site,
    writer: Writer,
    /// Of the database's history.
    history: String,
}

#[tokio::test]
async fn a_database_grows_to_three_loses_nodes_and_volumes_and_shrinks_while_somebody_writes() {
    let Some(_alone) = engine_alone().await else { return };
    let mut lab = Lab::start("redundant").await;
    lab.scale(3).await;
    lab.whole("grown to three").await;
    for n in 0..3 {
        assert_eq!(lab.sql(n, "SELECT @@innodb_flush_log_at_trx_commit"), "1", "database-{n}");
    }
    lab.the_writers_node_is_killed().await;
    lab.all_are_killed_one_long_before().await;
    lab.a_node_is_frozen().await;
    lab.volumes_are_removed(&[1]).await;
    lab.volumes_are_removed(&[0, 2]).await;
    lab.all_are_changed_by_hand().await;

    let began = Instant::now();
    lab.scale(1).await;
    lab.whole("shrunk to one").await;
    let objects = lab.server.objects();
    assert!(
        !objects.iter().any(|name| name.contains("database-1") || name.contains("database-2")),
        "{objects:?}"
    );
    assert_eq!(lab.writer.errors(began), [""; 0], "leavers are drained before they stop");
    lab.writer.stop();
    lab.kept("in the end", 1);
}

impl Lab {
    async fn start(name: &str) -> Self {
        let server = Server::start().await;
        server.ready().await;
        let tenant = server.tenant(name).await;
        let site = server.post_site(&tenant, json!({"name": name, "admin_password": "swordfish-1"})).await;
        let url = server.settled(&site).await;
        assert_eq!(Wordpress::at(&url).get("/").await.0, 200);
        let writer = Writer::start(&Server::container(&site, "wordpress-0"));
        let mut lab = Self { server, site, writer, history: String::new() };
        lab.writes_go_on(Instant::now()).await;
        lab.history = lab.status(0, "wsrep_cluster_state_uuid");
        lab
    }

    async fn scale(&self, nodes: u8) {
        let change = json!({"database": {"num_instances": nodes}});
        self.server.done(Method::PUT, &self.site.path, &self.site.tenant.key, Some(change)).await;
    }

    async fn nodes(&self) -> u8 {
        let site = self.server.site(&self.site).await;
        let nodes = site["spec"]["database"]["num_instances"].as_u64();
        u8::try_from(nodes.unwrap_or_else(|| panic!("{site}"))).unwrap()
    }

    fn node(&self, n: u8) -> String {
        Server::container(&self.site, &format!("database-{n}"))
    }

    /// What a node answers; empty when it does not.
    fn sql(&self, n: u8, query: &str) -> String {
        try_docker(&sql(&self.node(n), query)).unwrap_or_default()
    }

    fn status(&self, n: u8, variable: &str) -> String {
        let answer = self.sql(n, &format!("SHOW GLOBAL STATUS LIKE '{variable}'"));
        answer.split('\t').nth(1).unwrap_or_default().to_owned()
    }

    /// Waits until every wanted node is Synced in one component of all, and nothing is left to do; then no write
    /// that was acknowledged is lost, on any node.
    async fn whole(&self, after: &str) {
        let nodes = self.nodes().await;
        self.server
            .until(&format!("whole, {after}"), Duration::from_secs(180), async || {
                let synced = (0..nodes).all(|n| {
                    self.status(n, "wsrep_local_state") == "4"
                        && self.status(n, "wsrep_cluster_size") == nodes.to_string()
                });
                synced.then_some(())
            })
            .await;
        self.server.settled(&self.site).await;
        for n in 0..nodes {
            assert_eq!(
                self.status(n, "wsrep_cluster_state_uuid"),
                self.history,
                "{after}: one history, database-{n}"
            );
        }
        self.writes_go_on(Instant::now()).await;
        self.kept(after, nodes);
    }

    /// What was acknowledged before is on every node.
    fn kept(&self, after: &str, nodes: u8) {
        let acknowledged = self.writer.acknowledged();
        assert!(!acknowledged.is_empty());
        for n in 0..nodes {
            // A node applies what the writer's has committed a moment later, unless it is told to wait.
            let rows = self.sql(n, "SET SESSION wsrep_sync_wait = 1; SELECT n FROM wordpress.proof");
            let rows: BTreeSet<u64> = rows.lines().map(|line| line.parse().unwrap()).collect();
            let lost: Vec<_> = acknowledged.difference(&rows).collect();
            assert!(
                lost.is_empty(),
                "{after}: database-{n} lacks {} acknowledged writes: {lost:?}",
                lost.len()
            );
        }
        println!("{after}: {} acknowledged writes are on each of {nodes} nodes", acknowledged.len());
    }

    /// Waits for an acknowledgement since then; returns the node that gave it.
    async fn writes_go_on(&self, since: Instant) -> String {
        let patience = Duration::from_secs(120);
        self.server.until("writes go on", patience, async || self.writer.last_node(since)).await
    }

    /// Waits until this node runs, since another moment than this.
    async fn runs_again(&self, n: u8, before: &str) {
        let what = format!("database-{n} runs again");
        self.server
            .until(&what, Duration::from_secs(120), async || {
                let now = self.started(n);
                (!now.is_empty() && now != before).then_some(())
            })
            .await;
    }

    /// When a node was started, while it runs.
    fn started(&self, n: u8) -> String {
        let format = "{{if and .State.Running (not .State.Paused)}}{{.Id}} {{.State.StartedAt}}{{end}}";
        try_docker(&["inspect", "--format", format, &self.node(n)]).unwrap_or_default()
    }

    async fn the_writers_node_is_killed(&self) {
        let node = self.writes_go_on(Instant::now()).await;
        let n: u8 = node.strip_prefix("database-").unwrap().parse().unwrap();
        let (before, began) = (self.started(n), Instant::now());
        docker(&["kill", &self.node(n)]);
        self.runs_again(n, &before).await;
        self.whole("the writer's node killed").await;
        let errors = self.writer.errors(began);
        println!("the writer waited {:?}, errors {errors:?}", self.writer.longest_gap(began));
        let log = self.said(n, began);
        assert!(
            log.contains("IST received"),
            "it came back by the part of the history that it lacked: {log}"
        );
    }

    /// With the control plane dead, so that nothing comes back before all are dead, and one of them long.
    async fn all_are_killed_one_long_before(&mut self) {
        self.server.kill();
        let before: Vec<_> = (0..3).map(|n| self.started(n)).collect();
        docker(&["kill", &self.node(0)]);
        let behind = Instant::now();
        let acknowledged = self.writer.acknowledged().len();
        self.server
            .until("more is written without it", Duration::from_secs(60), async || {
                (self.writer.acknowledged().len() > acknowledged + 20).then_some(())
            })
            .await;
        assert!(self.writer.last_node(behind).is_some_and(|node| node != "database-0"));
        docker(&["kill", &self.node(1), &self.node(2)]);
        let began = Instant::now();
        self.server.run().await;
        for (n, before) in (0..3).zip(&before) {
            self.runs_again(n, before).await;
        }
        self.whole("all killed, database-0 before the others").await;
        println!("all killed: writes go on after {:?}", self.writer.longest_gap(began));
        let log = self.server.log();
        let founds = |n: u8| log.contains(&format!("order database-{n} to found component 2"));
        assert!(!founds(0), "not on the node that was behind");
        assert!(founds(1) != founds(2), "one founding");
    }

    /// What a node's programs have said since then.
    fn said(&self, n: u8, since: Instant) -> String {
        let since = format!("{}s", since.elapsed().as_secs() + 1);
        let output =
            Command::new("docker").args(["logs", "--since", &since, &self.node(n)]).output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    async fn a_node_is_frozen(&self) {
        let before = self.started(2);
        docker(&["pause", &self.node(2)]);
        self.runs_again(2, &before).await;
        self.whole("database-2 frozen").await;
    }

    async fn volumes_are_removed(&self, numbers: &[u8]) {
        let before: Vec<_> = numbers.iter().map(|n| (*n, self.started(*n))).collect();
        for n in numbers {
            let volume = docker(&[
                "inspect",
                "--format",
                "{{range .Mounts}}{{if eq .Destination \"/var/lib/mysql\"}}{{.Name}}{{end}}{{end}}",
                &self.node(*n),
            ]);
            // The control plane may make the node again meanwhile; then the volume is in use again.
            let removed = (0..20).any(|_| {
                try_docker(&["rm", "--force", &self.node(*n)]);
                try_docker(&["volume", "rm", &volume]).is_some()
            });
            assert!(removed, "{volume} can be removed");
        }
        for (n, before) in &before {
            self.runs_again(*n, before).await;
        }
        self.whole(&format!("volumes {numbers:?} removed")).await;
    }

    /// Every node is outdated at once; they are replaced one at a time, while two serve.
    async fn all_are_changed_by_hand(&self) {
        let before: Vec<_> = (0..3).map(|n| self.started(n)).collect();
        let began = Instant::now();
        for n in 0..3 {
            docker(&["update", "--memory", "400m", "--memory-swap", "800m", &self.node(n)]);
        }
        let mut fewest = 3;
        for (n, before) in before.iter().enumerate().rev() {
            let n = u8::try_from(n).unwrap();
            while self.started(n) == *before || self.started(n).is_empty() {
                assert!(began.elapsed() < Duration::from_secs(180), "database-{n} is not replaced");
                let serves = |n: &u8| ["2", "4"].contains(&self.status(*n, "wsrep_local_state").as_str());
                fewest = fewest.min((0..3).filter(serves).count());
            }
        }
        self.whole("all changed by hand").await;
        assert!(fewest >= 2, "{fewest} took writes at some moment");
        assert_eq!(self.writer.errors(began), [""; 0], "each is drained before it stops");
    }
}
