//! `Idempotency-Key` on every POST (draft-ietf-httpapi-idempotency-key-header): around the handlers, which need not know.

use std::cell::Cell;

use actix_web::body::{self, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Data};
use actix_web::{Error, HttpMessage, HttpResponse, HttpResponseBuilder};
use service::Pharos;
use service::idempotency::{Attempt, KeptReply, Once};

use crate::body::read_body;
use crate::caller;
use crate::problem::Problem;

pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Characters of a key at most.
const LONGEST_KEY: usize = 255;

/// Bytes of a reply that can be kept at most. Replies to POSTs are far shorter.
const LARGEST_REPLY: usize = 16 * 1024 * 1024;

/// Seconds after which a request is to be repeated when the first one is still under way.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// Operations whose bodies and replies are streams: they keep each part of the reply themselves.
const STREAMED: [&str; 1] = ["/api/v1/resources/batch"];

/// Whether the key of this request is to be looked at.
pub fn concerns(request: &ServiceRequest) -> bool {
    request.method() == Method::POST && request.headers().contains_key(IDEMPOTENCY_KEY)
}

/// Runs the handler unless the same request was made before; keeps its reply in the transaction of its effect.
pub async fn once(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let attempt = match attempt(&mut request).await {
        Ok(attempt) => attempt,
        Err(problem) => return Ok(request.error_response(problem)),
    };
    if STREAMED.contains(&request.path()) {
        request.extensions_mut().insert(attempt);
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let Some(pharos) = request.app_data::<Data<Pharos>>().cloned() else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    // The handler wants the request for itself: it is here until the handler runs, then in the answer.
    let (request, answer) = (Cell::new(Some(request)), Cell::new(None));
    let work = async {
        let response = next.call(request.take()?).await;
        let (response, reply) = match response {
            Ok(response) => kept(response).await,
            Err(error) => (Err(error), None),
        };
        answer.set(Some(response));
        reply
    };
    let outcome = match pharos.once(&attempt, work).await {
        Ok(Once::Done) => Ok(None),
        Ok(Once::Repeated(reply)) => repeated(reply).map(Some),
        Ok(Once::UnderWay) => Err(under_way()),
        Ok(Once::AnotherRequest) => Err(another_request()),
        Err(error) => Err(error.into()),
    };
    let instead = match outcome {
        Ok(None) => None,
        Ok(Some(reply)) => Some(reply),
        Err(problem) => Some(HttpResponse::from_error(problem)),
    };
    match (instead, answer.take(), request.take()) {
        (None, Some(answer), _) => answer,
        (Some(reply), Some(answer), _) => Ok(answer?.into_response(reply)),
        (Some(reply), None, Some(request)) => Ok(request.into_response(reply)),
        _ => Err(unexpected("a request was lost").into()),
    }
}

pub fn under_way() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "idempotency_key_in_use",
        "a request with this Idempotency-Key is still under way: repeat this one after the time in Retry-After",
    )
    .with_header(header::RETRY_AFTER, RETRY_AFTER)
}

pub fn another_request() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "idempotency_key_reused",
        "this Idempotency-Key was used for another request (path, body or API key): use a new one",
    )
}

/// The key: an RFC 8941 string (`"…"`), or the same without quotes.
fn key_of(request: &ServiceRequest) -> Result<String, Problem> {
    let malformed = || {
        Problem::parameter(
            "Idempotency-Key",
            "format",
            format!(
                "expected 1 to {LONGEST_KEY} visible ASCII characters, with or without double quotes around them"
            ),
        )
    };
    let mut values = request.headers().get_all(IDEMPOTENCY_KEY);
    let value = values.next().ok_or_else(malformed)?;
    if values.next().is_some() {
        return Err(Problem::parameter(
            "Idempotency-Key",
            "duplicate",
            "it is given more than once",
        ));
    }
    let value = value.to_str().map_err(|_| malformed())?.trim();
    let key = match value.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"').ok_or_else(malformed)?,
        None => value,
    };
    let visible = key
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'"');
    if !visible || key.is_empty() || key.len() > LONGEST_KEY {
        return Err(malformed());
    }
    Ok(key.to_owned())
}

/// What is attempted: by whom, and what makes two requests the same. Keys of different users are apart; two API keys of one
/// user are not, but are different callers. A streamed body is not looked at.
async fn attempt(request: &mut ServiceRequest) -> Result<Attempt, Problem> {
    let key = key_of(request)?;
    let secret = caller::bearer(request.request()).ok();
    let (space, who) = match &secret {
        Some(_) => {
            let actor = caller::authenticate(request.request()).await?;
            (actor.user_id.to_string(), actor.key_id.to_string())
        }
        None => (caller::address(request.request()), String::new()),
    };
    let content = if STREAMED.contains(&request.path()) {
        Bytes::new()
    } else {
        let mut payload = request.take_payload();
        let content = read_body(request.request(), &mut payload).await?;
        let content = Bytes::from(content);
        request.set_payload(Payload::from(content.clone()));
        content
    };
    let media_type = request.headers().get(header::CONTENT_TYPE);
    let parts = [
        request.path().as_bytes(),
        request.query_string().as_bytes(),
        who.as_bytes(),
        media_type.map_or(&[], HeaderValue::as_bytes),
        &content,
    ];
    let secret = secret.unwrap_or_default();
    Ok(Attempt::new(&space, &key, &secret, &parts))
}

fn unexpected(what: &str) -> Problem {
    service::Error::Internal(what.to_owned()).into()
}

type Answered = Result<ServiceResponse<BoxBody>, Error>;

/// The reply, and the same for keeping when it is a successful one.
async fn kept(
    response: ServiceResponse<impl MessageBody + 'static>,
) -> (Answered, Option<KeptReply>) {
    if !response.status().is_success() {
        return (Ok(response.map_into_boxed_body()), None);
    }
    let (request, response) = response.into_parts();
    let (response, content) = response.into_parts();
    let content = match body::to_bytes_limited(content, LARGEST_REPLY).await {
        Ok(Ok(content)) => content,
        _ => {
            let problem = unexpected("a reply cannot be kept: it is too long or broken off");
            let response = HttpResponse::from_error(problem);
            return (Ok(ServiceResponse::new(request, response)), None);
        }
    };
    let headers = response.headers().iter().filter_map(|(name, value)| {
        let value = value.to_str().ok()?;
        Some((name.as_str().to_owned(), value.to_owned()))
    });
    let reply = KeptReply {
        status: response.status().as_u16(),
        headers: headers.collect(),
        body: content.to_vec(),
    };
    let response = response.set_body(BoxBody::new(content));
    (Ok(ServiceResponse::new(request, response)), Some(reply))
}

fn repeated(reply: KeptReply) -> Result<HttpResponse, Problem> {
    let status = StatusCode::from_u16(reply.status)
        .map_err(|error| service::Error::Internal(error.to_string()))?;
    let mut response = HttpResponseBuilder::new(status);
    for (name, value) in reply.headers {
        response.append_header((name, value));
    }
    Ok(response.body(reply.body))
}
