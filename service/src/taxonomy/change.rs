//! Creating, reading, renaming, moving and deleting nodes, each in one transaction.

use chrono::{DateTime, Utc};
use entity::taxonomy_nodes::{ActiveModel, Column, Entity, Model};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, Set};
use uuid::Uuid;

use super::node::{NewNode, NodeChanges, TaxonomyNode};
use super::subtree::{
    STEP, find, is_within, path_beneath, refuse_taken, refuse_too_deep, refuse_too_deep_beneath,
    shift,
};
use crate::Pharos;
use crate::database::{DatabaseError, Transaction, Turn};
use crate::error::Error;
use crate::version::Expected;

/// For errors.
pub(super) const KIND: &str = "taxonomy node";

impl Pharos {
    /// Creates a node beneath another one, or at the top.
    pub async fn create_taxonomy_node(&self, new: NewNode) -> Result<TaxonomyNode, Error> {
        let now = self.clock.now();
        let id = crate::ids::new_id(now, &*self.random);
        self.database
            .write(move |transaction| {
                let new = new.clone();
                async move { create(&transaction, id, new, now).await }
            })
            .await
    }

    /// Changes label and slug when the stored version is an expected one; the paths beneath follow.
    pub async fn patch_taxonomy_node(
        &self,
        id: Uuid,
        expected: Expected,
        changes: NodeChanges,
    ) -> Result<TaxonomyNode, Error> {
        let now = self.clock.now();
        self.database
            .write(move |transaction| {
                let (expected, changes) = (expected.clone(), changes.clone());
                async move { patch(&transaction, id, &expected, changes, now).await }
            })
            .await
    }

    /// Gives a node, with everything beneath it, another parent; none puts it at the top.
    pub async fn move_taxonomy_node(
        &self,
        id: Uuid,
        parent_id: Option<Uuid>,
    ) -> Result<TaxonomyNode, Error> {
        let now = self.clock.now();
        self.database
            .write(
                move |transaction| async move { relocate(&transaction, id, parent_id, now).await },
            )
            .await
    }

