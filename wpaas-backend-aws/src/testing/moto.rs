//! What a test needs of moto, which stands in for AWS and keeps nothing.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_config::SdkConfig;
use aws_sdk_s3::types::CreateBucketConfiguration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::sdk::configuration_as;

/// The key that it takes: any will do.
pub const KEY: &str = "test";

/// What an operator would have made in an account.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// Where it listens.
    pub endpoint: String,
    /// Such as `eu-central-1`.
    pub region: String,
    /// The VPC that a region has at first.
    pub vpc: String,
    /// Its subnets with their zones.
    pub subnets: Vec<(String, String)>,
    /// A bucket, whose name is nobody else's.
    pub bucket: String,
    /// A hosted zone of this domain.
    pub zone: String,
    /// Its domain.
    pub domain: String,
    /// An AMI.
    pub image: String,
    /// An instance profile.
    pub profile: String,
}

impl Prepared {
    /// To ask it by the SDK.
    pub async fn configuration(&self) -> SdkConfig {
        configuration_as(&self.region, Some(&self.endpoint), (KEY, KEY)).await
    }
}

/// moto, where `WPAAS_TEST_AWS_ENDPOINT` names one, with a bucket and a zone of its own in this region; without, nothing.
/// A test of its own region sees nothing of what others make.
///
/// # Panics
///
/// When it can't be prepared: a test can't go on.
pub async fn prepared(region: &str) -> Option<Prepared> {
    let endpoint = std::env::var("WPAAS_TEST_AWS_ENDPOINT").ok()?;
    let prepared = prepare(&endpoint, region).await;
    Some(prepared.unwrap_or_else(|error| panic!("WPAAS_TEST_AWS_ENDPOINT answers otherwise: {error}")))
}

async fn prepare(endpoint: &str, region: &str) -> Result<Prepared, Box<dyn std::error::Error>> {
    let config = configuration_as(region, Some(endpoint), (KEY, KEY)).await;
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let bucket = format!("wpaas-{}-{}", std::process::id(), since.as_nanos());
    let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
    let place = CreateBucketConfiguration::builder().location_constraint(region.into()).build();
    let make = aws_sdk_s3::Client::from_conf(s3).create_bucket().bucket(&bucket);
    make.create_bucket_configuration(place).send().await?;
    let domain = format!("{bucket}.example.com");
    let zones = aws_sdk_route53::Client::new(&config);
    let zone = zones.create_hosted_zone().name(&domain).caller_reference(&bucket).send().await?;
    let ec2 = aws_sdk_ec2::Client::new(&config);
    let subnets = ec2.describe_subnets().send().await?;
    let vpc = subnets.subnets().first().and_then(|subnet| subnet.vpc_id()).ok_or("no subnet")?;
    let pair = |subnet: &aws_sdk_ec2::types::Subnet| {
        Some((subnet.subnet_id()?.to_owned(), subnet.availability_zone()?.to_owned()))
    };
    let images = ec2.describe_images().owners("amazon").send().await?;
    let image = images.images().first().and_then(|image| image.image_id()).ok_or("no image")?;
    Ok(Prepared {
        endpoint: endpoint.to_owned(),
        region: region.to_owned(),
        vpc: vpc.to_owned(),
        subnets: subnets.subnets().iter().filter_map(pair).collect(),
        zone: zone.hosted_zone().ok_or("no zone")?.id().trim_start_matches("/hostedzone/").to_owned(),
        bucket,
        domain,
        image: image.to_owned(),
        profile: profile(endpoint, region).await?,
    })
}

/// Makes an instance profile: there is no SDK of IAM here. One that is there already is as good.
async fn profile(endpoint: &str, region: &str) -> Result<String, Box<dyn std::error::Error>> {
    let name = "wpaas-node";
    let body = format!("Action=CreateInstanceProfile&Version=2010-05-08&InstanceProfileName={name}");
    let host = endpoint.trim_start_matches("http://");
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential={KEY}/20260101/{region}/iam/aws4_request, \
         SignedHeaders=host, Signature=0\r\n\r\n{body}",
        body.len()
    );
    let mut stream = tokio::net::TcpStream::connect(host).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    if !answer.contains("CreateInstanceProfileResult") && !answer.contains("EntityAlreadyExists") {
        return Err(answer.into());
    }
    Ok(name.to_owned())
}
