//! Driver errors become domain errors here, and nowhere else.

use sea_orm::{DbErr, RuntimeErr, SqlxError};

/// Marks a SQLite error that travels through SeaORM's error type: `sqlite:<extended code>:<message>`.
pub(super) const SQLITE_ERROR_PREFIX: &str = "sqlite:";

/// Marks that no connection could be had, on its way through SeaORM's error type.
const REFUSED_PREFIX: &str = "no connection:";

/// What went wrong in the database, in terms that a caller can act on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseError {
    /// No connection or no place in the queue became free in time; the request may be repeated.
    #[error("the database is busy: {0}")]
    Busy(String),
    /// The server cannot be reached or is shutting down; the request may be repeated.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// The disk (or the quota) is full: reads go on, writes do not.
    #[error("the database has no space left: {0}")]
    Full(String),
    /// A statement ran longer than the statement timeout.
    #[error("a statement took too long: {0}")]
    Timeout(String),
    /// The connection broke before anything was stored: the same may be tried again.
    #[error("the connection to the database broke: {0}")]
    Lost(String),
    /// The connection broke while a transaction was being committed: it may be stored or not.
    #[error("it is not known whether this was stored: {0}")]
    OutcomeUnknown(String),
    /// Deadlock, serialization failure or a lock that did not come: the whole unit may be run again.
    #[error("concurrent transactions collided: {0}")]
    Collision(String),
    /// Something that the unit of work took for granted has changed: it may be done again with what is there now.
    #[error("what was read before has changed meanwhile: {0}")]
    Outdated(String),
    /// A unique index already has this value; the text names the constraint or column.
    #[error("a unique value exists already: {0}")]
    Duplicate(String),
    /// A referenced row does not exist, or is still referenced.
    #[error("a foreign key does not hold: {0}")]
    ForeignKey(String),
    /// Anything else; a fault of the program or of the server.
    #[error("database error: {0}")]
    Other(String),
}

impl DatabaseError {
    /// Whether the request may be repeated: then none of several writes in one transaction is at fault.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Busy(_)
                | Self::Unavailable(_)
                | Self::Lost(_)
                | Self::OutcomeUnknown(_)
                | Self::Full(_)
                | Self::Timeout(_)
                | Self::Collision(_)
                | Self::Outdated(_)
        )
    }

    pub(crate) fn is_outdated(&self) -> bool {
        matches!(self, Self::Outdated(_))
    }

    pub(crate) fn is_collision(&self) -> bool {
        matches!(self, Self::Collision(_))
    }

    pub(crate) fn is_lost(&self) -> bool {
        matches!(self, Self::Lost(_))
    }
}

impl From<DbErr> for DatabaseError {
    fn from(error: DbErr) -> Self {
        match &error {
            DbErr::ConnectionAcquire(_) => Self::Busy("every connection is in use".to_owned()),
            DbErr::Conn(RuntimeErr::SqlxError(cause)) => from_sqlx(cause),
            DbErr::Exec(RuntimeErr::SqlxError(cause))
            | DbErr::Query(RuntimeErr::SqlxError(cause)) => match from_sqlx(cause) {
                DatabaseError::Unavailable(text) => Self::Lost(text),
                other => other,
            },
            DbErr::Conn(RuntimeErr::Internal(text)) if text.starts_with(REFUSED_PREFIX) => {
                Self::Unavailable(text[REFUSED_PREFIX.len()..].to_owned())
            }
            DbErr::Conn(RuntimeErr::Internal(text))
            | DbErr::Exec(RuntimeErr::Internal(text))
            | DbErr::Query(RuntimeErr::Internal(text)) => match parse_sqlite(text) {
                Some((code, message)) => from_sqlite_code(code, message),
                None => Self::Other(text.clone()),
            },
            other => Self::Other(other.to_string()),
        }
    }
}

impl From<rusqlite::Error> for DatabaseError {
    fn from(error: rusqlite::Error) -> Self {
        match &error {
            rusqlite::Error::SqliteFailure(failure, message) => from_sqlite_code(
                failure.extended_code,
                message.as_deref().unwrap_or("no message"),
            ),
            other => Self::Other(other.to_string()),
        }
    }
}

