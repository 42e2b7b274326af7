//! A browser, as far as a login needs one: it goes where it is sent, and keeps cookies.

use reqwest::header::{ACCEPT, COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, RequestBuilder, Url, redirect};

use super::super::harness::{Answer, Api, send};

/// A login that has begun.
pub struct Login {
    /// Where the browser was sent.
    pub url: Url,
    /// What it was told to keep, with all that was said of it.
    pub cookie: String,
}

impl Login {
    pub fn parameter(&self, name: &str) -> String {
        let found = self.url.query_pairs().find(|(other, _)| other == name);
        found.map(|(_, value)| value.into_owned()).unwrap_or_default()
    }

    /// The same with another value.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut login = self.without(name);
        login.url.query_pairs_mut().append_pair(name, value);
        login
    }

    /// The same without one.
    pub fn without(&self, name: &str) -> Self {
        let mut url = self.url.clone();
        let others = self.url.query_pairs().filter(|(other, _)| other != name);
        url.query_pairs_mut().clear().extend_pairs(others);
        Self { url, cookie: self.cookie.clone() }
    }

    /// What it says when it comes back.
    pub fn kept(&self) -> &str {
        self.cookie.split(';').next().unwrap()
    }
}

fn http() -> Client {
    Client::builder().redirect(redirect::Policy::none()).build().unwrap()
}

fn at(api: &Api, path: &str) -> RequestBuilder {
    http().get(format!("http://{}{path}", api.server.address()))
}

/// Goes to sign in.
pub async fn begin(api: &Api, path: &str) -> Login {
    let answer = at(api, path).send().await.unwrap();
    assert_eq!(answer.status(), 303, "{}", answer.text().await.unwrap());
    let header = |name| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(
        (header("cache-control"), header("referrer-policy")),
        ("no-store".into(), "no-referrer".into())
    );
    Login { url: header(LOCATION.as_str()).parse().unwrap(), cookie: header(SET_COOKIE.as_str()) }
}

/// Lets the person sign in at the provider; where that sends the browser back to.
pub async fn approve(login: &Login, subject: &str) -> Url {
    let answer = http().post(login.url.clone()).form(&[("sub", subject)]).send().await.unwrap();
    assert_eq!(answer.status(), 302, "{}", answer.text().await.unwrap());
    answer.headers()[LOCATION].to_str().unwrap().parse().unwrap()
}

/// Comes back, with this cookie.
pub async fn come_back(api: &Api, url: &Url, cookie: &str) -> Answer {
    let path = format!("{}?{}", url.path(), url.query().unwrap_or_default());
    send(at(api, &path).header(COOKIE, cookie)).await
}

/// As a browser comes back that a person looks at: the page that it shows.
pub async fn look(api: &Api, url: &Url, cookie: &str) -> Answer {
    let path = format!("{}?{}", url.path(), url.query().unwrap_or_default());
    let accepts = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let answer = send(at(api, &path).header(COOKIE, cookie).header(ACCEPT, accepts)).await;
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert_eq!((answer.header("cache-control"), answer.header("vary")), ("no-store", "accept"));
    assert!(answer.header("content-security-policy").contains("default-src 'none'"));
    answer
}

/// All of it.
pub async fn sign_in(api: &Api, path: &str, subject: &str) -> Answer {
    let login = begin(api, path).await;
    come_back(api, &approve(&login, subject).await, login.kept()).await
}
