//! Every code that a problem may have. A program of a caller's goes by them: none changes what it means, and a new one
//! is written down here first.

use std::fmt::Write;

use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// The codes and what they say, by name.
pub const CODES: &[(&str, &str)] = &[
    ("body_too_large", "the body has more bytes than the server takes"),
    ("contention", "others changed the same thing again and again meanwhile: try again"),
    ("customer_suspended", "the customer is suspended and can only read"),
    ("customer_to_be_removed", "the customer is going away: it can only read, or take that back"),
    ("default_org", "the default org stays as long as its customer"),
    ("default_space", "the default space stays as long as its org"),
    ("forbidden", "you may see it, and may not do this"),
    (
        "idempotency_answer_lost",
        "the first request with this key was done, and its answer is lost; see `subject`",
    ),
    ("idempotency_key_in_use", "the first request with this key is still being done: try again"),
    ("idempotency_key_reused", "the key was used for another request: use a new one"),
    ("internal", "the server failed; its operator finds the reason by the request id"),
    ("invalid", "a field can't be as it is; see `field`"),
    ("invalid_idempotency_key", "the header `Idempotency-Key` can't be read"),
    ("invalid_if_match", "the header `If-Match` can't be read, or can't be used there"),
    ("invalid_json", "the body is no JSON"),
    ("invalid_last_event_id", "the header `Last-Event-ID` is not the number of an event"),
    ("invalid_query", "a parameter can't be as it is; see `field`"),
    ("locked_out", "too many wrong passwords of this name in a row; wait as `Retry-After` says"),
    ("login_taken", "the account at the identity provider signs somebody in already"),
    ("method_not_allowed", "the method is not possible here; see the header `Allow`"),
    (
        "name_in_deletion",
        "a deleted site keeps the name until its grace ends: restore it, or delete it at once",
    ),
    ("no_dump", "there is no dump that the database could go back to"),
    ("not_a_session", "what signed you in is no session that could end"),
    ("not_acceptable", "it can't be answered as the header `Accept` wants it"),
    ("not_empty", "something is inside: delete that first, or ask with `recursive=true`"),
    ("not_found", "there is nothing of that name that you may see"),
    ("not_in_deletion", "there is no deletion that could be taken back"),
    ("not_json", "the body is sent as something else than JSON"),
    ("org_name_taken", "another org of the customer has the name"),
    ("overloaded", "too much is asked of the server now; try again as `Retry-After` says"),
    ("path_body_mismatch", "path and body say different things; see `field`"),
    ("path_query_mismatch", "path and query say different things; see `field`"),
    ("payment_account_used", "an org is billed to the payment account"),
    ("quota_above_org", "a space's quota would be above its org's"),
    ("quota_exceeded", "the quota of the org or the space does not allow it; see `field`"),
    ("rate_limited", "you ask too often; wait as `Retry-After` says"),
    ("release_not_kept", "there is no release to go back to, or it failed when it was tried"),
    ("site_in_deletion", "the site is being deleted: restore it first"),
    ("site_name_taken", "another site of the org has the name"),
    ("site_protected", "the site's deletion protection is on: switch it off first"),
    ("space_name_taken", "another space of the org has the name"),
    ("sso_disabled", "whom the account is linked to may not sign in any more"),
    ("sso_refused", "the identity provider did not let you in"),
    ("sso_unavailable", "the identity provider can't be reached now; try again"),
    ("sso_unknown", "the sign-in took too long, was used already, or began in another browser: start again"),
    ("sso_untrusted", "what the identity provider answered can't be trusted"),
    ("timeout", "the request took too long and was given up; what it began may still be done"),
    ("too_many_attempts", "too much was presented in vain from your address; wait as `Retry-After` says"),
    ("too_many_logins", "as many accounts are linked as may be: unlink one first"),
    ("too_many_webhooks", "there are as many webhooks as there may be: delete one first"),
    ("unauthenticated", "the key or the password is missing, wrong, or no longer valid"),
    ("unavailable", "the store or the keys can't be used now; try again as `Retry-After` says"),
    ("unreadable_body", "the body broke off"),
    ("username_taken", "another user of the customer, or another customer, has the user name"),
    ("version_mismatch", "it was changed since you read it: read it again, and repeat the change"),
    ("wrong_lifecycle", "its lifecycle does not allow that now"),
];

/// A code, as the API's document tells it.
pub enum Code {}

impl PartialSchema for Code {
    fn schema() -> RefOr<Schema> {
        let mut text = "Which problem, for programs. More may come; what one means stays.\n".to_owned();
        for (code, meaning) in CODES {
            let _ = write!(text, "\n* `{code}`: {meaning}");
        }
        let schema = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[a-z_]+$"));
        schema.description(Some(text)).examples(["not_found"]).into()
    }
}

impl ToSchema for Code {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// The sources of a folder.
    fn sources(folder: &Path, found: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.file_name().is_some_and(|name| name != "codes.rs") {
                found.push_str(&std::fs::read_to_string(&path).unwrap());
            }
        }
    }

    #[test]
    fn each_is_listed_once_by_name_and_is_still_told() {
        let names: Vec<_> = CODES.iter().map(|(name, _)| *name).collect();
        assert!(names.is_sorted() && names.iter().collect::<BTreeSet<_>>().len() == names.len());
        let mut text = String::new();
        sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut text);
        sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../wpaas-core/src/service")), &mut text);
        let stale: Vec<_> = names.iter().filter(|name| !text.contains(&format!("\"{name}\""))).collect();
        assert!(stale.is_empty(), "nobody answers {stale:?} any more");
    }

    #[test]
    #[should_panic(expected = "a code that problem/codes.rs does not list")]
    fn one_that_is_not_listed_is_found_by_every_test_that_meets_it() {
        super::super::Problem::bad_request("surprise", "");
    }
}
