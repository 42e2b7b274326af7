//! Instances that follow what gateways count, and say into the bucket.

use std::sync::atomic::Ordering;

use serde_json::json;

use crate::account::{Account, KEY};
use crate::server::Server;

#[tokio::test]
async fn a_load_that_is_told_in_the_bucket_is_followed() {
    let Some(aws) = Account::prepared("eu-west-2").await else { return };
    let config = aws.configuration() + "[autoscale]\nup_after = \"2s\"\ndown_after = \"2s\"\n";
    let server = Server::start(&aws.prepared.domain, &config, &KEY).await;
    let follows = async {
        server.until("ready", async || server.ready().await?.ok()).await;
        let tenant = server.tenant("cloud").await;
        let body = json!({"name": "blog", "admin_password": "swordfish-1",
            "features": {"autoscale": {"min": 1, "max": 2, "target": 4}}});
        let path = server.post_site(&tenant, body).await;
        // Two gateways count so much each.
        for (busy, instances) in [(400, 2), (0, 1)] {
            aws.busy.store(busy, Ordering::Relaxed);
            let runs = async || {
                let site = server.site(&tenant, &path).await;
                let told = &site["status"]["autoscale"];
                let is = told["measured"] == f64::from(2 * busy) / 100.0 && told["wanted"] == instances;
                (is && site["actual"]["num_instances"] == instances).then_some(())
            };
            server.until(&format!("{instances} instances under {busy}"), runs).await;
        }
    };
    tokio::select! {
        () = follows => {}
        () = aws.live() => {}
    }
}
