use wpaas_backend_aws::cloud::{Address, Cidr, Filter, InstanceState, Launch, NewGroup, Peer, Rule, Tags};

use crate::check::{Case, Otherwise, Told, all, cases, ensure, refused, same, until};
use crate::instances::{end, launch, once, run};
use crate::world::{World, account, moto};

pub const CASES: &[Case] = cases![
    a_groups_name_is_its_own,
    rules_are_listed_as_they_were_made,
    groups_are_listed_on_pages,
    a_group_in_use_is_not_removed,
    an_address_leads_where_it_was_led_last,
    an_address_that_leads_somewhere_is_not_given_back,
    what_never_was_is_not_found,
];

#[tokio::test(start_paused = true)]
async fn the_simulator_has_a_network() {
    all(&World::simulated(), CASES).await;
    all(&World::wired().await, CASES).await;
}

#[tokio::test]
async fn moto_has_a_network() {
    let Some(world) = moto("eu-west-2").await else { return };
    all(&world, CASES).await;
}

#[tokio::test]
async fn an_account_has_a_network() {
    let Some(world) = account().await else { return };
    all(&world, CASES).await;
}

fn group(world: &World, tags: &Tags) -> NewGroup {
    NewGroup {
        name: world.name(),
        description: "made by wpaas".to_owned(),
        vpc: world.vpc.clone(),
        tags: tags.clone(),
    }
}

async fn a_groups_name_is_its_own(world: &World) -> Told {
    let (tags, filter) = world.tags();
    let new = group(world, &tags);
    let made = world.ec2.create_group(&new).await?;
    refused("the same name again", world.ec2.create_group(&new).await, "InvalidGroup.Duplicate")?;
    let ask = async || Ok(world.ec2.groups(&filter, None).await?.items.into_iter().next());
    let there = until("listed", ask).await?;
    same("it", (&there.id, &there.name, &there.tags), (&made, &new.name, &tags))?;
    same("what may come in at first", there.rules, Vec::new())?;
    world.ec2.delete_group(&made).await?;
    refused("removing it again", world.ec2.delete_group(&made).await, "InvalidGroup.NotFound")
}

async fn rules_are_listed_as_they_were_made(world: &World) -> Told {
    let (tags, filter) = world.tags();
    let made = world.ec2.create_group(&group(world, &tags)).await?;
    let among_themselves = Rule { port: None, from: Peer::Group(made.clone()) };
    let from_all = |port| Rule { port: Some(port), from: Peer::Net(Cidr::ALL) };
    let mut rules = vec![among_themselves, from_all(80), from_all(443)];
    world.ec2.allow(&made, &rules).await?;
    let ask = async || {
        let listed = world.ec2.groups(&filter, None).await?.items.into_iter().next();
        Ok(listed.filter(|group| group.rules.len() == 3))
    };
    let mut listed = until("three rules", ask).await?.rules;
    listed.sort();
    rules.sort();
    same("rules", &listed, &rules)?;
    let again = world.ec2.allow(&made, &rules[..1]).await;
    refused("the same rule again", again, "InvalidPermission.Duplicate")?;
    let peer = vec![Rule { port: None, from: Peer::Group("sg-0123456789abcdef0".to_owned()) }];
    refused("a group that never was", world.ec2.allow(&made, &peer).await, "InvalidGroup.NotFound")?;
    Ok(world.ec2.delete_group(&made).await?)
}

async fn groups_are_listed_on_pages(world: &World) -> Told {
    let (tags, filter) = world.tags();
    let mut made = Vec::new();
    for _ in 0..6 {
        made.push(world.ec2.create_group(&group(world, &tags)).await?);
    }
    let first = world.ec2.groups(&filter, None).await?;
    let second = match first.next.as_deref() {
        Some(next) => Some(world.ec2.groups(&filter, Some(next)).await?),
        None => None,
    };
    for id in &made {
        world.ec2.delete_group(id).await?;
    }
    same("groups on the first page", first.items.len(), 5)?;
    same("groups on the second", second.map(|page| page.items.len()), Some(1))
}

async fn a_group_in_use_is_not_removed(world: &World) -> Told {
    let (tags, filter) = world.tags();
    let launch = launch(world, &tags).await?;
    let instance = run(world, &launch).await?.id;
    once(world, &filter, &instance, InstanceState::Running).await?;
    let removed = world.ec2.delete_group(&launch.groups[0]).await;
    if removed.is_ok() {
        world.ec2.terminate_instance(&instance).await?;
        return Err(Otherwise("a group was removed from under its instance".to_owned()));
    }
    let told = refused("removing what an instance carries", removed, "DependencyViolation");
    end(world, &filter, &launch).await?;
    told
}

/// The one address that is listed.
async fn listed(world: &World, filter: &Filter) -> Result<Address, Otherwise> {
    until("listed", async || Ok(world.ec2.addresses(filter).await?.items.into_iter().next())).await
}

async fn an_address_leads_where_it_was_led_last(world: &World) -> Told {
    let ((tags, filter), (of_address, its_filter)) = (world.tags(), world.tags());
    let address = world.ec2.allocate_address(&of_address).await?;
    same("where it leads at first", &listed(world, &its_filter).await?, &address)?;
    let launch = launch(world, &tags).await?;
    for _ in 0..2 {
        let token = world.name();
        let instance = run(world, &Launch { token, ..launch.clone() }).await?;
        once(world, &filter, &instance.id, InstanceState::Running).await?;
        world.ec2.associate_address(&address.allocation, &instance.id).await?;
        let leads = listed(world, &its_filter).await?.instance;
        same("where it leads", leads, Some(instance.id.clone()))?;
        world.ec2.associate_address(&address.allocation, &instance.id).await?;
    }
    end(world, &filter, &launch).await?;
    same("where it leads at last", listed(world, &its_filter).await?.instance, None)?;
    Ok(world.ec2.release_address(&address.allocation).await?)
}

async fn an_address_that_leads_somewhere_is_not_given_back(world: &World) -> Told {
    let ((tags, filter), (of_address, _)) = (world.tags(), world.tags());
    let address = world.ec2.allocate_address(&of_address).await?;
    let launch = launch(world, &tags).await?;
    let instance = run(world, &launch).await?.id;
    once(world, &filter, &instance, InstanceState::Running).await?;
    world.ec2.associate_address(&address.allocation, &instance).await?;
    let released = world.ec2.release_address(&address.allocation).await;
    let gone = released.is_ok();
    let told = refused("giving it back", released, "InvalidIPAddress.InUse");
    end(world, &filter, &launch).await?;
    if !gone {
        world.ec2.release_address(&address.allocation).await?;
    }
    told
}

async fn what_never_was_is_not_found(world: &World) -> Told {
    let (allocation, group) = ("eipalloc-0123456789abcdef0", "sg-0123456789abcdef0");
    refused("an address", world.ec2.release_address(allocation).await, "InvalidAllocationID.NotFound")?;
    refused("a group", world.ec2.delete_group(group).await, "InvalidGroup.NotFound")?;
    let (_, filter) = world.tags();
    ensure!(world.ec2.addresses(&filter).await?.items.is_empty(), "addresses of nobody");
    same("groups of nobody", world.ec2.groups(&filter, None).await?.items, Vec::new())
}
