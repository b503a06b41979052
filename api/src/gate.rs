//! What every request has to pass before the handlers, and what every reply carries: limits, headers for browsers, slow
//! bodies, HEAD.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::web::Data;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, ResponseError};
use parking_lot::Mutex;
use service::accounts::Actor;
use uuid::Uuid;

use crate::client::{Network, client_address};
use crate::cors::Origins;
use crate::limits::{Budgets, Limits, Standing, network};
use crate::patience::PatientBody;
use crate::problem::Problem;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// For JSON and text: nothing may be loaded, and no page may frame it.
pub const DATA_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// No other site is told where its visitor comes from.
pub const REFERRERS: &str = "no-referrer";

/// For the documentation, whose scripts and styles are served from here. It makes styles of its own.
const DOCUMENTATION_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);

/// Secrets that are remembered to be good, at most.
const MOST_REMEMBERED: usize = 65_536;

/// How the server treats those who ask.
#[derive(Debug, Clone)]
pub struct Manners {
    pub limits: Limits,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    pub origins: Origins,
    /// How long a client may keep the server waiting: see `docs/operations.md`.
    pub client_timeout: Duration,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            trusted_proxies: Vec::new(),
            origins: Origins::None,
            client_timeout: Duration::from_secs(10),
        }
    }
}

/// The gate of one server.
pub struct Gate {
    manners: Manners,
    keys: Budgets<Uuid>,
    addresses: Budgets<IpAddr>,
    failures: Budgets<IpAddr>,
    /// Whether there was a failure at all.
    has_failures: AtomicBool,
    good: Mutex<HashMap<u64, ()>>,
    hasher: RandomState,
    key_policy: Option<HeaderValue>,
    address_policy: Option<HeaderValue>,
    failure_policy: Option<HeaderValue>,
}

/// What is left of the budget that the request was judged by, for the reply.
#[derive(Clone, Copy)]
enum Judged {
    Key(Standing),
    /// A key was refused unseen.
    Failures(Standing),
}

impl Gate {
    pub fn new(manners: Manners) -> Self {
        let limits = manners.limits;
        let policy = |name: &str, quota: Option<crate::limits::Quota>| {
            let quota = quota?;
            let (requests, seconds) = (quota.requests, quota.window.as_secs());
            HeaderValue::from_str(&format!("\"{name}\";q={requests};w={seconds}")).ok()
        };
        Self {
            keys: Budgets::new(limits.key),
            addresses: Budgets::new(limits.address),
            failures: Budgets::new(limits.failures),
            has_failures: AtomicBool::new(false),
            good: Mutex::default(),
            hasher: RandomState::new(),
            key_policy: policy("key", limits.key),
            address_policy: policy("address", limits.address),
            failure_policy: policy("failures", limits.failures),
            manners,
        }
    }

    /// Lets a request in, or answers it.
    pub fn enter(&self, request: &mut ServiceRequest) -> Result<(), HttpResponse> {
        if let Some(response) = self.manners.origins.preflight(request) {
            return Err(response);
        }
        if request.path().starts_with("/api/") {
            let address = network(self.address(request.request()));
            let standing = self.addresses.take(address);
            if let Some(standing) = standing.filter(|standing| standing.retry_after.is_some()) {
                return Err(too_many("this address", &standing).error_response());
            }
        }
        if request.method() == Method::HEAD {
            // Answered as GET; the body is not sent.
            request.head_mut().method = Method::GET;
        }
        let headers = request.headers();
        if headers.contains_key(header::CONTENT_LENGTH)
            || headers.contains_key(header::TRANSFER_ENCODING)
        {
            let payload = request.take_payload();
            let body = PatientBody::new(payload, self.manners.client_timeout);
            request.set_payload(Payload::Stream {
                payload: Box::pin(body),
            });
        }
        Ok(())
    }

