use wpaas_core::id::{KeyId, LoginId, OrgId, SiteId, SpaceId, UserId, WebhookId};
use wpaas_core::name::{Cid, Slug, Username};

use super::parse;
use crate::router::access::matrix::Level;

/// Something that is asked for, by its names and its ids.
#[derive(Debug, Clone)]
pub struct Target {
    pub name: &'static str,
    pub cid: Cid,
    pub org: Slug,
    pub org_id: OrgId,
    pub space: Slug,
    pub space_id: SpaceId,
    pub site: Slug,
    pub site_id: SiteId,
    pub username: Username,
    pub user_id: UserId,
    pub user_key: KeyId,
    pub customer_key: KeyId,
    pub webhook: WebhookId,
    /// What of it is not there, with all that would be in that.
    pub missing: Option<Level>,
}

impl Target {
    pub(super) fn fill(&self, text: &str, level: Level) -> String {
        let key = if level == Level::CustomerKey { self.customer_key } else { self.user_key };
        text.replace("{cid}", self.cid.as_str())
            .replace("{org}", self.org.as_str())
            .replace("{org_id}", &self.org_id.to_string())
            .replace("{space}", self.space.as_str())
            .replace("{space_id}", &self.space_id.to_string())
            .replace("{name}", self.site.as_str())
            .replace("{site_id}", &self.site_id.to_string())
            .replace("{username}", self.username.as_str())
            .replace("{key}", &key.to_string())
            .replace("{webhook}", &self.webhook.to_string())
            .replace("{login}", &LoginId::new().to_string())
    }

    /// The same without a part, which has names and ids that nobody has.
    pub(super) fn without(&self, missing: Level) -> Self {
        let mut target = Self { name: "absent", missing: Some(missing), ..self.clone() };
        let gone = |level: Level| level.is_in(missing);
        if gone(Level::Customer) {
            target.cid = parse("zzz");
        }
        if gone(Level::CustomerKey) {
            target.customer_key = KeyId::new();
        }
        if gone(Level::Webhook) {
            target.webhook = WebhookId::new();
        }
        if gone(Level::User) {
            (target.username, target.user_id) = (parse("nobody"), UserId::new());
        }
        if gone(Level::UserKey) {
            target.user_key = KeyId::new();
        }
        if gone(Level::Org) {
            (target.org, target.org_id) = (parse("nowhere"), OrgId::new());
        }
        if gone(Level::Space) {
            (target.space, target.space_id) = (parse("nospace"), SpaceId::new());
        }
        if gone(Level::Site) {
            (target.site, target.site_id) = (parse("nosite"), SiteId::new());
        }
        target
    }
}
