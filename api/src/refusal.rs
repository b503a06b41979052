//! What the framework refuses below the API (what is no HTTP, heads that are too large or too slow) is a problem document,
//! too: it writes an empty reply, and this takes its place.

use std::time::SystemTime;

use actix_web::http::StatusCode;
use actix_web::http::header::HttpDate;

use crate::gate::{DATA_POLICY, REFERRERS};
use crate::problem::Problem;

/// Bytes of a URL at most: a longer one cannot be parsed.
const LONGEST_URL: usize = 65_534;

/// How long the URL in the head is that comes now.
#[derive(Debug, Clone, Copy, Default)]
pub struct UrlLength {
    /// Parts of the request line that are behind us: the method, then the URL.
    parts: u8,
    bytes: usize,
}

impl UrlLength {
    /// Takes in some more of the head.
    pub fn receive(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match (self.parts, byte) {
                (2.., _) => return,
                // Empty lines in front of a request are passed over.
                (0, b'\r' | b'\n') => {}
                (_, b'\n') => self.parts = 2,
                (_, b' ') => self.parts += 1,
                (1, _) => self.bytes += 1,
                (0, _) => {}
            }
        }
    }
}

/// What is to be sent in place of these bytes, when they end in the framework's own refusal.
pub fn in_place_of(bytes: &[u8], url: UrlLength) -> Option<Vec<u8>> {
    const REFUSAL: &[u8] = b"HTTP/1.1 4";
    // It has no body; replies of the API have an id.
    if !bytes.ends_with(b"\r\n\r\n") {
        return None;
    }
    let begin = bytes
        .windows(REFUSAL.len())
        .rposition(|part| part == REFUSAL)?;
    let (before, refusal) = bytes.split_at(begin);
    let head = std::str::from_utf8(refusal).ok()?.to_ascii_lowercase();
    let is_empty =
        head.find("\r\n\r\n") == Some(head.len() - 4) && head.contains("\r\ncontent-length: 0\r\n");
    if !is_empty || head.contains("\r\nx-request-id:") {
        return None;
    }
    let status = StatusCode::from_bytes(refusal.get(9..12)?).ok()?;
    let (status, code, detail) = match status {
        StatusCode::REQUEST_TIMEOUT => (
            status,
            "slow_head",
            "the head of the request came too slowly".to_owned(),
        ),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => (
            status,
            "head_too_large",
            "the request line and the headers are too large: at most 131,072 bytes and 96 headers".to_owned(),
        ),
        StatusCode::BAD_REQUEST if url.bytes > LONGEST_URL => (
            StatusCode::URI_TOO_LONG,
            "uri_too_long",
            "the URL is too long: at most 65,534 bytes".to_owned(),
        ),
        _ => (
            status,
            "malformed_request",
            "this is no request of HTTP/1.1 that can be read: look at the request line and the headers".to_owned(),
        ),
    };
    let mut problem = Problem::new(status, code, detail);
    let request_id = crate::app::uuid_text();
    problem.request_id.clone_from(&request_id);
    tracing::debug!(target: "pharos::request", request_id, status = status.as_u16(), code, "refused below the API");
    let body = serde_json::to_string(&problem).ok()?;
    let head = [
        format!("HTTP/1.1 {} {}", problem.status, problem.title),
        "content-type: application/problem+json".to_owned(),
        format!("content-length: {}", body.len()),
        "connection: close".to_owned(),
        format!("date: {}", HttpDate::from(SystemTime::now())),
        format!("content-security-policy: {DATA_POLICY}"),
        "x-content-type-options: nosniff".to_owned(),
        format!("referrer-policy: {REFERRERS}"),
        format!("x-request-id: {request_id}"),
    ];
    let reply = format!("{}\r\n\r\n{body}", head.join("\r\n"));
    Some([before, reply.as_bytes()].concat())
}
