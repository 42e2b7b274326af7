//! What happens in a storm besides the weather: users, accidents, servers and stores that fail.

use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::StdRng;
use tokio::time::Instant;

use super::book::{HOUR, Life, Wish};
use super::scene::Scene;
use crate::converge::Part;
use crate::converge::simulated::{BAD_RELEASE, Weather};
use crate::converge::trial::{Change, Outside, wanted};
use crate::id::SiteId;
use crate::site::DatabaseSize;

impl Scene {
    /// What is wanted of a site at first.
    pub(super) fn first_wish(&mut self, site: SiteId) {
        let database = if self.rng.random() { DatabaseSize::One } else { DatabaseSize::Three };
        let run = wanted(self.rng.random_range(0..4), database);
        self.book.want(site, Wish { generation: 1, version: 1, run, life: Life::Runs });
    }

    /// One thing happens.
    pub(super) fn happen(&mut self) {
        let at = self.rng.random_range(0..self.sites.len());
        let site = self.sites[at];
        match self.rng.random_range(0..100_u8) {
            0..30 => self.user(site),
            30..60 => self.accident(site),
            60..70 => self.backend.outside(site, |world| world.write(site)),
            70..78 => self.crash(),
            78..84 => self.two_servers(),
            84..92 => self.store(),
            92..96 => self.clock(),
            _ => self.weather_turns(),
        }
    }

    fn user(&mut self, site: SiteId) {
        let Some(mut wish) = self.book.wanted().remove(&site) else { return };
        // What is to go comes back no more.
        if wish.is_over(Instant::now()) {
            return;
        }
        let rng = &mut self.rng;
        let change = match rng.random_range(0..18_u8) {
            0..3 => Change::Wordpress(rng.random_range(0..4)),
            3 => Change::Database(DatabaseSize::One),
            4 => Change::Database(DatabaseSize::Three),
            5..7 => Change::Release(Some(rng.random_range(0..2))),
            7 => Change::Release(Some(BAD_RELEASE)),
            8 => Change::Release(None),
            9 => Change::Unreleased,
            10 => Change::Admin,
            11 => Change::Domain(rng.random_range(0..2)),
            12 => Change::Rest,
            13..15 => Change::Run,
            15 => Change::BadRelease,
            16 => Change::Preview(rng.random::<bool>().then_some(7)),
            _ => Change::Gone,
        };
        wish.generation += 1;
        wish.version += 1;
        change.to(&mut wish.run, wish.generation);
        wish.life = match change {
            Change::Rest => Life::Rests,
            Change::Gone => Life::Deleted { purge_after: Instant::now() + grace(rng) },
            // A deleted site takes no change but its restoring, a resting one keeps it for later.
            Change::Run => Life::Runs,
            _ if matches!(wish.life, Life::Deleted { .. }) => return,
            _ => wish.life,
        };
        self.book.want(site, wish);
    }

    fn accident(&mut self, site: SiteId) {
        let parts: Vec<Part> = self.parts(site);
        if parts.is_empty() {
            return;
        }
        let part = parts[self.rng.random_range(0..parts.len())];
        match self.rng.random_range(0..10_u8) {
            0..5 => self.outside(site, part, Outside::Kill),
            5 => self.outside(site, part, Outside::Freeze),
            6 => self.outside(site, part, Outside::Vanish),
            7 => self.outside(site, part, Outside::Edit),
            8 => self.split(site, true),
            _ => self.split(site, false),
        }
    }

    pub(super) fn parts(&self, site: SiteId) -> Vec<Part> {
        let world = self.world();
        world.objects().filter(|(of, _)| *of == site).map(|(_, object)| object.part).collect()
    }

    pub(super) fn outside(&mut self, site: SiteId, part: Part, what: Outside) {
        self.judge.disturbed(site, &format!("{what:?} {part}"));
        self.backend.outside(site, |world| what.happen(world, site, part));
    }

    pub(super) fn split(&mut self, site: SiteId, split: bool) {
        self.judge
            .disturbed(site, if split { "the database nodes are cut off" } else { "they hear each other" });
        self.backend.outside(site, |world| world.split(site, split));
    }

    fn crash(&mut self) {
        self.kill_oldest();
        if self.servers.is_empty() {
            self.start();
        }
    }

    /// Another server believes itself in charge; or one of the two sees that it is not.
    fn two_servers(&mut self) {
        if self.servers.len() > 1 { self.kill_oldest() } else { self.start() }
    }

    fn store(&mut self) {
        let what = self.rng.random_range(0..4_u8);
        let server = self.rng.random_range(0..self.servers.len());
        let desk = self.servers[server].desk.clone();
        let epoch = desk.epoch;
        match what {
            0 => desk.trouble(1000, Duration::from_secs(5)),
            1 => desk.trouble(300, Duration::from_secs(2)),
            2 => desk.fall_behind(),
            _ => desk.mend(),
        }
        let what = ["is away", "is busy", "is behind from now on", "is well"][usize::from(what)];
        self.judge.note(format!("the store of epoch {epoch} {what}"));
    }

    fn clock(&mut self) {
        let server = self.rng.random_range(0..self.servers.len());
        let ahead = self.rng.random();
        let desk = &self.servers[server].desk;
        self.judge.note(format!(
            "the clock of epoch {} is an hour {}",
            desk.epoch,
            if ahead { "ahead" } else { "behind" }
        ));
        if ahead {
            self.judge.clock_ahead();
        }
        desk.clock(ahead);
    }

    fn weather_turns(&mut self) {
        let seed = self.rng.random();
        let calm = self.rng.random();
        self.judge.note(if calm { "the weather is calm" } else { "the weather is bad" });
        // It still takes its time.
        let weather = if calm { calm_weather() } else { Weather::storm(seed) };
        self.backend.turn(weather);
    }
}

/// Half of the graces end while the storm goes on.
fn grace(rng: &mut StdRng) -> Duration {
    if rng.random() { Duration::from_secs(rng.random_range(0..600)) } else { 2 * HOUR }
}

/// Nothing goes wrong, but everything takes its time.
pub(super) const fn calm_weather() -> Weather {
    Weather { latency: Duration::from_millis(200), ..Weather::calm() }
}
