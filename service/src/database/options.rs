//! How the database is used: pool sizes and time limits.
//!
//! `DATABASE_MAX_CONNECTIONS`, `DATABASE_MIN_CONNECTIONS`, `DATABASE_ACQUIRE_TIMEOUT`, `DATABASE_IDLE_TIMEOUT`,
//! `DATABASE_MAX_LIFETIME`, `DATABASE_STATEMENT_TIMEOUT`, `SLOW_QUERY_THRESHOLD`, `PHAROS_JSON_INDEX`

use std::time::Duration;

/// Pool sizes and limits; the defaults work.
#[derive(Debug, Clone)]
pub struct DatabaseOptions {
    /// PostgreSQL connections at most.
    pub max_connections: u32,
    /// PostgreSQL connections kept open.
    pub min_connections: u32,
    /// SQLite connections for reading; there is always one writer beside them.
    pub sqlite_readers: usize,
    /// How long a request waits for a connection, or for its turn to write, before it is answered 503.
    pub acquire_timeout: Duration,
    /// After this idle time a PostgreSQL connection beyond the minimum is closed.
    pub idle_timeout: Duration,
    /// A PostgreSQL connection is replaced at this age.
    pub max_lifetime: Duration,
    /// A statement that runs longer is ended.
    pub statement_timeout: Duration,
    /// A statement that takes at least this long is logged as slow.
    pub slow_query_threshold: Duration,
    /// Whether SQLite keeps an index over JSON; without it filters over metadata look at every row.
    pub json_index: bool,
}

impl Default for DatabaseOptions {
    fn default() -> Self {
        Self {
            max_connections: 60,
            min_connections: 20,
            sqlite_readers: 4,
            acquire_timeout: Duration::from_secs(2),
            idle_timeout: Duration::from_secs(600),
            max_lifetime: Duration::from_secs(3_600),
            statement_timeout: Duration::from_secs(30),
            slow_query_threshold: Duration::from_secs(1),
            json_index: true,
        }
    }
}
