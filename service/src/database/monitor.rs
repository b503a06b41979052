//! What whoever runs the database wants to know of it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::observe::SlowStatement;
use super::row::{FromRow, Row};
use super::writer_counts::{GROUP_LENGTHS, WriterCounts};
use super::{Database, DatabaseError, Engine};

/// Of how many slow statements the plan is shown.
const PLANS: usize = 25;

/// How the database is used, since Pharos was started, and how it is.
#[derive(Debug, Serialize, ToSchema)]
pub struct DatabaseReport {
    /// `postgresql` or `sqlite`.
    pub backend: &'static str,
    pub version: String,
    pub pool: PoolReport,
    pub statements: StatementReport,
    /// What each operation of the API has asked of the database, the one that took longest first.
    pub routes: Vec<RouteReport>,
    /// The ten that took longest together; `/monitoring/slow-queries` has more.
    pub slow_statements: Vec<SlowStatementReport>,
    /// Null on SQLite.
    #[schema(required)]
    pub postgresql: Option<PostgresReport>,
    /// Null on PostgreSQL.
    #[schema(required)]
    pub sqlite: Option<SqliteReport>,
}

/// Connections; on SQLite those for reading.
#[derive(Debug, Serialize, ToSchema)]
pub struct PoolReport {
    pub maximum: u64,
    pub idle: u64,
    pub in_use: u64,
    /// Requests that wait for a connection now.
    pub waiting: u64,
    /// How often one had to be waited for.
    pub waits: u64,
    pub wait_seconds: f64,
    /// How often none came in time.
    pub timeouts: u64,
    /// Connections opened since the start.
    pub opened: u64,
    /// Connections that broke.
    pub lost: u64,
    /// How often a statement or transaction was run again, after a collision or a lost connection.
    pub repeats: u64,
}

/// Statements since the start.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatementReport {
    pub count: u64,
    pub rows: u64,
    pub seconds: f64,
    /// How many took at least `SLOW_QUERY_THRESHOLD`.
    pub slow: u64,
}

/// What one operation of the API has asked of the database. Statements that several requests share count for one of them.
#[derive(Debug, Serialize, ToSchema)]
pub struct RouteReport {
    pub method: &'static str,
    /// With names instead of values.
    #[schema(example = "/api/v1/resources/{id}")]
    pub route: String,
    pub statements: u64,
    pub rows: u64,
    pub seconds: f64,
}

/// A statement that was slow, and its slow runs since the start.
#[derive(Debug, Serialize, ToSchema)]
pub struct SlowStatementReport {
    /// With placeholders, without values.
    pub sql: String,
    pub count: u64,
    pub total_seconds: f64,
    pub longest_seconds: f64,
    /// Rows of the last slow run.
    pub rows: u64,
    #[serde(serialize_with = "crate::time::rfc3339::serialize")]
    pub last_at: DateTime<Utc>,
    #[schema(required)]
    pub last_route: Option<String>,
    #[schema(required)]
    pub last_request_id: Option<String>,
    /// How the database would run it for values that it does not know, in its own words; null where it cannot tell.
    #[schema(required)]
    pub plan: Option<Vec<String>>,
}

/// What PostgreSQL's own statistics say of the database.
#[derive(Debug, Serialize, ToSchema)]
pub struct PostgresReport {
    /// Blocks found in shared buffers, from 0 to 1; null before the first.
    #[schema(required)]
    pub cache_hit_ratio: Option<f64>,
    pub transactions_committed: i64,
    pub transactions_rolled_back: i64,
    pub deadlocks: i64,
    /// Connections of everybody to this database.
    pub connections: i64,
    /// How many connections the server takes.
    pub maximum_connections: i64,
    /// How many of them it keeps for superusers.
    #[serde(skip)]
    pub reserved_connections: i64,
    pub database_bytes: i64,
    /// Whether this connection is encrypted; null where the server does not say.
    #[schema(required)]
    pub encrypted: Option<bool>,
    /// Whether a pooler in transaction mode is in between.
    pub pooled: bool,
    /// The ten that took longest, from `pg_stat_statements`; null where that is not installed.
    #[schema(required)]
    pub top_statements: Option<Vec<TopStatement>>,
}

