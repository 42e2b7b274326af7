//! What the SDK makes of trouble: who answers here says one thing, whatever is asked.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use wpaas_backend_aws::cloud::{
    Bucket as _, Cidr, CloudError, Ec2 as _, Filter, Launch, Peer, Rule, Tags, Zone as _,
};
use wpaas_backend_aws::sdk::{SdkBucket, SdkEc2, SdkZone, configuration_as};
use wpaas_core::converge::ErrorClass;

/// An AWS that always answers this, counts how often, and ends with it.
struct Answers {
    endpoint: String,
    asked: Arc<AtomicUsize>,
    /// What was asked last.
    last: Arc<Mutex<String>>,
    _serving: JoinSet<()>,
}

impl Answers {
    async fn with(status: u16, body: &str) -> Self {
        Self::cut(status, body, 0).await
    }

    /// So many bytes short of what it announced.
    async fn cut(status: u16, body: &str, short: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let head = format!("HTTP/1.1 {status} So\r\nContent-Type: text/xml\r\nConnection: close\r\n");
        let answer = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len() + short);
        let asked = Arc::new(AtomicUsize::new(0));
        let last = Arc::new(Mutex::new(String::new()));
        let (mut serving, counted, hears) = (JoinSet::new(), asked.clone(), last.clone());
        serving.spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::Relaxed);
                let said = request(&mut stream).await;
                *hears.lock().unwrap() = said;
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        Self { endpoint, asked, last, _serving: serving }
    }

    /// The names and values of the last request, in the order of their names.
    fn form(&self) -> BTreeMap<String, String> {
        let last = self.last.lock().unwrap();
        let (_, body) = last.split_once("\r\n\r\n").unwrap();
        form_urlencoded::parse(body.as_bytes()).into_owned().collect()
    }

    async fn ec2(&self) -> SdkEc2 {
        SdkEc2::new(&configuration_as("eu-central-1", Some(&self.endpoint), ("test", "test")).await)
    }

    async fn bucket(&self) -> SdkBucket {
        SdkBucket::new(&configuration_as("eu-central-1", Some(&self.endpoint), ("test", "test")).await, "b")
    }

    async fn zone(&self) -> SdkZone {
        SdkZone::new(&configuration_as("eu-central-1", Some(&self.endpoint), ("test", "test")).await, "Z1")
    }
}

/// All of a request, with a body of an announced length.
async fn request(stream: &mut TcpStream) -> String {
    let (mut all, mut some) = (Vec::new(), vec![0; 16 * 1024]);
    loop {
        let read = stream.read(&mut some).await.unwrap();
        all.extend_from_slice(&some[..read]);
        let text = String::from_utf8_lossy(&all).into_owned();
        if read == 0 || is_whole(&text) {
            return text;
        }
    }
}

fn is_whole(request: &str) -> bool {
    request.split_once("\r\n\r\n").is_some_and(|(lines, body)| {
        let length = |line: &str| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok();
        body.len() >= lines.lines().find_map(length).unwrap_or(0)
    })
}

fn ec2_error(code: &str, message: &str) -> String {
    format!(
        "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>\
         <RequestID>r</RequestID></Response>"
    )
}

fn told(error: CloudError) -> (ErrorClass, String) {
    let error = error.because("making it");
    (error.class, error.message)
}

