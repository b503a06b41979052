//! Users.

use chrono::{DateTime, Utc};
use entity::users::{ActiveModel, Column, Entity, Model};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set};
use serde::Serialize;
use serde_json::Value as Json;
use uuid::Uuid;

use super::access::{Actor, Role};
use crate::Pharos;
use crate::body::BodyReader;
use crate::database::DatabaseError;
use crate::error::{Error, Fault};
use crate::time::rfc3339;
use crate::version::Expected;

/// Characters of an e-mail address at most (RFC 5321).
const LONGEST_EMAIL: usize = 254;
/// Characters of a name at most.
const LONGEST_NAME: usize = 200;

const FIELDS: [&str; 3] = ["email", "display_name", "role"];
const CHANGEABLE: [&str; 4] = ["email", "display_name", "role", "disabled"];
/// What the server sets.
const READ_ONLY: [&str; 4] = ["id", "disabled_at", "created_at", "updated_at"];

/// Somebody who uses the library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct User {
    pub id: Uuid,
    /// In lower case.
    pub email: String,
    #[schema(required)]
    pub display_name: Option<String>,
    pub role: Role,
    /// Since when the user's keys are refused.
    #[serde(with = "rfc3339::option")]
    #[schema(required)]
    pub disabled_at: Option<DateTime<Utc>>,
    #[serde(with = "rfc3339")]
    pub created_at: DateTime<Utc>,
    #[serde(with = "rfc3339")]
    pub updated_at: DateTime<Utc>,
}

/// A user to be created.
#[derive(Debug, Clone)]
pub struct NewUser {
    pub email: String,
    pub display_name: Option<String>,
    pub role: Role,
}

/// What changes; absent stays.
#[derive(Debug, Clone, Default)]
pub struct UserChanges {
    pub email: Option<String>,
    pub display_name: Option<Option<String>>,
    pub role: Option<Role>,
    pub disabled: Option<bool>,
}

impl User {
    /// Which version it is: every change has a later `updated_at`.
    pub fn version(&self) -> i64 {
        self.updated_at.timestamp_micros()
    }
}

impl NewUser {
    /// Reads the body of a request; all faults at once.
    pub fn from_json(body: Json) -> Result<Self, Error> {
        let mut reader = BodyReader::new(body, "a user")?;
        reader.require("email", "an address such as ada@example.org");
        let new = Self {
            email: read_email(&mut reader).unwrap_or_default(),
            display_name: reader.text("display_name", LONGEST_NAME),
            role: reader.one_of("role", &Role::WORDS).unwrap_or(Role::Reader),
        };
        reader.finish(&FIELDS, &READ_ONLY)?;
        Ok(new)
    }
}

impl UserChanges {
    /// Reads a merge patch; all faults at once.
    pub fn from_json(body: Json) -> Result<Self, Error> {
        let mut reader = BodyReader::new(body, "a user")?;
        for (name, what) in [("email", "an address"), ("role", "a role")] {
            if reader.has(name) {
                reader.require(name, what);
            }
        }
        let changes = Self {
            email: read_email(&mut reader),
            display_name: reader
                .has("display_name")
                .then(|| reader.text("display_name", LONGEST_NAME)),
            role: reader.one_of("role", &Role::WORDS),
            disabled: reader.boolean("disabled"),
        };
        reader.finish(&CHANGEABLE, &READ_ONLY)?;
        Ok(changes)
    }
}

fn read_email(reader: &mut BodyReader) -> Option<String> {
    let written = reader.text("email", usize::MAX)?;
    let email = folded(&written);
    if email.is_none() {
        reader.fault("email", "format", EXPECTED_EMAIL);
    }
    email
}

const EXPECTED_EMAIL: &str = "expected an address such as ada@example.org";

/// The address without surrounding space, in lower case; `None` when it is none.
fn folded(email: &str) -> Option<String> {
    let email = email.trim().to_lowercase();
    let is_address = email.chars().count() <= LONGEST_EMAIL
        && email.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && !domain.is_empty() && !domain.contains('@')
        })
        && !email.chars().any(|c| c.is_whitespace() || c.is_control());
    is_address.then_some(email)
}

impl TryFrom<Model> for User {
    type Error = Error;

    fn try_from(model: Model) -> Result<Self, Error> {
        Ok(Self {
            id: model.id,
            email: model.email,
            display_name: model.display_name,
            role: model.role.parse().map_err(Error::Internal)?,
            disabled_at: model.disabled_at,
            created_at: model.created_at,
            updated_at: model.updated_at,
        })
    }
}

impl Pharos {
    pub async fn create_user(&self, new: NewUser) -> Result<User, Error> {
        let email = folded(&new.email)
            .ok_or_else(|| Error::Invalid(vec![Fault::at("/email", "format", EXPECTED_EMAIL)]))?;
        let now = self.clock.now();
        let user = User {
            id: crate::ids::new_id(now, &*self.random),
            email,
            display_name: new.display_name,
            role: new.role,
            disabled_at: None,
            created_at: now,
            updated_at: now,
        };
        let created = user.clone();
        let result = self
            .database
            .write(move |transaction| {
                let user = user.clone();
                async move {
                    let row = ActiveModel {
                        id: Set(user.id),
                        email: Set(user.email),
                        display_name: Set(user.display_name),
                        role: Set(user.role.as_str().to_owned()),
                        disabled_at: Set(None),
                        created_at: Set(user.created_at),
                        updated_at: Set(user.updated_at),
                    };
                    Entity::insert(row)
                        .exec_without_returning(&transaction)
                        .await
                        .map_err(DatabaseError::from)?;
                    Ok(())
                }
            })
            .await;
        match result {
            Ok(()) => Ok(created),
            Err(error) => Err(taken(error, &created.email)),
        }
    }

