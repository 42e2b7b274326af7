//! The zone, over the SDK.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use wpaas_backend_aws::ZoneKeeper;
use wpaas_backend_aws::cloud::{Record, Zone as _};
use wpaas_backend_aws::sdk::SdkZone;
use wpaas_backend_aws::testing::{Fault, Simulator, ZONE};
use wpaas_core::converge::ErrorClass;
use wpaas_core::fleet::NameService as _;

async fn keeper(aws: &Simulator, zone: &str) -> ZoneKeeper {
    ZoneKeeper::new(Arc::new(SdkZone::new(&aws.configuration().await, zone)), "www.example.com")
}

fn names(count: u16) -> BTreeMap<wpaas_core::name::Hostname, IpAddr> {
    let [ip, other] = [[203, 0, 113, 1], [203, 0, 113, 2]].map(IpAddr::from);
    let name = |n: u16| (format!("s{n}.www.example.com").parse().unwrap(), if n == 7 { other } else { ip });
    (0..count).map(name).collect()
}

#[tokio::test(start_paused = true)]
async fn a_zone_of_several_pages_is_kept_through_every_fault() {
    let aws = Simulator::default();
    let keeper = keeper(&aws, ZONE).await;
    for fault in [Fault::Throttle, Fault::Unavailable, Fault::Lose, Fault::Hang, Fault::Cut] {
        for call in ["ListResourceRecordSets", "ChangeResourceRecordSets"] {
            aws.fail(call, fault.clone());
        }
    }
    let mut tries = 1;
    while let Err(error) = keeper.keep(&names(700)).await {
        assert_ne!(error.class, ErrorClass::Permanent, "{error}");
        tries += 1;
    }
    assert!(tries > 5, "{tries}");
    assert_eq!(keeper.lacks(&names(700)).await.unwrap(), 0);
    let first = aws.records(None).await.unwrap().items.remove(0);
    assert_eq!(first, Record { name: "s0.www.example.com".to_owned(), ip: [203, 0, 113, 1].into(), ttl: 60 });
    assert!(keeper.keep(&names(690)).await.is_err(), "the last fault: the answer to a change breaks off");
    assert_eq!(keeper.keep(&names(690)).await.unwrap(), 0, "what nobody wants any more went all the same");
}

#[tokio::test(start_paused = true)]
async fn a_zone_that_may_not_be_read_or_changed_is_named() {
    for (call, action) in [
        ("ListResourceRecordSets", "route53:ListResourceRecordSets"),
        ("ChangeResourceRecordSets", "route53:ChangeResourceRecordSets"),
    ] {
        let aws = Simulator::default();
        let keeper = keeper(&aws, ZONE).await;
        aws.refuse(call, "AccessDenied");
        let error = keeper.keep(&names(1)).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Permanent);
        assert!(error.message.contains(&format!("lacks {action}")), "{error}");
        aws.permit(call);
        assert_eq!(keeper.keep(&names(1)).await.unwrap(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_zone_that_is_not_there_is_named() {
    let error = keeper(&Simulator::default(), "ZNONE").await.keep(&names(1)).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Permanent);
    assert!(
        error.message.contains("NoSuchHostedZone") && error.message.contains("aws.zone names none"),
        "{error}"
    );
}
