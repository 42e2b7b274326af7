//! Quotas, as orgs and spaces take them.

use clap::Args;
use serde_json::{Map, Value};

/// How much may be in it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Quota")]
pub struct Quota {
    /// Sites at most
    #[arg(long = "max-sites", id = "max_sites", value_name = "N")]
    sites: Option<u32>,
    /// WordPress instances at most, over all sites
    #[arg(long = "max-wordpress", id = "max_wordpress", value_name = "N")]
    wordpress: Option<u32>,
    /// Database instances at most, over all sites
    #[arg(long = "max-database", id = "max_database", value_name = "N")]
    database: Option<u32>,
    /// Storage at most, over all sites, in GiB
    #[arg(long = "max-storage", id = "max_storage", value_name = "GIB")]
    storage: Option<u32>,
}

impl Quota {
    /// On top of what there is, since the API takes a quota as a whole; nothing where nothing is given.
    pub fn over(&self, now: Option<&Value>) -> Option<Value> {
        let Self { sites, wordpress, database, storage } = self;
        let given = [
            ("sites", sites),
            ("wordpress_instances", wordpress),
            ("database_instances", database),
            ("storage_gib", storage),
        ];
        let mut quota = now.and_then(Value::as_object).cloned().unwrap_or_default();
        let given: Map<_, _> =
            given.into_iter().filter_map(|(name, n)| Some((name.to_owned(), (*n)?.into()))).collect();
        if given.is_empty() {
            return None;
        }
        quota.extend(given);
        Some(quota.into())
    }

    /// Whether changing it needs what there is.
    pub const fn is_given(&self) -> bool {
        self.sites.is_some() || self.wordpress.is_some() || self.database.is_some() || self.storage.is_some()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_given_replaces_and_the_rest_stays() {
        let quota = Quota { sites: Some(3), wordpress: None, database: None, storage: Some(9) };
        let now = json!({"sites": 1, "wordpress_instances": 2});
        let new = json!({"sites": 3, "wordpress_instances": 2, "storage_gib": 9});
        assert_eq!(quota.over(Some(&now)), Some(new));
        let nothing = Quota { sites: None, wordpress: None, database: None, storage: None };
        assert_eq!((nothing.over(Some(&now)), nothing.is_given()), (None, false));
    }
}
