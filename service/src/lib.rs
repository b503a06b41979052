//! What Pharos does: the domains and the strategies they call.

pub mod accounts;
pub mod authorities;
mod body;
pub mod clock;
pub mod codes;
mod cursor;
pub mod database;
pub mod error;
pub mod evaluation;
pub mod idempotency;
mod ids;
pub mod json;
mod known;
pub mod library;
pub mod lists;
pub mod random;
pub mod search;
pub mod taxonomy;
pub mod time;
mod version;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use entity::settings;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ConnectionTrait, EntityTrait, Set};
use uuid::Uuid;

pub use body::BodyReader;
pub use error::{Error, Fault, Place};
pub use version::Expected;

use accounts::{CreatedKey, KeyUse, LastUses, NewKey, NewUser, Role};
use authorities::Authorities;
use clock::{Clock, SystemClock};
use cursor::Cursors;
use database::{Batcher, Database, DatabaseError, DatabaseOptions, DatabaseUrl};
use idempotency::Attempts;
use json::JsonMatch;
use known::Known;
use library::{KnownResources, NewResource, Resource};
use random::{Random, SystemRandom};
use search::{FullTextSearch, KnownMatches, MatchStamps, MemoryIndex, Words};

/// What each of the two collections of known rows may take.
const KNOWN_BYTES: usize = 16 << 20;

/// How long the question whether everything is ready waits for an answer.
const READINESS_TIMEOUT: Duration = Duration::from_millis(800);

/// The setting that holds the secret which signs cursors.
const CURSOR_SECRET: &str = "cursor_secret";

/// Where time and randomness come from.
#[derive(Clone)]
pub struct Environment {
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
}

impl Default for Environment {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        }
    }
}

/// A library on its database: everything the API and the command line call.
pub struct Pharos {
    pub(crate) database: Database,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) search: Arc<dyn FullTextSearch>,
    pub(crate) json: Box<dyn JsonMatch>,
    pub(crate) cursors: Cursors,
    pub(crate) reads: Batcher<Uuid, Option<Resource>>,
    /// What pages of lists show, from before.
    pub(crate) known_resources: KnownResources,
    /// What pages of searches show, from before.
    pub(crate) known_matches: KnownMatches,
    pub(crate) match_stamps: MatchStamps,
    pub(crate) creates: Batcher<NewResource, Arc<Resource>>,
    pub(crate) authorities: Arc<Authorities>,
    pub(crate) key_checks: Batcher<[u8; 32], Option<KeyUse>>,
    pub(crate) last_uses: LastUses,
    pub(crate) memory: Arc<MemoryIndex>,
    /// Brings `memory` up to date with everything committed before the call.
    pub(crate) follow: Batcher<(), ()>,
    pub(crate) words: Words,
    pub(crate) attempts: Attempts,
}

impl Pharos {
    /// Connects, brings the schema up to date and reads the library's secret.
    pub async fn open(
        url: &DatabaseUrl,
        options: &DatabaseOptions,
        environment: Environment,
    ) -> Result<Self, Error> {
        let database = Database::connect(url, options, Arc::clone(&environment.random)).await?;
        database.probe().await?;
        database.migrate_up().await?;
        let pharos = Self::on(database, environment).await?;
        pharos.read_identifiers_of_before().await?;
        pharos.index_waiting_beside().await?;
        pharos.rewrite_resources_beside();
        Ok(pharos)
    }

    /// A library on a database whose schema is up to date.
    pub async fn on(database: Database, environment: Environment) -> Result<Self, Error> {
        let secret = cursor_secret(&database, &environment).await?;
        let search = search::full_text_search(&database);
        if let Some(statement) = search.renumber_changes() {
            database
                .write(move |transaction| async move {
                    transaction
                        .execute_unprepared(statement)
                        .await
                        .map_err(DatabaseError::from)?;
                    Ok(())
                })
                .await?;
        }
        let memory = Arc::new(MemoryIndex::default());
        let authorities = Arc::new(Authorities::default());
        authorities.refresh(&database).await?;
        let pharos = Self {
            follow: search::follower(&database, &search, &memory),
            memory,
            words: Words::new(&database, &search),
            cursors: Cursors::new(secret),
            reads: library::reader(&database),
            known_resources: Known::new(KNOWN_BYTES),
            match_stamps: search::stamper(&database),
            known_matches: Known::new(KNOWN_BYTES),
            creates: library::creator(&database, Arc::clone(&search), Arc::clone(&authorities)),
            authorities,
            key_checks: accounts::checker(&database),
            last_uses: LastUses::default(),
            attempts: Attempts::default(),
            json: json::json_match(&database),
            search,
            clock: environment.clock,
            random: environment.random,
            database,
        };
        pharos.read_declared_paths().await?;
        Ok(pharos)
    }

