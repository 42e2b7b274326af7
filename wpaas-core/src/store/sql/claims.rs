use async_trait::async_trait;
use tokio::sync::{Mutex, MutexGuard};

use super::connect::Options;
use super::db::Db;
use super::query::query;
use super::{SqlStore, int, unavailable};
use crate::claim::{Board, Claim, Member, ServerId, Share, Token};
use crate::store::{Claims, StoreError};

/// A connection of its own: no queue of changes delays what says that this server lives.
pub(super) struct Desk {
    options: Options,
    connection: Mutex<Option<Db>>,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

impl Desk {
    pub(super) fn new(options: Options) -> Self {
        Self { options, connection: Mutex::default() }
    }

    /// Begins a transaction of its own. What is not committed is undone, and its connection given up.
    async fn begin(&self) -> Result<Session<'_>, StoreError> {
        let mut kept = self.connection.lock().await;
        let mut db = match kept.take() {
            Some(db) => db,
            None => self.options.connect().await.map_err(unavailable)?,
        };
        db.batch(db.begins_beside()).await.map_err(unavailable)?;
        Ok(Session { kept, db })
    }
}

struct Session<'d> {
    kept: MutexGuard<'d, Option<Db>>,
    db: Db,
}

impl Session<'_> {
    async fn commit(mut self) -> Result<(), StoreError> {
        self.db.batch("COMMIT").await.map_err(unavailable)?;
        *self.kept = Some(self.db);
        Ok(())
    }
}

#[async_trait]
impl Claims for SqlStore {
    async fn beat(&self, me: &Member, lease: std::time::Duration) -> Result<Board, StoreError> {
        let lease = i64::try_from(lease.as_micros()).unwrap_or(i64::MAX);
        let mut session = self.desk.begin().await?;
        let db = &mut session.db;
        let now = db.clock().await?;
        // Who has been dead for long is forgotten.
        let long_ago = now.saturating_sub(lease.saturating_mul(100));
        query("DELETE FROM members WHERE until < $1").bind(long_ago).run(&mut *db).await?;
        query(
            "INSERT INTO members (server, reports, until) VALUES ($1, $2, $3) ON CONFLICT (server) \
             DO UPDATE SET reports = excluded.reports, until = excluded.until",
        )
        .bind(me.server.as_str())
        .bind(me.reports.clone())
        .bind(now.saturating_add(lease))
        .run(&mut *db)
        .await?;
        let board = board(db, now).await?;
        session.commit().await?;
        Ok(board)
    }

    async fn take(
        &self,
        wanted: &[(Share, Token)],
        me: &ServerId,
    ) -> Result<Vec<(Share, Token)>, StoreError> {
        let mut session = self.desk.begin().await?;
        let now = session.db.clock().await?;
        let mut ours = Vec::with_capacity(wanted.len());
        for (share, seen) in wanted {
            let token = (seen + 1).max(u64::try_from(now / 1000).unwrap_or(0));
            if take(&mut session.db, *share, *seen, token, me, now).await? {
                ours.push((*share, token));
            }
        }
        session.commit().await?;
        Ok(ours)
    }

    async fn give_up(&self, share: Share, token: Token) -> Result<(), StoreError> {
        let mut session = self.desk.begin().await?;
        query("UPDATE claims SET server = NULL WHERE share = $1 AND token = $2")
            .bind(i64::from(share.number()))
            .bind(int(token))
            .run(&mut session.db)
            .await?;
        session.commit().await
    }

    async fn leave(&self, me: &ServerId) -> Result<(), StoreError> {
        let mut session = self.desk.begin().await?;
        let give_up = query("UPDATE claims SET server = NULL WHERE server = $1").bind(me.as_str());
        give_up.run(&mut session.db).await?;
        query("DELETE FROM members WHERE server = $1").bind(me.as_str()).run(&mut session.db).await?;
        session.commit().await
    }

    async fn board(&self) -> Result<Board, StoreError> {
        let mut session = self.desk.begin().await?;
        let now = session.db.clock().await?;
        let board = board(&mut session.db, now).await?;
        session.commit().await?;
        Ok(board)
    }
}

/// Compare and swap: only what is as it was seen, and of nobody else alive.
async fn take(
    db: &mut Db,
    share: Share,
    seen: Token,
    token: Token,
    me: &ServerId,
    now: i64,
) -> Result<bool, StoreError> {
    let swap = query(
        "INSERT INTO claims (share, server, token) VALUES ($1, $2, $3) ON CONFLICT (share) \
         DO UPDATE SET server = excluded.server, token = excluded.token \
         WHERE claims.token = $4 AND NOT EXISTS (SELECT 1 FROM members \
         WHERE members.server = claims.server AND members.server <> excluded.server AND members.until > $5)",
    )
    .bind(i64::from(share.number()))
    .bind(me.as_str())
    .bind(int(token))
    .bind(int(seen))
    .bind(now);
    Ok(swap.run(db).await? == 1)
}

async fn board(db: &mut Db, now: i64) -> Result<Board, StoreError> {
    let corrupt = || StoreError::Corrupt { what: "who tends which sites".to_owned() };
    let members: Vec<(String, Option<String>, i64)> =
        query("SELECT server, reports, until FROM members ORDER BY server").all(&mut *db).await?;
    let claims: Vec<(i64, Option<String>, i64)> =
        query("SELECT share, server, token FROM claims ORDER BY share").all(db).await?;
    let member = |(server, reports, until): (String, Option<String>, i64)| {
        let server = ServerId::new(&server).ok_or_else(corrupt)?;
        Ok(Member { server, reports, until: super::read::time(until)? })
    };
    let claim = |(share, server, token): (i64, Option<String>, i64)| {
        let share = u8::try_from(share).ok().and_then(Share::new).ok_or_else(corrupt)?;
        let server = server.map(|server| ServerId::new(&server).ok_or_else(corrupt)).transpose()?;
        Ok(Claim { share, server, token: u64::try_from(token).map_err(|_| corrupt())? })
    };
    Ok(Board {
        now: super::read::time(now)?,
        members: members.into_iter().map(member).collect::<Result<_, StoreError>>()?,
        claims: claims.into_iter().map(claim).collect::<Result<_, StoreError>>()?,
    })
}

impl Db {
    /// Begins a transaction that touches nothing that changes are decided on.
    const fn begins_beside(&self) -> &'static str {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => "BEGIN IMMEDIATE",
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => "BEGIN",
        }
    }

    /// The time that leases are measured by, in microseconds: one clock for all servers. Those that share a file
    /// share a machine.
    async fn clock(&mut self) -> Result<i64, StoreError> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => Ok(super::micros(jiff::Timestamp::now())),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => {
                let now = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)";
                Ok(query(now).number(self).await?.unwrap_or(0))
            }
        }
    }
}
