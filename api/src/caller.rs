//! Who makes the request: the extractor that every handler behind a key takes.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use service::accounts::{Actor, Scope};
use service::{Error, Pharos};

use crate::problem::Problem;

/// An authenticated caller.
pub struct Caller(pub Actor);

impl Caller {
    /// Passes when the caller has the scope, else answers 403.
    pub fn require(&self, scope: Scope) -> Result<&Actor, Problem> {
        self.0.require(scope)?;
        Ok(&self.0)
    }
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let secret = bearer(request);
        let pharos = request.app_data::<Data<Pharos>>().cloned();
        Box::pin(async move {
            let pharos = pharos.ok_or_else(|| Error::Internal("the server has no library".to_owned()))?;
            Ok(Self(pharos.authenticate(&secret?).await?))
        })
    }
}

fn bearer(request: &HttpRequest) -> Result<String, Problem> {
    let missing = || {
        Problem::from(Error::Unauthenticated(
            "an API key is needed: send the header `Authorization: Bearer ph_…`".to_owned(),
        ))
    };
    let value = request.headers().get(header::AUTHORIZATION).ok_or_else(missing)?;
    let (scheme, secret) = value.to_str().ok().and_then(|value| value.split_once(' ')).ok_or_else(missing)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(secret.trim().to_owned()) } else { Err(missing()) }
}
