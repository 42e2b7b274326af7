//! The documented policies, held against what the SDK asks for. All suites here run under that of the control plane.

use wpaas_backend_aws::cloud::{
    Bucket as _, CloudError, Ec2, Launch, NewGroup, NewVolume, RecordChange, Tags, TextRecord, When,
    Zone as _,
};
use wpaas_backend_aws::limiter::Call;
use wpaas_backend_aws::sdk::{SdkBucket, SdkEc2, SdkZone};
use wpaas_backend_aws::testing::{Policy, Simulator, ZONE, config};

/// The control plane's policy, as the documentation has it, for this installation, bucket, VPC and zone.
pub fn control_plane() -> Policy {
    let aws = config();
    let own = [
        ("\"prod\"", format!("\"{}\"", aws.installation)),
        ("/prod/", format!("/{}/", aws.installation)),
        ("example-wpaas", aws.bucket),
        ("vpc-0123", aws.vpc),
        ("Z0123", ZONE.to_owned()),
    ];
    let documented = Policy::documented("control-plane.json").to_owned();
    let text = own.iter().fold(documented, |text, (example, own)| text.replace(example, own));
    Policy::read(&text).unwrap()
}

fn tags(installation: Option<&str>) -> Tags {
    let ours = installation.map(|of| ("wpaas:installation".to_owned(), of.to_owned()));
    ours.into_iter().chain([("Name".to_owned(), "a thing".to_owned())]).collect()
}

fn launch(tags: Tags, groups: Vec<String>) -> Launch {
    let own = config();
    Launch {
        token: format!("{tags:?}{groups:?}"),
        image: own.image,
        instance_type: "t4g.small".to_owned(),
        subnet: "subnet-a".to_owned(),
        groups,
        profile: own.profile,
        user_data: Vec::new(),
        root_device: "/dev/xvda".to_owned(),
        root_gib: 8,
        tags,
    }
}

fn volume(tags: Tags) -> NewVolume {
    NewVolume { token: format!("{tags:?}"), zone: "eu-test-1a".to_owned(), gib: 8, tags }
}

fn group(name: &str, vpc: &str, tags: Tags) -> NewGroup {
    NewGroup { name: name.to_owned(), description: name.to_owned(), vpc: vpc.to_owned(), tags }
}

/// A thing of each kind.
struct Things {
    instance: String,
    volume: String,
    group: String,
    address: String,
}

impl Things {
    /// Made by somebody who may do everything.
    async fn of(aws: &Simulator, installation: Option<&str>) -> Self {
        let tags = || tags(installation);
        let group = aws.create_group(&group(&format!("{installation:?}"), "vpc-1", tags())).await.unwrap();
        Self {
            instance: aws.run_instance(&launch(tags(), vec![group.clone()])).await.unwrap().id,
            volume: aws.create_volume(&volume(tags())).await.unwrap().id,
            group,
            address: aws.allocate_address(&tags()).await.unwrap().allocation,
        }
    }
}

/// All that changes what is there, in an order in which all of it can be done.
const CHANGES: [Call; 8] = [
    Call::StartInstances,
    Call::AttachVolume,
    Call::AuthorizeSecurityGroupIngress,
    Call::AssociateAddress,
    Call::TerminateInstances,
    Call::ReleaseAddress,
    Call::DeleteVolume,
    Call::DeleteSecurityGroup,
];

async fn change(ec2: &dyn Ec2, call: Call, of: &Things) -> Result<(), CloudError> {
    let Things { instance, volume, group, address } = of;
    match call {
        Call::StartInstances => ec2.start_instance(instance).await,
        Call::AttachVolume => ec2.attach_volume(volume, instance, "/dev/sdf").await,
        Call::AuthorizeSecurityGroupIngress => ec2.allow(group, &[]).await,
        Call::AssociateAddress => ec2.associate_address(address, instance).await,
        Call::TerminateInstances => ec2.terminate_instance(instance).await,
        Call::ReleaseAddress => ec2.release_address(address).await,
        Call::DeleteVolume => ec2.delete_volume(volume).await,
        Call::DeleteSecurityGroup => ec2.delete_group(group).await,
        other => panic!("{other:?} changes nothing that is there"),
    }
}

