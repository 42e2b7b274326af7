use jiff::Timestamp;

use super::{Expect, Record};
use crate::account::{ApiKey, Customer, ExternalLogin, Identity, Org, Space, User, Version};
use crate::id::{KeyId, OrgId, SiteId, SpaceId, UserId, WebhookId};
use crate::lockout::NameDigest;
use crate::metering::Look;
use crate::name::Cid;
use crate::quota::{Usage, VolumeSizes};
use crate::secret::SecretName;
use crate::site::{CertificateName, Site, Spare, Tombstone};
use crate::store::{AcmeAccount, Idempotent, PendingLogin, SealedSecret, StoredStatus};
use crate::webhook::{Delivery, Webhook};

/// What to write. An update is refused unless the stored version is exactly one less than the one given,
/// so no update is ever lost.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each says what it is")]
pub enum Write {
    InsertCustomer(Customer),
    UpdateCustomer(Customer),
    InsertOrg(Org),
    UpdateOrg(Org),
    /// With this version.
    DeleteOrg(OrgId, Version),
    InsertSpace(Space),
    UpdateSpace(Space),
    /// With this version.
    DeleteSpace(SpaceId, Version),
    InsertUser(User),
    UpdateUser(User),
    /// With this version; its password and its keys go with it.
    DeleteUser(UserId, Version),
    /// Sets or replaces the hash of a password.
    SetPassword(Identity, String),
    /// One more for this name, at this time, with [`crate::lockout::Failures::and_one`]. What counts no more by then is
    /// forgotten, whatever name it is of.
    CountWrongPassword(NameDigest, Timestamp),
    /// The name is as new.
    ForgetWrongPasswords(NameDigest),
    /// Takes away password, keys, sessions and linked accounts.
    DeleteCredentials(Identity),
    InsertExternalLogin(ExternalLogin),
    /// Of this identity, issuer and subject.
    DeleteExternalLogin(Identity, String, String),
    InsertPendingLogin(PendingLogin),
    /// Takes the login that has begun with this state: one of many at once does.
    TakePendingLogin([u8; 32]),
    /// What expired before this time is forgotten.
    ExpirePendingLogins(Timestamp),
    InsertKey(ApiKey),
    /// When it was used stays as it is.
    UpdateKey(ApiKey),
    /// Notes when a key was used.
    TouchKey(KeyId, Timestamp),
    /// Nothing stays of the key.
    DeleteKey(KeyId),
    /// Ends all sessions of an identity.
    DeleteSessions(Identity),
    /// A site with what it uses of the quotas.
    InsertSite(Site, Usage),
    /// A site with what it uses of the quotas. Whose the domains were that it had is remembered.
    UpdateSite(Site, Usage),
    /// The site of this version, its status and its secrets go; the tombstone stays, and whose its domains were.
    PurgeSite(Tombstone, Version),
    /// A spare that is kept, with the password of its database's user as the keyring made it.
    InsertSpare(Spare, Vec<u8>),
    /// The spare is the site of its id now, which the same change has made before this and which gets its password.
    TakeSpare(SiteId),
    /// The spare is not wanted any more; its password goes.
    EndSpare(SiteId),
    /// Replaces what was found of a site; nothing happens when that is gone.
    RecordStatus(SiteId, Box<StoredStatus>),
    /// Takes a look into the site's meters with [`crate::metering::advance`], and adds what is complete by it to
    /// the usage records, volumes of these sizes; nothing happens when the site is gone.
    Meter(Look, VolumeSizes),
    /// Versions are never replaced.
    InsertSecret(SealedSecret),
    /// Of this version; nothing happens when it is not there.
    DeleteSecret(SiteId, SecretName, u64),
    /// Puts the hash in the place of the admin's password of the same version; nothing happens when that is gone.
    HashPassword(SealedSecret),
    /// With where its delivery begins.
    InsertWebhook(Webhook, Delivery),
    UpdateWebhook(Webhook),
    /// With this version; its delivery goes with it.
    DeleteWebhook(WebhookId, Version),
    UpdateDelivery(Delivery),
    InsertAcmeAccount(AcmeAccount),
    UpdateAcmeAccount(AcmeAccount),
    /// One more certificate of this name, at this time. What the budget counts no more by then is forgotten.
    CountIssuance(CertificateName, Timestamp),
    /// Sets or replaces what is kept for an idempotency key.
    PutIdempotent(Idempotent),
    /// What began before this time is forgotten.
    ExpireIdempotent(Timestamp),
}

impl Write {
    /// The record that is there once this is done.
    #[must_use]
    pub fn makes(&self) -> Option<Record> {
        match self {
            Self::InsertCustomer(new) => Some(Record::Customer(new.cid.clone())),
            Self::InsertOrg(new) => Some(Record::Org(new.id)),
            Self::InsertSpace(new) => Some(Record::Space(new.id)),
            Self::InsertUser(new) => Some(Record::User(new.id)),
            Self::InsertSite(new, _) => Some(Record::Site(new.id)),
            _ => None,
        }
    }

