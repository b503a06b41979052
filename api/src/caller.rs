//! Who makes the request: the extractor that every handler behind a key takes.
//!
//! It carries the other extractors, which run only when the key is good: how long the check takes must not decide
//! which error is answered.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use service::accounts::{Actor, Scope};
use service::{Error, Pharos};

use crate::gate;
use crate::idempotency::IDEMPOTENCY_KEY;
use crate::problem::Problem;

/// An authenticated caller, and what else the handler takes of the request.
pub struct Caller<T = ()>(pub Actor, pub T);

impl Caller {
    /// Passes when the caller has the scope, else answers 403.
    pub fn require(&self, scope: Scope) -> Result<&Actor, Problem> {
        self.0.require(scope)?;
        Ok(&self.0)
    }
}

impl<T: FromRequest + 'static> FromRequest for Caller<T> {
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, actix_web::Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let actor = authenticate(&request).await?;
            let rest = T::from_request(&request, &mut payload)
                .await
                .map_err(Into::into)?;
            Ok(Self(actor, rest))
        })
    }
}

/// Who makes the request. Asked again, the answer is the same.
pub async fn authenticate(request: &HttpRequest) -> Result<Actor, Problem> {
    if let Some(actor) = request.extensions().get::<Actor>() {
        return Ok(actor.clone());
    }
    let actor = authenticate_now(request).await?;
    if request.headers().contains_key(IDEMPOTENCY_KEY) {
        request.extensions_mut().insert(actor.clone());
    }
    Ok(actor)
}

async fn authenticate_now(request: &HttpRequest) -> Result<Actor, Problem> {
    let pharos = request.app_data::<Data<Pharos>>();
    let pharos = pharos.ok_or_else(|| Error::Internal("the server has no library".to_owned()))?;
    let secret = bearer(request)?;
    let gate = gate::of(request);
    if let Some(gate) = gate {
        gate.before_key(request, &secret)?;
    }
    let found = pharos.authenticate(&secret).await;
    if let Some(gate) = gate {
        match &found {
            Ok(actor) => gate.good_key(request, &secret, actor)?,
            Err(Error::Unauthenticated(_)) => gate.refused_key(request, &secret),
            Err(_) => {}
        }
    }
    Ok(found?)
}

/// The secret that the request carries.
pub fn bearer(request: &HttpRequest) -> Result<String, Problem> {
    let missing = || {
        Problem::from(Error::Unauthenticated(
            "an API key is needed: send the header `Authorization: Bearer ph_…`".to_owned(),
        ))
    };
    let value = request
        .headers()
        .get(header::AUTHORIZATION)
        .ok_or_else(missing)?;
    let (scheme, secret) = value
        .to_str()
        .ok()
        .and_then(|value| value.split_once(' '))
        .ok_or_else(missing)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(secret.trim().to_owned())
    } else {
        Err(missing())
    }
}

/// Where the request comes from.
pub fn address(request: &HttpRequest) -> String {
    gate::of(request).map_or_else(String::new, |gate| gate.address(request).to_string())
}
