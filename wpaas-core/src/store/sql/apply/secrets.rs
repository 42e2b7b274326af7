use super::{Done, run};
use crate::secret::SecretName;
use crate::store::SealedSecret;
use crate::store::row::write as doc;
use crate::store::sql::db::Db;
use crate::store::sql::int;
use crate::store::sql::query::{made, query};

/// All of them in one statement, as each costs a word of the database.
pub(super) async fn insert(db: &mut Db, secrets: &mut Vec<SealedSecret>) -> Done {
    if secrets.is_empty() {
        return Ok(());
    }
    let rows: Vec<String> = (0..secrets.len())
        .map(|n| format!("(${}, ${}, ${}, ${})", 4 * n + 1, 4 * n + 2, 4 * n + 3, 4 * n + 4))
        .collect();
    let sql = "INSERT INTO secrets (site_id, name, version, sealed) VALUES ";
    let mut put = made(format!("{sql}{} ON CONFLICT DO NOTHING", rows.join(", ")));
    for SealedSecret { site, name, version, sealed } in secrets.drain(..) {
        put = put.bind(site.to_string()).bind(doc(&name)?).bind(int(version)).bind(sealed);
    }
    run(db, put).await
}

pub(super) async fn delete(db: &mut Db, site: String, name: SecretName, version: u64) -> Done {
    let delete = query("DELETE FROM secrets WHERE site_id = $1 AND name = $2 AND version = $3");
    run(db, delete.bind(site).bind(doc(&name)?).bind(int(version))).await
}

pub(super) async fn hash_password(db: &mut Db, hash: SealedSecret) -> Done {
    let SealedSecret { site, name, version, sealed } = hash;
    let password = doc(&SecretName::AdminPassword)?;
    let put = query(
        "INSERT INTO secrets (site_id, name, version, sealed) SELECT site_id, $4, version, $5 FROM secrets \
         WHERE site_id = $1 AND name = $2 AND version = $3 ON CONFLICT DO NOTHING",
    )
    .bind(site.to_string())
    .bind(password.clone())
    .bind(int(version))
    .bind(doc(&name)?)
    .bind(sealed);
    run(db, put).await?;
    let delete = query("DELETE FROM secrets WHERE site_id = $1 AND name = $2 AND version = $3");
    run(db, delete.bind(site.to_string()).bind(password).bind(int(version))).await
}
