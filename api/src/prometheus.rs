//! All figures in Prometheus' text format 0.0.4, with base units.
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>

use std::fmt::Write;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use service::database::Database;

use crate::metrics::{BUCKETS, Metrics, Operation, STATUSES, read, seconds};

impl Operation {
    fn labels(&self) -> String {
        format!(
            "http_request_method=\"{}\",http_route=\"{}\"",
            self.route.method, self.route.template
        )
    }
}

impl Metrics {
    /// Everything in the text format 0.0.4.
    pub fn render(&self, database: &Database) -> String {
        let mut text = Text(String::with_capacity(16 << 10));
        self.requests(&mut text);
        self.database(&mut text, database);
        self.process(&mut text);
        text.0
    }

    fn requests(&self, text: &mut Text) {
        let used: Vec<&Arc<Operation>> = self
            .all()
            .into_iter()
            .filter(|one| one.buckets.iter().any(|count| read(count) > 0))
            .collect();
        let name = "http_server_request_duration_seconds";
        text.head(
            name,
            "histogram",
            "Time from a request to the head of its answer.",
        );
        for one in &used {
            let (labels, mut sum) = (one.labels(), 0);
            for (at, count) in one.buckets.iter().enumerate() {
                sum += read(count);
                let end = BUCKETS
                    .get(at)
                    .map_or_else(|| "+Inf".to_owned(), |end| seconds(*end).to_string());
                text.value(
                    &format!("{name}_bucket"),
                    &format!("{labels},le=\"{end}\""),
                    sum,
                );
            }
            text.value(
                &format!("{name}_sum"),
                &labels,
                seconds(read(&one.microseconds)),
            );
            text.value(&format!("{name}_count"), &labels, sum);
        }
        let name = "http_server_responses_total";
        text.head(name, "counter", "Answers by status.");
        for one in &used {
            let codes = STATUSES.iter().map(ToString::to_string);
            let classes = (1..=5).map(|class| format!("{class}xx"));
            let counts = one.answers.iter().chain(&one.other_answers);
            for (status, count) in codes.chain(classes).zip(counts) {
                if read(count) > 0 {
                    let labels = format!("{},http_response_status_code=\"{status}\"", one.labels());
                    text.value(name, &labels, read(count));
                }
            }
        }
        text.single(
            "http_server_active_requests",
            "gauge",
            "Requests under way.",
            read(&self.active),
        );
        for (name, help, pick) in [
            (
                "pharos_route_statements_total",
                "Database statements by the operation that asked for them.",
                0,
            ),
            (
                "pharos_route_statement_seconds_total",
                "Time of these statements.",
                1,
            ),
        ] {
            text.head(name, "counter", help);
            for one in &used {
                let (statements, _, microseconds) = one.route.counts();
                match pick {
                    0 => text.value(name, &one.labels(), statements),
                    _ => text.value(name, &one.labels(), seconds(microseconds)),
                }
            }
        }
    }

    fn database(&self, text: &mut Text, database: &Database) {
        let (pool, counts) = (database.pool_state(), database.statement_counts());
        let name = "db_client_connection_count";
        text.head(
            name,
            "gauge",
            "Connections to the database; on SQLite those for reading.",
        );
        text.value(name, "state=\"idle\"", pool.idle);
        text.value(name, "state=\"used\"", pool.in_use);
        let gauges = [
            (
                "db_client_connection_max",
                "Connections at most.",
                pool.maximum,
            ),
            (
                "db_client_connection_pending_requests",
                "Requests that wait for a connection.",
                pool.waiting,
            ),
        ];
        for (name, help, value) in gauges {
            text.single(name, "gauge", help, value);
        }
        let mut counters = vec![
            (
                "db_client_connection_waits_total",
                "How often a connection had to be waited for.",
                pool.waits as f64,
            ),
            (
                "db_client_connection_wait_seconds_total",
                "Time waited for connections.",
                seconds(pool.wait_microseconds),
            ),
            (
                "db_client_connection_timeouts_total",
                "How often no connection came in time.",
                pool.timeouts as f64,
            ),
            (
                "db_client_connections_opened_total",
                "Connections opened.",
                pool.opened as f64,
            ),
            (
                "db_client_connections_lost_total",
                "Connections that broke.",
                pool.lost as f64,
            ),
            (
                "pharos_database_repeats_total",
                "Statements and transactions that were run again.",
                pool.repeats as f64,
            ),
            (
                "pharos_database_statements_total",
                "Statements.",
                counts.statements as f64,
            ),
            (
                "pharos_database_statement_seconds_total",
                "Time of statements.",
                seconds(counts.microseconds),
            ),
            (
                "pharos_database_rows_total",
                "Rows read or changed.",
                counts.rows as f64,
            ),
            (
                "pharos_database_slow_statements_total",
                "Statements that took at least SLOW_QUERY_THRESHOLD.",
                counts.slow_statements as f64,
            ),
        ];
        if let Some(writer) = database.writer_state() {
            text.single(
                "pharos_sqlite_writes_waiting",
                "gauge",
                "Writes that wait for the writer.",
                writer.waiting,
            );
            counters.extend([
                (
                    "pharos_sqlite_writes_total",
                    "Writes.",
                    writer.writes as f64,
                ),
                (
                    "pharos_sqlite_transactions_total",
                    "Transactions, each shared by one write or more.",
                    writer.groups as f64,
                ),
                (
                    "pharos_sqlite_lock_waits_total",
                    "How often the writer had to wait for another process.",
                    writer.lock_waits as f64,
                ),
                (
                    "pharos_sqlite_refused_writes_total",
                    "Writes that were refused because they waited too long.",
                    writer.refused as f64,
                ),
            ]);
        }
        for (name, help, value) in counters {
            text.single(name, "counter", help, value);
        }
    }

    fn process(&self, text: &mut Text) {
        let name = "pharos_build_info";
        text.head(name, "gauge", "Which version this is.");
        text.value(
            name,
            concat!("version=\"", env!("CARGO_PKG_VERSION"), "\""),
            1,
        );
        let started = self.started.duration_since(UNIX_EPOCH).unwrap_or_default();
        text.single(
            "process_start_time_seconds",
            "gauge",
            "When this process started, since 1970.",
            started.as_secs_f64(),
        );
        // Where the system does not tell, there are no such lines.
        if let Some((cpu_seconds, resident)) = own_usage() {
            text.single(
                "process_cpu_seconds_total",
                "counter",
                "Processor time of this process.",
                cpu_seconds,
            );
            text.single(
                "process_resident_memory_bytes",
                "gauge",
                "Memory of this process.",
                resident,
            );
        }
        if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
            text.single(
                "process_open_fds",
                "gauge",
                "Open files and connections of this process.",
                open.count(),
            );
        }
    }
}

/// Processor time in seconds, by the usual 100 ticks a second, and memory in bytes, by pages of 4 KiB.
fn own_usage() -> Option<(f64, u64)> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name in parentheses may contain anything.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    let ticks = number(11)? + number(12)?;
    Some((ticks as f64 / 100.0, number(21)? * 4_096))
}

/// Lines of the text format.
struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn value(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.0, "{name}{{{labels}}} {value}");
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl std::fmt::Display) {
        self.head(name, kind, help);
        let _ = writeln!(self.0, "{name} {value}");
    }
}