    /// Deletes a node with its assignments when the stored version is an expected one; with `recursive` also what is
    /// beneath it, else a node with others beneath it is kept. No resource goes.
    pub async fn delete_taxonomy_node(
        &self,
        id: Uuid,
        expected: Expected,
        recursive: bool,
    ) -> Result<(), Error> {
        self.database
            .write(move |transaction| {
                let expected = expected.clone();
                async move {
                    take_turn(&transaction).await?;
                    let node = find(&transaction, id).await?;
                    expected.check(KIND, node.version)?;
                    let children = children(&transaction, id).await?;
                    if children > 0 && !recursive {
                        return Err(Error::Conflict(format!(
                            "`{}` has nodes beneath it ({children}): move or merge them first, or add recursive=true",
                            node.path
                        )));
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
}

pub(super) async fn take_turn(transaction: &Transaction) -> Result<(), Error> {
    transaction
        .take_turn(Turn::Taxonomy)
        .await
        .map_err(DatabaseError::from)?;
    Ok(())
}

async fn children(transaction: &Transaction, id: Uuid) -> Result<u64, Error> {
    Ok(Entity::find()
        .filter(Column::ParentId.eq(id))
        .count(transaction)
        .await
        .map_err(DatabaseError::from)?)
}

async fn parent_of(
    transaction: &Transaction,
    parent_id: Option<Uuid>,
) -> Result<Option<Model>, Error> {
    match parent_id {
        Some(id) => {
            let parent = find(transaction, id).await;
            parent.map(Some).map_err(Error::of_reference)
        }
        None => Ok(None),
    }
}

async fn create(
    transaction: &Transaction,
    id: Uuid,
    new: NewNode,
    now: DateTime<Utc>,
) -> Result<TaxonomyNode, Error> {
    take_turn(transaction).await?;
    let parent = parent_of(transaction, new.parent_id).await?;
    let path = path_beneath(parent.as_ref(), &new.slug);
    let level = parent.map_or(0, |parent| parent.level) + 1;
    refuse_too_deep(level, i64::try_from(path.len()).unwrap_or(i64::MAX))?;
    refuse_taken(transaction, &path).await?;
    let node = Model {
        id,
        parent_id: new.parent_id,
        slug: new.slug,
        label: new.label,
        path,
        level,
        resource_count: 0,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    let row = sea_orm::ActiveModelTrait::reset_all(ActiveModel::from(node.clone()));
    Entity::insert(row)
        .exec_without_returning(transaction)
        .await
        .map_err(DatabaseError::from)?;
    Ok(node.into())
}

async fn patch(
    transaction: &Transaction,
    id: Uuid,
    expected: &Expected,
    changes: NodeChanges,
    now: DateTime<Utc>,
) -> Result<TaxonomyNode, Error> {
    take_turn(transaction).await?;
    let node = find(transaction, id).await?;
    expected.check(KIND, node.version)?;
    let mut changed = node.clone();
    changed.label = changes.label.unwrap_or(changed.label);
    changed.slug = changes.slug.unwrap_or(changed.slug);
    if changed == node {
        return Ok(node.into());
    }
    if changed.slug != node.slug {
        let parent = parent_of(transaction, node.parent_id).await?;
        changed.path = path_beneath(parent.as_ref(), &changed.slug);
    }
    place(transaction, &node, changed, now).await
}

async fn relocate(
    transaction: &Transaction,
    id: Uuid,
    parent_id: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<TaxonomyNode, Error> {
    take_turn(transaction).await?;
    let node = find(transaction, id).await?;
    let parent = parent_of(transaction, parent_id).await?;
    if node.parent_id == parent_id {
        return Ok(node.into());
    }
    if let Some(parent) = parent.as_ref().filter(|to| is_within(&to.path, &node.path)) {
        return Err(Error::Conflict(if parent.id == node.id {
            format!("`{}` cannot be moved beneath itself", node.path)
        } else {
            format!(
                "`{}` cannot be moved beneath `{}`, which is beneath it: that would be a circle",
                node.path, parent.path
            )
        }));
    }
    let mut changed = node.clone();
    changed.parent_id = parent_id;
    changed.path = path_beneath(parent.as_ref(), &node.slug);
    changed.level = parent.map_or(0, |parent| parent.level) + 1;
    place(transaction, &node, changed, now).await
}

/// Stores a changed node, and gives what is beneath it the paths and levels that follow.
async fn place(
    transaction: &Transaction,
    node: &Model,
    mut changed: Model,
    now: DateTime<Utc>,
) -> Result<TaxonomyNode, Error> {
    let levels = changed.level - node.level;
    if changed.path != node.path {
        refuse_taken(transaction, &changed.path).await?;
        let bytes = i64::try_from(changed.path.len()).unwrap_or(i64::MAX);
        refuse_too_deep(changed.level, bytes)?;
        refuse_too_deep_beneath(transaction, &node.path, &changed.path, levels).await?;
        shift(transaction, &node.path, &changed.path, levels, now).await?;
    }
    changed.version += 1;
    // The trigger for other tools must see that the application set the time.
    changed.updated_at = std::cmp::max(now, node.updated_at + STEP);
    let row = ActiveModel {
        parent_id: Set(changed.parent_id),
        slug: Set(changed.slug.clone()),
        label: Set(changed.label.clone()),
        path: Set(changed.path.clone()),
        level: Set(changed.level),
        version: Set(changed.version),
        updated_at: Set(changed.updated_at),
        ..ActiveModel::default()
    };
    Entity::update_many()
        .set(row)
        .filter(Expr::col(Column::Id).eq(changed.id))
        .exec(transaction)
        .await
        .map_err(DatabaseError::from)?;
    Ok(changed.into())
}
