use std::collections::BTreeSet;
use std::time::Duration;

use wpaas_backend_aws::cloud::{CloudError, Filter, Instance, InstanceState, Launch, NewGroup, Tags};
use wpaas_backend_aws::user_data::LIMIT;

use crate::check::{Case, Otherwise, Told, all, cases, ensure, refused, same, until};
use crate::world::{Who, World, account, moto};

pub const CASES: &[Case] = cases![
    an_instance_is_made_listed_and_ended,
    a_token_makes_one_instance,
    a_token_with_other_parameters_is_refused,
    a_token_whose_instance_has_ended_makes_no_other,
    a_listing_of_more_than_a_page_has_every_instance_once,
    too_much_user_data_is_refused,
    an_instance_that_never_was_is_not_found,
    an_image_has_a_root_device,
];

#[tokio::test(start_paused = true)]
async fn the_simulator_has_instances() {
    all(&World::simulated(), CASES).await;
    all(&World::wired().await, CASES).await;
}

#[tokio::test]
async fn moto_has_instances() {
    let Some(world) = moto("eu-central-1").await else { return };
    all(&world, CASES).await;
}

#[tokio::test]
async fn an_account_has_instances() {
    let Some(world) = account().await else { return };
    all(&world, CASES).await;
}

/// What a case makes instances in, and its group, which goes with the last of them.
pub async fn launch(world: &World, tags: &Tags) -> Result<Launch, Otherwise> {
    let group = NewGroup {
        name: world.name(),
        description: "of the contract's suite".to_owned(),
        vpc: world.vpc.clone(),
        tags: tags.clone(),
    };
    let image = world.ec2.image(&world.image).await?;
    Ok(Launch {
        token: world.name(),
        image: image.id,
        instance_type: "t4g.nano".to_owned(),
        subnet: world.subnet.0.clone(),
        groups: vec![world.ec2.create_group(&group).await?],
        profile: world.profile.clone(),
        user_data: b"#!/bin/true".to_vec(),
        root_device: image.root_device,
        root_gib: 8,
        tags: tags.clone(),
    })
}

