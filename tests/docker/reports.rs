//! Who hears what nodes report while the control plane is away, and orders nothing.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::Value;

/// Listens until it is dropped.
pub struct Reports {
    port: u16,
    done: Arc<AtomicBool>,
    last: Arc<Mutex<BTreeMap<String, Value>>>,
    listener: Option<JoinHandle<()>>,
}

impl Reports {
    pub fn at(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap();
        let (done, last) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(BTreeMap::new())));
        let (over, kept) = (Arc::clone(&done), Arc::clone(&last));
        let listener = std::thread::spawn(move || {
            for node in listener.incoming().flatten().take_while(|_| !over.load(Ordering::Relaxed)) {
                if let Some((part, report)) = hear(node) {
                    kept.lock().unwrap().insert(part, report);
                }
            }
        });
        Self { port, done, last, listener: Some(listener) }
    }

    /// The last of this part.
    pub fn last(&self, part: &str) -> Option<Value> {
        self.last.lock().unwrap().get(part).cloned()
    }
}

impl Drop for Reports {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
        drop(self.listener.take().map(JoinHandle::join));
    }
}

/// `POST /reports/SITE/PART` with JSON.
fn hear(mut node: TcpStream) -> Option<(String, Value)> {
    let mut request = BufReader::new(node.try_clone().ok()?);
    let (mut first, mut length) = (String::new(), 0);
    request.read_line(&mut first).ok()?;
    for line in request.by_ref().lines() {
        let line = line.ok()?;
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.parse().ok()?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    request.read_exact(&mut body).ok()?;
    node.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").ok()?;
    let part = first.split(' ').nth(1)?.rsplit('/').next()?.to_owned();
    Some((part, serde_json::from_slice(&body).ok()?))
}
