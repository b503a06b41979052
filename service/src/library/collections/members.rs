//! With whom a collection is shared.

use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use entity::collection_members::{ActiveModel, Column, Entity};
use entity::users;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{EntityTrait, Set};
use serde::Serialize;
use serde_json::Value as Json;
use uuid::Uuid;

use super::access::{Access, lock};
use crate::Pharos;
use crate::accounts::{Actor, Viewer};
use crate::body::BodyReader;
use crate::database::{DatabaseError, FromRow, Row};
use crate::error::Error;
use crate::lists::{Field, Holds, ListRequest, Listed, Page, Source, Table, all_rows};
use crate::time::rfc3339;

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MemberRole {
    /// Sees the collection.
    Viewer,
    /// Changes what is in it, too.
    Editor,
}

impl MemberRole {
    const WORDS: [&'static str; 2] = ["viewer", "editor"];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
        }
    }

    /// Reads `{"role": "viewer"}`.
    pub fn from_json(body: Json) -> Result<Self, Error> {
        let mut reader = BodyReader::new(body, "a member")?;
        reader.require("role", "a role (viewer or editor)");
        let role = reader.one_of("role", &Self::WORDS);
        reader.finish(&["role"], &["user_id", "added_at"])?;
        role.ok_or_else(|| Error::Internal("a role was neither read nor refused".to_owned()))
    }
}

impl FromStr for MemberRole {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Viewer, Self::Editor]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or(())
    }
}

/// Somebody with whom a collection is shared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Member {
    pub user_id: Uuid,
    pub role: MemberRole,
    #[serde(with = "rfc3339")]
    pub added_at: DateTime<Utc>,
}

impl Listed for Member {}

pub(crate) const MEMBERS: Table = Table {
    fields: &[&FIELDS],
    key: "user_id",
    default_sort: "added_at",
};

const FIELDS: [Field; 3] = [
    Field::new("collection_members", "user_id", Holds::Id).sortable(),
    Field::new("collection_members", "role", Holds::Text).sortable(),
    Field::new("collection_members", "added_at", Holds::Time).sortable(),
];

impl FromRow for Member {
    fn from_row(row: &Row<'_>) -> Result<Self, DatabaseError> {
        let role: String = row.get(1)?;
        Ok(Self {
            user_id: row.get(0)?,
            role: role
                .parse()
                .map_err(|()| DatabaseError::Other(format!("`{role}` is no member's role")))?,
            added_at: row.get(2)?,
        })
    }
}

impl Pharos {
    /// A page of the members of a collection that the viewer may see.
    pub async fn list_members(
        &self,
        viewer: Viewer,
        collection_id: Uuid,
        request: &ListRequest,
    ) -> Result<Page<Member>, Error> {
        self.find_collection(viewer, collection_id).await?;
        let source = Source {
            name: format!("collections/{collection_id}/members"),
            table: &MEMBERS,
            rows: all_rows("collection_members")
                .and_where(Expr::col((Entity, Column::CollectionId)).eq(collection_id))
                .take(),
        };
        let columns = FIELDS.iter().map(Field::expression);
        self.list_rows(&source, request, columns).await
    }

    /// Makes a user a member, or gives a member another role. True when they are new.
    pub async fn put_member(
        &self,
        actor: &Actor,
        collection_id: Uuid,
        user_id: Uuid,
        role: MemberRole,
    ) -> Result<(Member, bool), Error> {
        let now = self.clock.now();
        let actor = Arc::new(actor.clone());
        self.database
            .write(move |transaction| {
                let actor = Arc::clone(&actor);
                async move {
                    let collection = lock(&transaction, &actor, collection_id, Access::Own).await?;
                    if collection.owner_id == user_id {
                        return Err(Error::Conflict(
                            "the owner of a collection cannot be its member, too".to_owned(),
                        ));
                    }
                    let found = Entity::find_by_id((collection_id, user_id))
                        .one(&transaction)
                        .await
                        .map_err(DatabaseError::from)?;
                    let row = ActiveModel {
                        collection_id: Set(collection_id),
                        user_id: Set(user_id),
                        role: Set(role.as_str().to_owned()),
                        added_at: Set(found.as_ref().map_or(now, |found| found.added_at)),
                    };
                    match &found {
                        Some(_) => {
                            Entity::update(row)
                                .exec(&transaction)
                                .await
                                .map_err(DatabaseError::from)?;
                        }
                        None => {
                            let user = users::Entity::find_by_id(user_id)
                                .one(&transaction)
                                .await
                                .map_err(DatabaseError::from)?;
                            if user.is_none() {
                                return Err(Error::NotFound {
                                    kind: "user",
                                    id: user_id.to_string(),
                                });
                            }
                            Entity::insert(row)
                                .exec_without_returning(&transaction)
                                .await
                                .map_err(DatabaseError::from)?;
                        }
                    }
                    let member = Member {
                        user_id,
                        role,
                        added_at: found.as_ref().map_or(now, |found| found.added_at),
                    };
                    Ok((member, found.is_none()))
                }
            })
            .await
    }

    /// Ends a membership: the owner anybody's, a member their own.
    pub async fn delete_member(
        &self,
        actor: &Actor,
        collection_id: Uuid,
        user_id: Uuid,
    ) -> Result<(), Error> {
        let actor = Arc::new(actor.clone());
        self.database
            .write(move |transaction| {
                let actor = Arc::clone(&actor);
                async move {
                    let needed = if actor.user_id == user_id {
                        Access::View
                    } else {
                        Access::Own
                    };
                    lock(&transaction, &actor, collection_id, needed).await?;
                    let deleted = Entity::delete_by_id((collection_id, user_id))
                        .exec(&transaction)
                        .await
                        .map_err(DatabaseError::from)?;
                    if deleted.rows_affected == 0 {
                        return Err(Error::NotFound {
                            kind: "member",
                            id: user_id.to_string(),
                        });
                    }
                    Ok(())
                }
            })
            .await
    }
}