/// Wraps a SQLite error for its way through SeaORM, which has no variant for a foreign driver.
pub(super) fn to_db_err(error: &rusqlite::Error) -> DbErr {
    let text = match error {
        rusqlite::Error::SqliteFailure(failure, message) => format!(
            "{SQLITE_ERROR_PREFIX}{}:{}",
            failure.extended_code,
            message.as_deref().unwrap_or("no message")
        ),
        other => other.to_string(),
    };
    DbErr::Query(RuntimeErr::Internal(text))
}

/// Wraps the failure to get a connection for its way through SeaORM.
pub(super) fn to_connect_err(error: DatabaseError) -> DbErr {
    match error {
        DatabaseError::Busy(_) => DbErr::ConnectionAcquire(sea_orm::ConnAcquireErr::Timeout),
        DatabaseError::Unavailable(text) => {
            DbErr::Conn(RuntimeErr::Internal(format!("{REFUSED_PREFIX}{text}")))
        }
        other => DbErr::Conn(RuntimeErr::Internal(other.to_string())),
    }
}

fn parse_sqlite(text: &str) -> Option<(i32, &str)> {
    let (code, message) = text.strip_prefix(SQLITE_ERROR_PREFIX)?.split_once(':')?;
    Some((code.parse().ok()?, message))
}

/// Result codes of SQLite: <https://www.sqlite.org/rescode.html>.
fn from_sqlite_code(code: i32, message: &str) -> DatabaseError {
    const SQLITE_CONSTRAINT_FOREIGNKEY: i32 = 787;
    const SQLITE_CONSTRAINT_PRIMARYKEY: i32 = 1555;
    const SQLITE_CONSTRAINT_TRIGGER: i32 = 1811;
    const SQLITE_CONSTRAINT_UNIQUE: i32 = 2067;
    let text = message.to_owned();
    match (code, code & 0xff) {
        (SQLITE_CONSTRAINT_UNIQUE | SQLITE_CONSTRAINT_PRIMARYKEY, _) => {
            DatabaseError::Duplicate(text)
        }
        (SQLITE_CONSTRAINT_FOREIGNKEY, _) => DatabaseError::ForeignKey(text),
        // The only trigger that raises is the check of the authority files.
        (SQLITE_CONSTRAINT_TRIGGER, _) => DatabaseError::Outdated(text),
        (_, 5 | 6) => DatabaseError::Busy(text),
        (_, 9) => DatabaseError::Timeout(text),
        (_, 13) => DatabaseError::Full(text),
        (_, 14) => DatabaseError::Unavailable(text),
        _ => DatabaseError::Other(format!("{text} (SQLite code {code})")),
    }
}

/// SQLSTATEs of PostgreSQL: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn from_sqlx(error: &SqlxError) -> DatabaseError {
    let text = error.to_string();
    let Some(server) = error.as_database_error() else {
        return match error {
            SqlxError::PoolTimedOut => DatabaseError::Busy("every connection is in use".to_owned()),
            SqlxError::Io(_)
            | SqlxError::Tls(_)
            | SqlxError::PoolClosed
            | SqlxError::Protocol(_) => DatabaseError::Unavailable(text),
            _ => DatabaseError::Other(text),
        };
    };
    let text = server.message().to_owned();
    let constraint = || {
        server
            .constraint()
            .unwrap_or("unnamed constraint")
            .to_owned()
    };
    match server.code().as_deref() {
        Some("23505") => DatabaseError::Duplicate(constraint()),
        Some("23503") => DatabaseError::ForeignKey(constraint()),
        // serialization_failure, deadlock_detected, lock_not_available
        Some("40001" | "40P01" | "55P03") => DatabaseError::Collision(text),
        // Raised by the check of the authority files.
        Some("PH001") => DatabaseError::Outdated(text),
        // query_canceled (statement timeout)
        Some("57014") => DatabaseError::Timeout(text),
        // admin_shutdown, crash_shutdown, cannot_connect_now, database_dropped, idle_in_transaction_session_timeout
        Some("57P01" | "57P02" | "57P03" | "57P04" | "25P03") => DatabaseError::Unavailable(text),
        // too_many_connections
        Some("53300") => DatabaseError::Busy(text),
        // disk_full
        Some("53100") => DatabaseError::Full(text),
        Some(code) if code.starts_with("08") => DatabaseError::Unavailable(text),
        _ => DatabaseError::Other(text),
    }
}
