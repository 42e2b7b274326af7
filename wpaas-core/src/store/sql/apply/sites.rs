use super::{Done, delete, run};
use crate::quota::Usage;
use crate::site::{Site, SiteLifecycle, Tombstone};
use crate::store::StoredStatus;
use crate::store::row::{SiteRow, StatusRow, write as doc};
use crate::store::sql::db::Db;
use crate::store::sql::query::query;
use crate::store::sql::{domains, int, micros};

pub(super) async fn put(db: &mut Db, site: Site, usage: Usage) -> Done {
    let purge_after = match site.lifecycle {
        SiteLifecycle::Live => None,
        SiteLifecycle::Deleting { purge_after, .. } => Some(micros(purge_after)),
    };
    let site_id = site.id;
    let held: Vec<String> = site.domains.held().map(ToString::to_string).collect();
    let put = query(
        "INSERT INTO sites (id, cid, org_id, space_id, name, purge_after, fetch_at, look_at, is_scaling, \
         use_sites, use_wordpress, use_database, use_storage, version, doc) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
         ON CONFLICT (id) DO UPDATE SET purge_after = excluded.purge_after, fetch_at = excluded.fetch_at, \
         look_at = excluded.look_at, is_scaling = excluded.is_scaling, use_sites = excluded.use_sites, use_wordpress = excluded.use_wordpress, \
         use_database = excluded.use_database, use_storage = excluded.use_storage, \
         version = excluded.version, doc = excluded.doc",
    )
    .bind(site_id.to_string())
    .bind(site.cid.to_string())
    .bind(site.org.to_string())
    .bind(site.space.to_string())
    .bind(site.name.to_string())
    .bind(purge_after)
    .bind(site.fetch_at().map(micros))
    .bind(site.look_at().map(micros))
    .bind(site.is_scaling())
    .bind(i64::from(usage.sites))
    .bind(i64::from(usage.wordpress_instances))
    .bind(i64::from(usage.database_instances))
    .bind(i64::from(usage.storage_gib))
    .bind(int(site.version))
    .bind(doc(&SiteRow::from(site))?);
    run(db, put).await?;
    domains::hold(db, site_id, held).await
}

/// Status and secrets go with the site.
pub(super) async fn purge(db: &mut Db, stone: &Tombstone) -> Done {
    delete(db, "DELETE FROM sites WHERE id = $1", stone.id.to_string()).await?;
    let put = query(
        "INSERT INTO tombstones (site_id, cid, org_id, generation, purged_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(stone.id.to_string())
    .bind(stone.cid.to_string())
    .bind(stone.org.to_string())
    .bind(int(stone.generation))
    .bind(micros(stone.purged_at));
    run(db, put).await
}

pub(super) async fn record_status(db: &mut Db, site: String, status: StoredStatus) -> Done {
    let put = query(
        "INSERT INTO site_status (site_id, founded, challenge, doc) SELECT id, $2, $3, $4 FROM sites WHERE id = $1 \
         ON CONFLICT (site_id) DO UPDATE \
         SET founded = excluded.founded, challenge = excluded.challenge, doc = excluded.doc",
    )
    .bind(site)
    .bind(status.founded)
    .bind(status.status.challenge.clone())
    .bind(doc(&StatusRow::from(status))?);
    run(db, put).await
}
