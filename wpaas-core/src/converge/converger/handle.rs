//! What talks to a running converger, and what it is told.

use tokio::sync::{mpsc, oneshot};

use super::{Converger, Instant, wanted};
use crate::converge::{DnsState, Intent, Report, SitePlan};
use crate::id::SiteId;
use crate::site::Generation;

#[derive(Debug)]
pub(super) enum Command {
    Report(Report),
    Dns(SiteId, Option<DnsState>),
    Explain(SiteId, oneshot::Sender<Option<SitePlan>>),
    Preview(Box<Intent>, oneshot::Sender<SitePlan>),
    Newest(SiteId, oneshot::Sender<Option<Generation>>),
}

/// Talks to a running [`Converger`].
#[derive(Debug, Clone)]
pub struct ConvergerHandle {
    commands: mpsc::UnboundedSender<Command>,
}

impl ConvergerHandle {
    pub(super) fn to(commands: mpsc::UnboundedSender<Command>) -> Self {
        Self { commands }
    }

    /// A node has reported.
    pub fn report(&self, report: Report) {
        // A stopped converger needs no reports.
        let _stopped = self.commands.send(Command::Report(report));
    }

    /// What the platform's DNS server does for a site's names; `None` is not known.
    pub fn dns(&self, site: SiteId, state: Option<DnsState>) {
        // A stopped converger needs no news.
        let _stopped = self.commands.send(Command::Dns(site, state));
    }

    /// What would be done to a site now, and what it waits for; `None` for an unknown site or a stopped converger.
    pub async fn explain(&self, site: SiteId) -> Option<SitePlan> {
        let (answer, plan) = oneshot::channel();
        self.commands.send(Command::Explain(site, answer)).ok()?;
        plan.await.ok()?
    }

    /// The newest generation that anything of a site was made for, whatever the store knows of it: 0 where nothing of
    /// it is there; `None` while that can't be seen, and from a stopped converger.
    pub async fn newest(&self, site: SiteId) -> Option<Generation> {
        let (answer, newest) = oneshot::channel();
        self.commands.send(Command::Newest(site, answer)).ok()?;
        newest.await.ok()?
    }

    /// What would be done now if this were wanted; `None` from a stopped converger.
    pub async fn preview(&self, intent: Intent) -> Option<SitePlan> {
        let (answer, plan) = oneshot::channel();
        self.commands.send(Command::Preview(Box::new(intent), answer)).ok()?;
        plan.await.ok()
    }
}

impl Converger {
    /// What waits is taken at once: a site of which several nodes report is looked at once.
    pub(super) fn commands(&mut self, first: Command, now: Instant) {
        let mut next = Some(first);
        for _ in 0..Self::PASSES {
            let Some(command) = next else { return };
            self.command(command, now);
            next = self.commands.try_recv().ok();
        }
        if let Some(last) = next {
            self.command(last, now);
        }
    }

    fn command(&mut self, command: Command, now: Instant) {
        match command {
            Command::Report(report) => {
                let site = report.site;
                if self.wanted.contains_key(&site) && self.view.reported(report, now) {
                    self.queue.add(site);
                }
            }
            Command::Dns(site, state) => {
                match state {
                    Some(state) => self.dns.insert(site, state),
                    None => self.dns.remove(&site),
                };
                self.queue.add(site);
            }
            // Whoever asked may have gone.
            Command::Explain(site, answer) => {
                let plan = |known: &wanted::Known| (self.planner)(&known.intent, &self.view.facts(site, now));
                let _gone = answer.send(self.wanted.get(&site).map(plan));
            }
            Command::Preview(intent, answer) => {
                let _gone = answer.send((self.planner)(&intent, &self.view.facts(intent.site, now)));
            }
            Command::Newest(site, answer) => {
                let _gone = answer.send(self.newest(site, now));
            }
        }
    }
}
