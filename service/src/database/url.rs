//! `DATABASE_URL`: which database, where, and never the password in print.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What may stand unencoded in a user name, password or database name of a URL.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Parameters of a PostgreSQL URL that are handed on to the driver.
const POSTGRES_PARAMETERS: &[&str] = &[
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "port",
    "application_name",
    "options",
];

/// What `sslmode` may be.
const SSL_MODES: [&str; 6] = [
    "disable",
    "allow",
    "prefer",
    "require",
    "verify-ca",
    "verify-full",
];

/// A parsed database URL. Its `Debug` and `Display` leave the password out.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A SQLite file, or a database in memory that lives as long as the process.
    Sqlite(SqliteTarget),
    /// A PostgreSQL server.
    Postgres(PostgresTarget),
}

/// Where a SQLite database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqliteTarget {
    /// Path of the file, relative to the working directory unless absolute.
    pub path: String,
    /// Whether a missing file is created (`mode=rwc`, the default).
    pub create: bool,
}

/// Where a PostgreSQL database is, every part decoded.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresTarget {
    pub user: String,
    pub password: Option<String>,
    pub host: String,
    pub port: u16,
    pub database: String,
    pub parameters: Vec<(String, String)>,
}

/// Why a URL was refused; the text never contains the password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error(
        "unsupported database scheme `{0}`: use sqlite:, postgres:// or postgresql://, for example sqlite://pharos-data/pharos.db?mode=rwc"
    )]
    UnsupportedScheme(String),
    #[error("the database URL has no scheme: begin it with sqlite:, postgres:// or postgresql://")]
    MissingScheme,
    #[error("the SQLite URL names no file: use sqlite://path/to/pharos.db")]
    MissingPath,
    #[error(
        "sqlite in-memory databases are not supported, because every connection would see its own: name a file"
    )]
    InMemory,
    #[error("unknown parameter `{parameter}` in the database URL: known are {known}")]
    UnknownParameter { parameter: String, known: String },
    #[error("sslmode `{0}` is unknown: use {known}", known = SSL_MODES.join(", "))]
    UnknownSslMode(String),
    #[error("mode `{0}` is not supported: use rwc (create when missing) or rw")]
    UnsupportedMode(String),
    #[error(
        "the PostgreSQL URL names no database: use postgres://user:password@host:5432/database"
    )]
    MissingDatabase,
    #[error(
        "port `{0}` is not a number from 1 to 65535; if it is part of a password, write special characters as %XX (`/` is %2F, `?` is %3F, `#` is %23, `@` is %40)"
    )]
    InvalidPort(String),
    #[error("the {0} is not valid UTF-8 after decoding %XX: write `%` itself as %25")]
    InvalidEncoding(&'static str),
    #[error("the database URL contains a NUL character")]
    Nul,
}

impl DatabaseUrl {
    /// Parses a URL. Special characters in a PostgreSQL password are taken raw where that is unambiguous: the
    /// last `@` before the host ends it, and a `%` that does not begin two hexadecimal digits stands for itself.
    pub fn parse(url: &str) -> Result<Self, UrlError> {
        let url = url.trim();
        if url.contains('\0') {
            return Err(UrlError::Nul);
        }
        let (scheme, rest) = url.split_once(':').ok_or(UrlError::MissingScheme)?;
        match scheme {
            "sqlite" => parse_sqlite(rest).map(Self::Sqlite),
            "postgres" | "postgresql" if rest.starts_with("//") => {
                parse_postgres(&rest[2..]).map(Self::Postgres)
            }
            "postgres" | "postgresql" => Err(UrlError::MissingDatabase),
            other
                if !other.is_empty()
                    && other
                        .chars()
                        .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) =>
            {
                Err(UrlError::UnsupportedScheme(other.to_owned()))
            }
            _ => Err(UrlError::MissingScheme),
        }
    }

    /// The file, when the database is one that is not there.
    pub fn missing_file(&self) -> Option<&str> {
        match self {
            Self::Sqlite(target) if !std::path::Path::new(&target.path).exists() => {
                Some(&target.path)
            }
            _ => None,
        }
    }

    /// The same database, which is not created when it is missing.
    #[must_use]
    pub fn existing(mut self) -> Self {
        if let Self::Sqlite(target) = &mut self {
            target.create = false;
        }
        self
    }

    /// Gives the password that comes from elsewhere (`DATABASE_PASSWORD`) to a PostgreSQL URL that has none.
    #[must_use]
    pub fn with_password(mut self, password: Option<String>) -> Self {
        if let Self::Postgres(target) = &mut self
            && target.password.is_none()
        {
            target.password = password.filter(|password| !password.is_empty());
        }
        self
    }
}

