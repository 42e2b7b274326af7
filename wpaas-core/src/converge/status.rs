//! What a person wants to know of a site, derived from what is wanted, known and planned. Pure.

use std::borrow::Cow;
use std::net::IpAddr;

use jiff::Timestamp;
use smallvec::SmallVec;

use super::{
    DatabaseReport, Facts, Intent, NodeReport, ObjectState, Part, ReleaseRef, RunIntent, ServerState,
    SitePlan, Wanted, WordpressPhase,
};
use crate::site::{Condition, ConditionKind, Generation, PartStatus, SiteAddress, SiteStatus, Truth};

/// What happened around a pass, besides the plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trouble {
    /// Why the backend can't be seen now, if it can't.
    pub unseen: Option<String>,
    /// The last error of a step, until a pass goes without.
    pub last_error: Option<String>,
    /// What the store is behind, if it is: the newest generation that something was made for.
    pub behind: Option<Generation>,
    /// When the next try is due.
    pub next_try: Option<Timestamp>,
    /// What the DNS server does for it; `None` where the platform has none, or nothing is known yet.
    pub dns: Option<DnsState>,
}

/// Whether the platform's DNS server answers for a site's names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DnsState {
    /// It was asked, and does.
    Served {
        /// Where the names lead.
        to: IpAddr,
    },
    /// It does not yet, and why.
    Waiting(String),
}

/// The status of a site.
#[must_use]
pub fn status(
    intent: &Intent,
    facts: &Facts,
    plan: &SitePlan,
    trouble: &Trouble,
    now: Timestamp,
) -> SiteStatus {
    let counts = Counts::of(facts);
    let conditions = Judge { intent, facts, plan, trouble, counts, now }.conditions();
    SiteStatus {
        observed_generation: intent.generation,
        num_instances: counts.wordpress,
        database_instances: counts.database,
        address: facts.address().map(|(ip, local_port)| SiteAddress { ip, local_port }),
        conditions,
        parts: facts.objects.iter().map(|object| part(facts, object.part, object.state)).collect(),
        waiting: plan.holds.iter().map(|hold| format!("{} {}", hold.part, hold.reason)).collect(),
        last_error: trouble.last_error.clone(),
        next_try: trouble.next_try,
        wordpress_version: facts.reports.iter().find_map(|report| match &report.node {
            NodeReport::Wordpress(report) => report.version.clone(),
            NodeReport::Database(_) | NodeReport::Gateway(_) => None,
        }),
        challenge: challenge(intent, facts, plan, trouble),
    }
}

/// What the gateways answer certificate authorities with, if they do as they were told and can be found.
fn challenge(intent: &Intent, facts: &Facts, plan: &SitePlan, trouble: &Trouble) -> Option<String> {
    let Wanted::Run(run) = &intent.wanted else { return None };
    let is_gateway = |part: Part| matches!(part, Part::Gateway(_));
    let mut open = plan.steps.iter().map(|step| step.part).chain(plan.holds.iter().map(|hold| hold.part));
    let reported = facts.reports.iter().any(|report| is_gateway(report.part));
    let is_found = !matches!(trouble.dns, Some(DnsState::Waiting(_)));
    run.tls.challenge.as_deref().map(str::to_owned).filter(|_| reported && is_found && !open.any(is_gateway))
}

#[derive(Clone, Copy)]
struct Counts {
    wordpress: u16,
    database: u8,
    gateway: bool,
}

impl Counts {
    fn of(facts: &Facts) -> Self {
        let mut counts = Self { wordpress: 0, database: 0, gateway: false };
        let gateway = facts.leading_gateway().and_then(|part| facts.report(part)).map(|report| &report.node);
        let routed = |part: Part| match gateway {
            Some(NodeReport::Gateway(report)) => report.servers.get(part) == Some(&ServerState::Up),
            _ => false,
        };
        for object in &facts.objects {
            match object.part {
                part if part.serves_visitors() && facts.serving(part) == Some(true) && routed(part) => {
                    counts.wordpress += 1;
                }
                Part::Database(_) if takes_writes(facts, object.part) => counts.database += 1,
                Part::Gateway(_) if gateway.is_some() => counts.gateway = true,
                _ => {}
            }
        }
        counts
    }
}

fn takes_writes(facts: &Facts, part: Part) -> bool {
    match facts.report(part).map(|report| &report.node) {
        Some(NodeReport::Database(report)) => DatabaseReport::takes_writes(report),
        _ => false,
    }
}

