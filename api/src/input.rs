//! What comes in: JSON bodies, query parameters, ids and conditional headers, each with errors that name the place.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::{StatusCode, header};
use actix_web::{FromRequest, HttpRequest};
use serde_json::Value as Json;
use service::json::Change;
use service::{Expected, Fault};
use uuid::Uuid;

use crate::body::{media_type, read_body};
use crate::problem::Problem;

/// A JSON body of a bounded size.
pub struct JsonBody(pub Json);

impl FromRequest for JsonBody {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = read_json(request, payload, &[JSON, MERGE_PATCH]);
        Box::pin(async move { body.await.map(Self) })
    }
}

const JSON: &str = "application/json";
const MERGE_PATCH: &str = "application/merge-patch+json";
const JSON_PATCH: &str = "application/json-patch+json";

/// A change to a resource: a merge patch, or a JSON Patch when it is declared as one.
pub struct ChangeBody(pub Change);

impl FromRequest for ChangeBody {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let has_operations = media_type(request).as_deref() == Some(JSON_PATCH);
        let body = read_json(request, payload, &[JSON, MERGE_PATCH, JSON_PATCH]);
        Box::pin(async move {
            let body = body.await?;
            if has_operations {
                return Ok(Self(Change::from_operations(body)?));
            }
            Ok(Self(Change::Merge(body)))
        })
    }
}

fn read_json(
    request: &HttpRequest,
    payload: &mut Payload,
    accepted: &'static [&'static str],
) -> Pin<Box<dyn Future<Output = Result<Json, Problem>>>> {
    let media_type = media_type(request);
    let (request, mut payload) = (request.clone(), payload.take());
    Box::pin(async move {
        if !media_type.is_some_and(|found| accepted.contains(&found.as_str())) {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "send the body as `Content-Type: application/json`",
            ));
        }
        parse_json(&read_body(&request, &mut payload).await?)
    })
}

pub fn parse_json(bytes: &[u8]) -> Result<Json, Problem> {
    parsed_json(bytes, |error| {
        format!("the body is not valid JSON: {error}")
    })
}

/// A line of a body of lines: its number stands beside what is said of it.
pub fn parse_json_line(bytes: &[u8]) -> Result<Json, Problem> {
    parsed_json(bytes, |error| service::library::not_json(&error))
}

fn parsed_json(
    bytes: &[u8],
    describe: impl Fn(serde_json::Error) -> String,
) -> Result<Json, Problem> {
    let malformed =
        |detail: String| Problem::new(StatusCode::BAD_REQUEST, "malformed_json", detail);
    if bytes.is_empty() {
        return Err(malformed(
            "the body is empty: a JSON object is needed".to_owned(),
        ));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        malformed(format!(
            "the body is not UTF-8: the byte at {} does not belong",
            error.valid_up_to()
        ))
    })?;
    serde_json::from_str(text).map_err(|error| malformed(describe(error)))
}

/// The query parameters, taken one by one; what is left over is unknown.
pub struct Parameters {
    pairs: VecDeque<(String, String)>,
    known: Vec<&'static str>,
}

impl Parameters {
    pub fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let mut pairs = VecDeque::new();
        for pair in request
            .query_string()
            .split('&')
            .filter(|pair| !pair.is_empty())
        {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            pairs.push_back((decode(name, name)?, decode(value, name)?));
        }
        Ok(Self {
            pairs,
            known: Vec::new(),
        })
    }

    pub fn text(&mut self, name: &'static str) -> Result<Option<String>, Problem> {
        self.known.push(name);
        let Some(index) = self.pairs.iter().position(|(other, _)| other == name) else {
            return Ok(None);
        };
        let value = self.pairs.remove(index).map(|(_, value)| value);
        if self.pairs.iter().any(|(other, _)| other == name) {
            return Err(Problem::parameter(
                name,
                "duplicate",
                "it is given more than once",
            ));
        }
        Ok(value)
    }

    pub fn number(&mut self, name: &'static str) -> Result<Option<u64>, Problem> {
        self.text(name)?
            .map(|text| {
                text.parse().map_err(|_| {
                    Problem::parameter(
                        name,
                        "type",
                        format!("expected a whole number, found `{}`", shortened(&text)),
                    )
                })
            })
            .transpose()
    }

    pub fn flag(&mut self, name: &'static str) -> Result<bool, Problem> {
        self.flag_or(name, false)
    }

    /// What is meant when the parameter is absent is `absent`.
    pub fn flag_or(&mut self, name: &'static str, absent: bool) -> Result<bool, Problem> {
        match self.text(name)?.as_deref() {
            None => Ok(absent),
            Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(Problem::parameter(
                name,
                "type",
                format!("expected true or false, found `{}`", shortened(other)),
            )),
        }
    }

    /// One of a few words; the error of the type says which.
    pub fn parsed<T: std::str::FromStr<Err = String>>(
        &mut self,
        name: &'static str,
    ) -> Result<Option<T>, Problem> {
        self.text(name)?
            .map(|text| {
                text.parse()
                    .map_err(|expected| Problem::parameter(name, "enum", expected))
            })
            .transpose()
    }

    /// Passes when nothing is left over.
    pub fn finish(self) -> Result<(), Problem> {
        if self.pairs.is_empty() {
            return Ok(());
        }
        let known = match self.known.as_slice() {
            [] => "this takes no parameters".to_owned(),
            known => format!("known are {}", known.join(", ")),
        };
        let mut faults: Vec<Fault> = Vec::new();
        for (name, _) in &self.pairs {
            let name = shortened(name);
            let detail = format!("there is no parameter `{name}`: {known}");
            let fault = Fault::parameter(name, "unknown_parameter", detail);
            if !faults.contains(&fault) {
                faults.push(fault);
            }
        }
        let detail = faults[0].detail.clone();
        let problem = Problem::new(StatusCode::BAD_REQUEST, "unknown_parameter", detail);
        Err(problem.with_faults(faults))
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

/// A name or value of the query string; `parameter` is the one it belongs to.
fn decode(text: &str, parameter: &str) -> Result<String, Problem> {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| {
            let name = percent_encoding::percent_decode_str(parameter).decode_utf8_lossy();
            Problem::parameter(
                shortened(&name),
                "format",
                "the query string is not UTF-8 after decoding %XX",
            )
        })
}

