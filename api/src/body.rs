//! Bodies as bytes: of a bounded size, as they are declared, and not compressed.

use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::header::HeaderValue;
use actix_web::http::{StatusCode, header};
use futures_util::StreamExt;

use crate::problem::Problem;

/// Bytes of a JSON body at most.
pub const LARGEST_BODY: usize = 2 * 1024 * 1024;

/// Bytes that are set aside at once for a body that is announced.
const BELIEVED_LENGTH: usize = 64 * 1024;

/// A whole body of a bounded size.
pub async fn read_body(request: &HttpRequest, payload: &mut Payload) -> Result<Vec<u8>, Problem> {
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok())
        .and_then(|length| length.parse::<usize>().ok());
    refuse_encoding(request)?;
    if announced.is_some_and(|length| length > LARGEST_BODY) {
        return Err(too_large());
    }
    // What is announced is believed when some of it has come.
    let mut bytes = Vec::with_capacity(announced.unwrap_or(0).min(BELIEVED_LENGTH));
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(unreadable_body)?;
        let length = bytes.len() + chunk.len();
        if length > LARGEST_BODY {
            return Err(too_large());
        }
        if length > bytes.capacity() {
            let room = announced.unwrap_or(2 * length).clamp(length, LARGEST_BODY);
            bytes.reserve_exact(room - bytes.len());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Why a body did not come whole.
pub fn unreadable_body(error: PayloadError) -> Problem {
    let slow =
        matches!(&error, PayloadError::Io(error) if error.kind() == std::io::ErrorKind::TimedOut);
    if slow {
        return Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "slow_body",
            "the body came too slowly",
        );
    }
    Problem::new(
        StatusCode::BAD_REQUEST,
        "unreadable_body",
        format!("the body cannot be read: {error}"),
    )
}

/// A compressed body could be any size when it is unpacked: none is.
pub fn refuse_encoding(request: &HttpRequest) -> Result<(), Problem> {
    let encoded = request
        .headers()
        .get(header::CONTENT_ENCODING)
        .is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"));
    if !encoded {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_encoding",
        "send the body without Content-Encoding",
    )
    .with_header(
        header::ACCEPT_ENCODING,
        HeaderValue::from_static("identity"),
    ))
}

/// What the body is declared as, in lower case and without parameters.
pub fn media_type(request: &HttpRequest) -> Option<String> {
    let value = request.headers().get(header::CONTENT_TYPE)?.to_str().ok()?;
    value
        .split(';')
        .next()
        .map(|kind| kind.trim().to_ascii_lowercase())
}

fn too_large() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body_too_large",
        format!("the body has more than {LARGEST_BODY} bytes"),
    )
}
