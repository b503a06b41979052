//! Errors as RFC 9457 problem documents: one table from domain errors to status, code and title.

use std::borrow::Cow;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use service::database::{DatabaseError, observe};
use service::{Error, Fault, Place, Unready};
use utoipa::ToSchema;

/// Seconds after which a refused request may be repeated.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// A problem document.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// `about:blank`, or a page about this kind of problem.
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub title: String,
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// What was wrong in this request, and what would be right.
    pub detail: String,
    /// Stable, in snake_case: for programs.
    pub code: &'static str,
    /// Also in the `x-request-id` header and in the server's log.
    pub request_id: String,
    /// Each fault of the input with its place.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ProblemFault>,
    /// With the code `count_mismatch`: how many there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub count: Option<u64>,
    #[serde(skip)]
    headers: Vec<(header::HeaderName, HeaderValue)>,
}

/// One fault of the input.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProblemFault {
    /// JSON pointer into the body (RFC 6901).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// Name of a query or path parameter or of a header; of `/readyz`, what is not ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub parameter: Option<Cow<'static, str>>,
    /// Character inside the parameter's value, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<usize>,
    pub code: &'static str,
    pub detail: String,
}

impl Problem {
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            code,
            request_id: observe::request_id().map_or_else(String::new, |id| id.to_string()),
            errors: Vec::new(),
            count: None,
            headers: Vec::new(),
        }
    }

    pub fn with_header(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    pub fn with_faults(mut self, faults: Vec<Fault>) -> Self {
        self.errors = faults.into_iter().map(ProblemFault::from).collect();
        self
    }

    /// A parameter that breaks a rule.
    pub fn parameter(
        name: impl Into<Cow<'static, str>>,
        code: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Error::BadParameter(vec![Fault::parameter(name, code, detail)]).into()
    }

    /// The server cannot work now.
    pub fn not_ready(why: Unready) -> Self {
        let mut problem = Self::retry_later("not_ready", &why.detail);
        let fault = Fault::parameter(why.part, why.code, why.detail);
        problem.errors = vec![fault.into()];
        problem
    }

    fn retry_later(code: &'static str, detail: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
            .with_header(header::RETRY_AFTER, RETRY_AFTER)
    }
}

impl From<Fault> for ProblemFault {
    fn from(fault: Fault) -> Self {
        let (pointer, parameter, position) = match fault.place {
            Place::Pointer(pointer) => (Some(pointer), None, None),
            Place::Parameter { name, position } => (None, Some(name), position),
        };
        Self {
            pointer,
            parameter,
            position,
            code: fault.code,
            detail: fault.detail,
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::Invalid(faults) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_body", detail)
                    .with_faults(faults)
            }
            Error::BadParameter(faults) => {
                Self::new(StatusCode::BAD_REQUEST, "invalid_parameter", detail).with_faults(faults)
            }
            Error::NotFound { .. } => Self::new(StatusCode::NOT_FOUND, "not_found", detail),
            Error::Stale { current, .. } => {
                let problem = Self::new(StatusCode::PRECONDITION_FAILED, "stale_version", detail);
                match HeaderValue::from_str(&format!("\"{current}\"")) {
                    Ok(etag) => problem.with_header(header::ETAG, etag),
                    Err(_) => problem,
                }
            }
            Error::AnotherCount { found, .. } => Self {
                count: Some(found),
                ..Self::new(StatusCode::CONFLICT, "count_mismatch", detail)
            },
            Error::Conflict(_) => Self::new(StatusCode::CONFLICT, "conflict", detail),
            Error::Unfitting(faults) => {
                Self::new(StatusCode::CONFLICT, "conflict", detail).with_faults(faults)
            }
            Error::Unauthenticated(_) => {
                Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail).with_header(
                    header::WWW_AUTHENTICATE,
                    HeaderValue::from_static("Bearer realm=\"pharos\""),
                )
            }
            Error::Forbidden(_) => Self::new(StatusCode::FORBIDDEN, "forbidden", detail),
            Error::Internal(_) => internal(&detail),
            Error::Database(error) => from_database(&error),
        }
    }
}

/// What a 5xx tells: nothing of the inside. The cause is logged here, once.
fn from_database(error: &DatabaseError) -> Problem {
    match error {
        DatabaseError::Busy(_) => {
            log(error);
            Problem::retry_later(
                "busy",
                "the server is busy: repeat the request after the time in Retry-After",
            )
        }
        DatabaseError::Unavailable(_)
        | DatabaseError::Lost(_)
        | DatabaseError::Collision(_)
        | DatabaseError::Outdated(_) => {
            log(error);
            Problem::retry_later(
                "unavailable",
                "the database cannot be reached now: repeat the request after the time in Retry-After",
            )
        }
        DatabaseError::OutcomeUnknown(_) => {
            log(error);
            Problem::retry_later(
                "outcome_unknown",
                "the connection to the database broke while this was being stored, and it may be stored or not: look before you repeat the request",
            )
        }
        DatabaseError::Timeout(_) => {
            log(error);
            Problem::retry_later(
                "timeout",
                "the request took too long: narrow it or repeat it later",
            )
        }
        DatabaseError::Full(_) => {
            log(error);
            Problem::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "no_space",
                "there is no space left to store this",
            )
        }
        DatabaseError::Duplicate(_) => Problem::new(
            StatusCode::CONFLICT,
            "conflict",
            "something with this unique value exists already",
        ),
        DatabaseError::ForeignKey(_) => Problem::new(
            StatusCode::CONFLICT,
            "conflict",
            "something that this refers to does not exist",
        ),
        DatabaseError::Other(text) => internal(text),
    }
}

fn internal(cause: &str) -> Problem {
    tracing::error!(
        cause,
        request_id = observe::request_id().as_deref(),
        "a request failed"
    );
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "something went wrong in the server; its log has the cause under this request id",
    )
}

fn log(error: &DatabaseError) {
    tracing::warn!(%error, request_id = observe::request_id().as_deref(), "a request was refused");
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status, self.code, self.detail)
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        for (name, value) in &self.headers {
            response.insert_header((name.clone(), value.clone()));
        }
        response.insert_header((header::CONTENT_TYPE, "application/problem+json"));
        response.body(serde_json::to_vec(self).unwrap_or_default())
    }
}