/// The id in a path.
pub struct PathId(pub Uuid);

impl FromRequest for PathId {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(path_id(request, "id").map(Self))
    }
}

/// The ids in a path with two of them: that of the thing, and that of what is in it.
pub struct PathIds(pub Uuid, pub Uuid);

impl FromRequest for PathIds {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        const INNER: [&str; 2] = ["resource_id", "user_id"];
        let inner = INNER
            .into_iter()
            .find(|name| request.match_info().get(name).is_some())
            .unwrap_or("id");
        let ids = path_id(request, "id").and_then(|id| Ok(Self(id, path_id(request, inner)?)));
        std::future::ready(ids)
    }
}

fn path_id(request: &HttpRequest, name: &'static str) -> Result<Uuid, Problem> {
    let text = request.match_info().get(name).unwrap_or_default();
    Uuid::try_parse(text).map_err(|_| {
        // `/annotations/export` is no annotation, but has methods of its own.
        if let Some(problem) = crate::app::refuse_method(request) {
            return problem;
        }
        Problem::parameter(
            name,
            "format",
            format!("expected an id (UUID), found `{}`", shortened(text)),
        )
    })
}

/// The `If-Match` header, without which nothing is changed.
pub struct IfMatch(pub Expected);

impl FromRequest for IfMatch {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(if_match(request).map(Self))
    }
}

fn if_match(request: &HttpRequest) -> Result<Expected, Problem> {
    let Some(value) = request.headers().get(header::IF_MATCH) else {
        return Err(Problem::new(
            StatusCode::PRECONDITION_REQUIRED,
            "precondition_required",
            "send `If-Match` with the ETag of the version that you changed, or `If-Match: *`",
        ));
    };
    let malformed = || {
        Problem::parameter(
            "If-Match",
            "format",
            "expected `*` or ETags in double quotes, separated by commas",
        )
    };
    let value = value.to_str().map_err(|_| malformed())?.trim();
    if value == "*" {
        return Ok(Expected::Any);
    }
    let mut versions = Vec::new();
    let mut rest = value;
    loop {
        // A weak tag never matches where a strong comparison is asked for (RFC 9110, 13.1.1).
        let weak = rest.starts_with("W/");
        let tag = rest.strip_prefix("W/").unwrap_or(rest);
        // A comma may stand in a tag.
        let (opaque, behind) = tag
            .strip_prefix('"')
            .and_then(|tag| tag.split_once('"'))
            .ok_or_else(malformed)?;
        // What follows a hyphen tells how the item looked, and not which version it was.
        let version = opaque
            .split_once('-')
            .map_or(opaque, |(version, _)| version);
        if let (false, Ok(version)) = (weak, version.parse()) {
            versions.push(version);
        }
        match behind.trim_start() {
            "" => break,
            more => rest = more.strip_prefix(',').ok_or_else(malformed)?.trim_start(),
        }
    }
    Ok(Expected::Versions(versions))
}

/// Whether `If-None-Match` names this tag.
pub fn is_unchanged(request: &HttpRequest, tag: &str) -> bool {
    let Some(value) = request
        .headers()
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
    else {
        return false;
    };
    let current = format!("\"{tag}\"");
    value
        .split(',')
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == current)
}
