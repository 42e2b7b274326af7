//! The certificates that a site wants.

use jiff::Timestamp;
use serde::Serialize;
use wpaas_core::service::CertificateView;
use wpaas_core::site::{
    CertificateFailure, CertificateState, ChallengeKind, IssuedCertificate, SiteCertificate,
};

/// A certificate, and what became of it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct CertificateDto {
    /// A host, or `*.` and a name for all hosts right below it.
    name: String,
    /// How it is proved that the name is the site's.
    challenge: ChallengeKind,
    state: CertificateState,
    not_before: Option<Timestamp>,
    not_after: Option<Timestamp>,
    issued_at: Option<Timestamp>,
    /// What the authority said when it last refused; null once it issued.
    error: Option<String>,
    /// When it is asked for next: first, again, or to renew it.
    next_try: Timestamp,
}

impl From<CertificateView> for CertificateDto {
    fn from(CertificateView { name, challenge, state, certificate, next_try }: CertificateView) -> Self {
        let SiteCertificate { issued, failure } = certificate;
        let issued = issued.map(|IssuedCertificate { version: _, not_before, not_after, issued_at }| {
            (not_before, not_after, issued_at)
        });
        Self {
            name: name.to_string(),
            challenge,
            state,
            not_before: issued.map(|(not_before, ..)| not_before),
            not_after: issued.map(|(_, not_after, _)| not_after),
            issued_at: issued.map(|(.., issued_at)| issued_at),
            error: failure.map(|CertificateFailure { error, .. }| error),
            next_try,
        }
    }
}
