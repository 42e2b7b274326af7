use super::{Done, run};
use crate::account::{Customer, Lifecycle, Org, Space, User};
use crate::store::row::{CustomerRow, OrgRow, SpaceRow, UserRow, write as doc};
use crate::store::sql::db::Db;
use crate::store::sql::query::query;
use crate::store::sql::{int, micros};

pub(super) async fn put_customer(db: &mut Db, customer: Customer) -> Done {
    let (lifecycle, purge_after) = match customer.lifecycle {
        Lifecycle::Active => ("active", None),
        Lifecycle::Suspended => ("suspended", None),
        Lifecycle::ToBeRemoved { purge_after, .. } => ("to_be_removed", Some(micros(purge_after))),
        Lifecycle::Purged => ("purged", None),
    };
    let put = query(
        "INSERT INTO customers (cid, login, email, lifecycle, purge_after, version, doc) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (cid) DO UPDATE SET login = excluded.login, email = excluded.email, \
         lifecycle = excluded.lifecycle, purge_after = excluded.purge_after, version = excluded.version, doc = excluded.doc",
    )
    .bind(customer.cid.to_string())
    .bind(customer.username.as_str().to_ascii_lowercase())
    .bind(customer.email.as_str().to_ascii_lowercase())
    .bind(lifecycle)
    .bind(purge_after)
    .bind(int(customer.version))
    .bind(doc(&CustomerRow::from(customer))?);
    run(db, put).await
}

pub(super) async fn put_org(db: &mut Db, org: Org) -> Done {
    let put = query(
        "INSERT INTO orgs (id, cid, name, version, doc) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (id) DO UPDATE SET version = excluded.version, doc = excluded.doc",
    )
    .bind(org.id.to_string())
    .bind(org.cid.to_string())
    .bind(org.name.to_string())
    .bind(int(org.version))
    .bind(doc(&OrgRow::from(org))?);
    run(db, put).await
}

pub(super) async fn put_space(db: &mut Db, space: Space) -> Done {
    let put = query(
        "INSERT INTO spaces (id, cid, org_id, name, version, doc) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (id) DO UPDATE SET version = excluded.version, doc = excluded.doc",
    )
    .bind(space.id.to_string())
    .bind(space.cid.to_string())
    .bind(space.org.to_string())
    .bind(space.name.to_string())
    .bind(int(space.version))
    .bind(doc(&SpaceRow::from(space))?);
    run(db, put).await
}

pub(super) async fn put_user(db: &mut Db, user: User) -> Done {
    let put = query(
        "INSERT INTO users (id, cid, login, email, version, doc) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (id) DO UPDATE SET email = excluded.email, version = excluded.version, doc = excluded.doc",
    )
    .bind(user.id.to_string())
    .bind(user.cid.to_string())
    .bind(user.username.as_str().to_ascii_lowercase())
    .bind(user.email.as_str().to_ascii_lowercase())
    .bind(int(user.version))
    .bind(doc(&UserRow::from(user))?);
    run(db, put).await
}