/// A row of `pg_stat_statements`.
#[derive(Debug, Serialize, ToSchema)]
pub struct TopStatement {
    pub sql: String,
    pub calls: i64,
    pub seconds: f64,
    pub rows: i64,
}

/// The file, its log and its one writer.
#[derive(Debug, Serialize, ToSchema)]
pub struct SqliteReport {
    pub file_bytes: u64,
    /// The write-ahead log.
    pub wal_bytes: u64,
    pub page_bytes: i64,
    pub pages: i64,
    pub free_pages: i64,
    /// What each connection caches at most.
    pub page_cache_bytes: i64,
    /// Writes that wait for the writer now.
    pub waiting_writes: u64,
    pub writes: u64,
    /// Transactions; several writes share one.
    pub groups: u64,
    pub group_sizes: Vec<GroupSize>,
    /// How often the writer had to wait for another process.
    pub busy_retries: u64,
    pub busy_seconds: f64,
    /// Shared transactions that were lost, after which each write in them ran alone.
    pub lost_groups: u64,
    /// Writes that were refused because they waited too long.
    pub refused_writes: u64,
}

/// How many groups had at most so many writes, and more than the size before.
#[derive(Debug, Serialize, ToSchema)]
pub struct GroupSize {
    pub at_most: u64,
    pub groups: u64,
}

fn seconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1e6
}

impl Database {
    /// Everything about the database; `routes` is what is known of the operations.
    pub async fn report(
        &self,
        mut routes: Vec<RouteReport>,
    ) -> Result<DatabaseReport, DatabaseError> {
        let (pool, counts) = (self.pool_state(), self.statement_counts());
        routes.retain(|route| route.statements > 0);
        routes.sort_by(|one, other| {
            other
                .seconds
                .total_cmp(&one.seconds)
                .then_with(|| (&one.route, one.method).cmp(&(&other.route, other.method)))
        });
        let (backend, version) = match &self.inner.engine {
            Engine::Sqlite { .. } => ("sqlite", rusqlite::version().to_owned()),
            Engine::Postgres(_) => {
                let version = self.statement("SELECT current_setting('server_version')", []);
                let version: Option<String> = self.fetch_one(version).await?;
                ("postgresql", version.unwrap_or_default())
            }
        };
        Ok(DatabaseReport {
            backend,
            version,
            pool: PoolReport {
                maximum: pool.maximum,
                idle: pool.idle,
                in_use: pool.in_use,
                waiting: pool.waiting,
                waits: pool.waits,
                wait_seconds: seconds(pool.wait_microseconds),
                timeouts: pool.timeouts,
                opened: pool.opened,
                lost: pool.lost,
                repeats: pool.repeats,
            },
            statements: StatementReport {
                count: counts.statements,
                rows: counts.rows,
                seconds: seconds(counts.microseconds),
                slow: counts.slow_statements,
            },
            routes,
            slow_statements: self.slow_statements(10).await,
            postgresql: self.postgres_report().await?,
            sqlite: self.sqlite_report().await?,
        })
    }

    /// Those that took longest together come first; with their plans.
    pub async fn slow_statements(&self, limit: usize) -> Vec<SlowStatementReport> {
        let mut reports = Vec::new();
        let slow = self.inner.observer.slow_statements();
        for (number, one) in slow.into_iter().take(limit).enumerate() {
            let plan = if number < PLANS {
                self.explain_generic(&one.sql).await
            } else {
                None
            };
            reports.push(slow_report(one, plan));
        }
        reports
    }

    /// From when on a statement is slow.
    pub fn slow_threshold(&self) -> std::time::Duration {
        self.inner.observer.threshold()
    }

    /// How a statement would be run for values that are not known.
    async fn explain_generic(&self, sql: &str) -> Option<Vec<String>> {
        match &self.inner.engine {
            Engine::Sqlite { .. } => self.explain(self.statement(sql, [])).await.ok(),
            Engine::Postgres(pool) => pool.explain_generic(sql).await.ok(),
        }
    }

