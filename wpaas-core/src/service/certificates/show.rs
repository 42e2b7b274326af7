use jiff::Timestamp;

use super::{CertificateView, wanted};
use crate::service::Settings;
use crate::site::{
    CertificateFailure, CertificateName, CertificateState, Condition, ConditionKind, Site, SiteNames,
    SiteStatus, Truth,
};

/// The certificates that a site wants, in the order of its names.
pub(in crate::service) fn views(
    site: &Site,
    names: &SiteNames,
    settings: &Settings,
    now: Timestamp,
) -> Vec<CertificateView> {
    let view = |name: CertificateName| {
        let certificate = site.certificates.get(&name);
        let (challenge, state) = (name.challenge(), certificate.state(now));
        let next_try = certificate.next_try(&name).max(site.created_at);
        CertificateView { name, challenge, state, certificate, next_try }
    };
    wanted(site, names, settings).into_iter().map(view).collect()
}

/// Says in the status what became of them; it is left as it is where none is wanted.
pub(in crate::service) fn show(views: &[CertificateView], status: &mut SiteStatus, created_at: Timestamp) {
    let Some((status_of, reason, message, since)) = standing(views) else { return };
    for condition in &mut status.conditions {
        if condition.kind == ConditionKind::CertificateReady {
            *condition = Condition {
                kind: ConditionKind::CertificateReady,
                status: status_of,
                reason: reason.into(),
                message: message.clone().into(),
                since: since.unwrap_or(created_at),
            };
        }
    }
}

type Standing = (Truth, &'static str, String, Option<Timestamp>);

/// The worst of them.
fn standing(views: &[CertificateView]) -> Option<Standing> {
    let worst = views.iter().max_by_key(|view| match (view.state, &view.certificate.failure) {
        (CertificateState::Issued, None) => 0,
        (CertificateState::Issued, Some(_)) => 1,
        (CertificateState::Pending, _) => 2,
        (CertificateState::Failed, _) => 3,
        (CertificateState::Expired, _) => 4,
    })?;
    let failure = worst.certificate.failure.as_ref();
    let words = |failure: &CertificateFailure| {
        format!(": {}; the next try is at {}", failure.error, failure.retry_at)
    };
    let refused = |failure: Option<&CertificateFailure>| {
        let words = failure.map_or_else(String::new, words);
        (format!("{} has no certificate{words}", worst.name), failure.map(|failure| failure.since))
    };
    Some(match worst.state {
        CertificateState::Issued => {
            let issued =
                |view: &CertificateView| view.certificate.issued.as_ref().map(|issued| issued.issued_at);
            let renewal = failure.map_or_else(String::new, |failure| {
                format!("; that of {} could not be renewed{}", worst.name, words(failure))
            });
            let message = format!("{} of {} names have one{renewal}", views.len(), views.len());
            (Truth::True, "Issued", message, views.iter().filter_map(issued).max())
        }
        CertificateState::Pending => {
            (Truth::False, "Pending", format!("{} has no certificate yet", worst.name), None)
        }
        CertificateState::Failed => {
            let (message, since) = refused(failure);
            (Truth::False, "Refused", message, since)
        }
        CertificateState::Expired => {
            let (message, since) = refused(failure);
            (Truth::False, "Expired", message, since)
        }
    })
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::service::test::{NOW, parse};
    use crate::site::{Certificates, IssuedCertificate};

    fn view(name: &str, issued: bool, failed: bool) -> CertificateView {
        let (name, wanted): (CertificateName, [CertificateName; 1]) = (parse(name), [parse(name)]);
        let mut all = Certificates::default();
        let not_after = NOW.saturating_add(SignedDuration::from_hours(24)).unwrap();
        if issued {
            all.give(
                &name,
                IssuedCertificate { version: 0, not_before: NOW, not_after, issued_at: NOW },
                &wanted,
            );
        }
        if failed {
            all.fail(&name, "the CA\u{2019}s own words", None, &wanted, NOW);
        }
        let certificate = all.get(&name);
        let (challenge, state) = (name.challenge(), certificate.state(NOW));
        CertificateView { challenge, state, next_try: certificate.next_try(&name), certificate, name }
    }

    #[test]
    fn the_condition_tells_the_worst_of_a_sites_certificates() {
        let told = |views: &[CertificateView]| {
            standing(views).map(|(truth, reason, message, _)| (truth, reason, message))
        };
        assert_eq!(told(&[]), None);
        let good = view("a.example.com", true, false);
        assert_eq!(
            told(std::slice::from_ref(&good)),
            Some((Truth::True, "Issued", "1 of 1 names have one".to_owned()))
        );
        let late = view("b.example.com", true, true);
        let next_try = late.certificate.failure.as_ref().unwrap().retry_at;
        let (truth, reason, message) = told(&[late, good.clone()]).unwrap();
        assert_eq!((truth, reason), (Truth::True, "Issued"), "a renewal that fails takes nothing away");
        assert_eq!(
            message,
            format!(
                "2 of 2 names have one; that of b.example.com could not be renewed: the CA\u{2019}s own words; the \
                 next try is at {next_try}"
            )
        );
        let (_, reason, message) = told(&[good.clone(), view("c.example.com", false, true)]).unwrap();
        assert_eq!(reason, "Refused");
        assert!(
            message.contains("c.example.com") && message.contains("the CA\u{2019}s own words"),
            "{message}"
        );
        assert_eq!(told(&[good, view("d.example.com", false, false)]).unwrap().1, "Pending");
    }
}
