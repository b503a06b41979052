//! What the framework refuses below the API (what is no HTTP, heads that are too large or too slow) is a problem document,
//! too: it writes an empty reply, and this takes its place.

use actix_web::http::StatusCode;
use serde_json::json;

/// What is to be sent in place of these bytes, when they end in the framework's own refusal.
pub fn in_place_of(bytes: &[u8]) -> Option<Vec<u8>> {
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
    let (code, detail) = match status {
        StatusCode::REQUEST_TIMEOUT => (
            "slow_head",
            "the head of the request came too slowly".to_owned(),
        ),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => (
            "head_too_large",
            "the request line and the headers are too large: at most 131,072 bytes and 96 headers".to_owned(),
        ),
        _ => (
            "malformed_request",
            "this is no request of HTTP/1.1 that can be read: look at the request line and the headers".to_owned(),
        ),
    };
    let request_id = crate::app::uuid_text();
    let title = status.canonical_reason().unwrap_or("Error");
    let body = json!({
        "type": "about:blank",
        "title": title,
        "status": status.as_u16(),
        "detail": detail,
        "code": code,
        "request_id": request_id,
    })
    .to_string();
    let reply = format!(
        "HTTP/1.1 {} {title}\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\nconnection: close\r\nx-content-type-options: nosniff\r\nx-request-id: {request_id}\r\n\r\n{body}",
        status.as_u16(),
        body.len()
    );
    Some([before, reply.as_bytes()].concat())
}
