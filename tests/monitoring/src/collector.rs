use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;

use flate2::read::GzDecoder;
use serde_json::Value;

use crate::PATIENCE;

/// What takes spans by OTLP/HTTP in JSON, compressed. No package has a collector, so this one is ours: it says what it was sent.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    requests: mpsc::Receiver<Request>,
}

/// What the collector was sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The first line and the headers, in lower case.
    pub head: String,
    /// The body, unpacked.
    pub body: Value,
}

impl Collector {
    /// Answers each request with the next of these (`503 Later`), and all further ones with `200 OK`. Ends with the process.
    ///
    /// # Panics
    /// When it cannot listen.
    pub fn start(first: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (tell, requests) = mpsc::channel();
        let mut answers = first.iter().copied().chain(std::iter::repeat("200 OK"));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let Some(request) = read(&mut stream) else {
                    continue;
                };
                let answer = answers.next().unwrap_or_default();
                let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n");
                // Whoever asked may be gone; so may be whoever wants to know.
                let _ = stream.write_all(answer.as_bytes());
                if tell.send(request).is_err() {
                    return;
                }
            }
        });
        Self { address, requests }
    }

    /// Where it listens: `127.0.0.1:4318`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next request.
    ///
    /// # Panics
    /// When none comes.
    pub fn next(&self) -> Request {
        self.requests.recv_timeout(PATIENCE).expect("a request")
    }

    /// The next span that is as it has to be; all before it are passed over.
    ///
    /// # Panics
    /// When none comes.
    pub fn span(&self, is_meant: impl Fn(&Value) -> bool) -> Value {
        loop {
            let body = self.next().body;
            let spans = body.pointer("/resourceSpans/0/scopeSpans/0/spans");
            let spans = spans.and_then(Value::as_array).into_iter().flatten();
            if let Some(span) = spans.into_iter().find(|span| is_meant(span)) {
                return span.clone();
            }
        }
    }
}

/// One request; `None` if the connection ends before it does.
fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let end = loop {
        let mut part = [0; 4096];
        let count = stream.read(&mut part).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&part[..count]);
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let mut body = bytes.split_off(end);
    let head = String::from_utf8(bytes).ok()?.to_lowercase();
    let length = head.split("content-length: ").nth(1)?;
    let length: usize = length.split("\r\n").next()?.parse().ok()?;
    let there = body.len();
    body.resize(length, 0);
    stream.read_exact(&mut body[there..]).ok()?;
    let body = serde_json::from_reader(GzDecoder::new(body.as_slice())).ok()?;
    Some(Request { head, body })
}
