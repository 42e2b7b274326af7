//! Names that people choose, parsed once at the border: a value of these types is always well formed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a text is not a name of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidName {
    /// Not a DNS label.
    #[error(
        "must be a DNS label: 1 to 63 lower-case letters, digits and hyphens, with no hyphen first or last"
    )]
    Label,
    /// Not a customer id.
    #[error("must be a customer id: 3 to 32 lower-case letters and digits, beginning with a letter")]
    Cid,
    /// Not a host name.
    #[error(
        "must be a host name: two or more DNS labels, the last one beginning with a letter, 253 characters at most"
    )]
    Hostname,
    /// Not an e-mail address.
    #[error("must be an e-mail address like name@example.com, 254 characters at most")]
    Email,
    /// Not a user name.
    #[error(
        "must be an e-mail address, or 1 to 64 letters, digits, dots, hyphens and underscores, the first a letter or digit"
    )]
    Username,
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $kind:ident, $check:path, $longest:literal, $pattern:expr, $example:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        #[cfg(feature = "openapi")]
        crate::openapi::schema!(
            $name,
            crate::openapi::text($pattern, $longest).examples([$example])
        );

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                if $check(text) { Ok(Self(text.into())) } else { Err(InvalidName::$kind) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
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

/// The rules below as patterns, for those who read the schemas: what a pattern can't say, as where a length is that
/// of the whole, is said by the error.
#[cfg(feature = "openapi")]
macro_rules! label {
    ($before:literal, $after:literal) => {
        concat!($before, "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", $after)
    };
}
#[cfg(feature = "openapi")]
macro_rules! hostname {
    ($before:literal, $after:literal) => {
        concat!($before, label!("(", "\\.)+"), "[a-z]([a-z0-9-]{0,61}[a-z0-9])?", $after)
    };
}
#[cfg(feature = "openapi")]
macro_rules! email {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,30}(\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,30})*@",
            "([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\\.)+[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?",
            $after
        )
    };
}

name_type!(
    /// The name of an org, a space or a site: an immutable DNS label.
    Slug, Label, is_label, 63, label!("^", "$"), "default"
);
name_type!(
    /// A customer's id: a DNS label without a hyphen, immutable, never used again.
    Cid, Cid, is_cid, 32, "^[a-z][a-z0-9]{2,31}$", "acm"
);
name_type!(
    /// A DNS host name of two labels or more, lower case, without a final dot.
    Hostname, Hostname, is_hostname, 253, hostname!("^", "$"), "www.example.com"
);
name_type!(
    /// An e-mail address, as far as it can be checked without sending to it.
    Email, Email, is_email, 254, email!("^", "$"), "ada@example.com"
);
name_type!(
    /// What a person signs in with: an e-mail address or a simple name.
    Username, Username, is_username, 254, concat!("^([A-Za-z0-9][A-Za-z0-9._-]{0,63}|", email!("", ")$")), "ada"
);

impl Slug {
    /// The name of the default org and of the default space.
    #[must_use]
    pub fn default_name() -> Self {
        Self("default".into())
    }
}

impl Email {
    /// Nobody's address (RFC 2606): what stays where one was removed.
    #[must_use]
    pub fn nobody() -> Self {
        Self("removed@example.invalid".into())
    }
}

impl Username {
    /// What stays where one was removed.
    #[must_use]
    pub fn nobody() -> Self {
        Self("removed".into())
    }

    /// What WordPress's first user is called when nobody says otherwise.
    #[must_use]
    pub fn admin() -> Self {
        Self("admin".into())
    }
}

fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_cid(text: &str) -> bool {
    (3..=32).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9'))
}

fn is_hostname(text: &str) -> bool {
    // As all top-level domains do, and no IP address does.
    let last_begins_with_a_letter =
        text.rsplit('.').next().is_some_and(|label| label.starts_with(|c: char| c.is_ascii_lowercase()));
    text.len() <= 253 && text.contains('.') && text.split('.').all(is_label) && last_begins_with_a_letter
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let local_ok = (1..=64).contains(&local.len())
        && local.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~.-".contains(&b))
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..");
    text.len() <= 254 && local_ok && is_hostname(&domain.to_ascii_lowercase())
}

fn is_username(text: &str) -> bool {
    let simple = (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        && text.starts_with(|c: char| c.is_ascii_alphanumeric());
    simple || is_email(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels() {
        for good in ["a", "a-b", "1", "x".repeat(63).as_str()] {
            assert_eq!(good.parse::<Slug>().map(|s| s.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", "-a", "a-", "A", "a_b", "a.b", "é", "a b", "a\n", "x".repeat(64).as_str(), "../a"] {
            assert_eq!(bad.parse::<Slug>(), Err(InvalidName::Label), "{bad:?}");
        }
    }

    #[test]
    fn customer_ids_have_no_hyphen_and_begin_with_a_letter() {
        assert!("acm".parse::<Cid>().is_ok());
        for bad in ["ac", "1cm", "a-c", "ACM", ""] {
            assert_eq!(bad.parse::<Cid>(), Err(InvalidName::Cid), "{bad:?}");
        }
    }

    #[test]
    fn host_names_are_no_addresses() {
        assert!("www.example.com".parse::<Hostname>().is_ok());
        for bad in ["localhost", "10.0.0.1", "a..b", "a.b.", "-a.b", "A.b", "a.b:80", "*.a.b"] {
            assert_eq!(bad.parse::<Hostname>(), Err(InvalidName::Hostname), "{bad:?}");
        }
    }

    #[test]
    fn emails_and_user_names() {
        assert!("o'neil+tag@example.com".parse::<Email>().is_ok());
        for bad in ["a", "@b.c", "a@b", "a..b@c.de", "a b@c.de", "a@b.c\r\nBcc: x@y.z", "<a@b.cd>"] {
            assert_eq!(bad.parse::<Email>(), Err(InvalidName::Email), "{bad:?}");
        }
        assert!("ada.l".parse::<Username>().is_ok());
        assert!("ada@example.com".parse::<Username>().is_ok());
        assert_eq!("a/b".parse::<Username>(), Err(InvalidName::Username));
        assert_eq!("..".parse::<Username>(), Err(InvalidName::Username));
    }
}
