//! Spans of requests for an OpenTelemetry collector, as OTLP in JSON over plain HTTP. Behind the feature `otel`.
//! <https://opentelemetry.io/docs/specs/otlp/#otlphttp>
//!
//! `OTEL_EXPORTER_OTLP_ENDPOINT` (`http://127.0.0.1:4318`; nothing is exported without it), `OTEL_SERVICE_NAME` (`pharos`)
//!
//! A thread of its own sends them. When the collector cannot follow, spans are dropped; no request waits.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value as Json, json};
use service::database::observe::Route;

/// How many spans wait at most.
const QUEUE_LENGTH: usize = 4_096;

/// How many are sent at once at most.
const BATCH_LENGTH: usize = 512;

/// How long spans gather.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long the collector may take for each step.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What is told of a request.
pub struct Span {
    pub trace_id: Arc<str>,
    pub span_id: String,
    /// The caller's span, where the caller has begun the trace.
    pub parent_id: Option<String>,
    pub route: Arc<Route>,
    pub status: u16,
    pub duration: Duration,
}

/// The way to the collector.
pub struct Exporter {
    queue: SyncSender<(Span, SystemTime)>,
}

/// Where the collector listens.
#[derive(Debug, PartialEq, Eq)]
struct Collector {
    /// Host and port.
    address: String,
    path: String,
}

impl Collector {
    fn parse(endpoint: &str) -> Option<Self> {
        let rest = endpoint.strip_prefix("http://")?;
        let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
        let address = if address.contains(':') {
            address.to_owned()
        } else {
            format!("{address}:80")
        };
        let path = match path.trim_end_matches('/') {
            "" => "/v1/traces".to_owned(),
            base => format!("/{base}/v1/traces"),
        };
        Some(Self { address, path })
    }

    fn send(&self, body: &str) -> std::io::Result<()> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        let Self { address, path } = self;
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body.as_bytes())?;
        let mut answer = [0; 64];
        let length = stream.read(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer[..length]);
        match answer.split(' ').nth(1) {
            Some(status) if status.starts_with('2') => Ok(()),
            status => Err(std::io::Error::other(format!(
                "the collector answers {status:?}"
            ))),
        }
    }
}

impl Exporter {
    /// As the environment says; `None` when it names no collector.
    pub fn from_environment() -> Option<Self> {
        let endpoint = std::env::var("OTEL_EXPORTER_OTLP_ENDPOINT").ok()?;
        let service = std::env::var("OTEL_SERVICE_NAME").unwrap_or_else(|_| "pharos".to_owned());
        Self::to(&endpoint, service)
    }

    fn to(endpoint: &str, service: String) -> Option<Self> {
        let Some(collector) = Collector::parse(endpoint) else {
            tracing::warn!(
                "OTEL_EXPORTER_OTLP_ENDPOINT must begin with http://: nothing is exported"
            );
            return None;
        };
        let (queue, spans) = sync_channel(QUEUE_LENGTH);
        let sender = move || send_all(&collector, &service, &spans);
        let thread = std::thread::Builder::new().name("pharos-export".to_owned());
        thread.spawn(sender).ok()?;
        Some(Self { queue })
    }

    /// Hands a span of now over, if there is room.
    pub fn send(&self, span: Span) {
        let _ = self.queue.try_send((span, SystemTime::now()));
    }
}

/// Until nobody can send any more.
fn send_all(collector: &Collector, service: &str, spans: &Receiver<(Span, SystemTime)>) {
    let mut batch = Vec::new();
    loop {
        let ended = match spans.recv_timeout(INTERVAL) {
            Ok((span, end)) => {
                batch.push(describe(&span, end));
                if batch.len() < BATCH_LENGTH {
                    continue;
                }
                false
            }
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => true,
        };
        if !batch.is_empty() {
            let body = request(service, std::mem::take(&mut batch)).to_string();
            if let Err(error) = collector.send(&body) {
                tracing::debug!(%error, "spans were not exported");
            }
        }
        if ended {
            return;
        }
    }
}

fn request(service: &str, spans: Vec<Json>) -> Json {
    json!({"resourceSpans": [{
        "resource": {"attributes": [text("service.name", service), text("service.version", env!("CARGO_PKG_VERSION"))]},
        "scopeSpans": [{"scope": {"name": "pharos"}, "spans": spans}],
    }]})
}

fn describe(span: &Span, end: SystemTime) -> Json {
    /// SPAN_KIND_SERVER, STATUS_CODE_ERROR
    const SERVER: u8 = 2;
    const ERROR: u8 = 2;
    let end = end.duration_since(UNIX_EPOCH).unwrap_or_default();
    let begin = end.saturating_sub(span.duration);
    let failed = span.status >= 500;
    json!({
        "traceId": &*span.trace_id, "spanId": span.span_id, "parentSpanId": span.parent_id.as_deref().unwrap_or(""),
        "name": span.route.to_string(), "kind": SERVER,
        "startTimeUnixNano": begin.as_nanos().to_string(), "endTimeUnixNano": end.as_nanos().to_string(),
        "attributes": [
            text("http.request.method", span.route.method), text("http.route", &span.route.template),
            {"key": "http.response.status_code", "value": {"intValue": span.status.to_string()}},
        ],
        "status": {"code": if failed { ERROR } else { 0 }},
    })
}

fn text(key: &str, value: &str) -> Json {
    json!({"key": key, "value": {"stringValue": value}})
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn spans_arrive_at_the_collector() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let exporter = Exporter::to(&endpoint, "library".to_owned()).unwrap();
        exporter.send(Span {
            trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".into(),
            span_id: "00f067aa0ba902b7".to_owned(),
            parent_id: None,
            route: Arc::new(Route::new("GET", "/api/v1/resources/{id}")),
            status: 503,
            duration: Duration::from_millis(2),
        });
        drop(exporter);
        let (mut stream, _) = listener.accept().unwrap();
        let mut bytes = Vec::new();
        let mut chunk = [0; 4_096];
        while !bytes.ends_with(b"]}]}") {
            let length = stream.read(&mut chunk).unwrap();
            bytes.extend_from_slice(&chunk[..length]);
        }
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
        let body: Json = serde_json::from_str(body).unwrap();
        let span = &body["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
        assert_eq!(span["name"], "GET /api/v1/resources/{id}");
        assert_eq!(span["status"]["code"], 2);
        let nanoseconds = |name: &str| span[name].as_str().unwrap().parse::<u128>().unwrap();
        assert_eq!(
            nanoseconds("endTimeUnixNano") - nanoseconds("startTimeUnixNano"),
            2_000_000
        );
    }

    #[test]
    fn an_endpoint_may_have_a_base_path() {
        let collector = |address: &str, path: &str| {
            let (address, path) = (address.to_owned(), path.to_owned());
            Some(Collector { address, path })
        };
        assert_eq!(
            Collector::parse("http://a:4318"),
            collector("a:4318", "/v1/traces")
        );
        assert_eq!(
            Collector::parse("http://a/base/"),
            collector("a:80", "/base/v1/traces")
        );
        assert_eq!(Collector::parse("https://a"), None);
    }
}
