//! Who sees a collection, and who may change what of it.
//!
//! A private collection is its owner's alone, whatever members it has. A shared one is also seen by its members and by
//! admins, a public one by everybody. Members who are editors change what is in it; its name, place, visibility and
//! members are the owner's matter, and that of admins where they see it.

use entity::{collection_members, collections};
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{EntityTrait, QuerySelect};
use uuid::Uuid;

use super::members::MemberRole;
use super::{Collection, FIELDS, Visibility, not_found};
use crate::Pharos;
use crate::accounts::{Actor, Viewer};
use crate::database::{DatabaseError, Transaction};
use crate::error::Error;
use crate::lists::all_rows;

/// A condition on `collections` for those that the viewer may see; none for nobody in particular, who sees all.
pub(crate) fn visible(viewer: Option<Viewer>) -> Option<Expr> {
    use collections::{Column, Entity};

    let viewer = viewer?;
    let visibility = || Expr::col((Entity, Column::Visibility));
    let own = Expr::col((Entity, Column::OwnerId)).eq(viewer.user_id);
    if viewer.is_admin {
        return Some(own.or(visibility().ne(Visibility::Private.as_str())));
    }
    let membership = Query::select()
        .column(collection_members::Column::CollectionId)
        .from(collection_members::Entity)
        .and_where(Expr::col(collection_members::Column::UserId).eq(viewer.user_id))
        .take();
    let shared = visibility()
        .eq(Visibility::Shared.as_str())
        .and(Expr::col((Entity, Column::Id)).in_subquery(membership));
    let public = visibility().eq(Visibility::Public.as_str());
    Some(own.or(public).or(shared))
}

/// How far somebody's reach into a collection goes. Each includes the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Access {
    View,
    Edit,
    Own,
}

fn access(
    viewer: Viewer,
    collection: &Collection,
    membership: Option<MemberRole>,
) -> Option<Access> {
    let visibility = collection.fields.visibility;
    if collection.owner_id == viewer.user_id {
        return Some(Access::Own);
    }
    if visibility == Visibility::Private {
        return None;
    }
    if viewer.is_admin {
        return Some(Access::Own);
    }
    match membership {
        Some(MemberRole::Editor) => Some(Access::Edit),
        Some(MemberRole::Viewer) => Some(Access::View),
        None => (visibility == Visibility::Public).then_some(Access::View),
    }
}

/// Reads a collection and keeps others from changing it until the transaction ends. What the actor may not see is not
/// found; what they may see but not change so far is forbidden.
pub(super) async fn lock(
    transaction: &Transaction,
    actor: &Actor,
    id: Uuid,
    needed: Access,
) -> Result<Collection, Error> {
    let found = collections::Entity::find_by_id(id)
        .lock_exclusive()
        .one(transaction)
        .await
        .map_err(DatabaseError::from)?;
    let collection = Collection::from(found.ok_or_else(|| not_found(id))?);
    let membership = collection_members::Entity::find_by_id((id, actor.user_id))
        .one(transaction)
        .await
        .map_err(DatabaseError::from)?
        .and_then(|member| member.role.parse().ok());
    let reach = access(actor.viewer(), &collection, membership).ok_or_else(|| not_found(id))?;
    if reach >= needed {
        return Ok(collection);
    }
    Err(Error::Forbidden(
        match needed {
            Access::Own => {
                "only the owner of this collection may do that, and admins unless it is private"
            }
            _ => "only the owner, members who are editors, and admins may change what is in this collection",
        }
        .to_owned(),
    ))
}

impl Pharos {
    /// Reads a collection that the viewer may see.
    pub async fn find_collection(&self, viewer: Viewer, id: Uuid) -> Result<Collection, Error> {
        let select = all_rows("collections")
            .exprs(FIELDS.iter().map(crate::lists::Field::expression))
            .and_where(Expr::col((collections::Entity, collections::Column::Id)).eq(id))
            .and_where_option(visible(Some(viewer)))
            .take();
        let found = self
            .database
            .fetch_one(self.database.build(&select))
            .await?;
        found.ok_or_else(|| not_found(id))
    }
}
