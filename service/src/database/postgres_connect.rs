//! Opening one connection to PostgreSQL: TLS as libpq does it, and what a pooler in between asks for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sea_orm::sqlx::{AssertSqlSafe, ConnectOptions, Error, Row, raw_sql};

use super::error::DatabaseError;
use super::pending_lists::LONGEST_LIST;
use super::url::{DatabaseUrl, PostgresTarget};

/// How long a transaction that is not patient waits for a lock: long for a queue, less than PostgreSQL waits before it
/// looks for a deadlock (1 s).
const LOCK_TIMEOUT: Duration = Duration::from_millis(500);

/// Opens connections to one database.
pub(super) struct Connector {
    /// As the URL says, and nothing more.
    base: PgConnectOptions,
    statement_timeout: Duration,
    /// Whether a pooler in transaction mode is in between: then each transaction may run in another session, so
    /// settings hold for a transaction only and nothing stays prepared.
    pooled: AtomicBool,
    redacted: String,
}

impl Connector {
    pub(super) fn new(
        target: &PostgresTarget,
        statement_timeout: Duration,
    ) -> Result<Self, DatabaseError> {
        let redacted = DatabaseUrl::Postgres(target.clone()).to_string();
        let refused = |text: String| DatabaseError::Unavailable(format!("{redacted}: {text}"));
        check_files(target).map_err(refused)?;
        // The driver's own error would carry the URL with its password.
        let mut base = target
            .driver_url()
            .parse::<PgConnectOptions>()
            .map_err(|_| refused("the driver does not understand this URL".to_owned()))?
            .disable_statement_logging();
        if base.get_application_name().is_none() {
            base = base.application_name("pharos");
        }
        let names_authority = target.parameter("sslrootcert").is_some();
        if names_authority && matches!(base.get_ssl_mode(), PgSslMode::Require) {
            // As libpq: who names an authority wants the certificate checked.
            base = base.ssl_mode(PgSslMode::VerifyCa);
        }
        Ok(Self {
            base,
            statement_timeout,
            pooled: AtomicBool::new(false),
            redacted,
        })
    }

    /// Whether a pooler in transaction mode is in between, as far as is known.
    pub(super) fn is_pooled(&self) -> bool {
        self.pooled.load(Ordering::Relaxed)
    }

    /// How a transaction begins. One that is not patient gives up when it has waited for a lock for a while.
    pub(super) fn begin(&self, patient: bool) -> String {
        let mut begin = "BEGIN".to_owned();
        if self.is_pooled() {
            let timeout = self.statement_timeout.as_millis();
            begin += &format!(
                " ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = {timeout}; \
                 SET LOCAL gin_pending_list_limit = {LONGEST_LIST}"
            );
        }
        if !patient {
            begin += &format!("; SET LOCAL lock_timeout = {}", LOCK_TIMEOUT.as_millis());
        }
        begin
    }

    /// Opens a connection; the caller limits the time.
    pub(super) async fn connect(&self) -> Result<PgConnection, Error> {
        if self.is_pooled() {
            return self.handshake(self.pooled_options()).await;
        }
        match self.handshake(self.direct_options()).await {
            Ok(mut connection) => {
                let sql = "SELECT current_setting('pharos.session', true)";
                let row = raw_sql(AssertSqlSafe(sql)).fetch_one(&mut connection);
                let ours: Option<String> = row.await?.try_get(0)?;
                if ours.as_deref() == Some("direct") {
                    return Ok(connection);
                }
                // The pooler was told to leave such settings out.
                self.found_pooler();
                self.handshake(self.pooled_options()).await
            }
            Err(error) if refuses_parameters(&error) => {
                self.found_pooler();
                self.handshake(self.pooled_options()).await
            }
            Err(error) => Err(error),
        }
    }

    fn found_pooler(&self) {
        if !self.pooled.swap(true, Ordering::Relaxed) {
            tracing::info!(
                "{} is behind a pooler: every statement runs in a transaction of its own",
                self.redacted
            );
        }
    }

    fn direct_options(&self) -> PgConnectOptions {
        let timeout = self.statement_timeout.as_millis().to_string();
        self.base.clone().options([
            ("statement_timeout", timeout.as_str()),
            ("default_transaction_isolation", "read committed"),
            ("timezone", "UTC"),
            ("gin_pending_list_limit", LONGEST_LIST),
            ("pharos.session", "direct"),
        ])
    }

    fn pooled_options(&self) -> PgConnectOptions {
        self.base
            .clone()
            .extra_float_digits(None)
            .statement_cache_capacity(0)
    }

