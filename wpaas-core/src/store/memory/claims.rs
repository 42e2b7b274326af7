use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::MemoryStore;
use crate::claim::{Board, Claim, Member, ServerId, Share, Token};
use crate::store::{Claims, StoreError};

/// Who tends what.
#[derive(Debug)]
pub(super) struct Desk {
    /// Its clock goes on from here, as tokio's does: tests turn that forward.
    began: (Timestamp, Instant),
    members: Vec<Member>,
    claims: Vec<Claim>,
}

impl Default for Desk {
    fn default() -> Self {
        Self { began: (Timestamp::now(), Instant::now()), members: Vec::new(), claims: Vec::new() }
    }
}

impl Desk {
    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.began.1.elapsed()).unwrap_or(SignedDuration::MAX);
        self.began.0.saturating_add(passed).unwrap_or(Timestamp::MAX)
    }

    fn board(&self, now: Timestamp) -> Board {
        Board { now, members: self.members.clone(), claims: self.claims.clone() }
    }

    fn take(&mut self, share: Share, seen: Token, me: &ServerId, now: Timestamp) -> Option<Token> {
        let token = (seen + 1).max(u64::try_from(now.as_millisecond()).unwrap_or(0));
        let ours = Claim { share, server: Some(me.clone()), token };
        let board = self.board(now);
        let alive = |server: &ServerId| server != me && board.alive().any(|member| member.server == *server);
        match self.claims.iter_mut().find(|claim| claim.share == share) {
            Some(claim) if claim.token != seen || claim.server.as_ref().is_some_and(alive) => return None,
            Some(claim) => *claim = ours,
            None => {
                self.claims.push(ours);
                self.claims.sort_by_key(|claim| claim.share);
            }
        }
        Some(token)
    }
}

#[async_trait]
impl Claims for MemoryStore {
    async fn beat(&self, me: &Member, lease: Duration) -> Result<Board, StoreError> {
        let mut desk = self.desk();
        let now = desk.now();
        let lease = SignedDuration::try_from(lease).unwrap_or(SignedDuration::MAX);
        desk.members.retain(|member| member.server != me.server);
        desk.members
            .push(Member { until: now.saturating_add(lease).unwrap_or(Timestamp::MAX), ..me.clone() });
        Ok(desk.board(now))
    }

    async fn take(
        &self,
        wanted: &[(Share, Token)],
        me: &ServerId,
    ) -> Result<Vec<(Share, Token)>, StoreError> {
        let mut desk = self.desk();
        let now = desk.now();
        let take = |(share, seen): &(Share, Token)| Some((*share, desk.take(*share, *seen, me, now)?));
        Ok(wanted.iter().filter_map(take).collect())
    }

    async fn give_up(&self, share: Share, token: Token) -> Result<(), StoreError> {
        let mut desk = self.desk();
        let claim = desk.claims.iter_mut().find(|claim| claim.share == share && claim.token == token);
        if let Some(claim) = claim {
            claim.server = None;
        }
        Ok(())
    }

    async fn leave(&self, me: &ServerId) -> Result<(), StoreError> {
        let mut desk = self.desk();
        desk.members.retain(|member| member.server != *me);
        for claim in desk.claims.iter_mut().filter(|claim| claim.server.as_ref() == Some(me)) {
            claim.server = None;
        }
        Ok(())
    }

    async fn board(&self) -> Result<Board, StoreError> {
        let desk = self.desk();
        Ok(desk.board(desk.now()))
    }
}
