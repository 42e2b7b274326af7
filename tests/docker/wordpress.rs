//! What an editor and a visitor do with a WordPress.

use std::net::SocketAddr;

use reqwest::multipart::{Form, Part};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

pub struct Wordpress {
    client: Client,
    url: String,
}

impl Wordpress {
    pub fn at(url: &str) -> Self {
        let client = Client::builder().cookie_store(true).redirect(Policy::none()).build().unwrap();
        Self { client, url: url.trim_end_matches('/').to_owned() }
    }

    /// At the edge of this machine, by its name.
    pub fn at_edge(url: &str, host: &str) -> Self {
        let here = SocketAddr::from(([127, 0, 0, 1], 0));
        let builder = Client::builder().cookie_store(true).redirect(Policy::none()).resolve(host, here);
        Self { client: builder.build().unwrap(), url: url.trim_end_matches('/').to_owned() }
    }

    pub async fn get(&self, path: &str) -> (StatusCode, String) {
        let response = self.client.get(format!("{}{path}", self.url)).send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }

    /// A page, where anything answers.
    pub async fn try_get(&self, path: &str) -> Option<(StatusCode, String)> {
        let response = self.client.get(format!("{}{path}", self.url)).send().await.ok()?;
        Some((response.status(), response.text().await.ok()?))
    }

    /// A request under another name.
    pub async fn get_as(&self, host: &str) -> (StatusCode, String) {
        let response = self.client.get(format!("{}/", self.url)).header("Host", host).send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }

    /// Whether WordPress takes this password.
    pub async fn login(&self, user: &str, password: &str) -> bool {
        let form = [("log", user), ("pwd", password), ("testcookie", "1")];
        let login = format!("{}/wp-login.php", self.url);
        let response = self
            .client
            .post(login)
            .header("Cookie", "wordpress_test_cookie=WP%20Cookie%20check")
            .form(&form)
            .send()
            .await
            .unwrap();
        response.status() == StatusCode::FOUND
            && response
                .headers()
                .get_all("set-cookie")
                .iter()
                .any(|c| c.to_str().unwrap().starts_with("wordpress_logged_in"))
    }

    /// What a signed-in editor's REST requests carry.
    async fn nonce(&self) -> String {
        let (status, nonce) = self.get("/wp-admin/admin-ajax.php?action=rest-nonce").await;
        assert_eq!(status, 200, "{nonce}");
        nonce
    }

    /// Publishes a post; returns its path.
    pub async fn publish(&self, title: &str) -> String {
        let body = json!({"title": title, "content": "Words.", "status": "publish"});
        let request = self.client.post(format!("{}/wp-json/wp/v2/posts", self.url));
        let response = request.header("X-WP-Nonce", self.nonce().await).json(&body).send().await.unwrap();
        assert_eq!(response.status(), 201);
        let post: Value = response.json().await.unwrap();
        post["link"].as_str().unwrap().strip_prefix(&self.url).unwrap().to_owned()
    }

    /// A call of WordPress's REST API that is to succeed.
    pub async fn rest(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let mut request = self.client.request(method.clone(), format!("{}/wp-json{path}", self.url));
        request = request.header("X-WP-Nonce", self.nonce().await);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        let answer: Value = response.json().await.unwrap();
        assert!(status.is_success(), "{method} {path}: {status} {answer}");
        answer
    }

    /// Uploads a picture; returns its path.
    pub async fn upload(&self, name: &str, bytes: &[u8]) -> String {
        let part = Part::bytes(bytes.to_vec()).file_name(name.to_owned()).mime_str("image/gif").unwrap();
        let request = self.client.post(format!("{}/wp-json/wp/v2/media", self.url));
        let request =
            request.header("X-WP-Nonce", self.nonce().await).multipart(Form::new().part("file", part));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 201);
        let media: Value = response.json().await.unwrap();
        media["source_url"].as_str().unwrap().strip_prefix(&self.url).unwrap().to_owned()
    }

    pub async fn bytes(&self, path: &str) -> Vec<u8> {
        let response = self.client.get(format!("{}{path}", self.url)).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.bytes().await.unwrap().to_vec()
    }
}

/// The smallest picture.
pub const GIF: &[u8] = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;";
