use jiff::Timestamp;

use super::{ExternalAccount, Ticket, linking};
use crate::account::{ApiKey, Customer, Identity, KeyKind, User};
use crate::name::Cid;
use crate::service::commit::Rounds;
use crate::service::{Page, Service, ServiceError, Session};
use crate::store::{Change, EventFilter, EventScope, Expect, Record, Who};

/// Keys of an identity that are looked at; one with as many is in use.
const KEYS: usize = 50;

/// Whom the verified e-mail address of an account finds that is linked to nobody yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ByEmail {
    /// Nobody: the provider is not trusted for addresses.
    Nobody,
    /// A customer itself.
    Customers,
    /// A user of this customer.
    UsersOf(Cid),
}

/// What an account that has proved itself gets.
#[derive(Debug, Clone)]
pub enum ExternalSignIn {
    /// A session of the identity that it is linked to.
    Session(Box<Session>),
    /// It is linked to nobody: what to link it with.
    Unknown(Ticket),
}

impl Service {
    /// Signs in whoever this account is linked to. One that is linked to nobody is linked first to the one identity
    /// that its verified address finds, if that was made for somebody who has never come yet: it has no password, no
    /// other account, no session, and neither it nor a key of it has ever done anything. Otherwise whoever had it
    /// before would be let in, or let others in.
    ///
    /// # Errors
    ///
    /// `Unauthenticated` when the identity may not sign in any more; `CustomerSuspended` when it would have to be
    /// linked.
    pub async fn sign_in_externally(
        &self,
        account: &ExternalAccount,
        by_email: &ByEmail,
        means: &str,
        now: Timestamp,
    ) -> Result<ExternalSignIn, ServiceError> {
        let mut rounds = Rounds::default();
        loop {
            if let Some(login) = self.store().external_login(&account.issuer, &account.subject).await? {
                let session = self.begin_session(&login.identity, means, now).await?;
                return Ok(ExternalSignIn::Session(Box::new(session)));
            }
            let Some(Invited { identity, cid, unchanged }) = self.invited(account, by_email).await? else {
                return Ok(ExternalSignIn::Unknown(self.ticket(account, now)?));
            };
            let change = Change::at(now).expect(Expect::CustomerActive(cid)).expect(unchanged);
            let change = linking(change, account, &identity, who(&identity));
            // Done or overtaken: the next look finds the link, or decides anew.
            self.commit(change, &mut rounds).await?;
        }
    }

    async fn invited(
        &self,
        account: &ExternalAccount,
        by_email: &ByEmail,
    ) -> Result<Option<Invited>, ServiceError> {
        let Some(email) = &account.verified_email else { return Ok(None) };
        let found: Vec<_> = match by_email {
            ByEmail::Nobody => return Ok(None),
            ByEmail::Customers => {
                let found = self.store().customers_by_email(email, 2).await?;
                found.into_iter().map(Invited::from).collect()
            }
            ByEmail::UsersOf(cid) => {
                let found = self.store().users_by_email(cid, email, 2).await?;
                found.into_iter().filter(|user| user.enabled).map(Invited::from).collect()
            }
        };
        // Of two, nobody can say which.
        let Ok([invited]) = <[Invited; 1]>::try_from(found) else { return Ok(None) };
        Ok(if self.has_never_come(&invited).await? { Some(invited) } else { None })
    }

    async fn has_never_come(&self, Invited { identity, cid, .. }: &Invited) -> Result<bool, ServiceError> {
        let store = self.store();
        let of = EventScope::Customer(cid.clone());
        let done = EventFilter { who: Some(who(identity)), ..EventFilter::from(of) };
        let keys = store.keys(identity, KeyKind::Api, &Page::first(KEYS)).await?;
        Ok(store.password_hash(identity).await?.is_none()
            && store.external_logins(identity).await?.is_empty()
            && store.keys(identity, KeyKind::Session, &Page::first(1)).await?.is_empty()
            && keys_are_unused(identity, &keys)
            && store.events(&done, 0, 1).await?.is_empty())
    }
}

/// A user's first key comes with the user, and whoever has it made the user. A customer has none but of somebody who
/// has already acted for it.
fn keys_are_unused(identity: &Identity, keys: &[ApiKey]) -> bool {
    match identity {
        Identity::User(..) => keys.len() < KEYS && keys.iter().all(|key| key.last_used_at.is_none()),
        Identity::Customer(_) | Identity::Operator => keys.is_empty(),
    }
}

fn who(identity: &Identity) -> Who {
    match identity {
        Identity::Operator => Who::Operator,
        Identity::Customer(cid) => Who::Customer(cid.clone()),
        Identity::User(_, id) => Who::User(*id),
    }
}

/// Whom an address was found at.
struct Invited {
    identity: Identity,
    cid: Cid,
    /// Neither its address nor its password has changed since.
    unchanged: Expect,
}

impl From<Customer> for Invited {
    fn from(customer: Customer) -> Self {
        let unchanged = Expect::Version(Record::Customer(customer.cid.clone()), customer.version);
        Self { identity: Identity::Customer(customer.cid.clone()), cid: customer.cid, unchanged }
    }
}

impl From<User> for Invited {
    fn from(user: User) -> Self {
        let unchanged = Expect::Version(Record::User(user.id), user.version);
        Self { identity: Identity::User(user.cid.clone(), user.id), cid: user.cid, unchanged }
    }
}
