//! Every statement is observed: how long, how many rows, for which route and request.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

tokio::task_local! {
    static ORIGIN: Origin;
}

/// Which request a statement belongs to.
#[derive(Clone, Debug)]
pub struct Origin {
    pub method: &'static str,
    pub path: Arc<str>,
    pub request_id: Arc<str>,
}

impl Origin {
    /// Method and path with ids left out, for example `GET /api/v1/resources/{id}`.
    pub fn route(&self) -> String {
        let segments = self.path.split('/').map(|segment| {
            if uuid::Uuid::try_parse(segment).is_ok() {
                "{id}"
            } else {
                segment
            }
        });
        format!("{} {}", self.method, segments.collect::<Vec<_>>().join("/"))
    }
}

/// Runs `work` with its statements attributed to `origin`.
pub async fn attributed<F: Future>(origin: Origin, work: F) -> F::Output {
    ORIGIN.scope(origin, work).await
}

/// The id of the request that this is part of.
pub fn request_id() -> Option<Arc<str>> {
    ORIGIN
        .try_with(|origin| Arc::clone(&origin.request_id))
        .ok()
}

/// The request that this is part of, for taking it along to another task.
pub fn origin() -> Option<Origin> {
    current()
}

/// The same, to another thread.
pub(super) fn current() -> Option<Origin> {
    ORIGIN.try_with(Clone::clone).ok()
}

/// Runs `work` on this thread with its statements attributed to `origin`.
pub(super) fn sync_attributed<R>(origin: Option<Origin>, work: impl FnOnce() -> R) -> R {
    match origin {
        Some(origin) => ORIGIN.sync_scope(origin, work),
        None => work(),
    }
}

/// Counts statements and tells of slow ones; the text it logs never has values in it.
#[derive(Debug)]
pub struct Observer {
    slow: Duration,
    statements: AtomicU64,
    rows: AtomicU64,
    microseconds: AtomicU64,
    slow_statements: AtomicU64,
}

/// What the observer has counted since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatementCounts {
    pub statements: u64,
    pub rows: u64,
    pub microseconds: u64,
    pub slow_statements: u64,
}

impl Observer {
    /// Statements that take at least `slow` are logged as warnings.
    pub fn new(slow: Duration) -> Self {
        Self {
            slow,
            statements: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            microseconds: AtomicU64::new(0),
            slow_statements: AtomicU64::new(0),
        }
    }

    pub(super) fn record(&self, sql: &str, started: Instant, rows: u64) {
        let elapsed = started.elapsed();
        self.statements.fetch_add(1, Ordering::Relaxed);
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.microseconds.fetch_add(
            u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
            Ordering::Relaxed,
        );
        let slow = elapsed >= self.slow;
        if slow {
            self.slow_statements.fetch_add(1, Ordering::Relaxed);
        }
        if !slow && !tracing::enabled!(target: "pharos::statement", tracing::Level::DEBUG) {
            return;
        }
        let origin = ORIGIN.try_with(Clone::clone).ok();
        let route = origin
            .as_ref()
            .map_or_else(|| "-".to_owned(), Origin::route);
        let request_id = origin.as_ref().map_or("-", |origin| &origin.request_id);
        let milliseconds = elapsed.as_secs_f64() * 1_000.0;
        if slow {
            tracing::warn!(target: "pharos::statement", milliseconds, rows, route, request_id, sql, "slow statement");
        } else {
            tracing::debug!(target: "pharos::statement", milliseconds, rows, route, request_id, sql, "statement");
        }
    }

    pub fn counts(&self) -> StatementCounts {
        StatementCounts {
            statements: self.statements.load(Ordering::Relaxed),
            rows: self.rows.load(Ordering::Relaxed),
            microseconds: self.microseconds.load(Ordering::Relaxed),
            slow_statements: self.slow_statements.load(Ordering::Relaxed),
        }
    }
}
