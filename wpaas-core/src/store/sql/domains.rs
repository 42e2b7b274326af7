//! Whose domains are, and whose they were.

use jiff::Timestamp;

use super::db::Db;
use super::micros;
use super::query::query;
use crate::id::SiteId;
use crate::store::StoreError;

/// The site has these; what it had before was [`let_go`].
pub(super) async fn hold(db: &mut Db, site: SiteId, held: Vec<String>) -> Result<(), StoreError> {
    for domain in held {
        let put = query("INSERT INTO domains (domain, site_id) VALUES ($1, $2)");
        put.bind(domain).bind(site.to_string()).run_by_the_next(db).await?;
    }
    Ok(())
}

/// What the site has is free, and it is kept that it was the site's.
pub(super) async fn let_go(db: &mut Db, site: SiteId, at: Timestamp) -> Result<(), StoreError> {
    let remember = query(
        "INSERT INTO past_domains (domain, cid, until) \
         SELECT domain, cid, $2 FROM domains JOIN sites ON id = site_id WHERE site_id = $1 \
         ON CONFLICT (domain) DO UPDATE SET cid = excluded.cid, until = excluded.until",
    );
    remember.bind(site.to_string()).bind(micros(at)).run_by_the_next(db).await?;
    let free = query("DELETE FROM domains WHERE site_id = $1");
    free.bind(site.to_string()).run_by_the_next(db).await
}

/// Whose a domain was before this counts for nothing any more.
pub(super) async fn forget(db: &mut Db, before: Timestamp) -> Result<(), StoreError> {
    query("DELETE FROM past_domains WHERE until < $1").bind(micros(before)).run_by_the_next(db).await
}
