use async_trait::async_trait;

use super::db::{Db, query};
use super::{SqlStore, int};
use crate::store::{AcmeAccount, AcmeReads, StoreError};

pub(super) async fn put(db: &mut Db, account: AcmeAccount) -> Result<(), StoreError> {
    let AcmeAccount { directory, version, sealed } = account;
    let put = query(
        "INSERT INTO acme_accounts (directory, version, sealed) VALUES ($1, $2, $3) \
         ON CONFLICT (directory) DO UPDATE SET version = excluded.version, sealed = excluded.sealed",
    );
    put.bind(directory).bind(int(version)).bind(sealed).run(db).await.map(drop)
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
}
