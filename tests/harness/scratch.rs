//! A database for one case, copied from a migrated template and gone with the value.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr};
use service::database::{Database, DatabaseUrl};
use service::random::SystemRandom;

use super::Backend;
use super::postgres::{Server, connect};
use super::schema::schema_hash;
use super::world::small_options;

/// Held while the template is made, so that one process makes it and the others wait.
const TEMPLATE_LOCK: i64 = 7_237_120_350;

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// A database of one's own.
pub struct Scratch {
    pub url: String,
    place: Place,
}

enum Place {
    Folder(PathBuf),
    Database(String),
}

impl Scratch {
    /// With the schema of today.
    pub async fn migrated(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => {
                let scratch = Self::folder();
                let template = sqlite_template().await;
                std::fs::copy(template, scratch.path()).expect("a copy of the template");
                scratch
            }
            Backend::Postgres => {
                let (name, template) = (
                    unique_name(),
                    format!("pharos_template_{}", schema_hash(backend).await),
                );
                let server = connect_to_server().await;
                let create = format!("CREATE DATABASE {name} TEMPLATE {template}");
                if server.execute_unprepared(&create).await.is_err() {
                    make_postgres_template(&server, &template)
                        .await
                        .expect("a migrated template");
                    server
                        .execute_unprepared(&create)
                        .await
                        .expect("a copy of the template");
                }
                Self::database(name)
            }
        }
    }

    /// With nothing in it.
    pub async fn empty(backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => Self::folder(),
            Backend::Postgres => {
                let name = unique_name();
                let create = create_empty(&name);
                connect_to_server()
                    .await
                    .execute_unprepared(&create)
                    .await
                    .expect("a new database");
                Self::database(name)
            }
        }
    }

    fn folder() -> Self {
        let folder = std::env::temp_dir().join(unique_name());
        std::fs::create_dir_all(&folder).expect("a folder for the database");
        let url = format!("sqlite://{}/pharos.db?mode=rwc", folder.display());
        Self {
            url,
            place: Place::Folder(folder),
        }
    }

    fn database(name: String) -> Self {
        Self {
            url: Server::get().url_of(&name),
            place: Place::Database(name),
        }
    }

    /// Where a SQLite database is; other files put there go with it.
    pub fn folder_of_files(&self) -> &Path {
        match &self.place {
            Place::Folder(folder) => folder,
            Place::Database(name) => panic!("{name} is no file"),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder_of_files().join("pharos.db")
    }

    /// Runs statements as another tool would, on a connection of its own.
    pub async fn execute(&self, sql: &str) -> Result<(), String> {
        match &self.place {
            Place::Folder(_) => {
                let connection = self.sqlite();
                connection
                    .execute_batch(sql)
                    .map_err(|error| error.to_string())
            }
            Place::Database(_) => {
                let connection = self.postgres().await;
                connection
                    .execute_unprepared(sql)
                    .await
                    .map(|_| ())
                    .map_err(|error| error.to_string())
            }
        }
    }

    /// The one number that a statement returns.
    pub async fn number(&self, sql: &str) -> i64 {
        match &self.place {
            Place::Folder(_) => self
                .sqlite()
                .query_row(sql, [], |row| row.get(0))
                .expect("a number"),
            Place::Database(_) => {
                let connection = self.postgres().await;
                let row = connection.query_one_raw(sea_orm::Statement::from_string(
                    connection.get_database_backend(),
                    sql,
                ));
                row.await
                    .expect("an answer")
                    .expect("a row")
                    .try_get_by_index(0)
                    .expect("a number")
            }
        }
    }

    /// A connection to the file.
    pub fn sqlite(&self) -> rusqlite::Connection {
        let connection = rusqlite::Connection::open(self.path()).expect("the database's file");
        connection
            .busy_timeout(std::time::Duration::from_secs(30))
            .expect("a timeout");
        connection
    }

    /// A connection to the database.
    pub async fn postgres(&self) -> DatabaseConnection {
        connect(&self.url).await.expect("the database")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        match &self.place {
            Place::Folder(folder) => {
                let _ = std::fs::remove_dir_all(folder);
            }
            Place::Database(name) => {
                let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                // On a thread of its own, since this one may be inside a runtime.
                let dropped = std::thread::spawn(move || {
                    super::block_on(async {
                        Server::get()
                            .connect()
                            .await?
                            .execute_unprepared(&drop)
                            .await
                            .map(|_| ())
                    })
                });
                if let Ok(Err(error)) = dropped.join() {
                    eprintln!("cannot drop a test's database: {error}");
                }
            }
        }
    }
}

async fn connect_to_server() -> DatabaseConnection {
    Server::get()
        .connect()
        .await
        .expect("the PostgreSQL server of the tests answers")
}

/// Whatever the server's own default: a library is in UTF-8.
fn create_empty(name: &str) -> String {
    format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
}

fn unique_name() -> String {
    format!(
        "pharos_test_{}_{}",
        std::process::id(),
        COUNTER.fetch_add(1, Ordering::Relaxed)
    )
}

async fn migrate(url: &str) {
    let url = DatabaseUrl::parse(url).expect("a URL");
    let database = Database::connect(&url, &small_options(), Arc::new(SystemRandom))
        .await
        .expect("a database");
    database.migrate_up().await.expect("a migrated database");
}

/// Made by whoever comes first: a half-made file never has the template's name.
async fn sqlite_template() -> PathBuf {
    let template = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!(
        "template-{}.db",
        schema_hash(Backend::Sqlite).await
    ));
    if !template.exists() {
        let scratch = Scratch::folder();
        migrate(&scratch.url).await;
        let half_made = template.with_extension(unique_name());
        scratch
            .sqlite()
            .execute("VACUUM INTO ?", [half_made.to_str().expect("a path")])
            .expect("a template");
        std::fs::rename(half_made, &template).expect("the template's name");
    }
    template
}

async fn make_postgres_template(server: &DatabaseConnection, template: &str) -> Result<(), DbErr> {
    server
        .execute_unprepared(&format!("SELECT pg_advisory_lock({TEMPLATE_LOCK})"))
        .await?;
    let known = format!("SELECT datname FROM pg_database WHERE datname = '{template}'");
    let known = sea_orm::Statement::from_string(server.get_database_backend(), known);
    if server.query_one_raw(known).await?.is_none() {
        let half_made = unique_name();
        server.execute_unprepared(&create_empty(&half_made)).await?;
        migrate(&Server::get().url_of(&half_made)).await;
        let disconnect = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{half_made}'"
        );
        server.execute_unprepared(&disconnect).await?;
        server
            .execute_unprepared(&format!("ALTER DATABASE {half_made} RENAME TO {template}"))
            .await?;
        drop_old_templates(server, template).await?;
    }
    server
        .execute_unprepared(&format!("SELECT pg_advisory_unlock({TEMPLATE_LOCK})"))
        .await?;
    Ok(())
}

/// Whoever still wants one of them makes it again.
async fn drop_old_templates(server: &DatabaseConnection, template: &str) -> Result<(), DbErr> {
    let old = format!(
        "SELECT datname FROM pg_database WHERE datname LIKE 'pharos\\_template\\_%' AND datname <> '{template}'"
    );
    let old = sea_orm::Statement::from_string(server.get_database_backend(), old);
    for row in server.query_all_raw(old).await? {
        let name: String = row.try_get_by_index(0)?;
        // It may be in use at this moment.
        let _ = server
            .execute_unprepared(&format!("DROP DATABASE IF EXISTS {name}"))
            .await;
    }
    Ok(())
}
