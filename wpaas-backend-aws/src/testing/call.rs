//! One call of the simulator, of whichever service.

use tokio::time::Instant;

use super::faults::Fault;
use super::{Simulator, State, zone};
use crate::cloud::{CloudError, Page};
use crate::limiter::Call;

impl Simulator {
    /// What is said of an answer that breaks off.
    pub(crate) const BROKEN_OFF: &str = "the answer broke off";

    /// One call; a failure says of what.
    pub(crate) async fn call<T>(
        &self,
        name: &'static str,
        work: impl FnOnce(&mut State, Instant) -> Result<T, CloudError>,
    ) -> Result<T, CloudError> {
        let of_ec2 = Call::ALL.into_iter().find(|call| self::name(*call) == name);
        let answer = self.answer(name, work).await;
        answer.map_err(|error| match of_ec2 {
            Some(call) => error.to(call.action()),
            None => error,
        })
    }

    /// One call that lists. One that is to end early does if there is anything to leave out, and else the next one.
    pub(crate) async fn listing<T>(
        &self,
        name: &'static str,
        work: impl FnOnce(&mut State, Instant) -> Page<T>,
    ) -> Result<Page<T>, CloudError> {
        let work = |state: &mut State, now| {
            let mut page = work(state, now);
            match (state.cut, page.items.len()) {
                (false, _) => {}
                (true, 0) => state.faults.put_back(name, Fault::Truncate),
                (true, all) => {
                    page.items.truncate(all / 2);
                    page.next = None;
                }
            }
            Ok(page)
        };
        self.call(name, work).await
    }

    /// Takes its time, meets its fault, passes its bucket, and does what it does.
    async fn answer<T>(
        &self,
        name: &'static str,
        work: impl FnOnce(&mut State, Instant) -> Result<T, CloudError>,
    ) -> Result<T, CloudError> {
        let (latency, fault) = {
            let mut state = self.lock();
            *state.calls.entry(name).or_default() += 1;
            (state.latency, state.faults.next(name))
        };
        tokio::time::sleep(latency).await;
        match fault {
            Some(Fault::Throttle) => return Err(too_fast(name)),
            Some(Fault::Unavailable) => {
                return Err(CloudError::new("InternalError", "An internal error has occurred"));
            }
            Some(Fault::Refuse(code)) => return Err(CloudError::new(code, "refused by the test")),
            _ => {}
        }
        let answer = {
            let mut state = self.lock();
            let now = Instant::now();
            let admitted = state.admits(name, now);
            state.cut = matches!(fault, Some(Fault::Truncate));
            let answer = admitted.and_then(|()| work(&mut state, now));
            state.throttled += u64::from(answer.as_ref().is_err_and(|error| *error == too_fast(name)));
            answer
        };
        match fault {
            Some(Fault::Lose) => {
                Err(CloudError::unanswered("the connection was closed before an answer came"))
            }
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Cut) => Err(CloudError::unanswered(Self::BROKEN_OFF)),
            _ => answer,
        }
    }
}

impl State {
    /// Whether what the account may ask of the call's service has room for it; of S3 it may ask all.
    fn admits(&mut self, name: &str, now: Instant) -> Result<(), CloudError> {
        if OF_ROUTE_53.contains(&name) {
            return self.zone.admits(now);
        }
        self.region.admits(name, now).then_some(()).ok_or_else(|| too_fast(name))
    }
}

const OF_ROUTE_53: [&str; 3] = ["ListResourceRecordSets", "ChangeResourceRecordSets", "GetChange"];

/// What the call's service says when it is asked too often.
fn too_fast(name: &str) -> CloudError {
    if OF_ROUTE_53.contains(&name) {
        return zone::too_fast();
    }
    CloudError::new("RequestLimitExceeded", "Request limit exceeded.")
}

/// The name of a call of EC2.
pub(crate) fn name(call: Call) -> &'static str {
    match call {
        Call::DescribeImages => "DescribeImages",
        Call::DescribeInstances => "DescribeInstances",
        Call::RunInstances => "RunInstances",
        Call::StartInstances => "StartInstances",
        Call::TerminateInstances => "TerminateInstances",
        Call::DescribeVolumes => "DescribeVolumes",
        Call::CreateVolume => "CreateVolume",
        Call::AttachVolume => "AttachVolume",
        Call::DeleteVolume => "DeleteVolume",
        Call::DescribeSecurityGroups => "DescribeSecurityGroups",
        Call::CreateSecurityGroup => "CreateSecurityGroup",
        Call::AuthorizeSecurityGroupIngress => "AuthorizeSecurityGroupIngress",
        Call::DeleteSecurityGroup => "DeleteSecurityGroup",
        Call::DescribeAddresses => "DescribeAddresses",
        Call::AllocateAddress => "AllocateAddress",
        Call::AssociateAddress => "AssociateAddress",
        Call::ReleaseAddress => "ReleaseAddress",
    }
}
