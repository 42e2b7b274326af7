use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use wpaas_core::fleet::NameService;
use wpaas_core::name::Hostname;

use crate::problem::chain;

/// What somebody else changed in the zone is mended this often.
const AGAIN: Duration = Duration::from_secs(300);
/// A service that does not answer is left alone for so long.
const PAUSE: Duration = Duration::from_secs(10);

/// A service of names, and what it was last seen to answer with. One server of all changes it; the others look.
#[derive(Debug)]
pub(super) struct Kept {
    service: Arc<dyn NameService>,
    records: Option<BTreeMap<Hostname, IpAddr>>,
    state: Result<(), String>,
    next: Instant,
}

impl Kept {
    pub(super) fn new(service: Arc<dyn NameService>) -> Self {
        let state = Err("the names were not looked at yet".to_owned());
        Self { service, records: None, state, next: Instant::now() }
    }

    /// Makes it answer with these, if they are others than before or it is time to look again.
    pub(super) async fn keep(&mut self, records: BTreeMap<Hostname, IpAddr>, leads: bool) {
        let due = self.next <= Instant::now();
        let changed = self.records.as_ref() != Some(&records);
        if !due && (!changed || self.state.is_err()) {
            return;
        }
        let answer = if leads {
            self.service.keep(&records).await.map(|_changed| Ok(()))
        } else {
            let waits = |lacking| format!("{lacking} names wait for the server that tends them");
            self.service
                .lacks(&records)
                .await
                .map(|lacking| if lacking == 0 { Ok(()) } else { Err(waits(lacking)) })
        };
        let state = answer.unwrap_or_else(|error| Err(chain(&error)));
        if let Err(why) = &state
            && self.state.as_ref() != Err(why)
        {
            tracing::warn!(why, "the service of names does not say what it should");
        }
        self.next = Instant::now() + if state.is_ok() { AGAIN } else { PAUSE };
        (self.state, self.records) = (state, Some(records));
    }

    /// Whether it answers as it should, as far as was seen, or why not.
    pub(super) fn state(&self) -> Result<(), String> {
        self.state.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use wpaas_core::converge::{BackendError, ErrorClass};

    use super::*;

    /// Keeps what it is told, unless it is away.
    #[derive(Debug, Default)]
    struct Service(Mutex<(BTreeMap<Hostname, IpAddr>, bool, u32)>);

    #[async_trait]
    impl NameService for Service {
        async fn keep(&self, records: &BTreeMap<Hostname, IpAddr>) -> Result<usize, BackendError> {
            let mut kept = self.0.lock().unwrap();
            kept.2 += 1;
            if kept.1 {
                return Err(BackendError::new(ErrorClass::Transient, "away"));
            }
            kept.0.clone_from(records);
            Ok(records.len())
        }

        async fn lacks(&self, records: &BTreeMap<Hostname, IpAddr>) -> Result<usize, BackendError> {
            let kept = self.0.lock().unwrap();
            Ok(records.iter().filter(|(name, to)| kept.0.get(*name) != Some(*to)).count())
        }
    }

    fn records(last: u8) -> BTreeMap<Hostname, IpAddr> {
        [("a.www.example.com".parse().unwrap(), IpAddr::from([203, 0, 113, last]))].into()
    }

    #[tokio::test(start_paused = true)]
    async fn names_are_kept_when_they_change_and_now_and_then() {
        let service = Arc::new(Service::default());
        let mut kept = Kept::new(service.clone());
        let asked = || service.0.lock().unwrap().2;
        for _ in 0..3 {
            kept.keep(records(1), true).await;
        }
        assert_eq!((kept.state(), asked()), (Ok(()), 1));
        kept.keep(records(2), true).await;
        assert_eq!(asked(), 2);
        tokio::time::advance(AGAIN).await;
        kept.keep(records(2), true).await;
        assert_eq!(asked(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_is_away_is_said_and_not_asked_again_and_again() {
        let service = Arc::new(Service::default());
        let mut kept = Kept::new(service.clone());
        service.0.lock().unwrap().1 = true;
        for _ in 0..5 {
            kept.keep(records(1), true).await;
        }
        assert_eq!((kept.state(), service.0.lock().unwrap().2), (Err("away".to_owned()), 1));
        service.0.lock().unwrap().1 = false;
        tokio::time::advance(PAUSE).await;
        kept.keep(records(1), true).await;
        assert_eq!(kept.state(), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_does_not_lead_looks_and_changes_nothing() {
        let service = Arc::new(Service::default());
        let mut kept = Kept::new(service.clone());
        kept.keep(records(1), false).await;
        assert!(kept.state().unwrap_err().contains("1 names wait"));
        service.0.lock().unwrap().0 = records(1);
        tokio::time::advance(PAUSE).await;
        kept.keep(records(1), false).await;
        assert_eq!((kept.state(), service.0.lock().unwrap().2), (Ok(()), 0));
    }
}