/// The word for a part's state.
fn part(facts: &Facts, part: Part, state: ObjectState) -> PartStatus {
    let state = match state {
        ObjectState::Incomplete => "being made".into(),
        ObjectState::Stopped => "stopped".into(),
        ObjectState::Frozen => "frozen".into(),
        ObjectState::Removing => "being removed".into(),
        ObjectState::Broken => "broken".into(),
        ObjectState::Ready if !part.is_node() => "ready".into(),
        ObjectState::Ready => match facts.report(part).map(|report| &report.node) {
            None => "running, silent".into(),
            Some(NodeReport::Database(report)) => match report.state {
                Some(4) if report.primary => "synced".into(),
                Some(2) if report.primary => "synced, giving its state to another".into(),
                _ => format!("{:?}", report.phase).to_lowercase().into(),
            },
            Some(NodeReport::Wordpress(report)) => match report.phase {
                WordpressPhase::Serving => "serving".into(),
                phase => format!("{phase:?}").to_lowercase().into(),
            },
            Some(NodeReport::Gateway(_)) => "serving".into(),
        },
    };
    PartStatus { part: part.name(), state }
}

struct Judge<'a> {
    intent: &'a Intent,
    facts: &'a Facts,
    plan: &'a SitePlan,
    trouble: &'a Trouble,
    counts: Counts,
    now: Timestamp,
}

/// What is always said in the same words takes no memory of its own: a fleet's start says it of every site.
type Verdict = (Truth, &'static str, Cow<'static, str>);

