//! Typed ids: `org_…`, `space_…`, `user_…`, `site_…`, `key_…`, `rel_…`, `hook_…`, `login_…`.
//!
//! An id is its prefix and 32 lower-case hex digits of a UUID. New ids are UUID version 7 and sort by time;
//! the ids of default orgs and spaces are version 5, derived from their parent (see [`crate::defaults`]), those of
//! linked accounts from issuer and subject.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::str::FromStr;

use rustc_hash::FxBuildHasher;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// By site. Hashed fast: who could choose ids to collide makes none.
pub(crate) type SiteMap<T> = HashMap<SiteId, T, FxBuildHasher>;

/// Of sites, hashed as a [`SiteMap`].
pub(crate) type SiteSet = HashSet<SiteId, FxBuildHasher>;

/// A text that is not an id of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id of the form {prefix}_ and 32 lower-case hex digits")]
pub struct InvalidId {
    /// The kind that was asked for.
    pub prefix: &'static str,
}

macro_rules! typed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// The kind's prefix, without the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// A new id, never given before, that sorts after the earlier ones.
            #[must_use]
            #[expect(clippy::new_without_default, reason = "each call gives another value")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id of this UUID.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID behind this id.
            #[must_use]
            pub const fn uuid(&self) -> &Uuid {
                &self.0
            }
        }

        #[cfg(feature = "openapi")]
        crate::openapi::schema!(
            $name,
            crate::openapi::text(concat!("^", $prefix, "_[0-9a-f]{32}$"), $prefix.len() + 33)
                .examples([concat!($prefix, "_01936b1c7e9a7c3ab4f05d2a9c8e7b61")])
        );

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!($prefix, "_"))?;
                f.write_str(self.0.as_simple().encode_lower(&mut Uuid::encode_buffer()))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse(text, $prefix).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

typed_id!(
    /// Names an org.
    OrgId, "org"
);
typed_id!(
    /// Names a space.
    SpaceId, "space"
);
typed_id!(
    /// Names a user of a customer.
    UserId, "user"
);
typed_id!(
    /// Names a site; never used again, not even after the site is gone.
    SiteId, "site"
);
typed_id!(
    /// Names an API key (not the key itself).
    KeyId, "key"
);
typed_id!(
    /// Names a release of a site; the same code made again is another release.
    ReleaseId, "rel"
);
typed_id!(
    /// Names an account at an identity provider that signs somebody in.
    LoginId, "login"
);

typed_id!(
    /// Names a webhook.
    WebhookId, "hook"
);

/// Strict: one spelling an id, so that two texts never name one thing.
fn parse(text: &str, prefix: &'static str) -> Result<Uuid, InvalidId> {
    let invalid = InvalidId { prefix };
    let digits = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')).ok_or(invalid.clone())?;
    let canonical = digits.len() == 32 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if !canonical {
        return Err(invalid);
    }
    Uuid::try_parse(digits).map_err(|_| invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written() {
        let id = SiteId::new();
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn another_kind_and_another_spelling_are_refused() {
        let id = OrgId::new().to_string();
        assert_eq!(id.parse::<SpaceId>(), Err(InvalidId { prefix: "space" }));
        assert_eq!(id.to_uppercase().parse::<OrgId>(), Err(InvalidId { prefix: "org" }));
        assert_eq!(id.replace('_', "-").parse::<OrgId>(), Err(InvalidId { prefix: "org" }));
        assert_eq!("org_".parse::<OrgId>(), Err(InvalidId { prefix: "org" }));
    }

    #[test]
    fn ids_sort_by_the_time_they_were_made() {
        let (a, b) = (SiteId::new(), SiteId::new());
        assert!(a < b);
    }
}
