//! API keys: 256 random bits, of which only a hash is kept.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};
use entity::{api_keys, users};
use parking_lot::Mutex;
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, Set};
use serde::Serialize;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::access::{Actor, Role, Scope};
use crate::Pharos;
use crate::body::BodyReader;
use crate::database::{Batcher, Database, DatabaseError, FromRow, Row};
use crate::error::{Error, Fault};
use crate::time::rfc3339;

/// What every key begins with.
const PREFIX: &str = "ph_";
/// Characters of a key that stay visible, prefix included.
const VISIBLE: usize = 11;
/// How exactly the last use is kept.
const LAST_USE_INTERVAL: Duration = Duration::minutes(1);
/// Characters of a key's name at most.
const LONGEST_NAME: usize = 200;

/// A key as it can be shown: without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Key {
    pub id: Uuid,
    pub user_id: Uuid,
    pub name: String,
    /// The first characters of the key, to recognise it by.
    pub prefix: String,
    /// Narrows the user's role.
    #[schema(required)]
    pub role: Option<Role>,
    /// Narrows what the role may do; null for all of it.
    #[schema(required)]
    pub scopes: Option<Vec<Scope>>,
    #[serde(with = "rfc3339::option")]
    #[schema(required)]
    pub expires_at: Option<DateTime<Utc>>,
    #[serde(with = "rfc3339::option")]
    #[schema(required)]
    pub revoked_at: Option<DateTime<Utc>>,
    /// To the minute.
    #[serde(with = "rfc3339::option")]
    #[schema(required)]
    pub last_used_at: Option<DateTime<Utc>>,
    #[serde(with = "rfc3339")]
    pub created_at: DateTime<Utc>,
}

/// A new key with its secret, which is never shown again.
#[derive(Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct CreatedKey {
    #[serde(flatten)]
    pub key: Key,
    /// Send it as `Authorization: Bearer …`. It cannot be shown again.
    pub secret: String,
}

impl std::fmt::Debug for CreatedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreatedKey")
            .field("key", &self.key)
            .field("secret", &"***")
            .finish()
    }
}

/// A key to be created.
#[derive(Debug, Clone)]
pub struct NewKey {
    pub user_id: Uuid,
    pub name: String,
    pub role: Option<Role>,
    pub scopes: Option<Vec<Scope>>,
    pub expires_at: Option<DateTime<Utc>>,
}

impl NewKey {
    /// Reads the body of a request; all faults at once. Whose key it is when the body does not say is `caller`.
    pub fn from_json(body: Json, caller: Uuid) -> Result<Self, Error> {
        let mut reader = BodyReader::new(body, "a key")?;
        let new = Self {
            user_id: reader.id("user_id").unwrap_or(caller),
            name: reader.text("name", LONGEST_NAME).unwrap_or_default(),
            role: reader.one_of("role", &Role::WORDS),
            scopes: reader.list_of("scopes", &Scope::ALL.map(Scope::as_str)),
            expires_at: reader.time("expires_at"),
        };
        reader.finish(
            &["name", "user_id", "role", "scopes", "expires_at"],
            &["id", "prefix", "revoked_at", "last_used_at", "created_at"],
        )?;
        Ok(new)
    }
}

impl Key {
    /// Changes whenever the key looks otherwise: when it is used, and when it is revoked.
    pub fn tag(&self) -> String {
        let micros = |time: Option<DateTime<Utc>>| time.map_or(0, |time| time.timestamp_micros());
        format!("{}-{}", micros(self.revoked_at), micros(self.last_used_at))
    }
}

type Hash = [u8; 32];

/// A key with its user, as a check needs it.
#[derive(Debug, Clone)]
pub(crate) struct KeyUse {
    hash: Vec<u8>,
    id: Uuid,
    user_id: Uuid,
    role: Option<String>,
    scopes: Option<Json>,
    expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
    email: String,
    user_role: String,
    disabled_at: Option<DateTime<Utc>>,
}

impl FromRow for KeyUse {
    fn from_row(row: &Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            hash: row.get(0)?,
            id: row.get(1)?,
            user_id: row.get(2)?,
            role: row.get(3)?,
            scopes: row.get(4)?,
            expires_at: row.get(5)?,
            revoked_at: row.get(6)?,
            last_used_at: row.get(7)?,
            email: row.get(8)?,
            user_role: row.get(9)?,
            disabled_at: row.get(10)?,
        })
    }
}