    /// Connects with or without TLS as the mode says. Of these modes the driver does not know the second attempts.
    async fn handshake(&self, options: PgConnectOptions) -> Result<PgConnection, Error> {
        let (first, second) = match options.get_ssl_mode() {
            PgSslMode::Allow => (PgSslMode::Disable, Some(PgSslMode::Require)),
            PgSslMode::Prefer => (PgSslMode::Prefer, Some(PgSslMode::Disable)),
            mode => (mode, None),
        };
        let error = match options.clone().ssl_mode(first).connect().await {
            Ok(connection) => return Ok(connection),
            Err(error) => error,
        };
        match second {
            Some(second) if other_transport_may_do(&error) => {
                match options.ssl_mode(second).connect().await {
                    Ok(connection) => Ok(connection),
                    // The server has no TLS: then what it said at first is what matters.
                    Err(Error::Tls(_)) => Err(error),
                    Err(second) => Err(second),
                }
            }
            _ => Err(error),
        }
    }

    /// Why no connection could be opened, and what helps.
    pub(super) fn explain(&self, error: &Error) -> DatabaseError {
        let mode = match self.base.get_ssl_mode() {
            PgSslMode::Disable => "disable",
            PgSslMode::Allow => "allow",
            PgSslMode::Prefer => "prefer",
            PgSslMode::Require => "require",
            PgSslMode::VerifyCa => "verify-ca",
            PgSslMode::VerifyFull => "verify-full",
        };
        let said = match error {
            Error::Database(server) => {
                if server.code().as_deref() == Some("53300") {
                    return DatabaseError::Busy(server.message().to_owned());
                }
                format!("the server refuses: {}", server.message())
            }
            Error::Io(error) => error.to_string(),
            Error::Tls(error) => error.to_string(),
            other => other.to_string(),
        };
        let hint = tls_hint(&said, mode);
        DatabaseError::Unavailable(format!("cannot connect to {}: {said}{hint}", self.redacted))
    }
}

/// What to do about a refusal that has to do with TLS.
fn tls_hint(said: &str, mode: &str) -> String {
    let hint = if said.contains("does not support TLS") {
        format!(
            "sslmode={mode} needs a server with `ssl = on`; sslmode=prefer takes one without, too"
        )
    } else if said.contains("UnknownIssuer") || said.contains("CaUsedAsEndEntity") {
        "no authority that is trusted here has signed the server's certificate: name its CA's certificate in sslrootcert".to_owned()
    } else if said.contains("NotValidForName") || said.contains("not valid for name") {
        "connect to a name that is in the certificate, or use sslmode=verify-ca, which does not compare names".to_owned()
    } else if said.contains("Expired") || said.contains("expired") {
        "the server needs a new certificate".to_owned()
    } else if said.contains("no encryption") {
        format!("pg_hba.conf asks for TLS and sslmode={mode} did not use it: use sslmode=require")
    } else if said.contains("CertificateRequired") || said.contains("valid client certificate") {
        "the server wants a client certificate: name it in sslcert and its key in sslkey".to_owned()
    } else if said.contains("UnknownCa") || said.contains("UnknownCA") {
        "the server does not trust the authority that has signed the certificate in sslcert"
            .to_owned()
    } else {
        return String::new();
    };
    format!(" ({hint})")
}

/// A pooler such as PgBouncer takes no settings with the connection: protocol violation or feature not supported.
fn refuses_parameters(error: &Error) -> bool {
    error.as_database_error().is_some_and(|server| {
        server.message().contains("unsupported startup parameter")
            || matches!(server.code().as_deref(), Some("0A000"))
    })
}

/// pg_hba.conf may take a user with TLS only, or without TLS only.
fn other_transport_may_do(error: &Error) -> bool {
    match error {
        Error::Tls(_) => true,
        Error::Io(error) => error.kind() == std::io::ErrorKind::InvalidData,
        Error::Database(server) => {
            server.code().as_deref() == Some("28000") && server.message().contains("pg_hba.conf")
        }
        _ => false,
    }
}

/// The driver's errors about these do not name the file.
fn check_files(target: &PostgresTarget) -> Result<(), String> {
    for name in ["sslrootcert", "sslcert", "sslkey"] {
        if let Some(path) = target.parameter(name) {
            std::fs::read(path)
                .map_err(|error| format!("{name}: cannot read `{path}`: {error}"))?;
        }
    }
    match (target.parameter("sslcert"), target.parameter("sslkey")) {
        (Some(_), None) => Err("sslcert needs sslkey, the key of that certificate".to_owned()),
        (None, Some(_)) => Err("sslkey needs sslcert, the certificate of that key".to_owned()),
        _ => Ok(()),
    }
}
