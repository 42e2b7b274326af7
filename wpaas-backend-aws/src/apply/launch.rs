//! What EC2 is told of a node.

use wpaas_core::converge::{BackendError, ErrorClass, NodeSpec, Part};

use super::Task;
use crate::cloud::{CloudError, Image, Instance, InstanceState, Launch};
use crate::config::{ROOT_GIB, Subnet};
use crate::error::{conflict, transient};
use crate::limiter::Call;
use crate::listing::{Found, Listing};
use crate::objects::Side;
use crate::tag::{self, Tag};
use crate::token;

/// Instances that were made under the same token before and have ended, at most.
const ENDED_BEFORE: u32 = 16;

/// Another zone or another type may do.
const NONE_LEFT: [&str; 3] =
    ["InsufficientInstanceCapacity", "Unsupported", "InsufficientFreeAddressesInSubnet"];

/// What is launched with the same parameters, however often.
struct Kind(String);

impl Kind {
    /// By the token of the first.
    fn of(mut token: String) -> Self {
        token.truncate(16);
        Self(token)
    }

    /// What the n-th carries.
    fn tag(&self, attempt: u32) -> String {
        format!("{}.{attempt}", self.0)
    }

    /// How many there were when the last of them that is listed as ended was launched, with that: one is launched only
    /// after those before it have ended, so that nobody has to ask with their tokens.
    fn ended(&self, listing: &Listing) -> u32 {
        let attempt = |found: &Found<Instance>| {
            let (kind, attempt) = found.it.tags.get(tag::LAUNCH)?.split_once('.')?;
            let has_ended = matches!(found.it.state, InstanceState::ShuttingDown | InstanceState::Terminated);
            (kind == self.0 && has_ended).then(|| attempt.parse::<u32>().ok()).flatten()
        };
        listing.instances.iter().filter_map(attempt).max().map_or(0, |last| last.saturating_add(1))
    }
}

impl Task<'_> {
    /// Makes the instance, where and as what it is allowed to be; what AWS has none of is tried elsewhere.
    ///
    /// A token whose instance has ended makes no other: so the first one that has not ended counts, which is the
    /// same for whoever asks.
    pub(super) async fn run(&self, listing: &Listing, spec: &NodeSpec) -> Result<Instance, BackendError> {
        let mut refusal = None;
        let image = self.image().await?;
        for (instance_type, subnet) in self.choices(listing, spec)? {
            let launch = self.launch(listing, spec, image, instance_type, subnet);
            match self.run_as(listing, &launch).await {
                Err(error) if NONE_LEFT.iter().any(|code| error.is(code)) => refusal = Some(error),
                made => return made.map_err(|error| self.failed("making", error)),
            }
        }
        Err(refusal.map_or_else(
            || BackendError::new(ErrorClass::Permanent, "no instance type is configured: see aws.types"),
            |error| self.failed("making", error),
        ))
    }

    /// The AMI, which is looked at once.
    async fn image(&self) -> Result<&Image, BackendError> {
        let look = self.inner.image(self.urgency).await;
        look.map_err(|error| self.failed("looking for the AMI of", error))
    }

    async fn run_as(&self, listing: &Listing, launch: &Launch) -> Result<Instance, CloudError> {
        let kind = Kind::of(self.launch_token(launch, 0));
        let first = kind.ended(listing);
        for attempt in first..first.saturating_add(ENDED_BEFORE) {
            let mut launch = Launch { token: self.launch_token(launch, attempt), ..launch.clone() };
            launch.tags.insert(tag::LAUNCH.to_owned(), kind.tag(attempt));
            match self.ec2(Call::RunInstances).await.run_instance(&launch).await {
                Err(error) if error.is("IdempotentInstanceTerminated") => {}
                // Made before by another epoch, and ended since: a listing would show it.
                Err(error) if error.is("IdempotentParameterMismatch") && self.inner.is_settled(self.step) => {
                }
                run => return run,
            }
        }
        Err(CloudError::new("IdempotentInstanceTerminated", "it ended too often lately"))
    }

    /// The same for servers of all epochs: one that takes over, and does not see yet what the one before has made, is
    /// refused for its other tag, and makes no second.
    fn launch_token(&self, launch: &Launch, attempt: u32) -> String {
        let Launch {
            token: _,
            image,
            instance_type,
            subnet,
            groups,
            profile,
            user_data,
            root_device,
            root_gib,
            tags,
        } = launch;
        let (root, data) = (root_gib.to_string(), hex::encode(user_data));
        let mut parameters = vec![image.as_str(), instance_type, subnet, profile, &data, root_device, &root];
        parameters.extend(groups.iter().map(String::as_str));
        let tags = tags.iter().filter(|(key, _)| *key != tag::EPOCH);
        parameters.extend(tags.flat_map(|(key, value)| [key.as_str(), value]));
        token::of(self.step, &parameters, attempt)
    }

    fn launch(
        &self,
        listing: &Listing,
        spec: &NodeSpec,
        image: &Image,
        instance_type: &str,
        subnet: &Subnet,
    ) -> Launch {
        let config = &self.inner.config;
        let tag = Tag { fingerprint: Some(spec.fingerprint), ..Tag::of(self.step) };
        Launch {
            token: String::new(),
            image: image.id.clone(),
            instance_type: instance_type.to_owned(),
            subnet: subnet.id.clone(),
            groups: self.groups(listing),
            profile: config.profile.clone(),
            user_data: crate::user_data::of(config, spec.role),
            root_device: image.root_device.clone(),
            root_gib: ROOT_GIB,
            tags: tag.write(self.installation()),
        }
    }

    fn groups(&self, listing: &Listing) -> Vec<String> {
        let sides = match self.step.part {
            Part::Gateway(_) => &Side::ALL[..],
            _ => &Side::ALL[..1],
        };
        let found = sides.iter().filter_map(|side| side.of(listing, self.installation(), self.step.site));
        found.map(|found| found.it.id.clone()).collect()
    }

    /// Every type in every zone, the preferred ones first. A database node's zone is its volume's.
    fn choices(&self, listing: &Listing, spec: &NodeSpec) -> Result<Vec<(&str, &Subnet)>, BackendError> {
        let subnets = self.zones(listing)?;
        let types = self.inner.config.types.of(spec.role);
        Ok(types.iter().flat_map(|kind| subnets.iter().map(move |subnet| (kind.as_str(), *subnet))).collect())
    }

    fn zones(&self, listing: &Listing) -> Result<Vec<&Subnet>, BackendError> {
        let all = &self.inner.config.subnets;
        let n = match self.step.part {
            Part::Wordpress(n) | Part::Gateway(n) => usize::from(n),
            _ => return Ok(vec![self.volumes_subnet(listing)?]),
        };
        Ok((0..all.len()).map(|k| &all[(n + k) % all.len()]).collect())
    }

    fn volumes_subnet(&self, listing: &Listing) -> Result<&Subnet, BackendError> {
        let (site, part) = (self.step.site, self.step.part);
        let volume = self.data_volume().and_then(|volume| listing.volume(site, volume));
        let volume =
            volume.ok_or_else(|| conflict(format!("the volume of {part} of {site} is not there yet")))?;
        let zone = &volume.it.zone;
        self.inner.config.subnets.iter().find(|subnet| subnet.zone == *zone).ok_or_else(|| {
            transient(format!(
                "no subnet is configured in {zone}, where the volume of {part} of {site} is: see aws.subnets"
            ))
        })
    }
}