fn select_key_use() -> SelectStatement {
    use api_keys::Column::{ExpiresAt, Id, KeyHash, LastUsedAt, RevokedAt, Scopes, UserId};
    Query::select()
        .columns(
            [
                KeyHash,
                Id,
                UserId,
                api_keys::Column::Role,
                Scopes,
                ExpiresAt,
                RevokedAt,
                LastUsedAt,
            ]
            .map(|column| (api_keys::Entity, column)),
        )
        .columns(
            [
                users::Column::Email,
                users::Column::Role,
                users::Column::DisabledAt,
            ]
            .map(|column| (users::Entity, column)),
        )
        .from(api_keys::Entity)
        .inner_join(
            users::Entity,
            Expr::col((users::Entity, users::Column::Id)).equals((api_keys::Entity, UserId)),
        )
        .take()
}

/// Looks keys up by their hashes, together where that saves round trips. Nothing is remembered: a revoked key is
/// refused by every process at once.
pub(crate) fn checker(database: &Database) -> Batcher<Hash, Option<KeyUse>> {
    let hash_column = || Expr::col((api_keys::Entity, api_keys::Column::KeyHash));
    let one = database
        .build(select_key_use().and_where(hash_column().eq(vec![0_u8; 32])))
        .sql;
    let database_for_batches = database.clone();
    database.batcher(1, move |mut hashes: Vec<Hash>| {
        let database = database_for_batches.clone();
        let one = one.clone();
        async move {
            let asked = hashes.clone();
            hashes.sort_unstable();
            hashes.dedup();
            let statement = match &hashes[..] {
                [hash] => database.statement(&one, [hash.to_vec().into()]),
                hashes => database.build(
                    select_key_use()
                        .and_where(hash_column().is_in(hashes.iter().map(|hash| hash.to_vec()))),
                ),
            };
            match database.fetch_all::<KeyUse>(statement).await {
                Ok(found) => asked
                    .iter()
                    .map(|hash| Ok(found.iter().find(|key| key.hash == hash).cloned()))
                    .collect(),
                Err(error) => asked.iter().map(|_| Err(error.clone().into())).collect(),
            }
        }
    })
}

fn hash(secret: &str) -> Hash {
    Sha256::digest(secret.as_bytes()).into()
}

fn unknown_key() -> Error {
    Error::Unauthenticated("the API key is unknown, expired or revoked".to_owned())
}

impl Pharos {
    /// Finds out who holds a key. The database is asked each time.
    pub async fn authenticate(&self, secret: &str) -> Result<Actor, Error> {
        if !secret.starts_with(PREFIX) || secret.len() > 100 {
            return Err(unknown_key());
        }
        let key = self
            .key_checks
            .call(hash(secret))
            .await?
            .ok_or_else(unknown_key)?;
        let now = self.clock.now();
        let refused = key.revoked_at.is_some()
            || key.disabled_at.is_some()
            || key.expires_at.is_some_and(|expires_at| expires_at <= now);
        if refused {
            return Err(unknown_key());
        }
        self.note_use(&key, now);
        let user_role: Role = key.user_role.parse().map_err(Error::Internal)?;
        let role = match &key.role {
            None => user_role,
            Some(role) => user_role.min(role.parse().map_err(Error::Internal)?),
        };
        let scopes = key.scopes.as_ref().map(read_scopes).transpose()?;
        Ok(Actor {
            user_id: key.user_id,
            key_id: key.id,
            email: key.email,
            role,
            scopes,
            expires_at: key.expires_at,
        })
    }

    /// Keeps the time of use, at most once a minute for each key and never in a request's way.
    fn note_use(&self, key: &KeyUse, now: DateTime<Utc>) {
        if key
            .last_used_at
            .is_some_and(|last| now - last < LAST_USE_INTERVAL)
        {
            return;
        }
        if !self.last_uses.begin(key.id, now) {
            return;
        }
        let (database, id) = (self.database.clone(), key.id);
        self.database.spawn(async move {
            let result = database
                .write(move |transaction| async move {
                    let row = api_keys::ActiveModel {
                        last_used_at: Set(Some(now)),
                        updated_at: Set(now),
                        ..Default::default()
                    };
                    api_keys::Entity::update_many()
                        .set(row)
                        .filter(api_keys::Column::Id.eq(id))
                        .exec(&transaction)
                        .await
                        .map_err(DatabaseError::from)?;
                    Ok(())
                })
                .await;
            if let Err(error) = result {
                tracing::debug!(%error, "the last use of a key was not noted");
            }
        });
    }