fn parse_sqlite(rest: &str) -> Result<SqliteTarget, UrlError> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path = path.strip_prefix("//").unwrap_or(path);
    let path = decode(path, "path")?;
    if path.is_empty() {
        return Err(UrlError::MissingPath);
    }
    if path == ":memory:" {
        return Err(UrlError::InMemory);
    }
    let mut create = true;
    for (name, value) in parameters(query)? {
        match (name.as_str(), value.as_str()) {
            ("mode", "rwc") => create = true,
            ("mode", "rw") => create = false,
            ("mode", "memory") => return Err(UrlError::InMemory),
            ("mode", other) => return Err(UrlError::UnsupportedMode(other.to_owned())),
            _ => {
                return Err(UrlError::UnknownParameter {
                    parameter: name,
                    known: "mode".to_owned(),
                });
            }
        }
    }
    Ok(SqliteTarget { path, create })
}

fn parse_postgres(rest: &str) -> Result<PostgresTarget, UrlError> {
    // The host has no `@`, so the last one before the final path ends the password, whatever that contains.
    let (credentials, location) = match rest.rsplit_once('@') {
        // `…/db?options=a@b`: an `@` inside the parameters is not the end of a password.
        Some((before, _))
            if before.contains('?') && before.contains('/') && !before.contains(':') =>
        {
            (None, rest)
        }
        Some((before, after)) => (Some(before), after),
        None => (None, rest),
    };
    let (location, query) = location.split_once('?').unwrap_or((location, ""));
    let (address, database) = location.split_once('/').unwrap_or((location, ""));
    let (user, password) = match credentials {
        None => ("postgres".to_owned(), None),
        Some(credentials) => match credentials.split_once(':') {
            None => (decode(credentials, "user name")?, None),
            Some((user, password)) => (
                decode(user, "user name")?,
                Some(decode(password, "password")?),
            ),
        },
    };
    let (host, port) = match address.strip_prefix('[').and_then(|a| a.split_once(']')) {
        Some((host, port)) => (host.to_owned(), port.strip_prefix(':')),
        None => match address.rsplit_once(':') {
            Some((host, port)) => (decode(host, "host")?, Some(port)),
            None => (decode(address, "host")?, None),
        },
    };
    let port = match port {
        None | Some("") => 5432,
        Some(port) => port
            .parse::<u16>()
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(|| UrlError::InvalidPort("…".to_owned()))?,
    };
    let database = decode(database, "database name")?;
    if database.is_empty() {
        return Err(UrlError::MissingDatabase);
    }
    let parameters = parameters(query)?;
    for (name, value) in &parameters {
        if name == "sslmode" && !SSL_MODES.contains(&value.as_str()) {
            return Err(UrlError::UnknownSslMode(value.clone()));
        }
        if !POSTGRES_PARAMETERS.contains(&name.as_str()) {
            return Err(UrlError::UnknownParameter {
                parameter: name.clone(),
                known: POSTGRES_PARAMETERS.join(", "),
            });
        }
    }
    Ok(PostgresTarget {
        user,
        password,
        host: if host.is_empty() {
            "localhost".to_owned()
        } else {
            host
        },
        port,
        database,
        parameters,
    })
}