impl Judge<'_> {
    fn conditions(&self) -> Vec<Condition> {
        ConditionKind::ALL.into_iter().map(|kind| self.condition(kind)).collect()
    }

    fn condition(&self, kind: ConditionKind) -> Condition {
        let unseen = self.trouble.unseen.as_ref().filter(|_| depends_on_sight(kind));
        let (status, reason, message) = match unseen {
            Some(why) => unknown("BackendUnreachable", why.clone()),
            None => self.verdict(kind),
        };
        Condition { kind, status, reason: Cow::Borrowed(reason), message, since: self.now }
    }

    fn verdict(&self, kind: ConditionKind) -> Verdict {
        match kind {
            ConditionKind::Ready => self.ready(),
            ConditionKind::Progressing => self.progressing(),
            ConditionKind::Degraded => self.degraded(),
            ConditionKind::CodeReady => self.code(),
            ConditionKind::DatabaseReady => self.database(),
            ConditionKind::AddressReady => self.address(),
            ConditionKind::DnsReady => self.dns(),
            ConditionKind::DomainsReady => yes("NoneAsked", "the site asks for no domains of its own"),
            ConditionKind::CertificateReady => unknown(
                "NotTended",
                "this platform tends no certificates: the site is served over plain HTTP",
            ),
            ConditionKind::PossibleDataLoss => self.data_loss(),
            ConditionKind::StoreBehind => self.behind(),
            ConditionKind::Suspended => lifecycle(self.intent.wanted == Wanted::Rest, "Resting"),
            ConditionKind::Deleting => lifecycle(self.intent.wanted == Wanted::Gone, "Deleting"),
        }
    }

    fn run(&self) -> Option<&RunIntent> {
        match &self.intent.wanted {
            Wanted::Run(run) => Some(run),
            Wanted::Rest | Wanted::Gone => None,
        }
    }

    fn ready(&self) -> Verdict {
        let Some(run) = self.run() else {
            return no("NotWanted", "the site is not to run");
        };
        let Counts { wordpress, database, gateway } = self.counts;
        if run.wordpress == 0 {
            return no("ScaledToZero", "no WordPress instance is wanted");
        }
        if wordpress > 0 && database > 0 && gateway {
            return yes("Serving", format!("{wordpress} of {} instances serve", run.wordpress));
        }
        let first = self.plan.holds.first().map(|hold| format!("{} {}", hold.part, hold.reason));
        let why = self.trouble.last_error.clone().or(first).unwrap_or_else(|| "being made".into());
        no("NotServing", why)
    }

    fn progressing(&self) -> Verdict {
        if self.plan.is_empty() && self.facts.busy.is_empty() {
            return no("Converged", "what runs is what is wanted");
        }
        let next = self.plan.steps.first().map(ToString::to_string);
        let hold = self.plan.holds.first().map(|hold| format!("{} {}", hold.part, hold.reason));
        yes("Converging", next.or(hold).unwrap_or_else(|| "a step is under way".into()))
    }

    fn degraded(&self) -> Verdict {
        let Some(run) = self.run() else { return no("NotWanted", "") };
        let Counts { wordpress, database, .. } = self.counts;
        let nodes = run.database.nodes();
        if let Some((part, wrong)) = self.wrong_content() {
            return yes("ContentWrong", format!("{part} serves, but {wrong}"));
        }
        if wordpress >= u16::from(run.wordpress) && database >= nodes {
            return no("Complete", "every instance serves");
        }
        let message = format!(
            "{wordpress} of {} WordPress instances serve, {database} of {nodes} database nodes are Synced",
            run.wordpress
        );
        yes("InstancesMissing", message)
    }

    /// A node of which a visitor would not get what the site shows.
    fn wrong_content(&self) -> Option<(Part, &str)> {
        let serving =
            self.facts.reports.iter().filter(|report| self.facts.serving(report.part) == Some(true));
        serving.filter(|report| report.part.serves_visitors()).find_map(|report| match &report.node {
            NodeReport::Wordpress(node) => Some((report.part, node.content.as_deref()?)),
            NodeReport::Database(_) | NodeReport::Gateway(_) => None,
        })
    }

    fn code(&self) -> Verdict {
        let Some(run) = self.run() else { return no("NotWanted", "") };
        match (&run.refused, &run.candidate, run.release) {
            (Some(why), ..) => {
                let served = run.release.map_or("nothing".to_owned(), |release| release.to_string());
                let message = format!("the newest release is not served, but {served}: {why}");
                no("ReleaseFailed", message)
            }
            (None, Some(candidate), _) => {
                let message = format!("release {} is served once it has proved itself", candidate.id);
                no("Proving", message)
            }
            (None, None, Some(ReleaseRef::Stock)) => yes("Stock", "the stock WordPress"),
            (None, None, Some(release)) => yes("Released", release.to_string()),
            (None, None, None) => no("Fetching", "the code is being fetched and checked"),
        }
    }

    fn database(&self) -> Verdict {
        let Some(run) = self.run() else { return no("NotWanted", "") };
        let (database, nodes) = (self.counts.database, run.database.nodes());
        let message = format!("{database} of {nodes} nodes are Synced");
        let asks = self.plan.holds.iter().find_map(|hold| Some((hold, hold.reason.asks_a_person()?)));
        match asks {
            _ if database > 0 => yes("Synced", message),
            Some((hold, reason)) => no(reason, format!("{} {}", hold.part, hold.reason)),
            None => no("NotSynced", message),
        }
    }

    fn address(&self) -> Verdict {
        match self.facts.address() {
            Some((ip, _)) if self.counts.gateway => yes("Answering", format!("the gateway answers at {ip}")),
            Some((ip, _)) => no("NoGateway", format!("{ip} is taken; the gateway does not answer yet")),
            None => no("NoAddress", "no address yet"),
        }
    }

    fn behind(&self) -> Verdict {
        let Some(floor) = self.trouble.behind else { return no("No", "") };
        let message = format!(
            "what runs was made for generation {floor}, which the store has lost; nothing is taken away until the \
             site is updated, be it with what it is"
        );
        yes("GenerationLost", message)
    }

    fn dns(&self) -> Verdict {
        match &self.trouble.dns {
            Some(DnsState::Served { to }) => {
                let message = format!(
                    "the platform's DNS server answers with {to}; names of the site's own are for their owner to point there"
                );
                yes("Answered", message)
            }
            Some(DnsState::Waiting(why)) => no("NotAnswered", why.clone()),
            None => unknown(
                "NotTended",
                "this platform tends no DNS: point the site's names at its address yourself",
            ),
        }
    }

    /// A component was once founded, and now every volume is empty.
    fn data_loss(&self) -> Verdict {
        let none = no("None", "");
        if !self.run().is_some_and(|run| run.was_founded) {
            return none;
        }
        let reports: SmallVec<[_; 3]> = self
            .facts
            .objects
            .iter()
            .filter(|object| matches!(object.part, Part::Database(_)))
            .map(|node| match self.facts.report(node.part).map(|report| &report.node) {
                Some(NodeReport::Database(report)) => Some(&**report),
                _ => None,
            })
            .collect();
        let lost = |report: &&DatabaseReport| report.empty && report.founding == 0;
        let count = reports.iter().flatten().copied().filter(lost).count();
        let serves = reports.iter().flatten().any(|report| report.takes_writes());
        if count == 0 || serves || reports.contains(&None) {
            return none;
        }
        if count == reports.len() {
            let message = "every database volume was found empty; the site begins anew";
            return yes("VolumesEmpty", message);
        }
        let message = format!(
            "no database node was left serving, and of {} volumes {count} were found empty: the last writes are \
             kept if another volume had them, too",
            reports.len()
        );
        yes("VolumeLost", message)
    }
}

/// Whether a condition says something of what runs, not only of what is wanted.
fn depends_on_sight(kind: ConditionKind) -> bool {
    use ConditionKind::{CertificateReady, CodeReady, Deleting, DnsReady, DomainsReady, Suspended};
    !matches!(kind, CodeReady | DnsReady | DomainsReady | CertificateReady | Suspended | Deleting)
}

fn yes(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Verdict {
    (Truth::True, reason, message.into())
}

fn no(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Verdict {
    (Truth::False, reason, message.into())
}

fn unknown(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Verdict {
    (Truth::Unknown, reason, message.into())
}

fn lifecycle(holds: bool, reason: &'static str) -> Verdict {
    if holds { yes(reason, "") } else { no("No", "") }
}
