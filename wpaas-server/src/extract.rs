//! What handlers take from a request; what can't be taken is answered as a [`crate::problem::Problem`].

mod body;
mod field;
mod if_match;
mod object;
mod path;
mod query;
mod secret;

pub use body::{Body, MaybeBody};
pub use field::{Nullable, agree};
pub use if_match::{Expected, IfMatchHeader as IfMatch};
pub use object::Object;
pub use path::Path;
pub use query::Query;
pub use secret::{Credential, SecretText};
