//! The pool of PostgreSQL connections.
//!
//! It is our own because of what happens when a server falls silent: the driver's pool asks a connection that comes
//! back whether it lives, without a time limit, and keeps its place until there is an answer. Here a connection that
//! was left in the middle of something is closed and its place is free at once. Leaving out that question also saves
//! a round trip for every statement.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sea_orm::sqlx::postgres::{PgConnection, PgDatabaseError, PgSeverity};
use sea_orm::sqlx::{Connection, Error};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use super::error::DatabaseError;
use super::options::DatabaseOptions;
use super::postgres_care;
use super::postgres_connect::Connector;
use super::postgres_lent::Lent;

/// A connection that idled this long is asked whether it still lives before it is used.
const CHECK_AFTER_IDLING: Duration = Duration::from_secs(10);

/// How long that answer may take.
const CHECK_TIMEOUT: Duration = Duration::from_millis(500);

/// How much longer than the statement timeout an answer is waited for.
const ANSWER_GRACE: Duration = Duration::from_secs(5);

/// Between two warnings that the pool is nearly used up.
const WARN_EVERY: Duration = Duration::from_secs(60);

/// Connections to one database, at most so many.
pub(super) struct Pool {
    pub(super) connector: Connector,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Idle>>,
    maximum: usize,
    minimum: usize,
    pub(super) acquire_timeout: Duration,
    statement_timeout: Duration,
    idle_timeout: Duration,
    max_lifetime: Duration,
    began: Instant,
    /// Microseconds after `began` at which a connection last turned out to be broken: older ones are checked.
    broken_at: AtomicU64,
    /// Microseconds after `began` of the last answer on any connection.
    answered_at: AtomicU64,
    warned_at: AtomicU64,
    silent: watch::Sender<bool>,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    waiting: AtomicU64,
    waits: AtomicU64,
    wait_microseconds: AtomicU64,
    timeouts: AtomicU64,
    opened: AtomicU64,
    lost: AtomicU64,
}

struct Idle {
    connection: PgConnection,
    opened: Instant,
    returned: Instant,
}

/// What the pool does now, and has done since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolState {
    pub maximum: u64,
    pub idle: u64,
    pub in_use: u64,
    pub waiting: u64,
    /// How often a connection had to be waited for.
    pub waits: u64,
    pub wait_microseconds: u64,
    /// How often none came in time.
    pub timeouts: u64,
    pub opened: u64,
    /// Connections that broke.
    pub lost: u64,
    /// How often a unit was run again or a read asked again, after a collision or a lost connection.
    pub repeats: u64,
}

impl Pool {
    pub(super) fn new(connector: Connector, options: &DatabaseOptions) -> Arc<Self> {
        let maximum = options.max_connections.max(1) as usize;
        let pool = Arc::new(Self {
            connector,
            permits: Arc::new(Semaphore::new(maximum)),
            idle: Mutex::new(Vec::new()),
            maximum,
            minimum: (options.min_connections as usize).min(maximum),
            acquire_timeout: options.acquire_timeout,
            statement_timeout: options.statement_timeout,
            idle_timeout: options.idle_timeout,
            max_lifetime: options.max_lifetime,
            began: Instant::now(),
            broken_at: AtomicU64::new(0),
            answered_at: AtomicU64::new(0),
            warned_at: AtomicU64::new(0),
            silent: watch::Sender::new(false),
            counts: Counts::default(),
        });
        tokio::spawn(postgres_care::watch(Arc::downgrade(&pool)));
        tokio::spawn(postgres_care::maintain(Arc::downgrade(&pool)));
        pool
    }

    /// A connection that works, as far as can be known.
    pub(super) async fn acquire(self: &Arc<Self>) -> Result<Lent, DatabaseError> {
        if self.is_silent() {
            return Err(does_not_answer());
        }
        let until = Instant::now() + self.acquire_timeout;
        let permit = self.permit().await?;
        while Instant::now() < until {
            let idle = self.idle.lock().pop();
            let Some(mut idle) = idle else {
                let connection = self.open(until).await?;
                return Ok(Lent::new(self, connection, Instant::now(), permit));
            };
            if idle.opened.elapsed() >= self.max_lifetime {
                close(idle.connection);
                continue;
            }
            let doubtful = idle.returned.elapsed() >= CHECK_AFTER_IDLING
                || self.micros(idle.returned) <= self.broken_at.load(Ordering::Relaxed);
            if doubtful && !self.answers(&mut idle.connection).await {
                self.broke();
                continue;
            }
            return Ok(Lent::new(self, idle.connection, idle.opened, permit));
        }
        self.counts.timeouts.fetch_add(1, Ordering::Relaxed);
        Err(does_not_answer())
    }

