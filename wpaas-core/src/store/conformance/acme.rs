use jiff::Timestamp;

use super::sites::with_site;
use super::{NOW, USAGE, at, done, parse, violation, write};
use crate::secret::SecretName;
use crate::site::IssuedCertificate;
use crate::store::{AcmeAccount, Record, SealedSecret, Store, Violation, Write};

const DIRECTORY: &str = "https://acme.example/directory";

/// One account, and a certificate that came from it.
pub(super) fn filling() -> Vec<Write> {
    vec![Write::InsertAcmeAccount(account(1, b"first")), Write::CountIssuance(parse("www.example.com"), NOW)]
}

fn account(version: u64, sealed: &[u8]) -> AcmeAccount {
    AcmeAccount { directory: DIRECTORY.to_owned(), version, sealed: sealed.to_vec() }
}

pub(super) async fn there_is_one_account_at_an_authority(store: &dyn Store) {
    let read = async |directory: &str| store.acme_account(directory).await.expect("read");
    assert_eq!(read(DIRECTORY).await, None);
    done(store, write(Write::InsertAcmeAccount(account(1, b"first")))).await;
    let second = write(Write::InsertAcmeAccount(account(1, b"another")));
    let record = Record::AcmeAccount(DIRECTORY.to_owned());
    assert_eq!(violation(store, second).await, Violation::Present(record.clone()));
    let late = write(Write::UpdateAcmeAccount(account(3, b"third")));
    assert_eq!(violation(store, late).await, Violation::Version { record, found: Some(1) });
    done(store, write(Write::UpdateAcmeAccount(account(2, b"second")))).await;
    assert_eq!(read(DIRECTORY).await, Some(account(2, b"second")));
    assert_eq!(read("https://other.example/directory").await, None);
}

pub(super) async fn what_was_issued_is_counted_for_a_week(store: &dyn Store) {
    let day = |days: i64| at(days * 24 * 3600);
    let issue = async |name: &str, at: Timestamp| {
        done(store, write(Write::CountIssuance(parse(name), at))).await;
    };
    let count = async |after: Timestamp| -> Vec<(String, usize)> {
        store.issuances(after).await.expect("read").into_iter().collect()
    };
    let of = |domain: &str, count: usize| (domain.to_owned(), count);
    assert_eq!(count(day(-7)).await, []);
    for (name, at) in
        [("a.example.com", 0), ("*.b.example.com", 0), ("a.example.com", 1), ("example.co.uk", 2)]
    {
        issue(name, day(at)).await;
    }
    issue("a.example.com", day(1)).await;
    assert_eq!(count(day(-1)).await, [of("example.co.uk", 1), of("example.com", 3)], "once each");
    assert_eq!(count(day(0)).await, [of("example.co.uk", 1), of("example.com", 1)]);
    issue("a.example.com", day(8)).await;
    assert_eq!(count(day(-1)).await, [of("example.co.uk", 1), of("example.com", 1)], "the old is forgotten");
}

pub(super) async fn a_certificate_is_kept_with_its_site(store: &dyn Store) {
    let mut site = with_site(store).await;
    let (name, wanted) =
        (parse("www.example.com"), [parse("www.example.com"), parse("*.acm.www.example.com")]);
    let issued = IssuedCertificate { version: 0, not_before: NOW, not_after: at(90), issued_at: at(1) };
    let secret = |version, sealed: &[u8]| SealedSecret {
        site: site.id,
        name: SecretName::Certificate,
        version,
        sealed: sealed.to_vec(),
    };
    let (first, second) = (secret(1, b"first"), secret(2, b"second"));
    site.version += 1;
    site.certificates.give(&name, issued, &wanted);
    site.certificates.fail(&wanted[1], "the authority\u{2019}s words", None, &wanted, at(2));
    let change = write(Write::UpdateSite(site.clone(), USAGE)).write(Write::InsertSecret(first.clone()));
    done(store, change).await;
    assert_eq!(store.site(site.id).await.expect("read").expect("is there").site, site);
    site.version += 1;
    site.certificates.give(&name, issued, &wanted);
    let change = write(Write::UpdateSite(site.clone(), USAGE))
        .write(Write::InsertSecret(second.clone()))
        .write(Write::DeleteSecret(site.id, SecretName::Certificate, 1));
    done(store, change).await;
    let kept = async |version| store.secret(site.id, SecretName::Certificate, version).await.expect("read");
    assert_eq!((kept(1).await, kept(2).await), (None, Some(second)));
    done(store, write(Write::DeleteSecret(site.id, SecretName::Certificate, 1))).await;
}
