use std::net::SocketAddr;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use wpaas_core::reach::{Reach, SystemResolver, pin};
use wpaas_core::service::Signed;
use wpaas_core::webhook::{Reply, place};

use crate::problem::chain;

/// For a whole message and its answer's head.
const PATIENCE: Duration = Duration::from_secs(15);
/// For a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// Posts messages, to the public internet and to what the operator allows, and follows nobody elsewhere.
#[derive(Debug)]
pub struct Post {
    prefixes: Vec<String>,
    public: Client,
    anywhere: Client,
}

/// Looks a host up and gives only addresses that may be connected to.
#[derive(Debug)]
struct Pinning(Reach);

impl Resolve for Pinning {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let pinned = pin(&SystemResolver, name.as_str(), reach).await?;
            let addresses = pinned.addresses.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

impl Post {
    /// Below these prefixes a URL may lead anywhere.
    ///
    /// # Errors
    ///
    /// When TLS can't be set up.
    pub fn new(prefixes: Vec<String>) -> reqwest::Result<Self> {
        Ok(Self { prefixes, public: client(Reach::Public)?, anywhere: client(Reach::Anywhere)? })
    }

    /// Posts a message, and tells what came of it.
    pub async fn send(&self, url: &str, signed: &Signed, body: Vec<u8>) -> Reply {
        // What is allowed may have changed since the URL was taken.
        let (client, url) = match place(url, &self.prefixes) {
            Ok((url, Reach::Public)) => (&self.public, url),
            Ok((url, Reach::Anywhere)) => (&self.anywhere, url),
            Err(error) => return Reply::None { why: format!("the URL {error}") },
        };
        match request(client, url, signed, body).send().await {
            Ok(response) => {
                let (status, retry_after) = (response.status().as_u16(), retry_after(response.headers()));
                Reply::Status { status, retry_after }
            }
            Err(error) => Reply::None { why: chain(&error.without_url()) },
        }
    }
}

fn client(reach: Reach) -> reqwest::Result<Client> {
    Client::builder()
        .dns_resolver(std::sync::Arc::new(Pinning(reach)))
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT)
        .timeout(PATIENCE)
        .user_agent(concat!("wpaas/", env!("CARGO_PKG_VERSION")))
        .build()
}

fn request(client: &Client, url: Url, signed: &Signed, body: Vec<u8>) -> reqwest::RequestBuilder {
    let Signed { id, timestamp, signature } = signed;
    client
        .post(url)
        .header(CONTENT_TYPE, "application/json")
        .header("webhook-id", id)
        .header("webhook-timestamp", timestamp.to_string())
        .header("webhook-signature", signature)
        .body(body)
}

/// In seconds; a date is not asked for.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn told(url: &str) -> String {
        let signed = Signed { id: String::new(), timestamp: 0, signature: String::new() };
        match Post::new(Vec::new()).unwrap().send(url, &signed, Vec::new()).await {
            Reply::None { why } => why,
            answered @ Reply::Status { .. } => panic!("{answered:?}"),
        }
    }

    #[tokio::test]
    async fn a_private_address_behind_a_name_is_not_connected_to() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let why = told(&format!("https://localhost:{port}/?token=secret")).await;
        assert!(why.contains("the host localhost is not on the public internet"), "{why}");
        assert!(!why.contains("secret"), "{why}");
        let why = told(&format!("https://127.0.0.1:{port}/")).await;
        assert!(why.starts_with("the URL must lead to the public internet"), "{why}");
        let nobody = std::future::poll_fn(|context| listener.poll_accept(context).map(drop));
        assert!(futures::FutureExt::now_or_never(nobody).is_none(), "somebody connected");
    }

    #[test]
    fn a_receiver_says_in_seconds_when_to_come_again() {
        let after = |text: &str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            retry_after(&headers).map(|pause| pause.as_secs())
        };
        assert_eq!(
            (after(" 120"), after("Wed, 21 Oct 2026 07:28:00 GMT"), after("-1")),
            (Some(120), None, None)
        );
    }
}