#[tokio::test]
async fn an_instance_is_asked_for_with_its_profile_and_metadata_for_itself_alone() {
    let aws = Answers::with(503, &ec2_error("Unavailable", "try again")).await;
    let launch = Launch {
        token: "token".to_owned(),
        image: "ami-1".to_owned(),
        instance_type: "t4g.small".to_owned(),
        subnet: "subnet-a".to_owned(),
        groups: vec!["sg-1".to_owned(), "sg-2".to_owned()],
        profile: "wpaas-node".to_owned(),
        user_data: b"#!/bin/bash".to_vec(),
        root_device: "/dev/xvda".to_owned(),
        root_gib: 8,
        tags: Tags::from([("wpaas:part".to_owned(), "gateway-0".to_owned())]),
    };
    aws.ec2().await.run_instance(&launch).await.unwrap_err();
    let form = aws.form();
    for (name, value) in [
        ("Action", "RunInstances"),
        ("ClientToken", "token"),
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("IamInstanceProfile.Name", "wpaas-node"),
        ("MetadataOptions.HttpTokens", "required"),
        ("MetadataOptions.HttpPutResponseHopLimit", "1"),
        ("SecurityGroupId.1", "sg-1"),
        ("SecurityGroupId.2", "sg-2"),
        ("BlockDeviceMapping.1.Ebs.Encrypted", "true"),
        ("BlockDeviceMapping.1.Ebs.DeleteOnTermination", "true"),
        ("TagSpecification.1.ResourceType", "instance"),
        ("TagSpecification.1.Tag.1.Value", "gateway-0"),
    ] {
        assert_eq!(form.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert!(!form.keys().any(|name| name.starts_with("KeyName")), "nobody signs in");
}

#[tokio::test]
async fn traffic_is_let_in_from_a_group_or_to_a_port_and_nothing_else_is() {
    let aws = Answers::with(503, &ec2_error("Unavailable", "try again")).await;
    let rules = [
        Rule { port: None, from: Peer::Group("sg-1".to_owned()) },
        Rule { port: Some(443), from: Peer::Net(Cidr::ALL) },
    ];
    aws.ec2().await.allow("sg-1", &rules).await.unwrap_err();
    let mut form = aws.form();
    form.retain(|name, _| name.starts_with("IpPermissions"));
    let expected = [
        ("IpPermissions.1.Groups.1.GroupId", "sg-1"),
        ("IpPermissions.1.IpProtocol", "-1"),
        ("IpPermissions.2.FromPort", "443"),
        ("IpPermissions.2.IpProtocol", "tcp"),
        ("IpPermissions.2.IpRanges.1.CidrIp", "0.0.0.0/0"),
        ("IpPermissions.2.ToPort", "443"),
    ];
    assert_eq!(form, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
}

#[tokio::test]
async fn a_refusal_of_ec2_names_the_permission_though_its_words_are_encoded() {
    let body = ec2_error(
        "UnauthorizedOperation",
        "You are not authorized to perform this operation. Encoded authorization failure message: 4Zx8_abc",
    );
    let aws = Answers::with(403, &body).await;
    let (class, message) = told(aws.ec2().await.allocate_address(&Tags::new()).await.unwrap_err());
    assert_eq!(class, ErrorClass::Permanent);
    assert!(message.contains("lacks ec2:AllocateAddress") && !message.contains("4Zx8"), "{message}");
    let (_, message) = told(aws.ec2().await.instances(&Filter::default(), None).await.unwrap_err());
    assert!(message.contains("lacks ec2:DescribeInstances"), "{message}");
}

#[tokio::test]
async fn a_refusal_of_s3_names_the_permission() {
    let body = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    let aws = Answers::with(403, body).await;
    let (class, message) = told(aws.bucket().await.list("a", None).await.unwrap_err());
    assert_eq!(class, ErrorClass::Permanent);
    assert!(message.contains("lacks s3:ListBucket"), "{message}");
    let (_, message) = told(aws.bucket().await.get("a").await.unwrap_err());
    assert!(message.contains("lacks s3:GetObject"), "{message}");
}

#[tokio::test]
async fn credentials_that_aws_does_not_know_stay_wrong() {
    let body = "<Error><Code>InvalidAccessKeyId</Code><Message>no such key</Message></Error>";
    let (class, message) = told(Answers::with(403, body).await.bucket().await.get("a").await.unwrap_err());
    assert_eq!(class, ErrorClass::Permanent);
    assert!(message.contains("credentials are not valid"), "{message}");
    let aws = Answers::with(401, &ec2_error("AuthFailure", "AWS was not able to validate them")).await;
    let (class, message) = told(aws.ec2().await.start_instance("i-1").await.unwrap_err());
    assert_eq!(class, ErrorClass::Permanent);
    assert!(message.contains("credentials are not valid"), "{message}");
}

#[tokio::test]
async fn a_zone_that_is_busy_is_asked_again_later() {
    let body = "<ErrorResponse><Error><Type>Sender</Type><Code>PriorRequestNotComplete</Code>\
                <Message>busy</Message></Error><RequestId>r</RequestId></ErrorResponse>";
    let (class, _) = told(Answers::with(400, body).await.zone().await.records(None).await.unwrap_err());
    assert!(matches!(class, ErrorClass::Throttled { retry_after: Some(_) }), "{class:?}");
}

#[tokio::test]
async fn a_call_without_a_token_is_made_once() {
    let aws = Answers::with(503, &ec2_error("Unavailable", "try again")).await;
    let (class, _) = told(aws.ec2().await.allocate_address(&Tags::new()).await.unwrap_err());
    assert_eq!((class, aws.asked.load(Ordering::Relaxed)), (ErrorClass::Transient, 1));
}

#[tokio::test]
async fn no_answer_and_half_an_answer_may_have_been_done() {
    let half = "<DescribeAddressesResponse><addressesSet></addressesSet>";
    let aws = Answers::cut(200, half, 10).await;
    let error = aws.ec2().await.addresses(&Filter::default()).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.class()), ("", ErrorClass::Transient), "{error:?}");
    let nobody = configuration_as("eu-central-1", Some("http://127.0.0.1:9"), ("test", "test")).await;
    let error = SdkEc2::new(&nobody).release_address("eipalloc-1").await.unwrap_err();
    assert_eq!((error.code.as_str(), error.class()), ("", ErrorClass::Transient), "{error:?}");
}

/// The SDK takes what is cut off in the middle for whole.
#[tokio::test]
async fn half_an_item_is_one_that_can_not_be_read() {
    let half = "<DescribeAddressesResponse><addressesSet><item><publicIp>203.0.113.1</pub";
    let page = Answers::with(200, half).await.ec2().await.addresses(&Filter::default()).await.unwrap();
    assert_eq!((page.items, page.unreadable), (vec![], 1));
}

/// Where credentials come from that are never there, or not just now.
#[derive(Debug)]
struct Chain(fn() -> CredentialsError);

impl ProvideCredentials for Chain {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err((self.0)()))
    }
}

