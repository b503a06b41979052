//! HTTP/1.1 on one kept connection, request by request.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::Failure;

/// How long a reply may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who asks, and where.
#[derive(Debug, Clone)]
pub struct Place {
    /// `host:port`.
    pub authority: String,
    pub key: String,
}

/// A whole reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// A request with everything filled in.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pub method: &'static str,
    /// Path and query, encoded.
    pub target: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Option<Vec<u8>>,
    pub with_key: bool,
}

pub struct Connection {
    place: Place,
    stream: Option<BufReader<TcpStream>>,
}

impl Connection {
    pub fn new(place: Place) -> Self {
        Self {
            place,
            stream: None,
        }
    }

    /// Sends a request and reads the reply; once more on a new connection when the server had closed the kept one.
    pub fn send(&mut self, request: &Outgoing) -> Result<Reply, Failure> {
        let was_kept = self.stream.is_some();
        match self.exchange(request) {
            Err(_) if was_kept => {
                self.stream = None;
                self.exchange(request)
            }
            result => result,
        }
        .map_err(|error| Failure(format!("{} {}: {error}", request.method, request.target)))
    }

    fn exchange(&mut self, request: &Outgoing) -> std::io::Result<Reply> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(&self.place.authority)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                BufReader::new(stream)
            }
        };
        stream.get_mut().write_all(&self.bytes(request))?;
        let reply = read_reply(&mut stream)?;
        if reply.header("connection") != Some("close") {
            self.stream = Some(stream);
        }
        Ok(reply)
    }

    fn bytes(&self, request: &Outgoing) -> Vec<u8> {
        let mut head = format!(
            "{} {} HTTP/1.1\r\nhost: {}\r\n",
            request.method, request.target, self.place.authority
        );
        if request.with_key {
            head += &format!("authorization: Bearer {}\r\n", self.place.key);
        }
        for (name, value) in &request.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if let Some(body) = &request.body {
            head += &format!("content-length: {}\r\n", body.len());
        }
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(b"\r\n");
        bytes.extend(request.body.iter().flatten());
        bytes
    }
}

fn read_reply(stream: &mut impl BufRead) -> std::io::Result<Reply> {
    let broken = |what: &str| std::io::Error::other(format!("the reply is no HTTP/1.1: {what}"));
    let line = read_line(stream)?;
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| broken(&line))?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(stream)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| broken(&line))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut reply = Reply {
        status,
        headers,
        body: Vec::new(),
    };
    if matches!(status, 204 | 304) {
        return Ok(reply);
    }
    if reply.header("transfer-encoding") == Some("chunked") {
        loop {
            let line = read_line(stream)?;
            let length = usize::from_str_radix(&line, 16).map_err(|_| broken(&line))?;
            let begin = reply.body.len();
            reply.body.resize(begin + length, 0);
            stream.read_exact(&mut reply.body[begin..])?;
            read_line(stream)?;
            if length == 0 {
                return Ok(reply);
            }
        }
    }
    match reply.header("content-length").map(str::parse) {
        Some(Ok(length)) => {
            reply.body.resize(length, 0);
            stream.read_exact(&mut reply.body)?;
        }
        Some(Err(_)) => return Err(broken("content-length")),
        None => {
            stream.read_to_end(&mut reply.body)?;
        }
    }
    Ok(reply)
}

fn read_line(stream: &mut impl BufRead) -> std::io::Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(std::io::Error::other("the server closed the connection"));
    }
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(line)
}
