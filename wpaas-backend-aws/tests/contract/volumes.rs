use wpaas_backend_aws::cloud::{Filter, InstanceState, Launch, NewVolume, Volume, VolumeState};

use crate::check::{Case, Otherwise, Told, all, cases, ensure, refused, same, until};
use crate::instances::{end, launch, once, run};
use crate::world::{World, account, moto};

pub const CASES: &[Case] = cases![
    a_volume_is_made_once_listed_and_removed,
    a_volumes_token_with_other_parameters_is_refused,
    a_volume_outlives_its_instance,
    a_volume_in_use_is_not_removed,
    a_listing_wants_every_tag_and_has_pages,
];

const DEVICE: &str = "/dev/sdf";

#[tokio::test(start_paused = true)]
async fn the_simulator_has_volumes() {
    all(&World::simulated(), CASES).await;
    all(&World::wired().await, CASES).await;
}

#[tokio::test]
async fn moto_has_volumes() {
    let Some(world) = moto("eu-west-1").await else { return };
    all(&world, CASES).await;
}

#[tokio::test]
async fn an_account_has_volumes() {
    let Some(world) = account().await else { return };
    all(&world, CASES).await;
}

fn new(world: &World, filter: &Filter) -> NewVolume {
    let tags = filter.tags.iter().cloned().collect();
    NewVolume { token: world.name(), zone: world.subnet.1.clone(), gib: 1, tags }
}

async fn once_it_is(
    world: &World,
    filter: &Filter,
    id: &str,
    state: VolumeState,
) -> Result<Volume, Otherwise> {
    let ask = async || {
        let page = world.ec2.volumes(filter, None).await?;
        Ok(page.items.into_iter().find(|found| found.id == id && found.state == state))
    };
    until(&format!("{id} {state:?}"), ask).await
}

/// Removed; one that is still letting go is asked again.
async fn remove(world: &World, id: &str) -> Told {
    let ask = async || match world.ec2.delete_volume(id).await {
        Err(error) if error.is("VolumeInUse") => Ok(None),
        Err(error) if !error.is_not_found() => Err(error.into()),
        _ => Ok(Some(())),
    };
    until("removed", ask).await
}

async fn a_volume_is_made_once_listed_and_removed(world: &World) -> Told {
    let (_, filter) = world.tags();
    let new = new(world, &filter);
    let made = world.ec2.create_volume(&new).await?;
    ensure!(made.created > 1_700_000_000, "when it was made: {}", made.created);
    let there = once_it_is(world, &filter, &made.id, VolumeState::Available).await?;
    same("its zone", there.zone, new.zone.clone())?;
    same("its tags", there.tags, new.tags.clone())?;
    same("its making", there.created, made.created)?;
    same("who has it", there.instance, None)?;
    let again = world.ec2.create_volume(&new).await?.id;
    if again != made.id {
        remove(world, &again).await?;
        remove(world, &made.id).await?;
        return Err(Otherwise(format!("asked again with the same token: {again}")));
    }
    remove(world, &made.id).await?;
    refused("removing it again", world.ec2.delete_volume(&made.id).await, "InvalidVolume.NotFound")?;
    let ask = async || Ok(world.ec2.volumes(&filter, None).await?.items.is_empty().then_some(()));
    until("not listed any more", ask).await
}

async fn a_volumes_token_with_other_parameters_is_refused(world: &World) -> Told {
    let (_, filter) = world.tags();
    let new = new(world, &filter);
    let made = world.ec2.create_volume(&new).await?;
    let other = NewVolume { gib: 2, ..new };
    let answer = world.ec2.create_volume(&other).await;
    let (other, told) = match answer {
        Ok(other) => (Some(other.id), Err(Otherwise("the token made another volume".to_owned()))),
        error => (None, refused("the same token for something else", error, "IdempotentParameterMismatch")),
    };
    for id in other.iter().chain([&made.id]) {
        remove(world, id).await?;
    }
    told
}

/// A volume that an instance has.
struct Attached {
    launch: Launch,
    /// Of the instance.
    filter: Filter,
    of_volume: Filter,
    instance: String,
    used: Volume,
}

async fn attached(world: &World) -> Result<Attached, Otherwise> {
    let ((tags, filter), (_, of_volume)) = (world.tags(), world.tags());
    let volume = world.ec2.create_volume(&new(world, &of_volume)).await?.id;
    let launch = launch(world, &tags).await?;
    let instance = run(world, &launch).await?.id;
    once(world, &filter, &instance, InstanceState::Running).await?;
    once_it_is(world, &of_volume, &volume, VolumeState::Available).await?;
    world.ec2.attach_volume(&volume, &instance, DEVICE).await?;
    let used = once_it_is(world, &of_volume, &volume, VolumeState::InUse).await?;
    Ok(Attached { launch, filter, of_volume, instance, used })
}

async fn a_volume_outlives_its_instance(world: &World) -> Told {
    let Attached { launch, filter, of_volume, instance, used } = attached(world).await?;
    let volume = used.id;
    same("who has it", used.instance.as_deref(), Some(instance.as_str()))?;
    let has = once(world, &filter, &instance, InstanceState::Running).await?.volumes;
    ensure!(has.contains(&volume), "what the instance has: {has:?}");
    end(world, &filter, &launch).await?;
    let free = once_it_is(world, &of_volume, &volume, VolumeState::Available).await?;
    same("who has it", free.instance, None)?;
    remove(world, &volume).await
}

async fn a_volume_in_use_is_not_removed(world: &World) -> Told {
    let Attached { launch, filter, of_volume: _, instance, used } = attached(world).await?;
    let volume = used.id;
    let removed = refused("removing", world.ec2.delete_volume(&volume).await, "VolumeInUse");
    let again = world.ec2.attach_volume(&volume, &instance, DEVICE).await;
    let attached = refused("attaching it again", again, "VolumeInUse");
    end(world, &filter, &launch).await?;
    remove(world, &volume).await?;
    removed.and(attached)
}

async fn a_listing_wants_every_tag_and_has_pages(world: &World) -> Told {
    let (_, filter) = world.tags();
    let mut made = Vec::new();
    for n in 0..7 {
        let mut new = NewVolume { token: world.name(), ..new(world, &filter) };
        new.tags.insert("wpaas:part".to_owned(), format!("{}", n % 2));
        made.push(world.ec2.create_volume(&new).await?.id);
    }
    let mut both = filter.clone();
    both.tags.push(("wpaas:part".to_owned(), "1".to_owned()));
    let narrowed = async || Ok((world.ec2.volumes(&both, None).await?.items.len() == 3).then_some(()));
    until("three have both tags", narrowed).await?;
    let first = world.ec2.volumes(&filter, None).await?;
    same("things on the first page", first.items.len(), 5)?;
    let second = world.ec2.volumes(&filter, first.next.as_deref()).await?;
    same("a third page", second.next, None)?;
    let mut found: Vec<_> = first.items.into_iter().chain(second.items).map(|found| found.id).collect();
    found.sort();
    made.sort();
    for id in &made {
        remove(world, id).await?;
    }
    same("all volumes", found, made)
}
