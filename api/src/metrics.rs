//! What is counted about requests.
//!
//! Operations are told apart by their template, so there are as many as the API has, whatever is asked. Counting costs a
//! request a few atomic additions and no allocation.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use actix_web::http::{Method, StatusCode};
use service::database::RouteReport;
use service::database::observe::Route;

/// Upper ends of the histogram's buckets in microseconds: from a read by id to the request's time limit.
pub(crate) const BUCKETS: [u64; 16] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000,
];

/// Statuses that are counted each for itself; the rest is counted by class.
pub(crate) const STATUSES: [u16; 32] = [
    200, 201, 202, 204, 206, 207, 304, 308, 400, 401, 403, 404, 405, 406, 408, 409, 410, 411, 412,
    413, 415, 416, 422, 428, 429, 431, 500, 501, 502, 503, 504, 507,
];

/// Requests that are none of the API's: pages, unknown paths.
const UNMATCHED: &str = "unmatched";

/// An operation of the API and what has come of its requests.
pub struct Operation {
    pub route: Arc<Route>,
    pub(crate) answers: [AtomicU64; STATUSES.len()],
    pub(crate) other_answers: [AtomicU64; 5],
    pub(crate) buckets: [AtomicU64; BUCKETS.len() + 1],
    pub(crate) microseconds: AtomicU64,
}

/// Every operation, found by method and path, and what is under way.
pub struct Metrics {
    /// By the hash of method and template.
    operations: HashMap<u64, Arc<Operation>>,
    /// Those of which a template is compared with a path segment by segment.
    templates: Vec<(Vec<String>, Arc<Operation>)>,
    unmatched: HashMap<&'static str, Arc<Operation>>,
    pub(crate) active: AtomicU64,
    pub(crate) started: SystemTime,
    #[cfg(feature = "otel")]
    pub exporter: Option<crate::export::Exporter>,
}

const METHODS: [&str; 8] = [
    "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "other",
];

impl Operation {
    fn new(method: &'static str, template: &str) -> Arc<Self> {
        Arc::new(Self {
            route: Arc::new(Route::new(method, template)),
            answers: Default::default(),
            other_answers: Default::default(),
            buckets: Default::default(),
            microseconds: AtomicU64::new(0),
        })
    }

    fn note(&self, status: StatusCode, elapsed: Duration) {
        let code = status.as_u16();
        match STATUSES.binary_search(&code) {
            Ok(at) => &self.answers[at],
            Err(_) => &self.other_answers[usize::from(code / 100).clamp(1, 5) - 1],
        }
        .fetch_add(1, Ordering::Relaxed);
        let microseconds = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS.partition_point(|end| *end < microseconds);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.microseconds.fetch_add(microseconds, Ordering::Relaxed);
    }
}

/// A request under way; it counts until it is dropped.
pub struct UnderWay {
    metrics: Arc<Metrics>,
    operation: Arc<Operation>,
    began: Instant,
}

impl UnderWay {
    pub fn route(&self) -> Arc<Route> {
        Arc::clone(&self.operation.route)
    }

    /// Counts the answer; gives the time since the beginning.
    pub fn answered(&self, status: StatusCode) -> Duration {
        let elapsed = self.began.elapsed();
        self.operation.note(status, elapsed);
        elapsed
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.metrics.active.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Metrics {
    /// For operations by their methods and paths.
    pub fn of(listed: &[(Method, String)]) -> Arc<Self> {
        let mut operations = HashMap::new();
        let mut templates = Vec::new();
        for (method, path) in listed {
            let Some(method) = METHODS.into_iter().find(|known| method == known) else {
                continue;
            };
            let operation = Operation::new(method, path);
            operations.insert(hash(method, path), Arc::clone(&operation));
            templates.push((path.split('/').map(str::to_owned).collect(), operation));
        }
        let unmatched = METHODS.map(|method| (method, Operation::new(method, UNMATCHED)));
        Arc::new(Self {
            operations,
            templates,
            unmatched: unmatched.into_iter().collect(),
            active: AtomicU64::new(0),
            started: SystemTime::now(),
            #[cfg(feature = "otel")]
            exporter: crate::export::Exporter::from_environment(),
        })
    }

    /// Counts a request from now on.
    pub fn begin(self: &Arc<Self>, method: &Method, path: &str) -> UnderWay {
        self.active.fetch_add(1, Ordering::Relaxed);
        UnderWay {
            metrics: Arc::clone(self),
            operation: self.find(method, path),
            began: Instant::now(),
        }
    }

    fn find(&self, method: &Method, path: &str) -> Arc<Operation> {
        let method = match method.as_str() {
            "HEAD" => "GET",
            other => other,
        };
        if let Some(operation) = self.operations.get(&hash(method, path)) {
            return Arc::clone(operation);
        }
        let asked: Vec<&str> = path.split('/').collect();
        let same = |template: &[String]| {
            template.len() == asked.len()
                && template.iter().zip(&asked).all(|(known, asked)| {
                    known == asked || (known.starts_with('{') && !asked.is_empty())
                })
        };
        let found = self
            .templates
            .iter()
            .find(|(template, operation)| operation.route.method == method && same(template))
            .map(|(_, operation)| operation);
        let known = METHODS.iter().find(|known| **known == method);
        let unmatched = || self.unmatched.get(known.copied().unwrap_or("other"));
        match found.or_else(unmatched) {
            Some(operation) => Arc::clone(operation),
            // Every method has one.
            None => Operation::new("other", UNMATCHED),
        }
    }

    pub(crate) fn all(&self) -> Vec<&Arc<Operation>> {
        let mut all: Vec<&Arc<Operation>> = self.templates.iter().map(|(_, one)| one).collect();
        all.extend(
            METHODS
                .iter()
                .filter_map(|method| self.unmatched.get(method)),
        );
        all
    }

    /// What each operation has asked of the database.
    pub fn routes(&self) -> Vec<RouteReport> {
        let all = self.all().into_iter();
        all.map(|operation| {
            let (statements, rows, microseconds) = operation.route.counts();
            RouteReport {
                method: operation.route.method,
                route: operation.route.template.clone(),
                statements,
                rows,
                seconds: seconds(microseconds),
            }
        })
        .collect()
    }
}

pub(crate) fn read(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

pub(crate) fn seconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1e6
}

/// FNV-1a over the method and the segments, an id counting as any `{name}`.
fn hash(method: &str, path: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    };
    add(method.as_bytes());
    for segment in path.split('/') {
        add(b"/");
        if segment.starts_with('{') || is_id(segment) {
            add(b"{}");
        } else {
            add(segment.as_bytes());
        }
    }
    hash
}

fn is_id(segment: &str) -> bool {
    segment.len() == 36
        && segment.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_counted_under_its_template() {
        let metrics = Metrics::of(&crate::operations::list("/api/v1"));
        let found = |method: Method, path: &str| metrics.find(&method, path).route.to_string();
        let id = "01890000-0000-7000-8000-000000000000";
        assert_eq!(
            found(Method::GET, &format!("/api/v1/resources/{id}")),
            "GET /api/v1/resources/{id}"
        );
        assert_eq!(
            found(Method::DELETE, "/api/v1/resources/no-id"),
            "DELETE /api/v1/resources/{id}"
        );
        assert_eq!(found(Method::HEAD, "/api/v1/search"), "GET /api/v1/search");
        assert_eq!(found(Method::GET, "/api/v1/nothing"), "GET unmatched");
        assert_eq!(found(Method::TRACE, &format!("/{id}")), "other unmatched");
    }

    #[test]
    fn statuses_are_in_order() {
        assert!(STATUSES.is_sorted());
    }
}
