//! What each route does, by noun and verb. Rules are the service's; here is only what the wire needs.

pub mod customers;
pub mod domains;
pub mod events;
pub mod health;
pub mod keys;
pub mod logins;
pub mod orgs;
pub mod reports;
pub mod sessions;
pub mod sites;
pub mod spaces;
pub mod sso;
pub mod usage;
pub mod users;
pub mod webhooks;
