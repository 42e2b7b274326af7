//! The whole of the access rules as one table, so that a change of policy is a diff of words; and that nothing
//! of another customer shows.
//!
//! `WPAAS_BLESS=1 cargo test -p wpaas-core --test access` writes the table anew.

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;
use wpaas_core::access::{Access, Action, Actor, Scope, decide};
use wpaas_core::account::{OrgRole, RoleGrant, SpaceRole};
use wpaas_core::id::{OrgId, SpaceId, UserId};
use wpaas_core::name::Cid;

const fn org(n: u128) -> OrgId {
    OrgId::from_uuid(Uuid::from_u128(n))
}

const fn space(n: u128) -> SpaceId {
    SpaceId::from_uuid(Uuid::from_u128(n))
}

const fn user(n: u128) -> UserId {
    UserId::from_uuid(Uuid::from_u128(n))
}

fn cid(text: &str) -> Cid {
    text.parse().expect("a customer id")
}

fn actors() -> Vec<(&'static str, Actor)> {
    let with = |roles| Actor::User { cid: cid("own"), id: user(1), roles };
    let at_org = |role| with(vec![RoleGrant::Org { org: org(1), role }]);
    let at_space = |role| with(vec![RoleGrant::Space { org: org(1), space: space(1), role }]);
    vec![
        ("operator", Actor::Operator),
        ("customer", Actor::Customer(cid("own"))),
        ("no-role", with(Vec::new())),
        ("org-manager", at_org(OrgRole::Manager)),
        ("org-billing", at_org(OrgRole::Billing)),
        ("org-auditor", at_org(OrgRole::Auditor)),
        ("space-manager", at_space(SpaceRole::Manager)),
        ("space-developer", at_space(SpaceRole::Developer)),
        ("space-viewer", at_space(SpaceRole::Viewer)),
    ]
}

fn table() -> String {
    let (own, other) = (cid("own"), cid("oth"));
    let scopes = [
        ("the installation", Scope::System),
        ("its customer", Scope::Customer(&own)),
        ("itself, as a user", Scope::User(&own, user(1))),
        ("another user of its customer", Scope::User(&own, user(2))),
        ("the org of its role", Scope::Org(&own, org(1))),
        ("another org of its customer", Scope::Org(&own, org(2))),
        ("the space of its role", Scope::Space(&own, org(1), space(1))),
        ("another space of that org", Scope::Space(&own, org(1), space(2))),
        ("a space of another org", Scope::Space(&own, org(2), space(3))),
        ("another customer", Scope::Customer(&other)),
        ("a user of another customer", Scope::User(&other, user(1))),
        ("an org of another customer", Scope::Org(&other, org(1))),
        ("a space of another customer", Scope::Space(&other, org(1), space(1))),
    ];
    let actors = actors();
    let mut table = "+ allowed   - forbidden (403)   . hidden (404)\n".to_owned();
    for (name, scope) in scopes {
        write!(table, "\n{name}\n{:18}", "").expect("text");
        for (actor, _) in &actors {
            write!(table, " {actor}").expect("text");
        }
        for action in Action::ALL {
            write!(table, "\n{:18}", format!("{action:?}")).expect("text");
            for (name, actor) in &actors {
                let sign = match decide(actor, action, scope) {
                    Access::Allowed => '+',
                    Access::Forbidden => '-',
                    Access::Hidden => '.',
                };
                write!(table, " {sign:^width$}", width = name.len()).expect("text");
            }
            table.truncate(table.trim_end().len());
        }
        table.push('\n');
    }
    table
}

#[test]
fn the_rules_are_those_of_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/access.out");
    if std::env::var_os("WPAAS_BLESS").is_some() {
        std::fs::write(path, table()).expect("the table is written");
    }
    let expected = std::fs::read_to_string(path).expect("the table");
    assert!(
        table() == expected,
        "the rules changed: WPAAS_BLESS=1 writes tests/access.out anew\n{}",
        table()
    );
}

fn any_grant() -> impl Strategy<Value = RoleGrant> {
    let roles = select(vec![OrgRole::Manager, OrgRole::Billing, OrgRole::Auditor]);
    let of_spaces = select(vec![SpaceRole::Manager, SpaceRole::Developer, SpaceRole::Viewer]);
    prop_oneof![
        (0..4_u128, roles).prop_map(|(n, role)| RoleGrant::Org { org: org(n), role }),
        (0..4_u128, 0..4_u128, of_spaces).prop_map(|(o, s, role)| RoleGrant::Space {
            org: org(o),
            space: space(s),
            role
        }),
    ]
}

fn any_actor() -> impl Strategy<Value = Actor> {
    prop_oneof![
        Just(Actor::Customer(cid("own"))),
        (0..4_u128, proptest::collection::vec(any_grant(), 0..5)).prop_map(|(n, roles)| Actor::User {
            cid: cid("own"),
            id: user(n),
            roles
        }),
    ]
}

proptest! {
    /// Whatever was granted, even for ids that another customer has: its 403 and its 404 would tell what is there.
    #[test]
    fn nothing_of_another_customer_shows(
        actor in any_actor(),
        action in select(Action::ALL.to_vec()),
        (o, s, u) in (0..4_u128, 0..4_u128, 0..4_u128),
    ) {
        let other = cid("oth");
        let scopes = [
            Scope::Customer(&other),
            Scope::User(&other, user(u)),
            Scope::Org(&other, org(o)),
            Scope::Space(&other, org(o), space(s)),
        ];
        for scope in scopes {
            prop_assert_eq!(decide(&actor, action, scope), Access::Hidden);
        }
    }

    /// Nobody is allowed to do to a place what it may not see.
    #[test]
    fn who_may_change_may_read(actor in any_actor(), (o, s) in (0..4_u128, 0..4_u128)) {
        let own = cid("own");
        let scope = Scope::Space(&own, org(o), space(s));
        for action in [Action::SpaceUpdate, Action::SiteCreate, Action::SiteUpdate, Action::SiteDelete] {
            if decide(&actor, action, scope) == Access::Allowed {
                prop_assert_eq!(decide(&actor, Action::SiteRead, scope), Access::Allowed);
                prop_assert_eq!(decide(&actor, Action::SpaceRead, scope), Access::Allowed);
            }
        }
    }

    /// More roles never take anything away.
    #[test]
    fn a_role_more_is_never_a_right_less(
        roles in proptest::collection::vec(any_grant(), 0..4),
        more in any_grant(),
        action in select(Action::ALL.to_vec()),
        (o, s) in (0..4_u128, 0..4_u128),
    ) {
        let own = cid("own");
        let with = |roles| Actor::User { cid: cid("own"), id: user(1), roles };
        let all = with(roles.iter().copied().chain([more]).collect());
        for scope in [Scope::Org(&own, org(o)), Scope::Space(&own, org(o), space(s))] {
            if decide(&with(roles.clone()), action, scope) == Access::Allowed {
                prop_assert_eq!(decide(&all, action, scope), Access::Allowed);
            }
        }
    }
}