fn is_refused<T>(asked: &Result<T, CloudError>) -> bool {
    asked.as_ref().is_err_and(|error| error.is("UnauthorizedOperation"))
}

#[tokio::test(start_paused = true)]
async fn what_carries_another_tag_or_none_can_not_be_changed() {
    let aws = Simulator::default();
    let ec2 = SdkEc2::new(&aws.configuration_under(control_plane()).await);
    let strangers = [Things::of(&aws, Some("another")).await, Things::of(&aws, None).await];
    let own = Things::of(&aws, Some(&config().installation)).await;
    tokio::time::sleep(std::time::Duration::from_secs(30)).await;
    for call in CHANGES {
        for of in &strangers {
            let asked = change(&ec2, call, of).await;
            assert!(is_refused(&asked), "{call:?}: {asked:?}");
        }
    }
    for stranger in &strangers {
        for (call, volume, instance) in [
            (Call::AttachVolume, &own.volume, &stranger.instance),
            (Call::AttachVolume, &stranger.volume, &own.instance),
            (Call::AssociateAddress, &own.volume, &stranger.instance),
        ] {
            let (volume, instance) = (volume.clone(), instance.clone());
            let both = Things { instance, volume, group: own.group.clone(), address: own.address.clone() };
            assert!(is_refused(&change(&ec2, call, &both).await), "{call:?} of what is ours and what is not");
        }
        let in_theirs = launch(tags(Some(&config().installation)), vec![stranger.group.clone()]);
        assert!(is_refused(&ec2.run_instance(&in_theirs).await), "in another's group");
    }
    for call in CHANGES {
        let asked = change(&ec2, call, &own).await;
        assert!(!is_refused(&asked), "{call:?}: {asked:?}");
    }
    assert_eq!(aws.living()[0], 2, "what is another's runs on");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_made_without_the_tag_of_the_installation() {
    let aws = Simulator::default();
    let ec2 = SdkEc2::new(&aws.configuration_under(control_plane()).await);
    let installation = config().installation;
    for (of, may) in [(None, false), (Some("another"), false), (Some(installation.as_str()), true)] {
        let tags = || tags(of);
        assert_eq!(!is_refused(&ec2.run_instance(&launch(tags(), Vec::new())).await), may, "{of:?}");
        assert_eq!(!is_refused(&ec2.create_volume(&volume(tags())).await), may, "{of:?}");
        assert_eq!(!is_refused(&ec2.create_group(&group("one", "vpc-1", tags())).await), may, "{of:?}");
        assert!(is_refused(&ec2.create_group(&group("two", "vpc-2", tags())).await), "in another VPC");
        assert_eq!(!is_refused(&ec2.allocate_address(&tags()).await), may, "{of:?}");
    }
    let as_another = Launch { profile: "admin".to_owned(), ..launch(tags(Some(&installation)), Vec::new()) };
    assert!(is_refused(&ec2.run_instance(&as_another).await), "with another role");
    assert_eq!(aws.living(), [1, 1, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn only_what_is_below_the_installations_name_and_in_its_zone_is_written() {
    let aws = Simulator::default();
    let sdk = aws.configuration_under(control_plane()).await;
    let bucket = SdkBucket::new(&sdk, &config().bucket);
    for (key, may) in [("lab/setup/x", true), ("labor/x", false), ("x", false)] {
        let code = |asked: Result<(), CloudError>| asked.err().map_or(String::new(), |error| error.code);
        let refusal = if may { "" } else { "AccessDenied" };
        assert_eq!(code(bucket.put(key, Vec::new(), When::Always).await.map(drop)), refusal, "{key}");
        assert_eq!(code(bucket.get(key).await.map(drop)), refusal, "{key}");
        assert_eq!(code(bucket.delete(&[key.to_owned()]).await), refusal, "{key}");
    }
    let texts = ["a".to_owned()].into();
    let change = [RecordChange::UpsertTexts(TextRecord { name: "a.example.com".to_owned(), texts, ttl: 60 })];
    assert!(SdkZone::new(&sdk, ZONE).change(&change).await.is_ok());
    let other = SdkZone::new(&sdk, "ZOTHER").change(&change).await;
    assert_eq!(other.unwrap_err().code, "AccessDenied");
}
