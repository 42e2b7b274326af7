//! What a request needs leave for, as AWS's reference of actions and resources tells: every thing that it touches.

use std::collections::BTreeMap;

use super::form::Form;
use super::request::Request;
use super::xml;
use crate::cloud::{CloudError, Tags, actions};
use crate::testing::Simulator;
use crate::testing::policy::{Ask, Policy};

type Context = BTreeMap<String, String>;

/// Refuses what the policy does not allow, in the words of the service.
pub(super) fn check(policy: &Policy, asks: &[Ask], code: &str) -> Result<(), CloudError> {
    let Some(Ask { action, resource, .. }) = asks.iter().find(|ask| !policy.allows(ask)) else {
        return Ok(());
    };
    let message = format!("the role is not authorized to perform: {action} on resource: {resource}");
    Err(CloudError::new(code, message))
}

fn ask(action: &str, resource: String, context: Context) -> Ask {
    Ask { action: action.to_owned(), resource, context }
}

fn tagged(begin: &str, tags: Tags) -> Context {
    tags.into_iter().map(|(key, value)| (format!("{begin}/{key}"), value)).collect()
}

fn arn(kind: &str, id: &str) -> String {
    let account = if kind == "image" { "" } else { "1" };
    format!("arn:aws:ec2:{}:{account}:{kind}/{id}", crate::testing::config().region)
}

/// Requests of EC2.
pub(super) fn of_ec2(aws: &Simulator, form: &Form) -> Vec<Ask> {
    let action = form.get("Action");
    let name = format!("ec2:{action}");
    let it = |kind: &str, id: &str| {
        let context = tagged("aws:ResourceTag", aws.tags_of(id).unwrap_or_default());
        ask(&name, arn(kind, id), context)
    };
    let of = |kind: &'static str, parameter: &str| it(kind, form.get(parameter));
    let ids = |kind: &'static str, list: &str| form.values(list).into_iter().map(move |id| (kind, id));
    match action {
        "RunInstances" => {
            launch(form, ids("security-group", "SecurityGroupId").map(|(kind, id)| it(kind, &id)))
        }
        "StartInstances" | "TerminateInstances" => {
            ids("instance", "InstanceId").map(|(kind, id)| it(kind, &id)).collect()
        }
        "CreateVolume" => new(form, "volume"),
        "CreateSecurityGroup" => [new(form, "security-group"), vec![of("vpc", "VpcId")]].concat(),
        "AllocateAddress" => new(form, "elastic-ip"),
        "AttachVolume" => vec![of("instance", "InstanceId"), of("volume", "VolumeId")],
        "DeleteVolume" => vec![of("volume", "VolumeId")],
        "AuthorizeSecurityGroupIngress" | "DeleteSecurityGroup" => vec![of("security-group", "GroupId")],
        "AssociateAddress" => {
            let interface = it("network-interface", "eni-1");
            vec![of("elastic-ip", "AllocationId"), of("instance", "InstanceId"), interface]
        }
        "ReleaseAddress" => vec![of("elastic-ip", "AllocationId")],
        _ => vec![ask(&name, "*".to_owned(), Context::new())],
    }
}

/// The making of a thing, and the giving of its tags.
fn new(form: &Form, kind: &str) -> Vec<Ask> {
    let mut asks = vec![ask(&format!("ec2:{}", form.get("Action")), arn(kind, "*"), given(form, kind))];
    for of in form.list("TagSpecification") {
        let kind = of.get("ResourceType");
        let mut context = given(form, kind);
        context.insert("ec2:CreateAction".to_owned(), form.get("Action").to_owned());
        asks.push(ask("ec2:CreateTags", arn(kind, "*"), context));
    }
    asks
}

/// The tags that a request gives to what it makes of this kind.
fn given(form: &Form, kind: &str) -> Context {
    let specifications =
        form.list("TagSpecification").into_iter().filter(|of| of.get("ResourceType") == kind);
    let tags = specifications.flat_map(|of| of.list("Tag"));
    let tags = tags.map(|tag| (tag.get("Key").to_owned(), tag.get("Value").to_owned()));
    tagged("aws:RequestTag", tags.collect())
}

/// The instance, what it is made of and in, and its role.
fn launch(form: &Form, groups: impl Iterator<Item = Ask>) -> Vec<Ask> {
    let mut asks = new(form, "instance");
    let tokens = form.get("MetadataOptions.HttpTokens").to_owned();
    if let [instance, ..] = &mut asks[..] {
        instance.context.insert("ec2:MetadataHttpTokens".to_owned(), tokens);
    }
    let parts = [
        ("image", form.get("ImageId")),
        ("subnet", form.get("SubnetId")),
        ("network-interface", "*"),
        ("volume", "*"),
    ];
    asks.extend(parts.map(|(kind, id)| ask("ec2:RunInstances", arn(kind, id), given(form, kind))));
    asks.extend(groups);
    let role = format!("arn:aws:iam::1:role/{}", form.get("IamInstanceProfile.Name"));
    let to = ("iam:PassedToService".to_owned(), "ec2.amazonaws.com".to_owned());
    asks.push(ask("iam:PassRole", role, Context::from([to])));
    asks
}

/// Requests of S3.
pub(super) fn of_s3(bucket: &str, request: &Request) -> Vec<Ask> {
    let bucket = format!("arn:aws:s3:::{bucket}");
    let of = |action: &str, key: &str| ask(action, format!("{bucket}/{key}"), Context::new());
    let key = request.path.trim_start_matches('/');
    match (request.method.as_str(), key) {
        ("GET", "") => {
            let prefix = ("s3:prefix".to_owned(), request.query.get("prefix").to_owned());
            vec![ask(actions::LIST_BUCKET, bucket, Context::from([prefix]))]
        }
        ("GET", key) => vec![of(actions::GET_OBJECT, key)],
        ("PUT", key) => vec![of(actions::PUT_OBJECT, key)],
        _ => {
            let document = String::from_utf8_lossy(&request.body).into_owned();
            let keys = xml::within(&document, "Key").into_iter();
            keys.map(|key| of(actions::DELETE_OBJECT, key)).collect()
        }
    }
}

/// Requests of Route 53.
pub(super) fn of_route53(request: &Request) -> Vec<Ask> {
    let resource = |kind: &str| {
        let id = request.path.split_once(&format!("/{kind}/")).map(|(_, rest)| rest.split('/').next());
        format!("arn:aws:route53:::{kind}/{}", id.flatten().unwrap_or_default())
    };
    let (action, kind) = match request.method.as_str() {
        _ if request.path.contains("/change/") => (actions::GET_CHANGE, "change"),
        "GET" => (actions::LIST_RECORDS, "hostedzone"),
        _ => (actions::CHANGE_RECORDS, "hostedzone"),
    };
    vec![ask(action, resource(kind), Context::new())]
}
