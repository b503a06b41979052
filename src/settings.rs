//! Settings: from the environment, a `.env` file or options.

use std::time::Duration;

use clap::Args;
use service::database::{DatabaseOptions, DatabaseUrl, UrlError};
use tracing_subscriber::EnvFilter;

/// Where the library is and how it is served. Defaults work.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Settings")]
pub struct Settings {
    /// sqlite:…, postgres://… or postgresql://…
    #[arg(
        long,
        env = "DATABASE_URL",
        hide_env_values = true,
        global = true,
        value_name = "URL",
        default_value = "sqlite://pharos-data/pharos.db?mode=rwc"
    )]
    pub database_url: Secret,
    /// The password for a PostgreSQL URL without one, exactly as it is.
    #[arg(
        long,
        env = "DATABASE_PASSWORD",
        hide_env_values = true,
        global = true,
        value_name = "PASSWORD"
    )]
    pub database_password: Option<Secret>,
    /// PostgreSQL connections at most.
    #[arg(long, env = "DATABASE_MAX_CONNECTIONS", global = true, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    pub database_max_connections: u32,
    /// PostgreSQL connections kept open.
    #[arg(
        long,
        env = "DATABASE_MIN_CONNECTIONS",
        global = true,
        default_value_t = 20
    )]
    pub database_min_connections: u32,
    /// How long a request waits for a connection or for its turn to write.
    #[arg(long, env = "DATABASE_ACQUIRE_TIMEOUT", global = true, default_value = "2s", value_parser = parse_duration)]
    pub database_acquire_timeout: Duration,
    /// After this idle time a PostgreSQL connection beyond the minimum is closed.
    #[arg(long, env = "DATABASE_IDLE_TIMEOUT", global = true, default_value = "10m", value_parser = parse_duration)]
    pub database_idle_timeout: Duration,
    /// A PostgreSQL connection is replaced at this age.
    #[arg(long, env = "DATABASE_MAX_LIFETIME", global = true, default_value = "1h", value_parser = parse_duration)]
    pub database_max_lifetime: Duration,
    /// A statement that runs longer is ended.
    #[arg(long, env = "DATABASE_STATEMENT_TIMEOUT", global = true, default_value = "30s", value_parser = parse_duration)]
    pub database_statement_timeout: Duration,
    /// A statement that takes at least this long is logged as slow.
    #[arg(long, env = "SLOW_QUERY_THRESHOLD", global = true, default_value = "1s", value_parser = parse_duration)]
    pub slow_query_threshold: Duration,
    /// Whether SQLite keeps an index over JSON: on or off. Off, writing is cheaper and filters over metadata look at
    /// every row.
    #[arg(long, env = "PHAROS_JSON_INDEX", global = true, default_value = "on", value_parser = ["on", "off"])]
    pub json_index: String,
    /// Address and port to serve on; port 0 takes a free one.
    #[arg(
        long,
        env = "PHAROS_LISTEN",
        global = true,
        default_value = "127.0.0.1:8080"
    )]
    pub listen: String,
    /// Threads that serve requests; the number of cores when absent.
    #[arg(long, env = "PHAROS_WORKERS", global = true, value_parser = clap::value_parser!(u16).range(1..))]
    pub workers: Option<u16>,
    /// Requests of one API key: a number and a window, such as 600000/1m, or off.
    #[arg(long, env = "PHAROS_RATE_LIMIT_KEY", global = true, value_name = "LIMIT", default_value = "600000/1m", value_parser = parse_limit)]
    pub rate_limit_key: RateLimit,
    /// Requests of one address.
    #[arg(long, env = "PHAROS_RATE_LIMIT_ADDRESS", global = true, value_name = "LIMIT", default_value = "1200000/1m", value_parser = parse_limit)]
    pub rate_limit_address: RateLimit,
    /// Requests of one address with an API key that is not good.
    #[arg(long, env = "PHAROS_RATE_LIMIT_FAILURES", global = true, value_name = "LIMIT", default_value = "60/1m", value_parser = parse_limit)]
    pub rate_limit_failures: RateLimit,
    /// Proxies whose X-Forwarded-For is believed: addresses and networks with commas between.
    #[arg(
        long,
        env = "PHAROS_TRUSTED_PROXIES",
        global = true,
        value_name = "NETWORKS",
        value_delimiter = ','
    )]
    pub trusted_proxies: Vec<api::Network>,
    /// Origins whose pages may use the API: https://… with commas between, or *.
    #[arg(
        long,
        env = "PHAROS_CORS_ORIGINS",
        global = true,
        value_name = "ORIGINS",
        default_value = ""
    )]
    pub cors_origins: api::Origins,
    /// How long a client may keep the server waiting.
    #[arg(long, env = "PHAROS_CLIENT_TIMEOUT", global = true, default_value = "10s", value_parser = parse_duration)]
    pub client_timeout: Duration,
    /// text or json.
    #[arg(long, env = "PHAROS_LOG_FORMAT", global = true, default_value = "text", value_parser = ["text", "json"])]
    pub log_format: String,
}

