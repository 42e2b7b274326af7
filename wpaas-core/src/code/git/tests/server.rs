use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

/// What the server does with requests.
#[derive(Debug, Clone)]
pub(super) enum Manner {
    /// Gives out the files of a folder.
    Serve,
    /// The same, to whom shows this value of `Authorization`.
    Ask(String),
    /// Sends everybody elsewhere.
    Redirect(String),
    /// Breaks off halfway through every file whose path contains this.
    Cut(&'static str),
    /// Goes on without an end with every file whose path contains this.
    Flood(&'static str),
    /// Says nothing at all.
    Hang,
}

/// A static file server on 127.0.0.1: git's dumb transport.
pub(super) struct Server {
    port: u16,
    events: Receiver<Event>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// Somebody asked for this path.
    Asked(String),
    /// Somebody who was asking went away.
    Gone,
}

impl Server {
    pub(super) fn start(folder: &Path, manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, events) = mpsc::channel();
        let folder = folder.to_owned();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (folder, manner, sender) = (folder.clone(), manner.clone(), sender.clone());
                thread::spawn(move || answer(&stream.unwrap(), &folder, &manner, &sender));
            }
        });
        Self { port, events }
    }

    pub(super) fn url(&self, path: &str) -> String {
        self.url_of("127.0.0.1", path)
    }

    pub(super) fn url_of(&self, host: &str, path: &str) -> String {
        format!("http://{host}:{}/{path}", self.port)
    }

    /// What was asked for up to now.
    pub(super) fn events(&self) -> Vec<Event> {
        self.events.try_iter().collect()
    }

    /// The next thing that happens; waits for it.
    pub(super) fn next(&self) -> Event {
        self.events.recv().unwrap()
    }
}

fn answer(stream: &TcpStream, folder: &Path, manner: &Manner, sender: &Sender<Event>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut request, mut authorization) = (String::new(), String::new());
    reader.read_line(&mut request).ok()?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if let Some(value) = line.strip_prefix("Authorization: ") {
            value.trim().clone_into(&mut authorization);
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let path = request.split(' ').nth(1)?.split('?').next()?.trim_start_matches('/').to_owned();
    sender.send(Event::Asked(path.clone())).ok()?;
    match manner {
        Manner::Ask(wanted) if *wanted != authorization => {
            reply(stream, "401 Unauthorized", "WWW-Authenticate: Basic realm=\"x\"\r\n", b"", 0)
        }
        Manner::Redirect(to) => reply(stream, "302 Found", &format!("Location: {to}{path}\r\n"), b"", 0),
        Manner::Hang => {
            reader.read_exact(&mut [0]).ok();
            sender.send(Event::Gone).ok()
        }
        Manner::Flood(part) if path.contains(part) => {
            reply(stream, "200 OK", "", b"", usize::MAX / 4);
            let mut writer = stream;
            while writer.write_all(&[b'a'; 16 << 10]).is_ok() {}
            sender.send(Event::Gone).ok()
        }
        _ => serve(stream, &folder.join(&path), matches!(manner, Manner::Cut(part) if path.contains(part))),
    }
}

fn serve(stream: &TcpStream, file: &PathBuf, cut: bool) -> Option<()> {
    match std::fs::read(file) {
        Ok(content) if cut => reply(stream, "200 OK", "", &content[..content.len() / 2], content.len()),
        Ok(content) => reply(stream, "200 OK", "", &content, content.len()),
        Err(_) => reply(stream, "404 Not Found", "", b"", 0),
    }
}

fn reply(mut stream: &TcpStream, status: &str, headers: &str, body: &[u8], length: usize) -> Option<()> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body).ok()
}