    pub async fn find_user(&self, id: Uuid) -> Result<User, Error> {
        let found = Entity::find_by_id(id)
            .one(&self.database)
            .await
            .map_err(DatabaseError::from)?;
        found.ok_or_else(|| not_found(id.to_string()))?.try_into()
    }

    pub async fn find_user_by_email(&self, email: &str) -> Result<User, Error> {
        let email = email.trim().to_lowercase();
        let found = Entity::find()
            .filter(Column::Email.eq(email.as_str()))
            .one(&self.database)
            .await
            .map_err(DatabaseError::from)?;
        found.ok_or_else(|| not_found(email))?.try_into()
    }

    /// Changes a user when the stored version is an expected one. The last admin that is not disabled stays one.
    pub async fn change_user(
        &self,
        id: Uuid,
        expected: Expected,
        changes: UserChanges,
    ) -> Result<User, Error> {
        let now = self.clock.now();
        let email = changes.email.clone().unwrap_or_default();
        let result = self
            .database
            .write(move |transaction| {
                let (expected, changes) = (expected.clone(), changes.clone());
                async move {
                    let mut user: User = lock(&transaction, id).await?.try_into()?;
                    expected.check("user", user.version())?;
                    let was_admin = is_active_admin(&user);
                    let before = user.clone();
                    user.email = changes.email.unwrap_or(user.email);
                    user.display_name = changes.display_name.unwrap_or(user.display_name);
                    user.role = changes.role.unwrap_or(user.role);
                    user.disabled_at = match changes.disabled {
                        None => user.disabled_at,
                        Some(true) => user.disabled_at.or(Some(now)),
                        Some(false) => None,
                    };
                    if user == before {
                        return Ok(user);
                    }
                    user.updated_at = now.max(user.updated_at + chrono::Duration::microseconds(1));
                    if was_admin && !is_active_admin(&user) {
                        refuse_last_admin(&transaction, id).await?;
                    }
                    let row = ActiveModel {
                        email: Set(user.email.clone()),
                        display_name: Set(user.display_name.clone()),
                        role: Set(user.role.as_str().to_owned()),
                        disabled_at: Set(user.disabled_at),
                        updated_at: Set(user.updated_at),
                        ..ActiveModel::default()
                    };
                    Entity::update_many()
                        .set(row)
                        .filter(Column::Id.eq(id))
                        .exec(&transaction)
                        .await
                        .map_err(DatabaseError::from)?;
                    Ok(user)
                }
            })
            .await;
        result.map_err(|error| taken(error, &email))
    }

    /// Deletes a user with all keys when the stored version is an expected one. Nobody deletes themselves, nor two admins
    /// each other at once.
    pub async fn delete_user(
        &self,
        actor: &Actor,
        id: Uuid,
        expected: Expected,
    ) -> Result<(), Error> {
        if actor.user_id == id {
            return Err(Error::Conflict(
                "this is your own user: another admin can delete it".to_owned(),
            ));
        }
        self.database
            .write(move |transaction| {
                let expected = expected.clone();
                async move {
                    let user: User = lock(&transaction, id).await?.try_into()?;
                    expected.check("user", user.version())?;
                    if is_active_admin(&user) {
                        refuse_last_admin(&transaction, id).await?;
                    }
                    Entity::delete_by_id(id)
                        .exec(&transaction)
                        .await
                        .map_err(DatabaseError::from)?;
                    Ok(())
                }
            })
            .await
    }

    /// Whether nobody is there yet.
    pub async fn has_no_users(&self) -> Result<bool, Error> {
        let first = Entity::find()
            .limit(1)
            .one(&self.database)
            .await
            .map_err(DatabaseError::from)?;
        Ok(first.is_none())
    }
}

/// What it means that an address is there already.
fn taken(error: Error, email: &str) -> Error {
    match error {
        Error::Database(DatabaseError::Duplicate(_)) => {
            Error::Conflict(format!("a user with the address {email} exists already"))
        }
        error => error,
    }
}

fn is_active_admin(user: &User) -> bool {
    user.role == Role::Admin && user.disabled_at.is_none()
}

/// Locks every admin, so that two of them cannot remove each other at once.
async fn refuse_last_admin(
    transaction: &crate::database::Transaction,
    leaving: Uuid,
) -> Result<(), Error> {
    let admins = Entity::find()
        .filter(Column::Role.eq(Role::Admin.as_str()))
        .filter(Column::DisabledAt.is_null())
        .order_by_asc(Column::Id)
        .lock_exclusive()
        .all(transaction)
        .await
        .map_err(DatabaseError::from)?;
    if admins.iter().all(|admin| admin.id == leaving) {
        return Err(Error::Conflict(
            "this is the last admin: make another user one first".to_owned(),
        ));
    }
    Ok(())
}

async fn lock(transaction: &crate::database::Transaction, id: Uuid) -> Result<Model, Error> {
    let found = Entity::find_by_id(id)
        .lock_exclusive()
        .one(transaction)
        .await
        .map_err(DatabaseError::from)?;
    found.ok_or_else(|| not_found(id.to_string()))
}

fn not_found(id: String) -> Error {
    Error::NotFound { kind: "user", id }
}
