//! Merging a node into another one: what is beneath it and what is assigned to it goes over, and it is gone.

use chrono::{DateTime, Utc};
use entity::{resource_taxonomy, taxonomy_nodes, taxonomy_predictions};
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    StatementBuilder,
};
use uuid::Uuid;

use super::change::take_turn;
use super::node::TaxonomyNode;
use super::subtree::{STEP, find, is_within, refuse_too_deep_beneath, shift};
use crate::Pharos;
use crate::database::{DatabaseError, Transaction};
use crate::error::Error;

impl Pharos {
    /// Merges a node into another one, in one transaction, and gives the other one. A resource that is assigned to both
    /// is so once, by hand if one of the two was.
    pub async fn merge_taxonomy_nodes(&self, id: Uuid, into: Uuid) -> Result<TaxonomyNode, Error> {
        let now = self.clock.now();
        self.database
            .write(move |transaction| async move { merge(&transaction, id, into, now).await })
            .await
    }
}

async fn merge(
    transaction: &Transaction,
    id: Uuid,
    into: Uuid,
    now: DateTime<Utc>,
) -> Result<TaxonomyNode, Error> {
    take_turn(transaction).await?;
    let node = find(transaction, id).await?;
    let target = find(transaction, into).await;
    let target = target.map_err(Error::of_reference)?;
    if is_within(&target.path, &node.path) {
        return Err(Error::Conflict(if target.id == node.id {
            format!("`{}` cannot be merged into itself", node.path)
        } else {
            format!(
                "`{}` cannot be merged into `{}`, which is beneath it: that would be a circle",
                node.path, target.path
            )
        }));
    }
    refuse_clashes(transaction, &node, &target).await?;
    let levels = target.level - node.level;
    refuse_too_deep_beneath(transaction, &node.path, &target.path, levels).await?;
    take_children(transaction, id, into, now).await?;
    take_assignments(transaction, id, into).await?;
    take_predictions(transaction, id, into).await?;
    taxonomy_nodes::Entity::delete_by_id(id)
        .exec(transaction)
        .await
        .map_err(DatabaseError::from)?;
    shift(transaction, &node.path, &target.path, levels, now + STEP).await?;
    find(transaction, into).await.map(TaxonomyNode::from)
}

/// Refuses when both have a child of the same slug. The node itself, which goes, is none.
async fn refuse_clashes(
    transaction: &Transaction,
    node: &taxonomy_nodes::Model,
    target: &taxonomy_nodes::Model,
) -> Result<(), Error> {
    use taxonomy_nodes::{Column, Entity};

    let own = Query::select()
        .column(Column::Slug)
        .from(Entity)
        .and_where(Expr::col(Column::ParentId).eq(target.id))
        .and_where(Expr::col(Column::Id).ne(node.id))
        .take();
    let clash: Option<String> = Entity::find()
        .select_only()
        .column(Column::Slug)
        .filter(Column::ParentId.eq(node.id))
        .filter(Column::Slug.in_subquery(own))
        .order_by_asc(Column::Slug)
        .into_tuple()
        .one(transaction)
        .await
        .map_err(DatabaseError::from)?;
    match clash {
        None => Ok(()),
        Some(slug) => Err(Error::Conflict(format!(
            "`{}` and `{}` both have a node `{slug}` beneath them: rename or merge those first",
            node.path, target.path
        ))),
    }
}

async fn run(transaction: &Transaction, statement: &impl StatementBuilder) -> Result<(), Error> {
    transaction
        .execute(statement)
        .await
        .map_err(DatabaseError::from)?;
    Ok(())
}

async fn take_children(
    transaction: &Transaction,
    id: Uuid,
    into: Uuid,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    use taxonomy_nodes::{Column, Entity};

    // Their versions rise with their paths.
    let update = Query::update()
        .table(Entity)
        .value(Column::ParentId, into)
        .value(Column::UpdatedAt, now)
        .and_where(Expr::col(Column::ParentId).eq(id))
        .take();
    run(transaction, &update).await
}

/// The resources of a node, by hand only or all.
fn resources_of(node: Uuid, by_hand: bool) -> SelectStatement {
    use resource_taxonomy::{Column, Entity};

    Query::select()
        .column(Column::ResourceId)
        .from(Entity)
        .and_where(Expr::col(Column::NodeId).eq(node))
        .and_where_option(by_hand.then(|| Expr::col(Column::Source).eq("manual")))
        .take()
}

async fn take_assignments(transaction: &Transaction, id: Uuid, into: Uuid) -> Result<(), Error> {
    use resource_taxonomy::{Column, Entity};

    let by_hand = Query::update()
        .table(Entity)
        .value(Column::Source, "manual")
        .value(Column::Confidence, Option::<f64>::None)
        .and_where(Expr::col(Column::NodeId).eq(into))
        .and_where(Expr::col(Column::Source).ne("manual"))
        .and_where(Expr::col(Column::ResourceId).in_subquery(resources_of(id, true)))
        .take();
    run(transaction, &by_hand).await?;
    // Those that are at both places go with the node.
    let go_over = Query::update()
        .table(Entity)
        .value(Column::NodeId, into)
        .and_where(Expr::col(Column::NodeId).eq(id))
        .and_where(Expr::col(Column::ResourceId).not_in_subquery(resources_of(into, false)))
        .take();
    run(transaction, &go_over).await
}

async fn take_predictions(transaction: &Transaction, id: Uuid, into: Uuid) -> Result<(), Error> {
    use taxonomy_predictions::{Column, Entity};

    let answered = Query::delete()
        .from_table(Entity)
        .and_where(Expr::col(Column::NodeId).is_in([id, into]))
        .and_where(Expr::col(Column::ResourceId).in_subquery(resources_of(into, false)))
        .take();
    run(transaction, &answered).await?;
    let known = Query::select()
        .column(Column::ResourceId)
        .from(Entity)
        .and_where(Expr::col(Column::NodeId).eq(into))
        .take();
    let go_over = Query::update()
        .table(Entity)
        .value(Column::NodeId, into)
        .and_where(Expr::col(Column::NodeId).eq(id))
        .and_where(Expr::col(Column::ResourceId).not_in_subquery(known))
        .take();
    run(transaction, &go_over).await
}
