//! Lists of users and keys.

use sea_orm::sea_query::{Expr, ExprTrait};
use serde_json::Value as Json;
use uuid::Uuid;

use super::access::Role;
use super::keys::{Key, read_scopes};
use super::users::User;
use crate::Pharos;
use crate::database::{DatabaseError, FromRow, Row};
use crate::error::Error;
use crate::lists::{Field, Holds, ListRequest, Listed, Page, Source, Table, all_rows};

const fn user_field(name: &'static str, holds: Holds) -> Field {
    Field::new("users", name, holds).sortable()
}

const USER_FIELDS: [Field; 7] = [
    user_field("id", Holds::Id),
    user_field("email", Holds::Text),
    user_field("display_name", Holds::Text).nullable(),
    user_field("role", Holds::Text),
    user_field("disabled_at", Holds::Time).nullable(),
    user_field("created_at", Holds::Time),
    user_field("updated_at", Holds::Time),
];

pub(crate) const USERS: Table = Table {
    fields: &[&USER_FIELDS],
    key: "id",
    default_sort: "email",
};

const fn key_field(name: &'static str, holds: Holds) -> Field {
    Field::new("api_keys", name, holds).sortable()
}

const KEY_FIELDS: [Field; 9] = [
    key_field("id", Holds::Id),
    key_field("user_id", Holds::Id),
    key_field("name", Holds::Text),
    key_field("prefix", Holds::Text),
    key_field("role", Holds::Text).nullable(),
    key_field("expires_at", Holds::Time).nullable(),
    key_field("revoked_at", Holds::Time).nullable(),
    key_field("last_used_at", Holds::Time).nullable(),
    key_field("created_at", Holds::Time),
];

pub(crate) const KEYS: Table = Table {
    fields: &[&KEY_FIELDS],
    key: "id",
    default_sort: "-id",
};

impl Listed for User {}

impl Listed for Key {}

impl FromRow for User {
    fn from_row(row: &Row<'_>) -> Result<Self, DatabaseError> {
        let role: String = row.get(3)?;
        Ok(Self {
            id: row.get(0)?,
            email: row.get(1)?,
            display_name: row.get(2)?,
            role: role.parse().map_err(DatabaseError::Other)?,
            disabled_at: row.get(4)?,
            created_at: row.get(5)?,
            updated_at: row.get(6)?,
        })
    }
}

impl FromRow for Key {
    fn from_row(row: &Row<'_>) -> Result<Self, DatabaseError> {
        let role: Option<String> = row.get(4)?;
        let role: Option<Result<Role, String>> = role.map(|role| role.parse());
        let scopes: Option<Json> = row.get(9)?;
        let scopes = scopes.as_ref().map(read_scopes).transpose();
        Ok(Self {
            id: row.get(0)?,
            user_id: row.get(1)?,
            name: row.get(2)?,
            prefix: row.get(3)?,
            role: role.transpose().map_err(DatabaseError::Other)?,
            scopes: scopes.map_err(|error| DatabaseError::Other(error.to_string()))?,
            expires_at: row.get(5)?,
            revoked_at: row.get(6)?,
            last_used_at: row.get(7)?,
            created_at: row.get(8)?,
        })
    }
}

impl Pharos {
    /// Users, by their addresses unless asked otherwise.
    pub async fn list_users(&self, request: &ListRequest) -> Result<Page<User>, Error> {
        let source = Source {
            name: "users".to_owned(),
            table: &USERS,
            rows: all_rows("users"),
        };
        let columns = USER_FIELDS.map(|field| field.expression());
        self.list_rows(&source, request, columns).await
    }

    /// Keys, newest first unless asked otherwise: all of them, or one user's.
    pub async fn list_keys(
        &self,
        user_id: Option<Uuid>,
        request: &ListRequest,
    ) -> Result<Page<Key>, Error> {
        let mut rows = all_rows("api_keys");
        if let Some(user_id) = user_id {
            rows.and_where(Expr::col(("api_keys", "user_id")).eq(user_id));
        }
        let source = Source {
            name: format!("keys/{user_id:?}"),
            table: &KEYS,
            rows,
        };
        let columns = KEY_FIELDS.map(|field| field.expression());
        let scopes = Expr::col(("api_keys", "scopes"));
        self.list_rows(&source, request, columns.into_iter().chain([scopes]))
            .await
    }
}
