use async_trait::async_trait;
use jiff::Timestamp;

use super::{SqlStore, after, all, customer, limit, micros, org, parsed, query, space, time};
use crate::account::{Customer, Lifecycle};
use crate::id::{OrgId, SiteId, SpaceId};
use crate::name::{Cid, Hostname, Slug};
use crate::secret::SecretName;
use crate::site::{Site, Tombstone};
use crate::store::row::{CustomerRow, SiteRow, StatusRow, read, write};
use crate::store::{Located, Page, PastHolder, SealedSecret, SiteFacts, SiteReads, StoreError, StoredSite};

/// Of a site, and of its status.
type StoredColumns = (String, Option<String>);
/// Of a customer, an org, a space, a site and its status.
type LocatedColumns = (String, Option<String>, Option<String>, Option<String>, Option<String>);
/// Of a site, its customer, the name of its org, whether it was founded, and what its gateways answer authorities with.
type FactsColumns = (String, Option<String>, Option<String>, Option<bool>, Option<String>);

macro_rules! stored {
    ($rest:literal) => {
        concat!(
            "SELECT sites.doc, site_status.doc FROM sites \
             LEFT JOIN site_status ON site_status.site_id = sites.id ",
            $rest
        )
    };
}

/// The sites of which this time has come. Few have one: ordered by the bare id, `SQLite` would go through all sites
/// instead, at each commit of one.
macro_rules! due {
    ($at:literal) => {
        concat!(
            "SELECT doc FROM sites WHERE ",
            $at,
            " IS NOT NULL AND ",
            $at,
            " <= $1 AND id || '' > $2 ORDER BY id || '' LIMIT $3"
        )
    };
}

macro_rules! facts {
    ($rest:literal) => {
        concat!(
            "SELECT sites.doc, customers.doc, orgs.name, site_status.founded, site_status.challenge FROM sites \
             LEFT JOIN customers ON customers.cid = sites.cid LEFT JOIN orgs ON orgs.id = sites.org_id \
             LEFT JOIN site_status ON site_status.site_id = sites.id ",
            $rest
        )
    };
}

fn site(doc: &str) -> Result<Site, StoreError> {
    Ok(read::<SiteRow>(doc)?.into())
}

fn stored((doc, status): StoredColumns) -> Result<StoredSite, StoreError> {
    let status = status.map(|status| read::<StatusRow>(&status)).transpose()?;
    Ok(StoredSite { site: site(&doc)?, status: status.map(Into::into) })
}

fn located((of_customer, of_org, of_space, doc, status): LocatedColumns) -> Result<Located, StoreError> {
    Ok(Located {
        customer: Some(customer(&of_customer)?),
        org: of_org.as_deref().map(org).transpose()?,
        space: of_space.as_deref().map(space).transpose()?,
        site: doc.map(|doc| stored((doc, status))).transpose()?,
    })
}

fn facts((doc, customer, org_name, founded, challenge): FactsColumns) -> Result<SiteFacts, StoreError> {
    let customer = customer.map(|doc| read::<CustomerRow>(&doc)).transpose()?.map(Customer::from);
    Ok(SiteFacts {
        site: site(&doc)?,
        customer: customer.map_or(Lifecycle::Purged, |customer| customer.lifecycle),
        org_name: org_name.as_deref().map(parsed).transpose()?,
        founded: founded.unwrap_or(false),
        challenge,
    })
}

impl SqlStore {
    async fn due(
        &self,
        sql: &'static str,
        now: Timestamp,
        page: &Page<SiteId>,
    ) -> Result<Vec<Site>, StoreError> {
        let found = query(sql).bind(micros(now)).bind(after(page)).bind(limit(page.limit));
        all(&found.texts(&self.readers).await?, site)
    }
}

#[async_trait]
impl SiteReads for SqlStore {
    async fn site(&self, id: SiteId) -> Result<Option<StoredSite>, StoreError> {
        let found = query(stored!("WHERE sites.id = $1")).bind(id.to_string()).first(&self.readers).await?;
        found.map(stored).transpose()
    }

    async fn located(
        &self,
        cid: &Cid,
        org: &Slug,
        space: &Slug,
        site: Option<&Slug>,
    ) -> Result<Located, StoreError> {
        let found: Option<LocatedColumns> = query(
            "SELECT customers.doc, orgs.doc, spaces.doc, sites.doc, site_status.doc FROM customers \
             LEFT JOIN orgs ON orgs.cid = customers.cid AND orgs.name = $2 \
             LEFT JOIN spaces ON spaces.org_id = orgs.id AND spaces.name = $3 \
             LEFT JOIN sites ON sites.org_id = orgs.id AND sites.name = $4 \
             LEFT JOIN site_status ON site_status.site_id = sites.id WHERE customers.cid = $1",
        )
        .bind(cid.to_string())
        .bind(org.to_string())
        .bind(space.to_string())
        .bind(site.map(ToString::to_string))
        .first(&self.readers)
        .await?;
        found.map_or(Ok(Located::default()), located)
    }

    async fn sites_in_space(
        &self,
        space: SpaceId,
        page: &Page<SiteId>,
    ) -> Result<Vec<StoredSite>, StoreError> {
        let sql = stored!("WHERE sites.space_id = $1 AND sites.id > $2 ORDER BY sites.id LIMIT $3");
        let found: Vec<_> = query(sql)
            .bind(space.to_string())
            .bind(after(page))
            .bind(limit(page.limit))
            .all(&self.readers)
            .await?;
        found.into_iter().map(stored).collect()
    }

