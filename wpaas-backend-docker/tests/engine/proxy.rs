//! Stands between a backend and the Engine: counts requests, and can be cut.

use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;

pub struct Proxy {
    folder: TempDir,
    engine: String,
    requests: Arc<Mutex<Vec<String>>>,
    running: Mutex<Option<JoinSet<()>>>,
}

impl Proxy {
    pub fn start(engine: &str) -> Self {
        let proxy = Self {
            folder: TempDir::new().unwrap(),
            engine: engine.trim_start_matches("unix://").to_owned(),
            requests: Arc::default(),
            running: Mutex::new(None),
        };
        proxy.mend();
        proxy
    }

    pub fn host(&self) -> String {
        format!("unix://{}", self.socket())
    }

    fn socket(&self) -> String {
        self.folder.path().join("docker.sock").to_str().unwrap().to_owned()
    }

    /// The requests since the last call. Each has a connection of its own.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }

    /// Every connection ends, and no new one is taken.
    pub async fn cut(&self) {
        let running = self.running.lock().unwrap().take();
        if let Some(mut running) = running {
            running.shutdown().await;
        }
        std::fs::remove_file(self.socket()).unwrap();
    }

    pub fn mend(&self) {
        let listener = UnixListener::bind(self.socket()).unwrap();
        let (engine, requests) = (self.engine.clone(), Arc::clone(&self.requests));
        let mut running = JoinSet::new();
        running.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(forward(client, engine.clone(), Arc::clone(&requests)));
            }
        });
        *self.running.lock().unwrap() = Some(running);
    }
}

async fn forward(mut client: UnixStream, engine: String, requests: Arc<Mutex<Vec<String>>>) {
    let mut engine = UnixStream::connect(engine).await.unwrap();
    let mut first = vec![0; 4096];
    let read = client.read(&mut first).await.unwrap_or(0);
    let line = String::from_utf8_lossy(&first[..read]).lines().next().unwrap_or_default().to_owned();
    requests.lock().unwrap().push(line);
    if engine.write_all(&first[..read]).await.is_ok() {
        // Either side may end first.
        drop(tokio::io::copy_bidirectional(&mut client, &mut engine).await);
    }
}
