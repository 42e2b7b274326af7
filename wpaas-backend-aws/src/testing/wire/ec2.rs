//! EC2's query protocol.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::form::Form;
use super::request::Request;
use super::{Answer, xml};
use crate::cloud::{Cidr, CloudError, Ec2 as _, Launch, NewGroup, NewVolume, Peer, Rule};
use crate::testing::Simulator;

mod show;

pub(super) async fn answer(aws: &Simulator, request: &Request) -> Result<Answer, CloudError> {
    let form = Form::read(&request.body);
    let action = form.get("Action").to_owned();
    let body = act(aws, &action, &form).await?;
    Ok(Answer::ok(xml::all(&format!("{action}Response"), &[body])))
}

pub(super) fn failure(error: &CloudError) -> String {
    let error = xml::all("Error", &[xml::text("Code", &error.code), xml::text("Message", &error.message)]);
    xml::all("Response", &[xml::all("Errors", &[error]), xml::text("RequestID", "lab")])
}

fn done() -> String {
    xml::text("return", true)
}

async fn act(aws: &Simulator, action: &str, form: &Form) -> Result<String, CloudError> {
    let (filter, next) = (form.filter(), form.some("NextToken"));
    let one = |name: &str| form.list(name).first().map(|id| id.get("").to_owned()).unwrap_or_default();
    Ok(match action {
        "DescribeImages" => show::images(&[aws.image(&one("ImageId")).await?]),
        "DescribeInstances" => show::reservations(&aws.instances(&filter, next).await?),
        "DescribeVolumes" => show::volumes(&aws.volumes(&filter, next).await?),
        "DescribeSecurityGroups" => show::groups(&aws.groups(&filter, next).await?),
        "DescribeAddresses" => show::addresses(&aws.addresses(&filter).await?),
        "RunInstances" => show::instances(&[aws.run_instance(&launch(form)?).await?]),
        "StartInstances" => aws.start_instance(&one("InstanceId")).await.map(|()| done())?,
        "TerminateInstances" => aws.terminate_instance(&one("InstanceId")).await.map(|()| done())?,
        "CreateVolume" => show::volume(&aws.create_volume(&volume(form)?).await?),
        "AttachVolume" => {
            let (volume, to) = (form.get("VolumeId"), form.get("InstanceId"));
            aws.attach_volume(volume, to, form.get("Device")).await.map(|()| done())?
        }
        "DeleteVolume" => aws.delete_volume(form.get("VolumeId")).await.map(|()| done())?,
        "CreateSecurityGroup" => xml::text("groupId", aws.create_group(&group(form)).await?),
        "AuthorizeSecurityGroupIngress" => {
            aws.allow(form.get("GroupId"), &rules(form)?).await.map(|()| done())?
        }
        "DeleteSecurityGroup" => aws.delete_group(form.get("GroupId")).await.map(|()| done())?,
        "AllocateAddress" => show::address(&aws.allocate_address(&form.tags()).await?),
        "AssociateAddress" => {
            expect(form, &[("AllowReassociation", "true")])?;
            let (address, to) = (form.get("AllocationId"), form.get("InstanceId"));
            aws.associate_address(address, to).await.map(|()| done())?
        }
        "ReleaseAddress" => aws.release_address(form.get("AllocationId")).await.map(|()| done())?,
        other => return Err(CloudError::new("InvalidAction", format!("{other} is not simulated"))),
    })
}

/// What the port does not speak of, and every request must say.
fn expect(form: &Form, says: &[(&str, &str)]) -> Result<(), CloudError> {
    let wrong = says.iter().find(|(name, value)| form.get(name) != *value);
    wrong.map_or(Ok(()), |(name, value)| {
        let found = form.get(name);
        Err(CloudError::new("InvalidParameterValue", format!("{name} is '{found}' and not {value}")))
    })
}

fn number<T: std::str::FromStr>(form: &Form, name: &str) -> Result<T, CloudError> {
    form.get(name)
        .parse()
        .map_err(|_| CloudError::new("InvalidParameterValue", format!("{name} can't be read")))
}

fn launch(form: &Form) -> Result<Launch, CloudError> {
    let root = "BlockDeviceMapping.1";
    expect(
        form,
        &[
            ("MinCount", "1"),
            ("MaxCount", "1"),
            ("MetadataOptions.HttpTokens", "required"),
            ("MetadataOptions.HttpPutResponseHopLimit", "1"),
            (&format!("{root}.Ebs.Encrypted"), "true"),
            (&format!("{root}.Ebs.DeleteOnTermination"), "true"),
        ],
    )?;
    let user_data = STANDARD.decode(form.get("UserData"));
    let user_data = user_data
        .map_err(|_| CloudError::new("InvalidParameterValue", "Invalid BASE64 encoding of user data"))?;
    Ok(Launch {
        token: form.get("ClientToken").to_owned(),
        image: form.get("ImageId").to_owned(),
        instance_type: form.get("InstanceType").to_owned(),
        subnet: form.get("SubnetId").to_owned(),
        groups: form.values("SecurityGroupId"),
        profile: form.get("IamInstanceProfile.Name").to_owned(),
        user_data,
        root_device: form.get(&format!("{root}.DeviceName")).to_owned(),
        root_gib: number(form, &format!("{root}.Ebs.VolumeSize"))?,
        tags: form.tags(),
    })
}

fn volume(form: &Form) -> Result<NewVolume, CloudError> {
    expect(form, &[("VolumeType", "gp3"), ("Encrypted", "true")])?;
    Ok(NewVolume {
        token: form.get("ClientToken").to_owned(),
        zone: form.get("AvailabilityZone").to_owned(),
        gib: number(form, "Size")?,
        tags: form.tags(),
    })
}

fn group(form: &Form) -> NewGroup {
    NewGroup {
        name: form.get("GroupName").to_owned(),
        description: form.get("GroupDescription").to_owned(),
        vpc: form.get("VpcId").to_owned(),
        tags: form.tags(),
    }
}

fn rules(form: &Form) -> Result<Vec<Rule>, CloudError> {
    let mut rules = Vec::new();
    for of in form.list("IpPermissions") {
        let port = if of.get("IpProtocol") == "-1" { None } else { Some(number(&of, "FromPort")?) };
        for net in of.list("IpRanges") {
            let net: Cidr = number(&net, "CidrIp")?;
            rules.push(Rule { port, from: Peer::Net(net) });
        }
        let groups = of.list("Groups").into_iter().map(|group| Peer::Group(group.get("GroupId").to_owned()));
        rules.extend(groups.map(|from| Rule { port, from }));
    }
    Ok(rules)
}
