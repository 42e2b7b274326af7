//! From where a request comes.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;

use crate::state::AppState;

/// The other end of the connection; the listener puts it into each request.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// The address that is answered for: the peer's, or what a proxy that the operator trusts says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address(pub IpAddr);

impl FromRequestParts<AppState> for Address {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<Peer>().map(|Peer(peer)| peer.ip());
        // Without a listener, as in tests, everybody is here.
        let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)).to_canonical();
        Ok(Self(said(peer, &parts.headers, &state.settings.limits.trusted_proxies)))
    }
}

/// The last address that no trusted proxy wrote of itself: what stands before it may be anybody's invention.
fn said(peer: IpAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> IpAddr {
    let lines = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = lines.flat_map(|line| line.split(',')).collect();
    let mut address = peer;
    for hop in hops.iter().rev() {
        match hop.trim().parse::<IpAddr>() {
            Ok(before) if trusted.contains(&address) => address = before.to_canonical(),
            _ => break,
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trusted_proxy_is_believed_and_only_its_own_word() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let headers = HeaderMap::from_iter([(
            "x-forwarded-for".parse().unwrap(),
            "10.9.9.9, 198.51.100.7, 10.0.0.2".parse().unwrap(),
        )]);
        let (proxy, inner) = (ip("10.0.0.1"), ip("10.0.0.2"));
        assert_eq!(said(proxy, &headers, &[]), proxy);
        assert_eq!(said(ip("192.0.2.1"), &headers, &[proxy]), ip("192.0.2.1"));
        assert_eq!(said(proxy, &headers, &[proxy]), inner);
        assert_eq!(said(proxy, &headers, &[proxy, inner]), ip("198.51.100.7"));
        assert_eq!(said(proxy, &HeaderMap::new(), &[proxy]), proxy);
    }
}
