use super::{Done, delete, run};
use crate::account::{ApiKey, ExternalLogin, Identity};
use crate::lockout::{Failures, NameDigest, forgotten};
use crate::store::PendingLogin;
use crate::store::row::{ExternalLoginRow, KeyRow, identity, key_kind, write as doc};
use crate::store::sql::db::Db;
use crate::store::sql::query::query;
use crate::store::sql::read::wrong_passwords;
use crate::store::sql::{int, micros};

pub(super) async fn forget(db: &mut Db, identity: String) -> Done {
    delete(db, "DELETE FROM passwords WHERE identity = $1", identity.clone()).await?;
    delete(db, "DELETE FROM external_logins WHERE identity = $1", identity.clone()).await?;
    delete(db, "DELETE FROM api_keys WHERE identity = $1", identity).await
}

pub(super) async fn set_password(db: &mut Db, owner: &Identity, hash: String) -> Done {
    let put = "INSERT INTO passwords (identity, hash) VALUES ($1, $2) \
               ON CONFLICT (identity) DO UPDATE SET hash = excluded.hash";
    run(db, query(put).bind(identity(owner)).bind(hash)).await
}

pub(super) async fn put_key(db: &mut Db, key: ApiKey) -> Done {
    let put = query(
        "INSERT INTO api_keys (id, identity, kind, last_used_at, version, doc) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (id) DO UPDATE SET version = excluded.version, doc = excluded.doc",
    )
    .bind(key.id.to_string())
    .bind(identity(&key.identity))
    .bind(key_kind(key.kind))
    .bind(key.last_used_at.map(micros))
    .bind(int(key.version))
    .bind(doc(&KeyRow::from(key))?);
    run(db, put).await
}

pub(super) async fn insert_external_login(db: &mut Db, login: ExternalLogin) -> Done {
    let put = "INSERT INTO external_logins (issuer, subject, identity, doc) VALUES ($1, $2, $3, $4)";
    let put = query(put)
        .bind(login.issuer.clone())
        .bind(login.subject.clone())
        .bind(identity(&login.identity))
        .bind(doc(&ExternalLoginRow::from(login))?);
    run(db, put).await
}

pub(super) async fn insert_pending_login(db: &mut Db, login: PendingLogin) -> Done {
    let PendingLogin { state, expires_at, sealed } = login;
    let put = "INSERT INTO pending_logins (state, expires_at, sealed) VALUES ($1, $2, $3)";
    run(db, query(put).bind(state.to_vec()).bind(micros(expires_at)).bind(sealed)).await
}

pub(super) async fn count_wrong_password(db: &mut Db, name: &NameDigest, at: jiff::Timestamp) -> Done {
    let Failures { count, last } = Failures::and_one(wrong_passwords(&mut *db, name).await?, at);
    let put = "INSERT INTO wrong_passwords (name, failures, last_at) VALUES ($1, $2, $3) ON CONFLICT (name) \
               DO UPDATE SET failures = excluded.failures, last_at = excluded.last_at";
    run(&mut *db, query(put).bind(name.to_vec()).bind(i64::from(count)).bind(micros(last))).await?;
    let expire = query("DELETE FROM wrong_passwords WHERE last_at <= $1");
    run(db, expire.bind(micros(forgotten(at)))).await
}
