//! A client that says exactly what it is told to, broken things too, and reads the reply to its end.

use std::net::SocketAddr;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value as Json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Somebody who asks: where, and with which key.
#[derive(Clone)]
pub struct Client {
    address: SocketAddr,
    key: Option<String>,
}

/// A request before it is sent.
#[must_use = "a request does nothing until it is sent"]
pub struct Request {
    address: SocketAddr,
    head: String,
    body: Option<Vec<u8>>,
}

/// A whole reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// A path with its query, values encoded.
pub fn with_query(path: &str, parameters: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
        .collect();
    format!("{path}?{}", pairs.join("&"))
}

impl Client {
    pub fn new(address: SocketAddr, key: Option<String>) -> Self {
        Self { address, key }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// The same caller, asking another server.
    pub fn at(&self, address: SocketAddr) -> Self {
        Self {
            address,
            key: self.key.clone(),
        }
    }

    /// Another caller, asking the same server.
    pub fn with_key(&self, key: &str) -> Self {
        Self {
            address: self.address,
            key: Some(key.to_owned()),
        }
    }

    /// A path that does not begin with `/` is below `/api/v1/`.
    pub fn request(&self, method: &str, path: &str) -> Request {
        let base = if path.starts_with('/') {
            ""
        } else {
            "/api/v1/"
        };
        let mut head =
            format!("{method} {base}{path} HTTP/1.1\r\nhost: pharos\r\nconnection: close\r\n");
        if let Some(key) = &self.key {
            head += &format!("authorization: Bearer {key}\r\n");
        }
        Request {
            address: self.address,
            head,
            body: None,
        }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.request("GET", path).send().await
    }

    /// A list or search, its parameters encoded.
    pub async fn query(&self, path: &str, parameters: &[(&str, &str)]) -> Reply {
        self.get(&with_query(path, parameters)).await
    }

    pub async fn post(&self, path: &str, body: &Json) -> Reply {
        self.request("POST", path).json(body).send().await
    }

    pub async fn patch(&self, path: &str, if_match: &str, body: &Json) -> Reply {
        self.request("PATCH", path)
            .header("if-match", if_match)
            .json(body)
            .send()
            .await
    }

    pub async fn delete(&self, path: &str, if_match: &str) -> Reply {
        self.request("DELETE", path)
            .header("if-match", if_match)
            .send()
            .await
    }

    /// Follows `next_cursor` from page to page and gives the items of all of them.
    pub async fn all(&self, path: &str, parameters: &[(&str, &str)]) -> Vec<Json> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut parameters = parameters.to_vec();
            if let Some(cursor) = &cursor {
                parameters.push(("cursor", cursor));
            }
            let page = self.query(path, &parameters).await.is(200).json();
            items.extend(page["items"].as_array().expect("items").iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => return items,
            }
        }
    }
}

impl Request {
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.head += &format!("{name}: {value}\r\n");
        self
    }

    pub fn json(self, body: &Json) -> Self {
        self.header("content-type", "application/json")
            .body(body.to_string())
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sends the body with its length announced.
    pub async fn send(mut self) -> Reply {
        if let Some(body) = &self.body {
            self.head += &format!("content-length: {}\r\n", body.len());
        }
        self.send_as_it_is().await
    }

    /// Sends the body in chunks, its length not announced.
    pub async fn send_chunked(mut self) -> Reply {
        let mut chunked = Vec::new();
        for chunk in self.body.take().unwrap_or_default().chunks(64 * 1024) {
            chunked.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            chunked.extend_from_slice(chunk);
            chunked.extend_from_slice(b"\r\n");
        }
        chunked.extend_from_slice(b"0\r\n\r\n");
        self.body = Some(chunked);
        self.header("transfer-encoding", "chunked")
            .send_as_it_is()
            .await
    }

    /// Adds nothing: the headers say what they say.
    pub async fn send_as_it_is(self) -> Reply {
        let mut bytes = self.head.into_bytes();
        bytes.extend_from_slice(b"\r\n");
        bytes.extend(self.body.unwrap_or_default());
        tokio::time::timeout(Duration::from_secs(120), exchange(self.address, &bytes))
            .await
            .expect("a reply within two minutes")
            .expect("a reply")
    }

    /// The same, where there may be no server to answer.
    pub async fn try_send(mut self) -> Option<Reply> {
        if let Some(body) = &self.body {
            self.head += &format!("content-length: {}\r\n", body.len());
        }
        let mut bytes = self.head.into_bytes();
        bytes.extend_from_slice(b"\r\n");
        bytes.extend(self.body.unwrap_or_default());
        exchange(self.address, &bytes).await.ok()
    }
}

async fn exchange(address: SocketAddr, request: &[u8]) -> std::io::Result<Reply> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    // A server that refuses a body need not read it to its end.
    let _ = stream.write_all(request).await;
    let mut bytes = Vec::new();
    if let Err(error) = stream.read_to_end(&mut bytes).await
        && bytes.is_empty()
    {
        return Err(error);
    }
    parse(&bytes).ok_or_else(|| {
        std::io::Error::other(format!(
            "no whole reply: {:?}",
            String::from_utf8_lossy(&bytes)
        ))
    })
}

fn parse(bytes: &[u8]) -> Option<Reply> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut reply = Reply {
        status,
        headers,
        body: bytes[end + 4..].to_vec(),
    };
    if reply.header("transfer-encoding") == Some("chunked") {
        reply.body = dechunk(&reply.body)?;
    }
    match reply.header("content-length") {
        Some(length) if length.parse() != Ok(reply.body.len()) => None,
        _ => Some(reply),
    }
}

fn dechunk(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = bytes.windows(2).position(|two| two == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).ok()?, 16).ok()?;
        let chunk = bytes.get(end + 2..end + 2 + length)?;
        if length == 0 {
            return Some(body);
        }
        body.extend_from_slice(chunk);
        bytes = bytes.get(end + 2 + length + 2..)?;
    }
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub fn json(&self) -> Json {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }

    /// Passes the reply on when it has this status.
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// The problem document, when it is a well-formed one with this status and code.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Json {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{}",
            self.text()
        );
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        assert_eq!(problem["type"], "about:blank", "{problem}");
        assert_eq!(
            problem["request_id"].as_str(),
            self.header("x-request-id"),
            "{problem}"
        );
        for text in ["title", "detail", "request_id"] {
            assert!(
                problem[text].as_str().is_some_and(|text| !text.is_empty()),
                "{text}: {problem}"
            );
        }
        problem
    }

    /// Place and code of each fault in a problem document of this status.
    #[track_caller]
    pub fn faults(&self, status: u16) -> Vec<(String, String)> {
        assert_eq!(self.status, status, "{}", self.text());
        let problem = self.json();
        self.problem(status, problem["code"].as_str().expect("a code"));
        let faults = problem["errors"]
            .as_array()
            .unwrap_or_else(|| panic!("no errors in {problem}"));
        faults
            .iter()
            .map(|fault| {
                let place = fault["pointer"]
                    .as_str()
                    .or(fault["parameter"].as_str())
                    .expect("a place");
                let place = match fault["position"].as_u64() {
                    Some(position) => format!("{place}@{position}"),
                    None => place.to_owned(),
                };
                (place, fault["code"].as_str().expect("a code").to_owned())
            })
            .collect()
    }

    /// That the only fault is at this place and of this code.
    #[track_caller]
    pub fn has_fault(&self, status: u16, place: &str, code: &str) {
        assert_eq!(
            self.faults(status),
            [(place.to_owned(), code.to_owned())],
            "{}",
            self.text()
        );
    }
}