    async fn sites_of(
        &self,
        cid: &Cid,
        org: Option<OrgId>,
        page: &Page<SiteId>,
    ) -> Result<Vec<Site>, StoreError> {
        let docs = query(
            "SELECT doc FROM sites WHERE cid = $1 AND id > $2 AND ($4 IS NULL OR org_id = $4) \
             ORDER BY id LIMIT $3",
        )
        .bind(cid.to_string())
        .bind(after(page))
        .bind(limit(page.limit))
        .bind(org.map(|org| org.to_string()))
        .texts(&self.readers)
        .await?;
        all(&docs, site)
    }

    async fn site_facts(&self, page: &Page<SiteId>) -> Result<Vec<SiteFacts>, StoreError> {
        let found: Vec<_> = query(facts!("WHERE sites.id > $1 ORDER BY sites.id LIMIT $2"))
            .bind(after(page))
            .bind(limit(page.limit))
            .all(&self.readers)
            .await?;
        found.into_iter().map(facts).collect()
    }

    async fn site_facts_of(&self, id: SiteId) -> Result<Option<SiteFacts>, StoreError> {
        let found = query(facts!("WHERE sites.id = $1")).bind(id.to_string()).first(&self.readers).await?;
        found.map(facts).transpose()
    }

    async fn sites_wanting_code(&self, now: Timestamp, page: &Page<SiteId>) -> Result<Vec<Site>, StoreError> {
        self.due(due!("fetch_at"), now, page).await
    }

    async fn sites_to_look_at(&self, now: Timestamp, page: &Page<SiteId>) -> Result<Vec<Site>, StoreError> {
        self.due(due!("look_at"), now, page).await
    }

    async fn sites_scaling(&self, page: &Page<SiteId>) -> Result<Vec<Site>, StoreError> {
        let docs = query("SELECT doc FROM sites WHERE is_scaling AND id > $1 ORDER BY id LIMIT $2")
            .bind(after(page))
            .bind(limit(page.limit))
            .texts(&self.readers)
            .await?;
        all(&docs, site)
    }

    async fn site_of_domain(&self, domain: &Hostname) -> Result<Option<SiteId>, StoreError> {
        let sql = "SELECT site_id FROM domains WHERE domain = $1";
        let found = query(sql).bind(domain.to_string()).text(&self.readers).await?;
        found.map(|id| parsed(&id)).transpose()
    }

    async fn past_holder(&self, domain: &Hostname) -> Result<Option<PastHolder>, StoreError> {
        let sql = "SELECT cid, until FROM past_domains WHERE domain = $1";
        let found: Option<(String, i64)> = query(sql).bind(domain.to_string()).first(&self.readers).await?;
        found.map(|(cid, until)| Ok(PastHolder { cid: parsed(&cid)?, until: time(until)? })).transpose()
    }

    async fn tombstone(&self, id: SiteId) -> Result<Option<Tombstone>, StoreError> {
        let sql = "SELECT cid, org_id, generation, purged_at FROM tombstones WHERE site_id = $1";
        let found: Option<(String, String, i64, i64)> =
            query(sql).bind(id.to_string()).first(&self.readers).await?;
        let Some((cid, org, generation, purged_at)) = found else { return Ok(None) };
        Ok(Some(Tombstone {
            id,
            cid: parsed(&cid)?,
            org: parsed(&org)?,
            generation: u64::try_from(generation).unwrap_or(0),
            purged_at: time(purged_at)?,
        }))
    }

    async fn passwords_to_hash(&self, most: usize) -> Result<Vec<SealedSecret>, StoreError> {
        let found: Vec<(String, i64, Vec<u8>)> = query(
            "SELECT site_id, version, sealed FROM secrets WHERE name = '\"admin-password\"' \
             ORDER BY site_id, version LIMIT $1",
        )
        .bind(limit(most))
        .all(&self.readers)
        .await?;
        let secret = |(site, version, sealed): (String, i64, Vec<u8>)| {
            let version = u64::try_from(version).unwrap_or(0);
            Ok(SealedSecret { site: parsed(&site)?, name: SecretName::AdminPassword, version, sealed })
        };
        found.into_iter().map(secret).collect()
    }

    async fn secret(
        &self,
        site: SiteId,
        name: SecretName,
        version: u64,
    ) -> Result<Option<SealedSecret>, StoreError> {
        let sealed: Option<(Vec<u8>,)> = query(
            "SELECT sealed FROM secrets WHERE site_id = $1 AND name = $2 AND version = $3 \
                   UNION ALL SELECT password FROM spares WHERE id = $1 AND password IS NOT NULL \
                   AND $2 = '\"database-password\"' AND $3 = 1",
        )
        .bind(site.to_string())
        .bind(write(&name)?)
        .bind(super::int(version))
        .first(&self.readers)
        .await?;
        Ok(sealed.map(|(sealed,)| SealedSecret { site, name, version, sealed }))
    }
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_due_is_found_by_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqlStore::open(&folder.path().join("wpaas.db")).await.unwrap();
        let due = [
            concat!("EXPLAIN QUERY PLAN ", due!("fetch_at")),
            concat!("EXPLAIN QUERY PLAN ", due!("look_at")),
        ];
        for (sql, index) in due.into_iter().zip(["sites_fetch_at", "sites_look_at"]) {
            let plan = query(sql).bind(0).bind("").bind(1).all(&store.readers).await.unwrap();
            let steps: Vec<String> =
                plan.into_iter().map(|(_, _, _, step): (i64, i64, i64, _)| step).collect();
            assert!(steps[0].contains(index), "{steps:?}");
        }
    }
}
