//! Instances that EC2 has taken on and ended by itself, as where a quota of volumes is used up, a key can't be used or an
//! AMI is damaged: `RunInstances` answers well, and says nothing of it.

use std::time::Duration;

use tokio::time::Instant;
use wpaas_core::converge::BackendError;

use super::Task;
use crate::cloud::CloudError;
use crate::listing::Listing;

/// So long after the first one the next is made; twice as long after each more.
const PAUSE: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(900);

/// How long to wait after so many of them.
fn pause(died: usize) -> Duration {
    let doubled = u32::try_from(died.saturating_sub(1)).unwrap_or(u32::MAX).min(8);
    (PAUSE * 2_u32.pow(doubled)).min(LONGEST)
}

impl Task<'_> {
    /// Refuses to make another one too soon, with what EC2 says of the last. EC2 lists what has ended for an hour.
    pub(super) fn outlived(&self, listing: &Listing) -> Result<(), BackendError> {
        let died = listing.instances.iter().filter(|found| found.tag.part == self.step.part);
        let died = died.filter_map(|found| Some((&found.it, found.it.failure.as_ref()?)));
        let now = Instant::now();
        let seen: Vec<(Instant, &CloudError)> =
            died.map(|(instance, why)| (self.inner.sightings().died(&instance.id, now), why)).collect();
        let Some((last, why)) = seen.iter().max_by_key(|(first, _)| *first) else { return Ok(()) };
        if now.saturating_duration_since(*last) >= pause(seen.len()) {
            return Ok(());
        }
        let again = pause(seen.len()).saturating_sub(now.saturating_duration_since(*last)).as_secs();
        let what = format!("EC2 has ended, before it ran, the last of {} instances of", seen.len());
        let error = CloudError {
            message: format!("{}; the next is made in {again} s", why.message),
            ..(*why).clone()
        };
        Err(self.failed(&what, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_grows_and_ends() {
        let seconds = [1, 2, 3, 4, 5, 100].map(|died| pause(died).as_secs());
        assert_eq!(seconds, [60, 120, 240, 480, 900, 900]);
    }
}