#[tokio::test]
async fn without_credentials_nothing_is_asked_and_it_is_said_what_to_do() {
    let aws = Answers::with(200, "").await;
    for (chain, class, todo) in [
        (
            Chain(|| CredentialsError::not_loaded("none")),
            ErrorClass::Permanent,
            "give the control plane credentials",
        ),
        (Chain(|| CredentialsError::provider_error("503")), ErrorClass::Transient, "does not answer"),
    ] {
        let config = configuration_as("eu-central-1", Some(&aws.endpoint), ("test", "test")).await;
        let config =
            config.into_builder().credentials_provider(SharedCredentialsProvider::new(chain)).build();
        for error in [
            SdkEc2::new(&config).addresses(&Filter::default()).await.unwrap_err(),
            SdkBucket::new(&config, "b").get("a").await.unwrap_err(),
            SdkZone::new(&config, "Z1").records(None).await.unwrap_err(),
        ] {
            let (found, message) = told(error);
            assert_eq!(found, class, "{message}");
            assert!(message.contains(todo) && message.contains("AWS can't be asked"), "{message}");
        }
    }
    assert_eq!(aws.asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn what_can_not_be_read_is_counted() {
    let body = "<DescribeInstancesResponse><reservationSet><item><instancesSet>\
                <item><instanceId>i-1</instanceId><instanceState><name>running</name></instanceState></item>\
                <item><instanceId>i-2</instanceId><instanceState><name>melting</name></instanceState></item>\
                <item><instanceState><name>running</name></instanceState></item>\
                </instancesSet></item></reservationSet></DescribeInstancesResponse>";
    let aws = Answers::with(200, body).await;
    let page = aws.ec2().await.instances(&Filter::default(), None).await.unwrap();
    assert_eq!((page.items.len(), page.unreadable, page.items[0].id.as_str()), (1, 2, "i-1"));
}
