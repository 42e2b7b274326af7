//! What texts of a request may be, as the API's document tells it. The rules themselves are the service's.

use std::borrow::Cow;

use utoipa::openapi::schema::AdditionalProperties;
use utoipa::openapi::{KnownFormat, ObjectBuilder, OneOfBuilder, Ref, RefOr, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};
use wpaas_core::name::Slug;

/// The characters of each part of a credential, at most.
const LONGEST_CREDENTIAL: usize = crate::extract::Credential::LONGEST;

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn pattern(pattern: &str) -> ObjectBuilder {
    text().pattern(Some(pattern))
}

macro_rules! schemas {
    ($($(#[doc = $doc:literal])* $name:ident: $schema:expr;)*) => {
        $(
            $(#[doc = $doc])*
            #[derive(Debug)]
            pub enum $name {}

            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    $schema.description(Some(concat!($($doc,)*).trim())).into()
                }
            }

            impl ToSchema for $name {
                fn name() -> Cow<'static, str> {
                    stringify!($name).into()
                }
            }
        )*
    };
}

schemas! {
    /// A text on one line, not blank.
    Line: pattern(r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$")
        .min_length(Some(1))
        .max_length(Some(200))
        .examples(["Acme"]);
    /// A text on one line, or none.
    Label: pattern(r"^[^\x00-\x1f\x7f-\x9f]*$").max_length(Some(200))
        .examples(["laptop"]);
    /// For people.
    Description: text().max_length(Some(2000))
        .examples(["What it is for"]);
    /// What another system knows it by.
    Reference: text().max_length(Some(200))
        .examples(["cus_123"]);
    /// A person's password: 8 characters to 1024 bytes. Kept as its Argon2id hash.
    Password: text()
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Password)))
        .min_length(Some(8))
        .max_length(Some(1024))
        .write_only(true)
        .examples(["correct horse battery"]);
    /// What a login at an identity provider ended with, whose account is linked to nobody yet.
    Ticket: pattern("^wpt_[0-9a-f]+$").max_length(Some(4096)).write_only(true).examples(["wpt_0100"]);
    /// Of WordPress's first user: 72 bytes at most, without quotes, backslashes, control characters, and spaces at its
    /// ends. Kept as its bcrypt hash.
    AdminPassword: pattern(
        r#"^[^\s'"\\\x00-\x1f\x7f-\x9f]([^'"\\\x00-\x1f\x7f-\x9f]*[^\s'"\\\x00-\x1f\x7f-\x9f])?$"#
    )
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Password)))
        .min_length(Some(1))
        .max_length(Some(72))
        .write_only(true)
        .examples(["a fine password"]);
    /// A length of time up to the operator's limit; 0 is at once.
    Grace: pattern("^(0|[0-9]{1,3}[smh]|([0-9]|[1-8][0-9]|90)d)$").examples(["24h"]);
    /// A length of time up to the operator's limit.
    Lifetime: pattern("^([1-9][0-9]{0,3}[sm]|[1-9][0-9]{0,2}h|([1-9]|[1-8][0-9]|90)d)$").examples(["30d"]);
    /// `https://…`, `ssh://…` or `git@host:path`, without user and password.
    GitUrl: text().min_length(Some(1)).max_length(Some(2048)).examples(["https://github.com/acme/blog.git"]);
    /// `https://…`, without user, password and fragment, and leading to the public internet.
    WebhookUrl: text().min_length(Some(9)).max_length(Some(2048)).examples(["https://ops.example.com/hook"]);
    /// A bucket's name.
    Bucket: pattern("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$").examples(["acme-blog"]);
    /// Labels: keys without `=`, keys and values of 63 bytes at most without commas.
    Labels: ObjectBuilder::new()
        .schema_type(Type::Object)
        .property_names(Some(pattern(r"^[^=,\x00-\x1f\x7f-\x9f]+$").max_length(Some(63)).build()))
        .additional_properties(Some(pattern(r"^[^,\x00-\x1f\x7f-\x9f]*$").max_length(Some(63))))
        .max_properties(Some(64))
        .examples([serde_json::json!({"tier": "gold"})]);
    /// Payment accounts by name, made or changed; `null` takes one away.
    PaymentAccounts: by_name(Schema::from(OneOfBuilder::new()
        .item(ObjectBuilder::new().schema_type(Type::Null))
        .item(Ref::from_schema_name("PaymentUpdateDto"))))
        .max_properties(Some(100))
        .examples([serde_json::json!({"team": {"identifier": "cus_123"}})]);
    /// A role in an org and all its spaces, or in one space.
    Role: OneOfBuilder::new()
        .item(role("org", &[("org", "OrgId"), ("role", "OrgRole")]))
        .item(role("space", &[("org", "OrgId"), ("space", "SpaceId"), ("role", "SpaceRole")]));
    /// A token, an SSH key, or an S3 key by its parts.
    Credential: OneOfBuilder::new().item(text().max_length(Some(LONGEST_CREDENTIAL)).write_only(true)).item(s3_key());
}

/// With these fields and no other.
fn role(scope: &str, fields: &[(&str, &str)]) -> ObjectBuilder {
    let mut role = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("scope", text().enum_values(Some([scope])))
        .required("scope");
    for (name, schema) in fields {
        role = role.property(*name, Ref::from_schema_name(*schema)).required(*name);
    }
    role.additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
}

/// An object whose keys are names, as those of sites.
pub fn by_name(values: impl Into<AdditionalProperties<Schema>>) -> ObjectBuilder {
    let names = match Slug::schema() {
        RefOr::T(names) => Some(names),
        RefOr::Ref(_) => None,
    };
    ObjectBuilder::new().schema_type(Type::Object).property_names(names).additional_properties(Some(values))
}

fn s3_key() -> ObjectBuilder {
    let mut key = ObjectBuilder::new().schema_type(Type::Object).write_only(true);
    for (name, required) in [("access_key_id", true), ("secret_access_key", true), ("session_token", false)] {
        key = key.property(name, text().max_length(Some(LONGEST_CREDENTIAL)));
        if required {
            key = key.required(name);
        }
    }
    key.additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
}

/// Code as one text.
pub fn code_text() -> ObjectBuilder {
    text()
        .description(Some("A git URL (`https://…`, `git@…`), `s3://bucket/key`, or a bucket's name"))
        .min_length(Some(3))
        .max_length(Some(2048))
        .examples(["https://github.com/acme/blog.git"])
}
