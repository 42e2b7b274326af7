//! What a browser shows where a login ends. Programs get the same as JSON.

use axum::http::header::{ACCEPT, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};

use crate::dto::session::NewSessionView;
use crate::dto::sso::{SignedInView, TicketView};
use crate::problem::Problem;

/// Nothing is loaded, and nothing runs.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:4rem auto;padding:0 1rem;\
                     color:#1d2327;background:#fff}h1{font-size:1.5rem}code,pre{background:#f0f0f1;border-radius:4px}\
                     code{padding:.1rem .3rem}pre{padding:.8rem;white-space:pre-wrap;overflow-wrap:anywhere;\
                     user-select:all}.quiet{color:#646970;font-size:.9rem}";

/// Whether who asks is shown pages: browsers name HTML, programs don't.
pub fn is_wanted(headers: &HeaderMap) -> bool {
    let mut said = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    said.any(|text| text.split(',').any(|range| range.trim().starts_with("text/html")))
}

/// What a login ended with.
pub fn signed_in(provider: &str, view: &SignedInView, public_url: &str) -> Response {
    let account = &view.account.account;
    let (title, body) = match (&view.session, &view.ticket) {
        (Some(session), _) => ("Signed in", session_text(session, public_url)),
        (None, Some(ticket)) => ("Linked to nobody yet", ticket_text(ticket, public_url)),
        (None, None) => ("Not signed in", html! {}),
    };
    let body = html! {
        p { "You are " strong { (account) } " at " (provider) "." }
        (body)
    };
    shown(StatusCode::OK, title, &body)
}

fn session_text(session: &NewSessionView, public_url: &str) -> Markup {
    html! {
        p { "This is your session's token, shown this once. Whoever has it is you, until " (minute(session.expires_at)) "." }
        pre { (session.token) }
        p { "To use it in a terminal, paste it where this asks for a key:" }
        pre { "wpaas login --api " (public_url) }
        p.quiet { "Programs send it as " code { "Authorization: Bearer …" } ". You can close this page." }
    }
}

fn ticket_text(ticket: &TicketView, public_url: &str) -> Markup {
    html! {
        p { "Nobody here is signed in by this account. This ticket links it, until " (minute(ticket.expires_at)) ":" }
        pre { (ticket.ticket) }
        p {
            "If you have a user or are a customer already, sign in by other means and send the ticket to "
            code { "POST " (public_url) "/logins" } ". To become a customer, where registration is open, send it with a "
            code { "name" } " and an " code { "email" } " to " code { "POST " (public_url) "/customers" } "."
        }
        p.quiet { "At a terminal " code { "wpaas login --sso … --link" } " does both steps. You can close this page." }
    }
}

/// As people read it.
fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// Why a login came to nothing.
pub fn failed(problem: &Problem) -> Response {
    let body = html! {
        p { (problem.detail()) }
        p.quiet { "Go back to where you began, and sign in again." }
    };
    shown(problem.status(), "Not signed in", &body)
}

fn shown(status: StatusCode, title: &str, body: &Markup) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · wpaas" }
                style { (maud::PreEscaped(STYLE)) }
            }
            body {
                h1 { (title) }
                (body)
            }
        }
    };
    let headers =
        [(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, POLICY), (VARY, "accept")];
    (status, headers, page.into_string()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_name_html_and_programs_do_not() {
        let asks = |text: &'static str| is_wanted(&HeaderMap::from_iter([(ACCEPT, text.parse().unwrap())]));
        assert!(asks("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"));
        for program in ["*/*", "application/json", "application/json, */*;q=0.1"] {
            assert!(!asks(program), "{program}");
        }
        assert!(!is_wanted(&HeaderMap::new()));
    }
}