    /// A place among the connections in use.
    async fn permit(&self) -> Result<OwnedSemaphorePermit, DatabaseError> {
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            self.warn_when_nearly_used_up();
            return Ok(permit);
        }
        let (began, counts) = (Instant::now(), &self.counts);
        counts.waits.fetch_add(1, Ordering::Relaxed);
        counts.waiting.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting(&counts.waiting);
        let permit = timeout(
            self.acquire_timeout,
            Arc::clone(&self.permits).acquire_owned(),
        )
        .await;
        drop(waiting);
        let waited = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        counts
            .wait_microseconds
            .fetch_add(waited, Ordering::Relaxed);
        match permit {
            Ok(Ok(permit)) => Ok(permit),
            _ => {
                counts.timeouts.fetch_add(1, Ordering::Relaxed);
                Err(DatabaseError::Busy("every connection is in use".to_owned()))
            }
        }
    }

    /// Opens a connection. While the server starts, or has too many, it is asked again.
    pub(super) async fn open(&self, until: Instant) -> Result<PgConnection, DatabaseError> {
        let mut pause = Duration::from_millis(10);
        let mut trouble = None;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match timeout(left, self.connector.connect()).await {
                Ok(Ok(connection)) => {
                    self.counts.opened.fetch_add(1, Ordering::Relaxed);
                    self.answered();
                    return Ok(connection);
                }
                // A refusal may come at once, before the time that is up is looked at.
                Ok(Err(error)) if may_pass(&error) && !left.is_zero() => {
                    trouble = Some(self.connector.explain(&error));
                }
                Ok(Err(error)) => return Err(self.connector.explain(&error)),
                Err(_) => {
                    self.counts.timeouts.fetch_add(1, Ordering::Relaxed);
                    return Err(trouble.unwrap_or_else(does_not_answer));
                }
            }
            tokio::time::sleep(pause.min(left)).await;
            pause = (pause * 2).min(Duration::from_millis(200));
        }
    }

    async fn answers(&self, connection: &mut PgConnection) -> bool {
        let answer = timeout(CHECK_TIMEOUT, connection.ping()).await;
        matches!(answer, Ok(Ok(())))
    }

    /// Waits for an answer: not for ever, and not from a server that has fallen silent.
    pub(super) async fn answer<T>(
        &self,
        limited: bool,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let limit = limited && !self.statement_timeout.is_zero();
        let limited = async {
            if !limit {
                return work.await;
            }
            timeout(self.statement_timeout + ANSWER_GRACE, work)
                .await
                .unwrap_or_else(|_| Err(no_answer()))
        };
        let mut silent = self.silent.subscribe();
        let result = tokio::select! {
            biased;
            result = limited => result,
            _ = silent.wait_for(|silent| *silent) => Err(no_answer()),
        };
        match &result {
            Err(error) if is_broken(error) => self.broke(),
            _ => self.answered(),
        }
        result
    }

    fn warn_when_nearly_used_up(&self) {
        let in_use = self.maximum - self.permits.available_permits();
        if in_use * 10 <= self.maximum * 9 {
            return;
        }
        let (now, before) = (
            self.micros(Instant::now()),
            self.warned_at.load(Ordering::Relaxed),
        );
        let due = before == 0 || Duration::from_micros(now.saturating_sub(before)) >= WARN_EVERY;
        let ours = due
            && self
                .warned_at
                .compare_exchange(before, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if ours {
            tracing::warn!(
                in_use,
                maximum = self.maximum,
                "more than 90 % of the database connections are in use: raise DATABASE_MAX_CONNECTIONS if this lasts"
            );
        }
    }

    pub(super) fn state(&self) -> PoolState {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        PoolState {
            maximum: self.maximum as u64,
            idle: self.idle.lock().len() as u64,
            in_use: (self.maximum - self.permits.available_permits()) as u64,
            waiting: read(&self.counts.waiting),
            waits: read(&self.counts.waits),
            wait_microseconds: read(&self.counts.wait_microseconds),
            timeouts: read(&self.counts.timeouts),
            opened: read(&self.counts.opened),
            lost: read(&self.counts.lost),
            repeats: 0,
        }
    }

    pub(super) fn is_silent(&self) -> bool {
        *self.silent.borrow()
    }

    /// Ends every wait for an answer, and lets nobody begin one, until this is taken back.
    pub(super) fn set_silent(&self, silent: bool) {
        self.silent.send_replace(silent);
    }

    /// Whether statements are under way and none has been answered for this long.
    pub(super) fn waits_in_vain(&self, since: Instant) -> bool {
        self.permits.available_permits() < self.maximum
            && self.answered_at.load(Ordering::Relaxed) < self.micros(since)
    }

    /// Closes connections that are old or have idled for long, and opens the least ones.
    pub(super) async fn tidy(&self) {
        let kept = self.maximum - self.permits.available_permits();
        let gone: Vec<Idle> = {
            let mut idle = self.idle.lock();
            let spare = (kept + idle.len()).saturating_sub(self.minimum);
            let (mut gone, mut closed) = (Vec::new(), 0);
            let all = std::mem::take(&mut *idle);
            // The one that idled longest comes first.
            for one in all {
                let surplus = closed < spare && one.returned.elapsed() >= self.idle_timeout;
                closed += usize::from(surplus);
                if surplus || one.opened.elapsed() >= self.max_lifetime {
                    gone.push(one);
                } else {
                    idle.push(one);
                }
            }
            gone
        };
        gone.into_iter().for_each(|idle| close(idle.connection));
        loop {
            let open = self.maximum - self.permits.available_permits() + self.idle.lock().len();
            if open >= self.minimum || self.is_silent() {
                return;
            }
            let Ok(_permit) = self.permits.try_acquire() else {
                return;
            };
            let Ok(connection) = self.open(Instant::now() + self.acquire_timeout).await else {
                return;
            };
            self.take_back(connection, Instant::now());
        }
    }

    pub(super) fn take_back(&self, connection: PgConnection, opened: Instant) {
        self.idle.lock().push(Idle {
            connection,
            opened,
            returned: Instant::now(),
        });
    }

    fn answered(&self) {
        self.answered_at
            .store(self.micros(Instant::now()), Ordering::Relaxed);
    }

    fn broke(&self) {
        self.counts.lost.fetch_add(1, Ordering::Relaxed);
        self.broken_at
            .store(self.micros(Instant::now()), Ordering::Relaxed);
    }

    fn micros(&self, time: Instant) -> u64 {
        let since = time.saturating_duration_since(self.began);
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    }
}

