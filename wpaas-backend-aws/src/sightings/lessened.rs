//! What was seen whole and is shown only in part.

use tokio::time::Instant;
use wpaas_core::converge::{Object, ObjectState};
use wpaas_core::id::SiteId;

use super::{Sighting, Sightings};

impl Sighting {
    /// Whether it is shown without a piece that it had.
    fn was_more_than(&self, shown: &Object) -> bool {
        let had = &self.object;
        (had.state == ObjectState::Ready && shown.state == ObjectState::Incomplete)
            || (had.address().is_some() && shown.address().is_none())
    }
}

impl Sightings {
    /// Whether it is shown without a piece that it was seen with.
    pub(super) fn is_lessened(&self, site: SiteId, object: &Object) -> bool {
        let known = self.key_of(site, object).and_then(|key| self.seen.get(&key));
        known.is_some_and(|sighting| sighting.was_more_than(object))
    }

    /// Whether listings have shown it so for long enough.
    pub(super) fn believes_less(&mut self, site: SiteId, object: &Object, now: Instant) -> bool {
        let lag = self.lag;
        let known = self.key_of(site, object).and_then(|key| self.seen.get_mut(&key));
        known.is_none_or(|sighting| {
            sighting.lessened = sighting.lessened.saturating_add(1);
            sighting.lessened >= 2 && now.saturating_duration_since(sighting.at) >= lag
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::IpAddr;
    use std::time::Duration;

    use wpaas_core::converge::{Entry, Part, Scope};

    use super::*;
    use crate::objects::object;

    #[test]
    fn what_was_whole_is_whole_until_listings_have_shown_it_in_part_for_long() {
        let (site, start) = (SiteId::new(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let whole = |part| {
            let entry = Some(Box::new(Entry::at(IpAddr::from([203, 0, 113, 7]))));
            Object {
                part,
                entry: entry.filter(|_| part == Part::Network),
                ..object(Part::DatabaseVolume(0), "vol-0", (1, 1), ObjectState::Ready)
            }
        };
        let lessened = |object: Object| {
            [Object { state: ObjectState::Incomplete, ..object.clone() }, Object { entry: None, ..object }]
        };
        let cases = [(Part::Network, 0), (Part::Network, 1), (Part::Wordpress(0), 0)];
        for (part, how) in cases {
            let mut sightings = Sightings::lagging(Duration::from_secs(120));
            let mut list = |shown: &Object, seconds| {
                let belief = sightings.listed(
                    &Scope::Fleet,
                    vec![(site, shown.clone())],
                    &BTreeSet::new(),
                    at(seconds),
                );
                belief.objects.into_iter().map(|(_, object)| object).collect::<Vec<_>>()
            };
            let (whole, less) = (whole(part), lessened(whole(part))[how].clone());
            assert_eq!(list(&whole, 0), std::slice::from_ref(&whole));
            assert_eq!(list(&less, 60), std::slice::from_ref(&whole));
            assert_eq!(list(&less, 75), std::slice::from_ref(&whole));
            assert_eq!(list(&whole, 90), std::slice::from_ref(&whole));
            assert_eq!(list(&less, 215), std::slice::from_ref(&whole), "once");
            assert_eq!(list(&less, 230), std::slice::from_ref(&less), "{part}");
            assert_eq!(list(&whole, 245), std::slice::from_ref(&whole));
        }
    }
}