    /// What the write itself needs to be true, whoever asks for it; checked right before it.
    #[must_use]
    pub fn implied(&self) -> Vec<Expect> {
        let before = |version: Version| version.saturating_sub(1);
        match self {
            Self::InsertCustomer(new) => {
                vec![Expect::CidUnused(new.cid.clone()), Expect::LoginFree(new.username.clone())]
            }
            Self::UpdateCustomer(new) => {
                vec![Expect::Version(Record::Customer(new.cid.clone()), before(new.version))]
            }
            Self::InsertOrg(new) => vec![
                Expect::Present(Record::Customer(new.cid.clone())),
                Expect::Absent(Record::Org(new.id)),
                Expect::OrgNameFree(new.cid.clone(), new.name.clone()),
            ],
            Self::UpdateOrg(new) => vec![Expect::Version(Record::Org(new.id), before(new.version))],
            Self::DeleteOrg(id, version) => {
                vec![Expect::Version(Record::Org(*id), *version), Expect::OrgEmpty(*id)]
            }
            Self::InsertSpace(new) => vec![
                Expect::Present(Record::Org(new.org)),
                Expect::Absent(Record::Space(new.id)),
                Expect::SpaceNameFree(new.org, new.name.clone()),
            ],
            Self::UpdateSpace(new) => vec![Expect::Version(Record::Space(new.id), before(new.version))],
            Self::DeleteSpace(id, version) => {
                vec![Expect::Version(Record::Space(*id), *version), Expect::SpaceEmpty(*id)]
            }
            Self::InsertUser(new) => vec![
                Expect::Present(Record::Customer(new.cid.clone())),
                Expect::Absent(Record::User(new.id)),
                Expect::UsernameFree(new.cid.clone(), new.username.clone()),
            ],
            Self::UpdateUser(new) => vec![Expect::Version(Record::User(new.id), before(new.version))],
            Self::DeleteUser(id, version) => vec![Expect::Version(Record::User(*id), *version)],
            Self::InsertKey(new) => vec![Expect::Absent(Record::Key(new.id))],
            Self::UpdateKey(new) => vec![Expect::Version(Record::Key(new.id), before(new.version))],
            Self::InsertExternalLogin(new) => {
                vec![Expect::ExternalLoginFree(new.issuer.clone(), new.subject.clone())]
            }
            Self::TakePendingLogin(state) => vec![Expect::LoginPending(*state)],
            Self::InsertSite(new, _) => vec![
                Expect::Present(Record::Space(new.space)),
                Expect::Absent(Record::Site(new.id)),
                Expect::SiteNameFree(new.org, new.name.clone()),
                domains_free(new),
            ],
            Self::UpdateSite(new, _) => {
                vec![Expect::Version(Record::Site(new.id), before(new.version)), domains_free(new)]
            }
            Self::PurgeSite(stone, version) => vec![Expect::Version(Record::Site(stone.id), *version)],
            Self::InsertSpare(new, _) => vec![Expect::Absent(Record::Site(new.id))],
            Self::TakeSpare(id) => vec![Expect::SpareKept(*id), Expect::Present(Record::Site(*id))],
            Self::EndSpare(id) => vec![Expect::SpareKept(*id)],
            Self::InsertSecret(new) => vec![Expect::Present(Record::Site(new.site))],
            Self::InsertWebhook(new, _) => vec![Expect::Absent(Record::Webhook(new.id))],
            Self::UpdateWebhook(new) => vec![Expect::Version(Record::Webhook(new.id), before(new.version))],
            Self::DeleteWebhook(id, version) => vec![Expect::Version(Record::Webhook(*id), *version)],
            Self::UpdateDelivery(new) => {
                vec![Expect::Version(Record::Delivery(new.webhook), before(new.version))]
            }
            Self::InsertAcmeAccount(new) => vec![Expect::Absent(Record::AcmeAccount(new.directory.clone()))],
            Self::UpdateAcmeAccount(new) => {
                vec![Expect::Version(Record::AcmeAccount(new.directory.clone()), before(new.version))]
            }
            Self::SetPassword(..)
            | Self::CountIssuance(..)
            | Self::CountWrongPassword(..)
            | Self::ForgetWrongPasswords(_)
            | Self::DeleteCredentials(_)
            | Self::DeleteExternalLogin(..)
            | Self::InsertPendingLogin(_)
            | Self::ExpirePendingLogins(_)
            | Self::DeleteKey(_)
            | Self::DeleteSessions(_)
            | Self::DeleteSecret(..)
            | Self::HashPassword(_)
            | Self::TouchKey(..)
            | Self::RecordStatus(..)
            | Self::Meter(..)
            | Self::PutIdempotent(_)
            | Self::ExpireIdempotent(_) => Vec::new(),
        }
    }

    /// The site of which something else is wanted after this.
    #[must_use]
    pub fn changed_site(&self) -> Option<SiteId> {
        match self {
            Self::InsertSite(site, _) | Self::UpdateSite(site, _) => Some(site.id),
            Self::PurgeSite(stone, _) => Some(stone.id),
            Self::InsertSpare(spare, _) => Some(spare.id),
            Self::EndSpare(id) => Some(*id),
            _ => None,
        }
    }

    /// The customer that changes by this.
    #[must_use]
    pub fn changed_customer(&self) -> Option<&Cid> {
        match self {
            Self::InsertCustomer(customer) | Self::UpdateCustomer(customer) => Some(&customer.cid),
            _ => None,
        }
    }
}

fn domains_free(site: &Site) -> Expect {
    Expect::DomainsFree(site.id, site.domains.held().cloned().collect())
}