/// Counts one that waits, also when it gives up.
struct Waiting<'a>(&'a AtomicU64);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Says goodbye to the server, beside.
fn close(connection: PgConnection) {
    tokio::spawn(timeout(CHECK_TIMEOUT, connection.close()));
}

fn does_not_answer() -> DatabaseError {
    DatabaseError::Unavailable("the server does not answer".to_owned())
}

fn no_answer() -> Error {
    Error::Io(std::io::Error::new(
        std::io::ErrorKind::TimedOut,
        "the server does not answer",
    ))
}

/// Whether the connection is of no use any more.
pub(super) fn is_broken(error: &Error) -> bool {
    match error {
        Error::Io(_) | Error::Tls(_) | Error::Protocol(_) | Error::WorkerCrashed => true,
        Error::Database(error) => {
            error
                .try_downcast_ref::<PgDatabaseError>()
                .is_some_and(|error| {
                    matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic)
                        || error.code().starts_with("08")
                })
        }
        _ => false,
    }
}

/// Whether a server that refuses now may soon accept: it starts, is full, or listens not yet.
fn may_pass(error: &Error) -> bool {
    match error {
        Error::Io(error) => matches!(
            error.kind(),
            std::io::ErrorKind::ConnectionRefused
                | std::io::ErrorKind::ConnectionReset
                | std::io::ErrorKind::BrokenPipe
                | std::io::ErrorKind::UnexpectedEof
        ),
        // too_many_connections, crash_shutdown, cannot_connect_now, admin_shutdown; PgBouncer's: 08P01, 58000
        Error::Database(error) => error.code().is_some_and(|code| {
            matches!(
                code.as_ref(),
                "53300" | "57P01" | "57P02" | "57P03" | "08P01" | "08006" | "58000"
            )
        }),
        _ => false,
    }
}
