use std::collections::BTreeMap;

use super::{Board, Claim, ServerId, Share, Token};

/// What a server does next about the shares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moves {
    /// It believed that it had these; it has not.
    pub lost: Vec<Share>,
    /// To be taken, if their token is still this one (0: never taken).
    pub take: Vec<(Share, Token)>,
    /// To be given up, because another server lives that has too few.
    pub give_up: Vec<Share>,
}

/// What this server, which lives, should do, given what it holds. Every server that lives ends with an equal part, one
/// more or less; nobody takes what somebody alive has.
#[must_use]
pub fn decide(board: &Board, me: &ServerId, held: &BTreeMap<Share, Token>) -> Moves {
    let claims: BTreeMap<Share, &Claim> = board.claims.iter().map(|claim| (claim.share, claim)).collect();
    let is_mine = |share: &Share| {
        let claim = claims.get(share);
        claim.is_some_and(|claim| claim.server.as_ref() == Some(me) && held.get(share) == Some(&claim.token))
    };
    let (kept, lost): (Vec<Share>, Vec<Share>) = held.keys().partition(|share| is_mine(share));
    let part = part(board, me);
    let free =
        Share::all().filter(|share| !kept.contains(share)).filter_map(|share| match claims.get(&share) {
            None => Some((share, 0)),
            Some(claim) => is_free(board, claim, me).then_some((share, claim.token)),
        });
    Moves {
        take: free.take(part.saturating_sub(kept.len())).collect(),
        give_up: kept.get(part..).unwrap_or_default().to_vec(),
        lost,
    }
}

/// Nobody else alive has it. What is ours by the board and not held is of a life before.
fn is_free(board: &Board, claim: &Claim, me: &ServerId) -> bool {
    let Some(server) = &claim.server else { return true };
    server == me || !board.alive().any(|member| member.server == *server)
}

/// How many shares this server should have.
fn part(board: &Board, me: &ServerId) -> usize {
    let mut servers: Vec<&ServerId> = board.alive().map(|member| &member.server).chain([me]).collect();
    servers.sort_unstable();
    servers.dedup();
    let (all, rank) =
        (usize::from(Share::COUNT), servers.iter().position(|server| *server == me).unwrap_or(0));
    all / servers.len() + usize::from(rank < all % servers.len())
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use proptest::prelude::*;

    use super::*;
    use crate::claim::Member;

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

    fn id(number: usize) -> ServerId {
        ServerId::new(&format!("server-{number}")).unwrap()
    }

    fn member(number: usize, alive: bool) -> Member {
        let until = NOW + SignedDuration::from_secs(if alive { 5 } else { -1 });
        Member { server: id(number), reports: None, until }
    }

    /// The store as it is after moves that were made one server at a time, as compare-and-swap makes them.
    fn apply(board: &mut Board, server: usize, held: &mut BTreeMap<Share, Token>, moves: Moves) {
        for share in moves.lost {
            held.remove(&share);
        }
        for (share, seen) in moves.take {
            let at = board.claims.iter().position(|claim| claim.share == share);
            let token = at.map_or(0, |at| board.claims[at].token);
            assert_eq!(token, seen, "decided on what is there");
            let claim = Claim { share, server: Some(id(server)), token: token + 1 };
            match at {
                Some(at) => board.claims[at] = claim,
                None => board.claims.push(claim),
            }
            held.insert(share, token + 1);
        }
        for share in moves.give_up {
            held.remove(&share);
            board.claims.iter_mut().find(|claim| claim.share == share).unwrap().server = None;
        }
    }

    fn sizes(board: &Board, servers: usize) -> Vec<usize> {
        let of = |n: usize| board.claims.iter().filter(|claim| claim.server == Some(id(n))).count();
        (0..servers).map(of).collect()
    }

    proptest! {
        /// Servers that come, go and hang in any order: once they stay, all shares are spread evenly, and nobody alive
        /// ever loses one that it has not given up.
        #[test]
        fn shares_are_spread_over_those_that_live(
            history in prop::collection::vec((0..5_usize, any::<bool>()), 1..40),
        ) {
            let mut board = Board { now: NOW, members: vec![member(0, true)], claims: Vec::new() };
            let mut held = vec![BTreeMap::new(); 5];
            let step = |board: &mut Board, held: &mut Vec<BTreeMap<Share, Token>>, server: usize| {
                let before: Vec<Claim> = board.claims.clone();
                let moves = decide(board, &id(server), &held[server]);
                let given = moves.give_up.clone();
                let alive: Vec<ServerId> = board.alive().map(|member| member.server.clone()).collect();
                apply(board, server, &mut held[server], moves);
                for claim in before.iter().filter(|claim| claim.server.as_ref().is_some_and(|of| alive.contains(of) && *of != id(server))) {
                    assert!(board.claims.contains(claim), "taken from one that lives: {claim:?}");
                }
                assert!(given.len() <= usize::from(Share::COUNT));
            };
            for (server, alive) in history {
                board.members.retain(|member| member.server != id(server));
                board.members.push(member(server, alive || server == 0));
                if alive || server == 0 {
                    step(&mut board, &mut held, server);
                }
            }
            for _ in 0..2 {
                for server in 0..5 {
                    if board.alive().any(|member| member.server == id(server)) {
                        step(&mut board, &mut held, server);
                    }
                }
            }
            let alive: Vec<usize> = (0..5).filter(|n| board.alive().any(|m| m.server == id(*n))).collect();
            let sizes = sizes(&board, 5);
            prop_assert_eq!(alive.iter().map(|n| sizes[*n]).sum::<usize>(), usize::from(Share::COUNT));
            let (least, most) = (alive.iter().map(|n| sizes[*n]).min(), alive.iter().map(|n| sizes[*n]).max());
            prop_assert!(most.unwrap() - least.unwrap() <= 1, "{:?}", sizes);
            for server in alive {
                let moves = decide(&board, &id(server), &held[server]);
                prop_assert_eq!(moves, Moves::default());
            }
        }
    }

    #[test]
    fn one_that_hung_loses_what_was_taken_from_it_and_takes_its_own_anew() {
        let claims = vec![
            Claim { share: Share(0), server: Some(id(1)), token: 5 },
            Claim { share: Share(1), server: Some(id(0)), token: 3 },
        ];
        let board = Board { now: NOW, members: vec![member(0, true), member(1, true)], claims };
        let held = BTreeMap::from([(Share(0), 4)]);
        let moves = decide(&board, &id(0), &held);
        assert_eq!(moves.lost, [Share(0)]);
        assert!(moves.take.contains(&(Share(1), 3)), "its own of a life before needs a new token");
        assert!(!moves.take.iter().any(|(share, _)| *share == Share(0)), "the other one lives");
    }
}
