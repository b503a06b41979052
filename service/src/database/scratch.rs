//! A database for a while: empty, of the same kind as another, and removed again.

use std::path::PathBuf;
use std::time::Duration;

use sea_orm::sqlx::{AssertSqlSafe, Connection, Error, Executor};

use super::error::DatabaseError;
use super::postgres_connect::Connector;
use super::url::{DatabaseUrl, PostgresTarget, SqliteTarget};
use crate::random::Random;

/// An empty database. Call [`ScratchDatabase::remove`] when everybody has left it.
pub struct ScratchDatabase {
    url: DatabaseUrl,
    place: Place,
}

enum Place {
    Folder(PathBuf),
    /// The server's own database, from which the scratch database is dropped.
    Server(PostgresTarget, String),
}

impl ScratchDatabase {
    /// SQLite: a file in the system's folder for temporary files. PostgreSQL: a database on the same server, for which
    /// the user needs the right to create databases.
    pub async fn create(like: &DatabaseUrl, random: &dyn Random) -> Result<Self, DatabaseError> {
        let mut bytes = [0; 8];
        random.fill(&mut bytes);
        let (process, number) = (std::process::id(), u64::from_le_bytes(bytes));
        let name = format!("pharos_scratch_{process}_{number:016x}");
        match like {
            DatabaseUrl::Sqlite(_) => {
                let folder = std::env::temp_dir().join(name);
                std::fs::create_dir(&folder).map_err(|error| {
                    DatabaseError::Unavailable(format!(
                        "cannot create {}: {error}",
                        folder.display()
                    ))
                })?;
                let target = SqliteTarget {
                    path: folder.join("pharos.db").to_string_lossy().into_owned(),
                    create: true,
                };
                Ok(Self {
                    url: DatabaseUrl::Sqlite(target),
                    place: Place::Folder(folder),
                })
            }
            DatabaseUrl::Postgres(target) => {
                let create = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'");
                run(target, &create).await?;
                let mut own = target.clone();
                own.database.clone_from(&name);
                Ok(Self {
                    url: DatabaseUrl::Postgres(own),
                    place: Place::Server(target.clone(), name),
                })
            }
        }
    }

    pub fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// Removes it with everything in it; PostgreSQL ends connections that are still open.
    pub async fn remove(self) -> Result<(), DatabaseError> {
        match self.place {
            Place::Folder(folder) => std::fs::remove_dir_all(&folder).map_err(|error| {
                DatabaseError::Unavailable(format!("cannot remove {}: {error}", folder.display()))
            }),
            Place::Server(target, name) => {
                let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                run(&target, &drop).await
            }
        }
    }
}

/// Runs one statement on a connection of its own.
async fn run(target: &PostgresTarget, sql: &str) -> Result<(), DatabaseError> {
    let connector = Connector::new(target, Duration::ZERO)?;
    let refused = |error: Error| connector.explain(&error);
    let mut connection = connector.connect().await.map_err(refused)?;
    let failed = |error: Error| DatabaseError::Other(error.to_string());
    connection
        .execute(AssertSqlSafe(sql))
        .await
        .map_err(failed)?;
    connection.close().await.map_err(failed)
}