    async fn postgres_report(&self) -> Result<Option<PostgresReport>, DatabaseError> {
        let Engine::Postgres(pool) = &self.inner.engine else {
            return Ok(None);
        };
        let sql = "SELECT CASE WHEN blks_hit + blks_read > 0 THEN blks_hit::float8 / (blks_hit + blks_read) END, \
                   xact_commit, xact_rollback, deadlocks, numbackends::bigint, \
                   current_setting('max_connections')::bigint, pg_database_size(datname), \
                   (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), \
                   current_setting('superuser_reserved_connections')::bigint \
                   + COALESCE(current_setting('reserved_connections', true)::bigint, 0) \
                   FROM pg_stat_database WHERE datname = current_database()";
        let report: Option<PostgresReport> = self.fetch_one(self.statement(sql, [])).await?;
        let Some(mut report) = report else {
            return Ok(None);
        };
        report.pooled = pool.pool.connector.is_pooled();
        let installed = "SELECT count(*) FROM pg_extension WHERE extname = 'pg_stat_statements'";
        let installed: Option<i64> = self.fetch_one(self.statement(installed, [])).await?;
        if installed == Some(1) {
            // Statements such as CREATE ROLE stand there with the values in them.
            let top = "SELECT query, calls, total_exec_time / 1000, rows FROM pg_stat_statements \
                       WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) \
                       AND query ~* '^\\s*(select|insert|update|delete|with)\\y' \
                       ORDER BY total_exec_time DESC, queryid LIMIT 10";
            report.top_statements = self.fetch_all(self.statement(top, [])).await.ok();
        }
        Ok(Some(report))
    }

    async fn sqlite_report(&self) -> Result<Option<SqliteReport>, DatabaseError> {
        let (Engine::Sqlite { writer, .. }, super::DatabaseUrl::Sqlite(target)) =
            (&self.inner.engine, &self.inner.url)
        else {
            return Ok(None);
        };
        let bytes = |path: String| std::fs::metadata(path).map_or(0, |file| file.len());
        let number = async |pragma: &str| {
            let statement = self.statement(&format!("PRAGMA {pragma}"), []);
            self.fetch_one::<i64>(statement)
                .await
                .map(Option::unwrap_or_default)
        };
        let cache = number("cache_size").await?;
        let page_bytes = number("page_size").await?;
        let counts: &WriterCounts = writer.counts();
        let read =
            |count: &std::sync::atomic::AtomicU64| count.load(std::sync::atomic::Ordering::Relaxed);
        let sizes = GROUP_LENGTHS.iter().zip(&counts.by_length);
        Ok(Some(SqliteReport {
            file_bytes: bytes(target.path.clone()),
            wal_bytes: bytes(format!("{}-wal", target.path)),
            page_bytes,
            pages: number("page_count").await?,
            free_pages: number("freelist_count").await?,
            // In KiB when negative, else in pages.
            page_cache_bytes: if cache < 0 {
                -cache * 1_024
            } else {
                cache * page_bytes
            },
            waiting_writes: read(&counts.waiting),
            writes: read(&counts.writes),
            groups: read(&counts.groups),
            group_sizes: sizes
                .map(|(at_most, groups)| GroupSize {
                    at_most: *at_most,
                    groups: read(groups),
                })
                .collect(),
            busy_retries: read(&counts.lock_waits),
            busy_seconds: seconds(read(&counts.lock_wait_microseconds)),
            lost_groups: read(&counts.lost_groups),
            refused_writes: read(&counts.refused),
        }))
    }
}

fn slow_report(one: SlowStatement, plan: Option<Vec<String>>) -> SlowStatementReport {
    SlowStatementReport {
        sql: one.sql,
        count: one.count,
        total_seconds: one.total.as_secs_f64(),
        longest_seconds: one.longest.as_secs_f64(),
        rows: one.rows,
        last_at: one.at,
        last_route: one.route,
        last_request_id: one.request_id,
        plan,
    }
}

impl FromRow for PostgresReport {
    fn from_row(row: &Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            cache_hit_ratio: row.get(0)?,
            transactions_committed: row.get(1)?,
            transactions_rolled_back: row.get(2)?,
            deadlocks: row.get(3)?,
            connections: row.get(4)?,
            maximum_connections: row.get(5)?,
            database_bytes: row.get(6)?,
            encrypted: row.get(7)?,
            reserved_connections: row.get(8)?,
            pooled: false,
            top_statements: None,
        })
    }
}

impl FromRow for TopStatement {
    fn from_row(row: &Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            sql: row.get(0)?,
            calls: row.get(1)?,
            seconds: row.get(2)?,
            rows: row.get(3)?,
        })
    }
}
