use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;

use super::db::Db;
use super::query::query;
use super::{SqlStore, int, micros};
use crate::site::{CertificateBudget, CertificateName};
use crate::store::{AcmeAccount, AcmeReads, StoreError};

pub(super) async fn put(db: &mut Db, account: AcmeAccount) -> Result<(), StoreError> {
    let AcmeAccount { directory, version, sealed } = account;
    let put = query(
        "INSERT INTO acme_accounts (directory, version, sealed) VALUES ($1, $2, $3) \
         ON CONFLICT (directory) DO UPDATE SET version = excluded.version, sealed = excluded.sealed",
    );
    put.bind(directory).bind(int(version)).bind(sealed).run(db).await.map(drop)
}

pub(super) async fn count(db: &mut Db, name: &CertificateName, at: Timestamp) -> Result<(), StoreError> {
    let put = query(
        "INSERT INTO issuances (name, issued_at, registered) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    );
    let registered = name.registered().to_owned();
    put.bind(name.to_string()).bind(micros(at)).bind(registered).run_by_the_next(db).await?;
    let expire = query("DELETE FROM issuances WHERE issued_at <= $1");
    expire.bind(micros(CertificateBudget::counts_after(at))).run_by_the_next(db).await
}

#[async_trait]
impl AcmeReads for SqlStore {
    async fn acme_account(&self, directory: &str) -> Result<Option<AcmeAccount>, StoreError> {
        let find = query("SELECT version, sealed FROM acme_accounts WHERE directory = $1");
        let found: Option<(i64, Vec<u8>)> = find.bind(directory.to_owned()).first(&self.readers).await?;
        Ok(found.map(|(version, sealed)| AcmeAccount {
            directory: directory.to_owned(),
            version: u64::try_from(version).unwrap_or(0),
            sealed,
        }))
    }

    async fn issuances(&self, after: Timestamp) -> Result<BTreeMap<String, usize>, StoreError> {
        let count =
            query("SELECT registered, COUNT(*) FROM issuances WHERE issued_at > $1 GROUP BY registered");
        let found: Vec<(String, i64)> = count.bind(micros(after)).all(&self.readers).await?;
        Ok(found.into_iter().map(|(domain, count)| (domain, usize::try_from(count).unwrap_or(0))).collect())
    }
}
