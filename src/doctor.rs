//! `pharos doctor`: what is in order, what is not, and what mends it.

use std::error::Error;
use std::net::ToSocketAddrs;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::json;
use service::database::{Database, DatabaseReport};
use service::random::SystemRandom;
use service::search::{SearchDrift, search_drift};

use crate::output::say;
use crate::settings::Settings;

const MEND_URL: &str = "mend DATABASE_URL, which is sqlite:…, postgres://… or postgresql://…";
const REINDEX: &str = "run `pharos reindex`";

/// One thing that was looked at.
struct Check {
    name: &'static str,
    /// How many places are wrong, where they can be counted.
    count: Option<i64>,
    detail: String,
    /// What to do; `None` when it is in order.
    mend: Option<String>,
}

impl Check {
    fn good(name: &'static str, detail: impl Into<String>) -> Self {
        Self {
            name,
            count: None,
            detail: detail.into(),
            mend: None,
        }
    }

    fn bad(name: &'static str, detail: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            mend: Some(mend.into()),
            ..Self::good(name, detail)
        }
    }

    /// In order when nothing was counted.
    fn counted(name: &'static str, count: i64, what: &str) -> Self {
        Self {
            name,
            count: Some(count),
            detail: format!("{count} {what}"),
            mend: (count != 0).then(|| REINDEX.to_owned()),
        }
    }
}

/// Looks at everything, prints it, and fails when something is to be mended.
pub async fn doctor(settings: &Settings, as_json: bool) -> Result<ExitCode, Box<dyn Error>> {
    let checks = check(settings).await;
    let healthy = checks.iter().all(|check| check.mend.is_none());
    if as_json {
        let shown: Vec<_> = checks
            .iter()
            .map(|check| {
                json!({
                    "name": check.name, "ok": check.mend.is_none(), "count": check.count,
                    "detail": check.detail, "mend": check.mend,
                })
            })
            .collect();
        let report = json!({"ok": healthy, "checks": shown});
        say!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        for check in &checks {
            match &check.mend {
                None => say!("{:<14} {}", check.name, check.detail),
                Some(mend) => say!("{:<14} {}: {mend}", check.name, check.detail),
            }
        }
    }
    Ok(if healthy {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Each check needs the ones before it: the first that fails ends them.
async fn check(settings: &Settings) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Err(error) = settings.listen.to_socket_addrs() {
        let detail = format!("`{}` is no address to listen on: {error}", settings.listen);
        checks.push(Check::bad(
            "PHAROS_LISTEN",
            detail,
            "use the form 127.0.0.1:8080",
        ));
    }
    let url = match settings.database_url() {
        Ok(url) => url,
        Err(error) => {
            checks.push(Check::bad("DATABASE_URL", error.to_string(), MEND_URL));
            return checks;
        }
    };
    checks.push(Check::good("DATABASE_URL", url.to_string()));
    if let Some(path) = url.missing_file() {
        let mend =
            "run `pharos migrate up` or start the server, which make it, or check DATABASE_URL";
        checks.push(Check::bad(
            "database",
            format!("there is no file {path}"),
            mend,
        ));
        return checks;
    }
    let options = settings.database_options();
    let database = match Database::connect(&url.existing(), &options, Arc::new(SystemRandom)).await
    {
        Ok(database) => database,
        Err(error) => {
            checks.push(unreachable(&error.to_string()));
            return checks;
        }
    };
    if let Err(error) = database.probe().await {
        checks.push(unreachable(&error.to_string()));
        return checks;
    }
    checks.push(Check::good("database", "answers"));
    match database.pending_migrations().await {
        Ok(0) => checks.push(Check::good("schema", "up to date")),
        Ok(missing) => {
            let detail = format!("{missing} steps are missing");
            checks.push(Check::bad("schema", detail, "run `pharos migrate up`"));
            return checks;
        }
        Err(error) => {
            checks.push(unreachable(&error.to_string()));
            return checks;
        }
    }
    match database.report(Vec::new()).await {
        Ok(report) => checks.extend(operating_checks(&report, settings)),
        Err(error) => checks.push(unreachable(&error.to_string())),
    }
    match search_drift(&database).await {
        Ok(drift) => checks.extend(search_checks(&drift)),
        Err(error) => checks.push(unreachable(&error.to_string())),
    }
    checks
}

fn unreachable(error: &str) -> Check {
    Check::bad(
        "database",
        error,
        "see that it runs, and check DATABASE_URL",
    )
}

/// How the database is set up for Pharos.
fn operating_checks(report: &DatabaseReport, settings: &Settings) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some(postgres) = &report.postgresql {
        let (ours, reserved) = (
            i64::from(settings.database_max_connections),
            postgres.reserved_connections,
        );
        let all = postgres.maximum_connections - reserved;
        let detail = format!(
            "up to {ours} of the {all} that the server takes, besides {reserved} for superusers"
        );
        // Behind a pooler the server's limit is the pooler's matter.
        checks.push(if ours < all || postgres.pooled {
            Check::good("connections", detail)
        } else {
            let mend = "lower DATABASE_MAX_CONNECTIONS, or raise the server's max_connections";
            Check::bad("connections", detail, mend)
        });
        let encryption = match postgres.encrypted {
            Some(true) => "encrypted",
            Some(false) => "not encrypted: see sslmode if the server is not on this machine",
            None => "unknown",
        };
        checks.push(Check::good("connection", encryption));
        if postgres.pooled {
            let detail = "in transaction mode is in between: each statement is a transaction";
            checks.push(Check::good("pooler", detail));
        }
        checks.push(Check::good(
            "statistics",
            match postgres.top_statements {
                Some(_) => "pg_stat_statements is there",
                None => "pg_stat_statements is not there: /monitoring/database shows less",
            },
        ));
    }
    if let Some(sqlite) = &report.sqlite {
        let detail = format!(
            "{} bytes, its log {} bytes",
            sqlite.file_bytes, sqlite.wal_bytes
        );
        checks.push(Check::good("file", detail));
    }
    checks
}

fn search_checks(drift: &SearchDrift) -> Vec<Check> {
    let SearchDrift {
        resources_without_document,
        documents_without_resource,
        documents_of_another_version,
        documents_of_another_analysis,
        documents_of_other_content,
        documents_indexed_differently,
        stray_index_entries,
        ref damage,
    } = *drift;
    let mut checks = vec![
        Check::counted(
            "unfindable",
            resources_without_document,
            "resources without a search document",
        ),
        Check::counted(
            "orphaned",
            documents_without_resource,
            "search documents without a resource",
        ),
        Check::counted(
            "outdated",
            documents_of_another_version,
            "search documents of another version of their resource",
        ),
        Check::counted(
            "analysis",
            documents_of_another_analysis,
            "search documents from the analysis of another version of Pharos",
        ),
        Check::counted(
            "content",
            documents_of_other_content,
            "search documents that do not say what their resource says",
        ),
        Check::counted(
            "token_index",
            documents_indexed_differently,
            "documents of which the token index has other tokens",
        ),
        Check::counted(
            "stray_tokens",
            stray_index_entries,
            "entries of the token index without a document",
        ),
    ];
    checks.extend(damage.iter().map(|fault| {
        let detail = format!("an index is damaged: {fault}");
        let mend = format!("{REINDEX}, which makes it anew");
        Check::bad("index_damage", detail, mend)
    }));
    checks
}
