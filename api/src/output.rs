//! What goes out: single items with their ETag, lists with their Link.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use service::Error;

use crate::input::is_unchanged;
use crate::problem::Problem;

const PARAMETER: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A JSON body.
pub fn json(status: StatusCode, body: &impl Serialize) -> Result<HttpResponse, Problem> {
    let bytes = serde_json::to_vec(body).map_err(|error| Error::Internal(error.to_string()))?;
    Ok(HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, "application/json"))
        .body(bytes))
}

/// A single item of which the version is known.
pub fn versioned(
    status: StatusCode,
    version: i64,
    body: &impl Serialize,
) -> Result<HttpResponse, Problem> {
    tagged(status, &version.to_string(), body)
}

/// A single item whose ETag tells more than its version: `3-…`.
pub fn tagged(
    status: StatusCode,
    tag: &str,
    body: &impl Serialize,
) -> Result<HttpResponse, Problem> {
    let mut response = json(status, body)?;
    if let Ok(etag) = HeaderValue::from_str(&format!("\"{tag}\"")) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    Ok(response)
}

/// A single item that was read: 304 without a body when `If-None-Match` names its tag.
pub fn conditional(
    request: &HttpRequest,
    tag: impl ToString,
    body: &impl Serialize,
) -> Result<HttpResponse, Problem> {
    let tag = tag.to_string();
    let mut response = tagged(StatusCode::OK, &tag, body)?;
    if is_unchanged(request, &tag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response.drop_body().map_into_boxed_body());
    }
    Ok(response)
}

/// Says where a new item is.
pub fn located(mut response: HttpResponse, path: &str) -> HttpResponse {
    if let Ok(location) = HeaderValue::from_str(path) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// Adds the `Link` to the next page: the same request with the next cursor.
pub fn linked(
    mut response: HttpResponse,
    request: &HttpRequest,
    next_cursor: Option<&str>,
) -> HttpResponse {
    let Some(cursor) = next_cursor else {
        return response;
    };
    let kept = request
        .query_string()
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("cursor="));
    let mut query: Vec<&str> = kept.collect();
    let cursor = format!("cursor={}", utf8_percent_encode(cursor, PARAMETER));
    query.push(&cursor);
    let link = format!("<{}?{}>; rel=\"next\"", request.path(), query.join("&"));
    if let Ok(link) = HeaderValue::from_str(&link) {
        response.headers_mut().insert(header::LINK, link);
    }
    response
}
