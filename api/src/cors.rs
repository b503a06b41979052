//! Pages of other origins: off, unless they are named.

use std::str::FromStr;

use actix_web::HttpResponse;
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderValue};

/// Which origins may use the API from a browser.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Origins {
    #[default]
    None,
    /// `https://example.org`, with a port where it is not the scheme's.
    Some(Vec<String>),
    Any,
}

/// What scripts may read beside the body.
const EXPOSED: &str = "ETag, Link, Location, Allow, Content-Disposition, Retry-After, RateLimit, RateLimit-Policy, Traceparent, WWW-Authenticate, X-Request-Id";

/// What scripts may send.
const ALLOWED: &str = "Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key, Last-Event-ID, Traceparent, Tracestate";

const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";

/// Seconds for which a browser need not ask again.
const REMEMBERED: &str = "600";

impl Origins {
    fn allow(&self, origin: &HeaderValue) -> bool {
        match self {
            Self::None => false,
            Self::Any => true,
            Self::Some(origins) => origins
                .iter()
                .any(|own| own.as_bytes() == origin.as_bytes()),
        }
    }

    /// The answer to a browser that asks what it may ask.
    pub fn preflight(&self, request: &ServiceRequest) -> Option<HttpResponse> {
        let headers = request.headers();
        let asks = *self != Self::None
            && request.method() == Method::OPTIONS
            && headers.contains_key(header::ORIGIN)
            && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if !asks {
            return None;
        }
        let mut response = HttpResponse::NoContent();
        if self.allow(headers.get(header::ORIGIN)?) {
            response
                .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, METHODS))
                .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED))
                .insert_header((header::ACCESS_CONTROL_MAX_AGE, REMEMBERED));
        }
        Some(response.finish())
    }

    /// Lets the origin of the request read the reply. Cookies are no matter: there are none.
    pub fn mark(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        if *self == Self::None {
            return;
        }
        // Another origin gets another reply.
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        let Some(origin) = origin.filter(|origin| self.allow(origin)) else {
            return;
        };
        let allowed = match self {
            Self::Any => HeaderValue::from_static("*"),
            _ => origin.clone(),
        };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static(EXPOSED),
        );
    }
}

impl FromStr for Origins {
    type Err = String;

    /// `*`, or origins with commas between; none when it is empty.
    fn from_str(text: &str) -> Result<Self, String> {
        let origins = text.split(',').map(str::trim);
        let origins: Vec<&str> = origins.filter(|origin| !origin.is_empty()).collect();
        if origins == ["*"] {
            return Ok(Self::Any);
        }
        for origin in &origins {
            let rest = origin
                .strip_prefix("https://")
                .or_else(|| origin.strip_prefix("http://"));
            let is_origin = rest.is_some_and(|rest| {
                !rest.is_empty() && !rest.contains(['/', '?', '#', '@', '*', ' '])
            });
            if !is_origin || origin.to_ascii_lowercase() != *origin {
                return Err(format!(
                    "`{origin}` is no origin: write for example https://example.org, in small letters and without a path, or *"
                ));
            }
        }
        Ok(match origins.len() {
            0 => Self::None,
            _ => Self::Some(origins.into_iter().map(str::to_owned).collect()),
        })
    }
}
