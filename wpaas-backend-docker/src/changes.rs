//! The Engine's events, as hints that something of a site changed.

use std::collections::HashMap;
use std::sync::Arc;

use bollard::Docker;
use bollard::models::{EventMessage, EventMessageTypeEnum as Kind};
use bollard::query_parameters::EventsOptionsBuilder;
use futures::stream::{self, BoxStream, StreamExt as _};
use jiff::Timestamp;
use tracing::debug;
use wpaas_core::id::SiteId;

use crate::backend::Inner;
use crate::label::{INSTALLATION, SITE};
use crate::name;

/// What changes anything that a listing shows.
const EVENTS: [&str; 9] =
    ["start", "die", "pause", "unpause", "rename", "update", "destroy", "disconnect", "create"];

impl Inner {
    /// Ends when the connection is lost. Asked for again, it agrees on the API version anew.
    pub(crate) fn changes(self: &Arc<Self>) -> BoxStream<'static, SiteId> {
        let inner = Arc::clone(self);
        let connected = async move {
            inner.engine.forget();
            inner.memory.forget_runs();
            match inner.engine.connect().await {
                Ok(connection) => events(&connection.docker, inner).boxed(),
                Err(error) => {
                    debug!(%error, "no events from the Engine");
                    stream::empty().boxed()
                }
            }
        };
        stream::once(connected).flatten().boxed()
    }

    /// The site of ours that an event is about. Only events of containers carry labels; networks and volumes
    /// are known by their names, which say whose site but not whose installation it is.
    fn site_of(&self, event: EventMessage) -> Option<SiteId> {
        let actor = event.actor?;
        let attributes = actor.attributes.unwrap_or_default();
        let get = |key| attributes.get(key).map(String::as_str);
        match event.typ? {
            Kind::CONTAINER => {
                if get(INSTALLATION) != Some(self.config.installation.as_str()) {
                    return None;
                }
                let site = get(SITE)?.parse().ok()?;
                match (event.action.as_deref(), &actor.id) {
                    (Some("update"), Some(id)) => self.memory.suspect(id),
                    (Some("die"), Some(id)) => self.memory.ended(site, id, at(event.time_nano)),
                    (Some("start"), Some(id)) => {
                        drop(self.memory.forget_run(id));
                        self.memory.suspect(id);
                    }
                    _ => {}
                }
                Some(site)
            }
            Kind::NETWORK => name::site_of(get("name")?).filter(|site| self.memory.knows(*site)),
            Kind::VOLUME => name::site_of(actor.id.as_deref()?).filter(|site| self.memory.knows(*site)),
            _ => None,
        }
    }
}

/// By the Engine's clock.
fn at(nanos: Option<i64>) -> Option<Timestamp> {
    Timestamp::from_nanosecond(nanos?.into()).ok()
}

fn events(docker: &Docker, inner: Arc<Inner>) -> impl stream::Stream<Item = SiteId> + use<> {
    let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let filters: HashMap<String, Vec<String>> = HashMap::from([
        ("type".to_owned(), list(&["container", "network", "volume"])),
        ("event".to_owned(), list(&EVENTS)),
    ]);
    let options = EventsOptionsBuilder::new().filters(&filters).build();
    let whole = |event: Result<EventMessage, _>| async {
        event.inspect_err(|error| debug!(%error, "the Engine's events end")).ok()
    };
    let seen =
        docker.events(Some(options)).then(whole).take_while(|event| futures::future::ready(event.is_some()));
    seen.filter_map(move |event| futures::future::ready(event.and_then(|event| inner.site_of(event))))
}
