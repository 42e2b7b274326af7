use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

/// Answers an authority as a gateway does: with the token, a dot and what it was told.
pub struct Gateway {
    pub port: u16,
    says: Arc<Mutex<String>>,
    task: AbortHandle,
}

impl Gateway {
    pub async fn start() -> Self {
        let says = Arc::<Mutex<String>>::default();
        let answer = async |State(says): State<Arc<Mutex<String>>>, Path(token): Path<String>| {
            format!("{token}.{}", says.lock().unwrap())
        };
        let router =
            Router::new().route("/.well-known/acme-challenge/{token}", get(answer)).with_state(says.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }).abort_handle();
        Self { port, says, task }
    }

    pub fn answers_with(&self, thumbprint: &str) {
        thumbprint.clone_into(&mut self.says.lock().unwrap());
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.task.abort();
    }
}