/// Decodes `%XX`; a `%` that begins no such pair stands for itself.
fn decode(text: &str, what: &'static str) -> Result<String, UrlError> {
    percent_decode_str(text)
        .decode_utf8()
        .map(|decoded| decoded.into_owned())
        .map_err(|_| UrlError::InvalidEncoding(what))
}

fn parameters(query: &str) -> Result<Vec<(String, String)>, UrlError> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name, "parameter")?, decode(value, "parameter")?))
        })
        .collect()
}

impl PostgresTarget {
    /// The URL for the driver, password included and every part encoded: never print it.
    pub(crate) fn driver_url(&self) -> String {
        let mut url = format!("postgres://{}", utf8_percent_encode(&self.user, COMPONENT));
        if let Some(password) = &self.password {
            url.push(':');
            url.extend(utf8_percent_encode(password, COMPONENT));
        }
        url.push('@');
        url.push_str(&self.location());
        url
    }

    /// The value of a parameter that the URL has.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let mut latest_first = self.parameters.iter().rev();
        latest_first
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    fn location(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            utf8_percent_encode(&self.host, COMPONENT).to_string()
        };
        let mut location = format!(
            "{host}:{}/{}",
            self.port,
            utf8_percent_encode(&self.database, COMPONENT)
        );
        for (index, (name, value)) in self.parameters.iter().enumerate() {
            location.push(if index == 0 { '?' } else { '&' });
            location.push_str(name);
            location.push('=');
            location.extend(utf8_percent_encode(value, COMPONENT));
        }
        location
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(target) => write!(f, "sqlite://{}", target.path),
            Self::Postgres(target) => {
                let secret = if target.password.is_some() {
                    ":***"
                } else {
                    ""
                };
                let user = utf8_percent_encode(&target.user, COMPONENT);
                write!(f, "postgres://{user}{secret}@{}", target.location())
            }
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for PostgresTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&DatabaseUrl::Postgres(self.clone()), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn postgres(url: &str) -> PostgresTarget {
        match DatabaseUrl::parse(url) {
            Ok(DatabaseUrl::Postgres(target)) => target,
            other => panic!("{url}: {other:?}"),
        }
    }

    #[test]
    fn a_raw_password_with_special_characters_is_taken_as_it_stands() {
        for password in ["p#!$@x", "p#!$@x%/", "a:b@c", "50%", "sla/sh?mark"] {
            let target = postgres(&format!("postgres://pharos:{password}@db:5433/library"));
            assert_eq!(target.password.as_deref(), Some(password));
            assert_eq!((target.host.as_str(), target.port), ("db", 5433));
            assert_eq!(postgres(&target.driver_url()), target);
        }
    }

    #[test]
    fn the_password_is_never_printed() {
        let url = DatabaseUrl::parse("postgresql://u:s3cr3t@h/d?sslmode=require");
        let printed = format!(
            "{url:?} {}",
            url.as_ref().map_or(String::new(), ToString::to_string)
        );
        assert!(!printed.contains("s3cr3t"), "{printed}");
        assert!(
            printed.contains("postgres://u:***@h:5432/d?sslmode=require"),
            "{printed}"
        );
    }

    #[test]
    fn an_unknown_scheme_is_refused_by_name() {
        let error = DatabaseUrl::parse("mysql://u:secret@h/d").map_err(|error| error.to_string());
        assert!(
            matches!(&error, Err(text) if text.contains("`mysql`") && !text.contains("secret")),
            "{error:?}"
        );
    }

    #[test]
    fn sqlite_urls_name_a_file() {
        for url in ["sqlite://data/a.db?mode=rwc", "sqlite:data/a.db"] {
            let parsed = DatabaseUrl::parse(url);
            let target = SqliteTarget {
                path: "data/a.db".into(),
                create: true,
            };
            assert_eq!(parsed, Ok(DatabaseUrl::Sqlite(target)));
        }
        assert_eq!(DatabaseUrl::parse("sqlite://"), Err(UrlError::MissingPath));
        assert_eq!(
            DatabaseUrl::parse("sqlite::memory:"),
            Err(UrlError::InMemory)
        );
    }
}
