//! Every statement is observed: how long, how many rows, for which route and request.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use parking_lot::Mutex;

/// How many texts of slow statements are remembered; of more, those that took least are forgotten.
const REMEMBERED: usize = 200;

tokio::task_local! {
    static ORIGIN: Origin;
}

/// An operation of the API, and what its statements have cost. There are as many as the API has, whatever is asked.
#[derive(Debug)]
pub struct Route {
    pub method: &'static str,
    /// With names instead of values, for example `/api/v1/resources/{id}`.
    pub template: String,
    statements: AtomicU64,
    rows: AtomicU64,
    microseconds: AtomicU64,
}

impl Route {
    pub fn new(method: &'static str, template: impl Into<String>) -> Self {
        Self {
            method,
            template: template.into(),
            statements: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            microseconds: AtomicU64::new(0),
        }
    }

    /// Statements, rows and microseconds since the start.
    pub fn counts(&self) -> (u64, u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (
            read(&self.statements),
            read(&self.rows),
            read(&self.microseconds),
        )
    }

    fn add(&self, rows: u64, microseconds: u64) {
        self.statements.fetch_add(1, Ordering::Relaxed);
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.microseconds.fetch_add(microseconds, Ordering::Relaxed);
    }
}

impl std::fmt::Display for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.template)
    }
}

/// Which request a statement belongs to.
#[derive(Clone, Debug)]
pub struct Origin {
    pub route: Arc<Route>,
    pub request_id: Arc<str>,
    /// Of the trace that the caller has begun, where there is one.
    pub trace_id: Option<Arc<str>>,
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
    remembered: Mutex<Vec<SlowStatement>>,
}

/// What the observer has counted since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatementCounts {
    pub statements: u64,
    pub rows: u64,
    pub microseconds: u64,
    pub slow_statements: u64,
}

/// A statement that was slow at least once, with its slow runs since the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlowStatement {
    /// With placeholders; it has no values.
    pub sql: String,
    pub count: u64,
    pub total: Duration,
    pub longest: Duration,
    /// Of the last slow run, as the rest.
    pub rows: u64,
    pub at: DateTime<Utc>,
    pub route: Option<String>,
    pub request_id: Option<String>,
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
            remembered: Mutex::new(Vec::new()),
        }
    }

    /// From when on a statement is slow.
    pub fn threshold(&self) -> Duration {
        self.slow
    }

    pub(super) fn record(&self, sql: &str, started: Instant, rows: u64) {
        let elapsed = started.elapsed();
        let microseconds = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        self.statements.fetch_add(1, Ordering::Relaxed);
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.microseconds.fetch_add(microseconds, Ordering::Relaxed);
        let _ = ORIGIN.try_with(|origin| origin.route.add(rows, microseconds));
        let slow = elapsed >= self.slow;
        if !slow && !tracing::enabled!(target: "pharos::statement", tracing::Level::DEBUG) {
            return;
        }
        let origin = current();
        let route = origin.as_ref().map(|origin| origin.route.to_string());
        let request_id = origin.as_ref().map(|origin| origin.request_id.to_string());
        if slow {
            self.slow_statements.fetch_add(1, Ordering::Relaxed);
        }
        let milliseconds = elapsed.as_secs_f64() * 1_000.0;
        let trace_id = origin
            .as_ref()
            .and_then(|origin| origin.trace_id.as_deref());
        {
            let (route, request_id) = (
                route.as_deref().unwrap_or("-"),
                request_id.as_deref().unwrap_or("-"),
            );
            if slow {
                tracing::warn!(target: "pharos::statement", milliseconds, rows, route, request_id, trace_id, sql, "slow statement");
            } else {
                tracing::debug!(target: "pharos::statement", milliseconds, rows, route, request_id, trace_id, sql, "statement");
            }
        }
        if slow {
            self.remember(SlowStatement {
                sql: sql.to_owned(),
                count: 1,
                total: elapsed,
                longest: elapsed,
                rows,
                at: Utc::now(),
                route,
                request_id,
            });
        }
    }

    fn remember(&self, run: SlowStatement) {
        let mut remembered = self.remembered.lock();
        if let Some(known) = remembered.iter_mut().find(|known| known.sql == run.sql) {
            *known = SlowStatement {
                count: known.count + 1,
                total: known.total + run.total,
                longest: known.longest.max(run.longest),
                ..run
            };
            return;
        }
        if remembered.len() >= REMEMBERED {
            let least = (0..remembered.len()).min_by_key(|at| remembered[*at].total);
            if let Some(least) = least {
                remembered.swap_remove(least);
            }
        }
        remembered.push(run);
    }

    /// Those that took longest together come first.
    pub fn slow_statements(&self) -> Vec<SlowStatement> {
        let mut slow = self.remembered.lock().clone();
        slow.sort_by(|one, other| (other.total, &one.sql).cmp(&(one.total, &other.sql)));
        slow
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