/// Makes an instance, no sooner than AWS takes such a call.
pub async fn run(world: &World, launch: &Launch) -> Result<Instance, CloudError> {
    if world.who != Who::Moto {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    world.ec2.run_instance(launch).await
}

/// The instances that are listed, on as many pages as there are.
async fn listed(world: &World, filter: &Filter) -> Result<Vec<Instance>, Otherwise> {
    let (mut found, mut next) = (Vec::new(), None);
    loop {
        let page = world.ec2.instances(filter, next.as_deref()).await?;
        same("unreadable instances", page.unreadable, 0)?;
        found.extend(page.items);
        if page.next.is_none() {
            return Ok(found);
        }
        next = page.next;
    }
}

/// The instance once it does this; one that was just made need not be listed yet.
pub async fn once(
    world: &World,
    filter: &Filter,
    id: &str,
    state: InstanceState,
) -> Result<Instance, Otherwise> {
    let ask = async || {
        let found = listed(world, filter).await?.into_iter();
        Ok(found.into_iter().find(|found| found.id == id && found.state == state))
    };
    until(&format!("{id} {state:?}"), ask).await
}

/// Ends what a case made; its groups go once nothing uses them.
pub async fn end(world: &World, filter: &Filter, launch: &Launch) -> Told {
    for instance in listed(world, filter).await? {
        world.ec2.terminate_instance(&instance.id).await?;
    }
    let all_ended = async || {
        let left = listed(world, filter).await?;
        Ok(left.iter().all(|left| left.state == InstanceState::Terminated).then_some(()))
    };
    until("all ended", all_ended).await?;
    Ok(world.ec2.delete_group(&launch.groups[0]).await?)
}

async fn an_instance_is_made_listed_and_ended(world: &World) -> Told {
    let (tags, filter) = world.tags();
    let launch = launch(world, &tags).await?;
    let made = run(world, &launch).await?;
    ensure!(made.private_ip.is_some(), "an instance has its address when it is made: {made:?}");
    ensure!(made.launched > 1_700_000_000, "when it was launched: {}", made.launched);
    let runs = once(world, &filter, &made.id, InstanceState::Running).await?;
    same("its address", runs.private_ip, made.private_ip)?;
    same("its zone", &runs.zone, &world.subnet.1)?;
    same("its tags", &runs.tags, &tags)?;
    same("its launch", runs.launched, made.launched)?;
    same("its end", runs.ended, None)?;
    world.ec2.start_instance(&made.id).await?;
    world.ec2.terminate_instance(&made.id).await?;
    let ended = once(world, &filter, &made.id, InstanceState::Terminated).await?;
    ensure!(ended.ended.is_some_and(|at| at >= made.launched), "when it was ended: {:?}", ended.ended);
    same("the tags of what has ended", ended.tags, tags)?;
    world.ec2.terminate_instance(&made.id).await?;
    end(world, &filter, &launch).await
}

async fn a_token_makes_one_instance(world: &World) -> Told {
    let (tags, filter) = world.tags();
    let launch = launch(world, &tags).await?;
    let first = run(world, &launch).await?.id;
    let again = run(world, &launch).await?.id;
    let told = same("asked again with the same token", again, first);
    end(world, &filter, &launch).await?;
    told
}

async fn a_token_with_other_parameters_is_refused(world: &World) -> Told {
    let (tags, filter) = world.tags();
    let launch = launch(world, &tags).await?;
    run(world, &launch).await?;
    let other = Launch { user_data: b"#!/bin/false".to_vec(), ..launch.clone() };
    let answer = run(world, &other).await.map(|made| made.id);
    let told = refused("the same token for something else", answer, "IdempotentParameterMismatch");
    end(world, &filter, &launch).await?;
    told
}

async fn a_token_whose_instance_has_ended_makes_no_other(world: &World) -> Told {
    let (tags, filter) = world.tags();
    let launch = launch(world, &tags).await?;
    let made = run(world, &launch).await?;
    world.ec2.terminate_instance(&made.id).await?;
    once(world, &filter, &made.id, InstanceState::Terminated).await?;
    let again = run(world, &launch).await.map(|made| made.id);
    let told = refused("the token of what has ended", again, "IdempotentInstanceTerminated");
    end(world, &filter, &launch).await?;
    told
}

async fn a_listing_of_more_than_a_page_has_every_instance_once(world: &World) -> Told {
    let (tags, filter) = world.tags();
    let launch = launch(world, &tags).await?;
    let mut made = BTreeSet::new();
    for _ in 0..7 {
        let launch = Launch { token: world.name(), ..launch.clone() };
        made.insert(run(world, &launch).await?.id);
    }
    let ask = async || Ok((listed(world, &filter).await?.len() == 7).then_some(()));
    until("all seven are listed", ask).await?;
    let first = world.ec2.instances(&filter, None).await?;
    ensure!(first.items.len() == 5 && first.next.is_some(), "the first page has {}", first.items.len());
    let found: Vec<_> = listed(world, &filter).await?.into_iter().map(|found| found.id).collect();
    same("instances", found.len(), 7)?;
    same("all of them", found.into_iter().collect(), made)?;
    end(world, &filter, &launch).await
}

async fn too_much_user_data_is_refused(world: &World) -> Told {
    let (tags, filter) = world.tags();
    let launch = launch(world, &tags).await?;
    let much = Launch { user_data: vec![b'#'; LIMIT + 1], ..launch.clone() };
    let answer = run(world, &much).await.map(|made| made.id);
    let told = refused("more than 16 KiB", answer, "InvalidParameterValue");
    end(world, &filter, &launch).await?;
    told
}

async fn an_instance_that_never_was_is_not_found(world: &World) -> Told {
    let never = "i-0123456789abcdef0";
    refused("ending", world.ec2.terminate_instance(never).await, "InvalidInstanceID.NotFound")?;
    refused("starting", world.ec2.start_instance(never).await, "InvalidInstanceID.NotFound")?;
    let (_, filter) = world.tags();
    same("a listing of nothing", listed(world, &filter).await?.len(), 0)
}

async fn an_image_has_a_root_device(world: &World) -> Told {
    let device = world.ec2.image(&world.image).await?.root_device;
    ensure!(device.starts_with("/dev/"), "a root device: {device}");
    refused("looking at none", world.ec2.image("ami-0123456789abcdef0").await, "InvalidAMIID.NotFound")
}