    /// The database underneath.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// On the very first start: an admin and a key for them. `None` when anybody is there already.
    pub async fn create_first_admin(&self) -> Result<Option<CreatedKey>, Error> {
        if !self.has_no_users().await? {
            return Ok(None);
        }
        let new = NewUser {
            email: "admin@localhost".to_owned(),
            display_name: Some("First admin".to_owned()),
            role: Role::Admin,
        };
        let admin = match self.create_user(new).await {
            // Another process was first.
            Err(Error::Conflict(_)) => return Ok(None),
            result => result?,
        };
        let key = NewKey {
            user_id: admin.id,
            name: "first key".to_owned(),
            role: None,
            scopes: None,
            expires_at: None,
        };
        self.create_key(key).await.map(Some)
    }

    /// Whether requests can be answered, found out in less than a second. What is wrong is told in words that may be
    /// shown to anybody.
    pub async fn check_readiness(&self) -> Result<(), Unready> {
        let check = tokio::time::timeout(READINESS_TIMEOUT, self.database.pending_migrations());
        let trouble = match check.await {
            Ok(Ok(0)) => return Ok(()),
            Ok(Ok(pending)) => {
                return Err(Unready {
                    part: "migrations",
                    code: "missing",
                    detail: format!("{pending} schema steps are missing: run `pharos migrate up`"),
                });
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        tracing::debug!(trouble, "not ready");
        let pool = self.database.pool_state();
        if pool.in_use >= pool.maximum {
            return Err(Unready {
                part: "pool",
                code: "exhausted",
                detail: format!(
                    "all {} connections are in use and {} requests wait for one",
                    pool.maximum, pool.waiting
                ),
            });
        }
        Err(Unready {
            part: "database",
            code: "unreachable",
            detail: "the database does not answer".to_owned(),
        })
    }
}

/// Why requests cannot be answered now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unready {
    /// `database`, `migrations` or `pool`.
    pub part: &'static str,
    /// Stable, snake_case.
    pub code: &'static str,
    pub detail: String,
}

/// Reads the secret, after making one when there is none; of two processes that make one, the first wins.
async fn cursor_secret(database: &Database, environment: &Environment) -> Result<[u8; 32], Error> {
    if let Some(secret) = stored_secret(database).await? {
        return Ok(secret);
    }
    let mut secret = [0; 32];
    environment.random.fill(&mut secret);
    let (value, now) = (STANDARD.encode(secret), environment.clock.now());
    database
        .write(move |transaction| {
            let value = value.clone();
            async move {
                let row = settings::ActiveModel {
                    name: Set(CURSOR_SECRET.to_owned()),
                    value: Set(value),
                    updated_at: Set(now),
                };
                settings::Entity::insert(row)
                    .on_conflict(
                        OnConflict::column(settings::Column::Name)
                            .do_nothing()
                            .to_owned(),
                    )
                    .exec_without_returning(&transaction)
                    .await
                    .map_err(DatabaseError::from)?;
                Ok(())
            }
        })
        .await?;
    stored_secret(database)
        .await?
        .ok_or_else(|| Error::Internal("the library's secret was not stored".to_owned()))
}

async fn stored_secret(database: &Database) -> Result<Option<[u8; 32]>, Error> {
    let found = settings::Entity::find_by_id(CURSOR_SECRET.to_owned())
        .one(database)
        .await
        .map_err(DatabaseError::from)?;
    found
        .map(|setting| {
            STANDARD
                .decode(setting.value)
                .ok()
                .and_then(|bytes| bytes.try_into().ok())
                .ok_or_else(|| Error::Internal("the library's secret is not 32 bytes".to_owned()))
        })
        .transpose()
}
