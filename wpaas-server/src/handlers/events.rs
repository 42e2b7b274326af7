//! `/events`: a page of them, or a stream that goes on.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt, stream};
use jiff::Timestamp;
use tokio::sync::broadcast::{self, error::RecvError};
use wpaas_core::access::Actor;
use wpaas_core::id::KeyId;
use wpaas_core::service::{Listed, ServiceError};
use wpaas_core::store::{Committed, Event, EventFilter};

use crate::answer::Answer;
use crate::auth::{Caller, PresentedKey};
use crate::dto::event::{EventQuery, EventView, Seq};
use crate::dto::list::ListView;
use crate::extract::Query;
use crate::problem::{Problem, chain};
use crate::state::AppState;

/// A stream ends after so long, so that a key that was taken back opens nothing for ever; its reader comes again
/// with `Last-Event-ID`.
const LONGEST: Duration = Duration::from_secs(900);

/// Events read at a time for a stream.
const BATCH: usize = 100;

/// A page of events; with `Accept: text/event-stream` each as it happens.
#[utoipa::path(get, path = "", tag = "events", params(EventQuery, ("Last-Event-ID" = Option<i64>, Header, minimum = 0, description = "Those after this number; wins over `after`")), responses((status = 200, description = "A page of events; a stream of them where that is accepted", content((ListView<EventView> = "application/json"), (String = "text/event-stream")))))]
pub async fn list(
    State(state): State<AppState>,
    caller: Caller,
    key: PresentedKey,
    Query(query): Query<EventQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let filter = query.filter(caller.cid())?;
    let after = last_event_id(&headers)?.or(query.after.map(|Seq(after)| after));
    if headers.get(ACCEPT).is_some_and(wants_stream) {
        return follow(state, (caller.0, key.id()), filter, after).await;
    }
    let limit = query.limit.unwrap_or_default().get();
    let listed = state.service.events(&caller.0, &filter, after.unwrap_or(0), limit).await?;
    let items: Vec<EventView> = listed.items.into_iter().map(Into::into).collect();
    let next = listed.next.map(|seq| seq.to_string());
    Ok(Answer::ok(ListView { items, next }).into_response())
}

fn wants_stream(accept: &HeaderValue) -> bool {
    accept.to_str().is_ok_and(|text| text.contains("text/event-stream"))
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    let number = number.filter(|number: &u64| i64::try_from(*number).is_ok());
    let wrong =
        || Problem::bad_request("invalid_last_event_id", "Last-Event-ID must be the `id` of an event");
    number.map(Some).ok_or_else(wrong)
}

/// Goes on after the event that the caller names, else with what happens from now on.
async fn follow(
    state: AppState,
    (actor, key): (Actor, Option<KeyId>),
    filter: EventFilter,
    after: Option<u64>,
) -> Result<Response, Problem> {
    // The feed first, so that nothing is missed that is committed meanwhile.
    let feed = state.service.feed();
    let after = match after {
        Some(after) => after,
        None => state.service.last_event().await?,
    };
    state.service.events(&actor, &filter, after, 1).await?;
    let end = state.stopping.clone();
    let reader = Reader { state, actor, key, filter, after, feed, read: VecDeque::new() };
    let ended = async move { tokio::time::timeout(LONGEST, end.cancelled()).await };
    let events = reader.into_stream().take_until(Box::pin(ended));
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

/// Reads on where it was each time that something was committed.
struct Reader {
    state: AppState,
    actor: Actor,
    key: Option<KeyId>,
    filter: EventFilter,
    after: u64,
    feed: broadcast::Receiver<Committed>,
    read: VecDeque<EventView>,
}

impl Reader {
    fn into_stream(self) -> impl Stream<Item = Result<sse::Event, Infallible>> {
        stream::unfold(self, |mut reader| async move {
            let event = reader.next().await?;
            Some((Ok(written(&event)), reader))
        })
    }

    /// The next event; `None` when there can be none any more, as when the caller lost its rights.
    async fn next(&mut self) -> Option<EventView> {
        loop {
            if let Some(event) = self.read.pop_front() {
                self.after = event.seq;
                return Some(event);
            }
            match self.more().await {
                Ok(more) if more.items.is_empty() => committed(&mut self.feed).await?,
                Ok(more) => self.read.extend(more.items.into_iter().map(EventView::from)),
                Err(error) => {
                    tracing::debug!(error = chain(&error), "a stream of events ended");
                    return None;
                }
            }
        }
    }
}

impl Reader {
    /// What comes next, for whom the reader is now: a key may have been taken back, or a role.
    async fn more(&self) -> Result<Listed<Event, u64>, ServiceError> {
        let service = &self.state.service;
        let actor = service.still(&self.actor, self.key, Timestamp::now()).await?;
        service.events(&actor, &self.filter, self.after, BATCH).await
    }
}

async fn committed(feed: &mut broadcast::Receiver<Committed>) -> Option<()> {
    loop {
        match feed.recv().await {
            Ok(committed) if committed.events.is_empty() => {}
            Ok(_) | Err(RecvError::Lagged(_)) => return Some(()),
            Err(RecvError::Closed) => return None,
        }
    }
}

fn written(event: &EventView) -> sse::Event {
    let about = sse::Event::default().id(event.seq.to_string()).event(event.kind.as_str());
    // Maps with texts as keys, numbers and texts: always JSON.
    serde_json::to_string(event).map_or(sse::Event::default(), |text| about.data(text))
}
