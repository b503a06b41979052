//! Where the PostgreSQL server of the tests is: `TEST_DATABASE_URL`, else a container, else a throwaway cluster.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr};
use service::database::DatabaseUrl;

use super::{block_on, cluster, docker};

static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();

/// A server on which databases can be made.
pub struct Server {
    url: String,
}

impl Server {
    /// Found or started once a process.
    pub fn get() -> &'static Self {
        // On a thread of its own, since the caller may be inside a runtime.
        let found = SERVER.get_or_init(|| std::thread::spawn(find).join().expect("a thread"));
        found.as_ref().unwrap_or_else(|trouble| panic!("{trouble}"))
    }

    /// The URL of a database on this server.
    pub fn url_of(&self, database: &str) -> String {
        let (before, parameters) = self.url.split_once('?').unwrap_or((&self.url, ""));
        let (server, _) = before.rsplit_once('/').expect("a database in the URL");
        let parameters = if parameters.is_empty() {
            String::new()
        } else {
            format!("?{parameters}")
        };
        format!("{server}/{database}{parameters}")
    }

    /// A single connection to the database that is always there.
    pub async fn connect(&self) -> Result<DatabaseConnection, DbErr> {
        connect(&self.url).await
    }
}

/// A single connection.
pub async fn connect(url: &str) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(1)
        .sqlx_logging(false)
        .acquire_timeout(Duration::from_secs(60));
    Database::connect(options).await
}

fn find() -> Result<Server, String> {
    if let Ok(url) = std::env::var("TEST_DATABASE_URL") {
        return match DatabaseUrl::parse(&url) {
            Ok(DatabaseUrl::Postgres(_)) => Ok(Server { url }),
            other => Err(format!("TEST_DATABASE_URL is no PostgreSQL URL: {other:?}")),
        };
    }
    let wanted = std::env::var("PHAROS_TEST_POSTGRES").unwrap_or_default();
    let mut troubles = Vec::new();
    if wanted != "binaries" {
        match block_on(docker::start()) {
            Ok(url) => return answering(url),
            Err(error) => troubles.push(format!("Docker: {error}")),
        }
    }
    if wanted != "docker" {
        match cluster::start() {
            Ok(url) => return answering(url),
            Err(error) => troubles.push(error),
        }
    }
    Err(format!(
        "no PostgreSQL for the tests: set TEST_DATABASE_URL, start Docker or install the server's programs ({})",
        troubles.join("; ")
    ))
}

/// A new server may say that it is ready and start once more.
fn answering(url: String) -> Result<Server, String> {
    let began = Instant::now();
    let answered = block_on(async {
        loop {
            let answer = match connect(&url).await {
                Ok(connection) => connection.execute_unprepared("SELECT 1").await.map(|_| ()),
                Err(error) => Err(error),
            };
            if answer.is_ok() || began.elapsed() > Duration::from_secs(60) {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    match answered {
        Ok(()) => Ok(Server { url }),
        Err(error) => Err(format!(
            "the new PostgreSQL server does not answer: {error}"
        )),
    }
}