/// So many requests in a window; none when it is off.
#[derive(Debug, Clone, Copy)]
pub struct RateLimit(Option<api::Quota>);

fn parse_limit(text: &str) -> Result<RateLimit, String> {
    match text {
        "off" => Ok(RateLimit(None)),
        text => text.parse().map(|quota| RateLimit(Some(quota))),
    }
}

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Settings {
    pub fn database_url(&self) -> Result<DatabaseUrl, UrlError> {
        let password = self
            .database_password
            .as_ref()
            .map(|password| password.0.clone());
        Ok(DatabaseUrl::parse(&self.database_url.0)?.with_password(password))
    }

    pub fn database_options(&self) -> DatabaseOptions {
        DatabaseOptions {
            max_connections: self.database_max_connections,
            min_connections: self.database_min_connections,
            sqlite_readers: self.workers() + 2,
            acquire_timeout: self.database_acquire_timeout,
            idle_timeout: self.database_idle_timeout,
            max_lifetime: self.database_max_lifetime,
            statement_timeout: self.database_statement_timeout,
            slow_query_threshold: self.slow_query_threshold,
            json_index: self.json_index == "on",
        }
    }

    pub fn manners(&self) -> api::Manners {
        api::Manners {
            limits: api::Limits {
                key: self.rate_limit_key.0,
                address: self.rate_limit_address.0,
                failures: self.rate_limit_failures.0,
            },
            trusted_proxies: self.trusted_proxies.clone(),
            origins: self.cors_origins.clone(),
            client_timeout: self.client_timeout,
        }
    }

    pub fn workers(&self) -> usize {
        self.workers.map_or_else(
            || std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            usize::from,
        )
    }
}

/// Logs go to stderr; `RUST_LOG` filters them.
pub fn start_logging(settings: &Settings) -> Result<(), String> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(text) if !text.is_empty() => EnvFilter::try_new(&text)
            .map_err(|error| format!("RUST_LOG `{text}` cannot be read: {error}"))?,
        // The dispatcher calls every request that is no HTTP an error.
        _ => EnvFilter::new(
            "info,sea_orm_migration=warn,actix_server=warn,actix_http::h1::dispatcher=off,sqlx::postgres::notice=warn",
        ),
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    if settings.log_format == "json" {
        subscriber.json().init();
    } else {
        subscriber
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .init();
    }
    Ok(())
}

/// Reads `250ms`, `2s`, `10m`, `1h`, `90d`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let expected =
        || format!("`{text}` is no duration: write a number and ms, s, m, h or d, for example 30s");
    let split = text
        .find(|c: char| !c.is_ascii_digit())
        .ok_or_else(expected)?;
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().map_err(|_| expected())?;
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(expected()),
    };
    number
        .checked_mul(milliseconds)
        .map(Duration::from_millis)
        .ok_or_else(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_duration("90d"), Ok(Duration::from_secs(90 * 86_400)));
        for text in ["", "5", "s", "5 s", "5w", "-1s"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