    /// Creates a key and returns it with its secret.
    pub async fn create_key(&self, new: NewKey) -> Result<CreatedKey, Error> {
        let now = self.clock.now();
        if new.expires_at.is_some_and(|expires_at| expires_at <= now) {
            return Err(Error::Invalid(vec![Fault::at(
                "/expires_at",
                "out_of_range",
                "expected a time in the future",
            )]));
        }
        let mut bytes = [0; 32];
        self.random.fill(&mut bytes);
        let secret = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
        let key = Key {
            id: crate::ids::new_id(now, &*self.random),
            user_id: new.user_id,
            name: new.name,
            prefix: secret[..VISIBLE].to_owned(),
            role: new.role,
            scopes: new.scopes,
            expires_at: new.expires_at,
            revoked_at: None,
            last_used_at: None,
            created_at: now,
        };
        let created = CreatedKey {
            key: key.clone(),
            secret: secret.clone(),
        };
        let key_hash = hash(&secret).to_vec();
        self.database
            .write(move |transaction| {
                let (key, key_hash) = (key.clone(), key_hash.clone());
                async move {
                    let row = api_keys::ActiveModel {
                        id: Set(key.id),
                        user_id: Set(key.user_id),
                        name: Set(key.name),
                        prefix: Set(key.prefix),
                        key_hash: Set(key_hash),
                        role: Set(key.role.map(|role| role.as_str().to_owned())),
                        scopes: Set(key.scopes.map(|scopes| json!(scopes))),
                        expires_at: Set(key.expires_at),
                        revoked_at: Set(None),
                        last_used_at: Set(None),
                        created_at: Set(key.created_at),
                        updated_at: Set(key.created_at),
                    };
                    match api_keys::Entity::insert(row)
                        .exec_without_returning(&transaction)
                        .await
                        .map_err(DatabaseError::from)
                    {
                        Ok(_) => Ok(()),
                        Err(DatabaseError::ForeignKey(_)) => Err(Error::NotFound {
                            kind: "user",
                            id: key.user_id.to_string(),
                        }),
                        Err(error) => Err(error.into()),
                    }
                }
            })
            .await?;
        Ok(created)
    }

    pub async fn find_key(&self, id: Uuid) -> Result<Key, Error> {
        let found = api_keys::Entity::find_by_id(id)
            .one(&self.database)
            .await
            .map_err(DatabaseError::from)?;
        found.ok_or_else(|| key_not_found(id))?.try_into()
    }

    /// Revokes a key for good. Revoking it again changes nothing.
    pub async fn revoke_key(&self, id: Uuid) -> Result<Key, Error> {
        let now = self.clock.now();
        self.database
            .write(move |transaction| async move {
                let found = api_keys::Entity::find_by_id(id)
                    .lock_exclusive()
                    .one(&transaction)
                    .await
                    .map_err(DatabaseError::from)?;
                let mut key: Key = found.ok_or_else(|| key_not_found(id))?.try_into()?;
                if key.revoked_at.is_none() {
                    key.revoked_at = Some(now);
                    let row = api_keys::ActiveModel {
                        revoked_at: Set(Some(now)),
                        updated_at: Set(now),
                        ..Default::default()
                    };
                    api_keys::Entity::update_many()
                        .set(row)
                        .filter(api_keys::Column::Id.eq(id))
                        .exec(&transaction)
                        .await
                        .map_err(DatabaseError::from)?;
                }
                Ok(key)
            })
            .await
    }
}

fn key_not_found(id: Uuid) -> Error {
    Error::NotFound {
        kind: "key",
        id: id.to_string(),
    }
}

pub(super) fn read_scopes(scopes: &Json) -> Result<Vec<Scope>, Error> {
    scopes
        .as_array()
        .into_iter()
        .flatten()
        .map(|scope| {
            scope
                .as_str()
                .unwrap_or_default()
                .parse()
                .map_err(Error::Internal)
        })
        .collect()
}

impl TryFrom<api_keys::Model> for Key {
    type Error = Error;

    fn try_from(model: api_keys::Model) -> Result<Self, Error> {
        Ok(Self {
            id: model.id,
            user_id: model.user_id,
            name: model.name,
            prefix: model.prefix,
            role: model
                .role
                .map(|role| role.parse().map_err(Error::Internal))
                .transpose()?,
            scopes: model.scopes.as_ref().map(read_scopes).transpose()?,
            expires_at: model.expires_at,
            revoked_at: model.revoked_at,
            last_used_at: model.last_used_at,
            created_at: model.created_at,
        })
    }
}

/// Which keys' last use was written when, so that a busy key is not written again and again.
#[derive(Default)]
pub(crate) struct LastUses {
    noted: Mutex<HashMap<Uuid, DateTime<Utc>>>,
}

impl LastUses {
    /// Whether this use is to be written.
    fn begin(&self, id: Uuid, now: DateTime<Utc>) -> bool {
        let mut noted = self.noted.lock();
        if noted
            .get(&id)
            .is_some_and(|last| now - *last < LAST_USE_INTERVAL)
        {
            return false;
        }
        noted.retain(|_, last| now - *last < LAST_USE_INTERVAL);
        noted.insert(id, now);
        true
    }
}
