use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

/// Answers an authority as a gateway does: with the token, a dot and what it was told.
pub struct Gateway {
    pub port: u16,
    told: Arc<Told>,
    task: AbortHandle,
}

/// What it answers with, and how often it was asked.
#[derive(Default)]
struct Told {
    says: Mutex<String>,
    asked: AtomicUsize,
}

impl Gateway {
    pub async fn start() -> Self {
        let told = Arc::<Told>::default();
        let answer = async |State(told): State<Arc<Told>>, Path(token): Path<String>| {
            told.asked.fetch_add(1, Ordering::Relaxed);
            format!("{token}.{}", told.says.lock().unwrap())
        };
        let router =
            Router::new().route("/.well-known/acme-challenge/{token}", get(answer)).with_state(told.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }).abort_handle();
        Self { port, told, task }
    }

    pub fn answers_with(&self, thumbprint: &str) {
        thumbprint.clone_into(&mut self.told.says.lock().unwrap());
    }

    /// How often an authority has asked it.
    pub fn asked(&self) -> usize {
        self.told.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.task.abort();
    }
}
