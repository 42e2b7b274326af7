//! When things ran, as the Engine tells, and their ends before they go.

use std::sync::Arc;

use bollard::query_parameters::RemoveContainerOptionsBuilder;
use futures::StreamExt as _;
use jiff::Timestamp;
use wpaas_core::converge::{Action, Backend as _, Object, Part, Run, Scope};

use crate::fakes::Told;
use crate::lab::{Lab, backend, backend_with};
use crate::outside::listening;

const NODE: Part = Part::Wordpress(0);

async fn run(lab: &Lab, part: Part) -> Option<Run> {
    let seen = lab.backend.observe(&Scope::Site(lab.site)).await.unwrap();
    seen.runs.into_iter().map(|(_, run)| run).find(|run| run.part == part)
}

/// What the Engine itself says: started, and finished.
async fn engine(lab: &Lab, node: &Object) -> (Timestamp, Timestamp) {
    let state = lab.docker.inspect_container(&node.id.to_string(), None).await.unwrap().state.unwrap();
    (state.started_at.unwrap().parse().unwrap(), state.finished_at.unwrap().parse().unwrap())
}

/// A lab of the same site, and where its backend leaves the ends.
fn with_ends(lab: &Lab) -> (Lab, Arc<Told>) {
    let told = Arc::new(Told::default());
    let backend = backend_with(&lab.config, Arc::clone(&told));
    (Lab { backend, docker: lab.docker.clone(), config: lab.config.clone(), site: lab.site }, told)
}

#[tokio::test]
async fn a_look_tells_when_a_node_ran() {
    Lab::run("runs", |lab| async move {
        lab.network().await;
        let node = lab.node().await;
        let (first, _) = engine(&lab, &node).await;
        let runs = Run {
            part: NODE,
            object: node.id.clone(),
            started_at: first,
            ended_at: None,
            previous_end: None,
        };
        assert_eq!(run(&lab, NODE).await, Some(runs.clone()));
        lab.docker.pause_container(&node.id.to_string()).await.unwrap();
        assert_eq!(run(&lab, NODE).await, Some(runs.clone()), "a frozen node runs");
        lab.docker.unpause_container(&node.id.to_string()).await.unwrap();
        lab.docker.kill_container(&node.id.to_string(), None).await.unwrap();
        let (_, end) = engine(&lab, &node).await;
        assert_eq!(run(&lab, NODE).await, Some(Run { ended_at: Some(end), ..runs.clone() }));
        lab.make(NODE, Action::StartNode { object: node.id.clone() }).await;
        let (second, _) = engine(&lab, &node).await;
        let again = Run { started_at: second, previous_end: Some(end), ..runs };
        assert_eq!(run(&lab, NODE).await, Some(again.clone()));
        // A server that remembers nothing knows the same.
        let seen = backend(&lab.config).observe(&Scope::Fleet).await.unwrap();
        assert_eq!(seen.runs, [(lab.site, again)]);
    })
    .await;
}

#[tokio::test]
async fn the_end_is_told_before_a_removal() {
    Lab::run("ends", |lab| async move {
        let (lab, told) = with_ends(&lab);
        let volume = lab.make(Part::UploadsVolume, Action::CreateVolume).await;
        let made = run(&lab, Part::UploadsVolume).await.unwrap();
        assert_eq!((&made.object, made.ended_at), (&volume.id, None));
        lab.network().await;
        for freeze in [false, true] {
            let node = lab.node().await;
            if freeze {
                lab.docker.pause_container(&node.id.to_string()).await.unwrap();
            }
            lab.apply(NODE, Action::Remove { object: node.id.clone() }).await.unwrap();
            lab.until("it is gone", async || lab.object(NODE).await.is_none()).await;
            let ends = told.of(lab.site, NODE);
            let last = ends.last().unwrap();
            assert_eq!(last.object, node.id, "frozen: {freeze}");
            assert!(last.ended_at > Some(last.started_at), "{last:?}");
        }
        lab.apply(Part::UploadsVolume, Action::Remove { object: volume.id }).await.unwrap();
        let ends = told.of(lab.site, Part::UploadsVolume);
        assert_eq!((ends.len(), ends[0].started_at), (1, made.started_at));
        assert!(ends[0].ended_at > Some(made.started_at));
    })
    .await;
}

#[tokio::test]
async fn the_end_of_what_somebody_else_removes_is_the_events() {
    Lab::run("taken", |lab| async move {
        let (lab, told) = with_ends(&lab);
        lab.network().await;
        let node = lab.node().await;
        let mut changes = listening(&lab).await;
        let before = run(&lab, NODE).await.unwrap();
        // As the converger listens: to all of it.
        let hears = tokio::spawn(async move { while changes.next().await.is_some() {} });
        let force = RemoveContainerOptionsBuilder::new().force(true).build();
        lab.docker.remove_container(&node.id.to_string(), Some(force)).await.unwrap();
        let looked = async || {
            drop(lab.objects().await);
            !told.of(lab.site, NODE).is_empty()
        };
        lab.until("a look tells its end", looked).await;
        let ends = told.of(lab.site, NODE);
        assert_eq!((ends.len(), ends[0].started_at), (1, before.started_at));
        assert!(ends[0].ended_at > Some(before.started_at));
        hears.abort();
    })
    .await;
}
