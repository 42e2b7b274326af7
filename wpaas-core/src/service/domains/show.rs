use super::DomainView;
use crate::site::{Condition, ConditionKind, DomainState, SiteStatus, Truth};

/// Says in the status what became of the domains that the site asks for; it is left as it is where it asks for none.
pub(in crate::service) fn show(views: &[DomainView], status: &mut SiteStatus) {
    let Some(condition) = standing(views) else { return };
    for shown in status.conditions.iter_mut().filter(|shown| shown.kind == condition.kind) {
        shown.clone_from(&condition);
    }
}

/// The one that is furthest from leading to the site.
fn standing(views: &[DomainView]) -> Option<Condition> {
    let last = views.iter().max_by_key(|view| match view.claim.state {
        DomainState::Active => 0,
        DomainState::Verified => 1,
        DomainState::Pending => 2,
        DomainState::Failed => 3,
    })?;
    let DomainView { domain, claim, records: _ } = last;
    let (status, reason, message) = match claim.state {
        DomainState::Active => {
            (Truth::True, "Active", format!("{} of {} domains lead to this site", views.len(), views.len()))
        }
        DomainState::Verified => (
            Truth::False,
            "Elsewhere",
            format!("{domain} is this site's, but does not lead to it: {}", claim.found),
        ),
        DomainState::Pending if claim.found.is_empty() => {
            (Truth::False, "NotProved", format!("{domain} was not looked at yet"))
        }
        DomainState::Pending => (Truth::False, "NotProved", format!("{domain}: {}", claim.found)),
        DomainState::Failed => (Truth::False, "Failed", format!("{domain}: {}", claim.found)),
    };
    let since = views.iter().map(|view| view.claim.since).max().filter(|_| status == Truth::True);
    let since = since.unwrap_or(claim.since);
    let (reason, message) = (reason.into(), message.into());
    Some(Condition { kind: ConditionKind::DomainsReady, status, reason, message, since })
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::service::test::{NOW, parse};
    use crate::site::DomainClaim;

    fn view(domain: &str, state: DomainState, hours: i64) -> DomainView {
        let since = NOW + SignedDuration::from_hours(hours);
        let claim = DomainClaim { state, since, found: "seen".to_owned(), ..DomainClaim::trusted(NOW) };
        DomainView { domain: parse(domain), claim, records: Vec::new() }
    }

    #[test]
    fn the_domain_that_is_furthest_from_the_site_is_told() {
        use DomainState::{Active, Failed, Pending, Verified};
        assert_eq!(standing(&[]), None);
        let mut views = vec![view("a.example", Active, 2), view("b.example", Active, 1)];
        let mut told = |more: Option<DomainView>| {
            views.extend(more);
            let Condition { kind, status, reason, message, since } = standing(&views).unwrap();
            assert_eq!(kind, ConditionKind::DomainsReady);
            (status, reason.into_owned(), message.into_owned(), since.duration_since(NOW).as_hours())
        };
        let said = |status, reason: &str, message: &str, hours| {
            (status, reason.to_owned(), message.to_owned(), hours)
        };
        assert_eq!(told(None), said(Truth::True, "Active", "2 of 2 domains lead to this site", 2));
        let elsewhere = "c.example is this site's, but does not lead to it: seen";
        let verified = Some(view("c.example", Verified, 3));
        assert_eq!(told(verified), said(Truth::False, "Elsewhere", elsewhere, 3));
        let pending = Some(view("d.example", Pending, 1));
        assert_eq!(told(pending), said(Truth::False, "NotProved", "d.example: seen", 1));
        let failed = Some(view("e.example", Failed, 4));
        assert_eq!(told(failed), said(Truth::False, "Failed", "e.example: seen", 4));
    }
}
