//! Where what stands in for AWS differs from it. A difference that is none any more fails the suite, so this list is
//! true.

use crate::world::Who;

/// One case that ends otherwise.
pub struct Difference {
    /// With whom.
    pub who: Who,
    /// Which.
    pub case: &'static str,
    /// What is told of it, in part.
    pub told: &'static str,
    /// Who is right, and by what.
    pub right: &'static str,
}

pub const DIFFERENCES: &[Difference] = &[
    Difference {
        who: Who::Moto,
        case: "a_token_makes_one_instance",
        told: "asked again with the same token",
        right: "AWS: a client token makes RunInstances the same call again: moto takes none",
    },
    Difference {
        who: Who::Moto,
        case: "a_token_with_other_parameters_is_refused",
        told: "done instead of IdempotentParameterMismatch",
        right: "AWS: a client token makes RunInstances the same call again: moto takes none",
    },
    Difference {
        who: Who::Moto,
        case: "a_token_whose_instance_has_ended_makes_no_other",
        told: "done instead of IdempotentInstanceTerminated",
        right: "AWS: a client token makes RunInstances the same call again: moto takes none",
    },
    Difference {
        who: Who::Moto,
        case: "too_much_user_data_is_refused",
        told: "done instead of InvalidParameterValue",
        right: "AWS: EC2 takes 16 KiB: moto takes any",
    },
    Difference {
        who: Who::Moto,
        case: "a_volume_is_made_once_listed_and_removed",
        told: "asked again with the same token",
        right: "AWS: a client token makes CreateVolume the same call again: moto takes none",
    },
    Difference {
        who: Who::Moto,
        case: "a_volumes_token_with_other_parameters_is_refused",
        told: "the token made another volume",
        right: "AWS: a client token makes RunInstances the same call again: moto takes none",
    },
    Difference {
        who: Who::Moto,
        case: "a_volume_in_use_is_not_removed",
        told: "attaching it again: done instead of VolumeInUse",
        right: "AWS: a volume is attached once: moto attaches it again",
    },
    Difference {
        who: Who::Moto,
        case: "a_listing_wants_every_tag_and_has_pages",
        told: "things on the first page: 7 instead of 5",
        right: "AWS: DescribeVolumes has pages: moto puts all on one",
    },
    Difference {
        who: Who::Moto,
        case: "groups_are_listed_on_pages",
        told: "groups on the first page: 6 instead of 5",
        right: "AWS: DescribeSecurityGroups has pages: moto puts all on one",
    },
    Difference {
        who: Who::Moto,
        case: "a_group_in_use_is_not_removed",
        told: "removed from under its instance",
        right: "AWS: a group that an instance carries stays: moto removes it",
    },
    Difference {
        who: Who::Moto,
        case: "an_address_leads_where_it_was_led_last",
        told: "where it leads at last: Some",
        right: "AWS: an address leads nowhere once its instance has ended: moto's leads on",
    },
    Difference {
        who: Who::Moto,
        case: "an_address_that_leads_somewhere_is_not_given_back",
        told: "done instead of InvalidIPAddress.InUse",
        right: "AWS: an address that leads somewhere is not released: moto's is",
    },
    Difference {
        who: Who::Moto,
        case: "only_the_very_record_is_removed",
        told: "InvalidInput instead of InvalidChangeBatch",
        right: "AWS: Route 53 calls a record that is not as told an invalid batch: moto, invalid input",
    },
    Difference {
        who: Who::Moto,
        case: "texts_are_made_changed_and_removed_and_come_to_all_servers",
        told: "removed twice",
        right: "AWS: what is gone can't be removed: moto asks only whether it was ever made",
    },
];
