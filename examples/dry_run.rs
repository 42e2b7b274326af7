//! Prints the plans of a site, from nothing to "nothing to do": what a dry run shows is what would be done.
//!
//! `cargo run -p wpaas-examples --bin dry_run`

use std::error::Error;

use tokio::time::Instant;
use wpaas_core::converge::simulated::Simulated;
use wpaas_core::converge::{
    Backend as _, Intent, ReleaseRef, RunIntent, Scope, TlsIntent, View, Wanted, plan,
};
use wpaas_core::id::SiteId;
use wpaas_core::site::DatabaseSize;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (backend, mut reports) = Simulated::new();
    let intent =
        Intent { site: SiteId::new(), generation: 1, version: 1, epoch: 1, wanted: Wanted::Run(wanted()?) };
    let mut view = View::default();
    loop {
        // What is there, and what the nodes say.
        let began = Instant::now();
        view.listed(&Scope::Fleet, began, backend.observe(&Scope::Fleet).await?);
        while let Ok(report) = reports.try_recv() {
            view.reported(report, began);
        }
        // What follows from it. A plan is a value: printing it does nothing.
        let plan = plan(&intent, &view.facts(intent.site, began));
        println!("{plan}\n");
        if plan.is_empty() {
            return Ok(());
        }
        for step in &plan.steps {
            view.step_began(step);
            let applied = backend.apply(step).await?;
            view.step_ended(step, Some(applied), Instant::now());
        }
    }
}

fn wanted() -> Result<RunIntent, Box<dyn Error>> {
    Ok(RunIntent {
        wordpress: 2,
        database: DatabaseSize::Three,
        release: Some(ReleaseRef::Stock),
        candidate: None,
        refused: None,
        authorities: vec!["blog.acm.www.wpaas.localhost".into()],
        previews: [].into(),
        redirects: [].into(),
        tls: TlsIntent::default(),
        home: None,
        title: "A blog".into(),
        admin_user: "admin".parse()?,
        admin_email: "admin@example.com".parse()?,
        admin_version: 1,
        was_founded: false,
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_ends_in_nothing_to_do() {
        super::main().expect("the last plan is empty");
    }
}