    /// Adds what every reply carries.
    pub fn leave<B>(&self, response: &mut ServiceResponse<B>) {
        let request = response.request().clone();
        let path = request.path();
        let is_page = path == "/" || path.starts_with("/docs");
        let is_limited = path.starts_with("/api/");
        let headers = response.headers_mut();
        let policy = if is_page {
            DOCUMENTATION_POLICY
        } else {
            HeaderValue::from_static(DATA_POLICY)
        };
        if !headers.contains_key(header::CONTENT_SECURITY_POLICY) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static(REFERRERS));
        let origin = request.headers().get(header::ORIGIN);
        self.manners.origins.mark(origin, headers);
        if !is_limited {
            return;
        }
        let judged = request.extensions().get::<Judged>().copied();
        let (name, standing, policy) = match judged {
            Some(Judged::Key(standing)) => ("key", Some(standing), &self.key_policy),
            Some(Judged::Failures(standing)) => ("failures", Some(standing), &self.failure_policy),
            None => {
                let address = network(self.address(&request));
                let standing = self.addresses.standing(address);
                ("address", standing, &self.address_policy)
            }
        };
        if let (Some(standing), Some(policy)) = (standing, policy) {
            let (remaining, reset) = (standing.remaining, standing.reset);
            if let Ok(value) = HeaderValue::try_from(format!("\"{name}\";r={remaining};t={reset}"))
            {
                headers.insert(RATE_LIMIT, value);
                headers.insert(RATE_LIMIT_POLICY, policy.clone());
            }
        }
    }

    /// Where a request comes from.
    pub fn address(&self, request: &HttpRequest) -> IpAddr {
        let peer = request
            .peer_addr()
            .map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.ip());
        client_address(peer, request.headers(), &self.manners.trusted_proxies)
    }

    /// Refuses keys that are not known to be good while their address has guessed too often: unseen.
    pub fn before_key(&self, request: &HttpRequest, secret: &str) -> Result<(), Problem> {
        if !self.has_failures.load(Ordering::Relaxed) {
            return Ok(());
        }
        let standing = self.failures.standing(network(self.address(request)));
        match standing.filter(|standing| standing.retry_after.is_some()) {
            Some(standing) if !self.is_good(secret) => {
                request.extensions_mut().insert(Judged::Failures(standing));
                Err(too_many_failures(&standing))
            }
            _ => Ok(()),
        }
    }

    /// Counts a key that was not good.
    pub fn refused_key(&self, request: &HttpRequest, secret: &str) {
        self.has_failures.store(true, Ordering::Relaxed);
        self.good.lock().remove(&self.hasher.hash_one(secret));
        self.failures.take(network(self.address(request)));
    }

    /// Takes a request from the budget of a good key.
    pub fn good_key(
        &self,
        request: &HttpRequest,
        secret: &str,
        actor: &Actor,
    ) -> Result<(), Problem> {
        if self.manners.limits.failures.is_some() {
            self.remember(secret);
        }
        let Some(standing) = self.keys.take(actor.key_id) else {
            return Ok(());
        };
        request.extensions_mut().insert(Judged::Key(standing));
        if standing.retry_after.is_some() {
            return Err(too_many("this API key", &standing));
        }
        Ok(())
    }

    fn remember(&self, secret: &str) {
        let mut good = self.good.lock();
        if good.len() >= MOST_REMEMBERED {
            good.clear();
        }
        good.insert(self.hasher.hash_one(secret), ());
    }

    fn is_good(&self, secret: &str) -> bool {
        self.good.lock().contains_key(&self.hasher.hash_one(secret))
    }
}

/// The gate that a request came through.
pub fn of(request: &HttpRequest) -> Option<&Gate> {
    request.app_data::<Data<Gate>>().map(|gate| &***gate)
}

fn too_many(who: &str, standing: &Standing) -> Problem {
    let (requests, seconds) = (standing.quota.requests, standing.quota.window.as_secs());
    retry(
        standing,
        format!(
            "{who} has sent more than {requests} requests in {seconds} s: wait as Retry-After says"
        ),
    )
}

fn too_many_failures(standing: &Standing) -> Problem {
    retry(
        standing,
        "this address has sent too many API keys that are not good: wait as Retry-After says"
            .to_owned(),
    )
}

fn retry(standing: &Standing, detail: String) -> Problem {
    let seconds = standing.retry_after.unwrap_or(1);
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail)
        .with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
}
