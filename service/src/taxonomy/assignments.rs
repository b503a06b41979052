//! Which resources belong to which nodes: assigned by hand, or predicted and accepted.

use chrono::{DateTime, Utc};
use entity::resource_taxonomy::{ActiveModel, Column, Entity, Model};
use entity::{resources, taxonomy_nodes, taxonomy_predictions};
use sea_orm::sea_query::{Expr, ExprTrait, LockType, OnConflict, Query};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, Set};
use serde::Serialize;
use serde_json::Value as Json;
use uuid::Uuid;

use super::subtree::find;
use crate::Pharos;
use crate::body::BodyReader;
use crate::database::{DatabaseError, FromRow, Row, Transaction, Turn};
use crate::error::Error;
use crate::lists::{Field, Holds, ListRequest, Listed, Page, Source, Table};
use crate::time::rfc3339;

/// Where an assignment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AssignmentStatus {
    /// The resource belongs to the node.
    Accepted,
    /// It was predicted, and waits for review.
    Pending,
    /// It was predicted and rejected.
    Rejected,
}

/// A resource at a node of the taxonomy.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Assignment {
    pub resource_id: Uuid,
    pub node_id: Uuid,
    /// The path of the node.
    pub path: String,
    /// The label of the node.
    pub label: String,
    /// `manual` or `predicted`.
    #[schema(pattern = "^(manual|predicted)$")]
    pub source: String,
    /// From 0 to 1; null for one by hand.
    #[schema(required, minimum = 0, maximum = 1)]
    pub confidence: Option<f64>,
    pub status: AssignmentStatus,
    /// Of a prediction that waits for review or was rejected: how the review knows it.
    #[schema(required)]
    pub prediction_id: Option<Uuid>,
    /// When a prediction was accepted or rejected.
    #[serde(with = "rfc3339::option")]
    #[schema(required)]
    pub reviewed_at: Option<DateTime<Utc>>,
    /// RFC 3339 in UTC with six fraction digits.
    #[serde(with = "rfc3339")]
    pub created_at: DateTime<Utc>,
}

/// What is to be assigned to a resource.
#[derive(Debug, Clone, PartialEq)]
pub struct NewAssignment {
    pub node_id: Uuid,
    /// How sure a prediction is; `None` for one by hand.
    pub confidence: Option<f64>,
}

impl NewAssignment {
    /// Reads a body: `node_id`, and for a prediction its `confidence`.
    pub fn from_json(body: Json) -> Result<Self, Error> {
        let mut reader = BodyReader::new(body, "an assignment")?;
        let node_id = reader.required_id("node_id");
        let confidence = reader.number("confidence", 0.0, 1.0);
        reader.finish(&["node_id", "confidence"], &[])?;
        Ok(Self {
            node_id,
            confidence,
        })
    }
}

const FIELDS: [Field; 6] = [
    Field::new("resource_taxonomy", "node_id", Holds::Id).sortable(),
    Field::new("taxonomy_nodes", "path", Holds::Text).sortable(),
    Field::new("taxonomy_nodes", "label", Holds::Text).sortable(),
    Field::new("resource_taxonomy", "source", Holds::Text).sortable(),
    Field::new("resource_taxonomy", "confidence", Holds::Number)
        .nullable()
        .sortable(),
    Field::new("resource_taxonomy", "created_at", Holds::Time).sortable(),
];

pub(crate) const ASSIGNMENTS: Table = Table {
    fields: &[&FIELDS],
    key: "node_id",
    default_sort: "path",
};

impl Listed for Assignment {}

impl FromRow for Assignment {
    fn from_row(row: &Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            resource_id: row.get(0)?,
            node_id: row.get(1)?,
            path: row.get(2)?,
            label: row.get(3)?,
            source: row.get(4)?,
            confidence: row.get(5)?,
            status: AssignmentStatus::Accepted,
            prediction_id: None,
            reviewed_at: row.get(6)?,
            created_at: row.get(7)?,
        })
    }
}

fn columns() -> [Expr; 8] {
    let own = |name| Expr::col(("resource_taxonomy", name));
    [
        own("resource_id"),
        own("node_id"),
        Expr::col(("taxonomy_nodes", "path")),
        Expr::col(("taxonomy_nodes", "label")),
        own("source"),
        own("confidence"),
        own("reviewed_at"),
        own("created_at"),
    ]
}

impl Pharos {
    /// The nodes of a resource.
    pub async fn list_resource_taxonomy(
        &self,
        resource_id: Uuid,
        request: &ListRequest,
    ) -> Result<Page<Assignment>, Error> {
        self.find_resource(resource_id).await?;
        let rows = Query::select()
            .from(Entity)
            .inner_join(
                taxonomy_nodes::Entity,
                Expr::col((taxonomy_nodes::Entity, taxonomy_nodes::Column::Id))
                    .equals((Entity, Column::NodeId)),
            )
            .and_where(Expr::col((Entity, Column::ResourceId)).eq(resource_id))
            .take();
        let source = Source {
            name: format!("resources/{resource_id}/taxonomy"),
            table: &ASSIGNMENTS,
            rows,
        };
        self.list_rows(&source, request, columns()).await
    }

    /// Assigns a resource by hand, or notes a prediction. The flag tells whether that is new.
    pub async fn assign_taxonomy_node(
        &self,
        resource_id: Uuid,
        new: NewAssignment,
    ) -> Result<(Assignment, bool), Error> {
        let now = self.clock.now();
        let id = crate::ids::new_id(now, &*self.random);
        self.database
            .write(move |transaction| async move {
                hold(&transaction, resource_id).await?;
                let node = find(&transaction, new.node_id).await;
                let node = node.map_err(Error::of_reference)?;
                match new.confidence {
                    None => assign(&transaction, resource_id, &node, now).await,
                    Some(confidence) => {
                        super::predictions::predict(
                            &transaction,
                            id,
                            resource_id,
                            &node,
                            confidence,
                            now,
                        )
                        .await
                    }
                }
            })
            .await
    }

    /// Takes a resource from a node.
    pub async fn unassign_taxonomy_node(
        &self,
        resource_id: Uuid,
        node_id: Uuid,
    ) -> Result<(), Error> {
        let gone = self
            .database
            .write(move |transaction| async move {
                let deleted = Entity::delete_by_id((resource_id, node_id))
                    .exec(&transaction)
                    .await
                    .map_err(DatabaseError::from)?;
                Ok(deleted.rows_affected)
            })
            .await?;
        if gone == 0 {
            return Err(Error::NotFound {
                kind: "taxonomy node of this resource",
                id: node_id.to_string(),
            });
        }
        Ok(())
    }
}

/// Keeps the resource and the tree as they are until the transaction ends. The resource comes first, as it does for whoever
/// deletes it: so nobody holds the tree and waits for a resource.
pub(super) async fn hold(transaction: &Transaction, id: Uuid) -> Result<(), Error> {
    let found: Option<Uuid> = resources::Entity::find_by_id(id)
        .select_only()
        .column(resources::Column::Id)
        .lock(LockType::KeyShare)
        .into_tuple()
        .one(transaction)
        .await
        .map_err(DatabaseError::from)?;
    if found.is_none() {
        return Err(crate::library::not_found(id));
    }
    transaction
        .share_turn(Turn::Taxonomy)
        .await
        .map_err(DatabaseError::from)?;
    Ok(())
}

/// The assignment of a resource to a node, where there is one.
pub(super) async fn assigned(
    transaction: &Transaction,
    resource_id: Uuid,
    node_id: Uuid,
) -> Result<Option<Model>, Error> {
    Ok(Entity::find_by_id((resource_id, node_id))
        .one(transaction)
        .await
        .map_err(DatabaseError::from)?)
}

pub(super) fn shown(model: Model, node: &taxonomy_nodes::Model) -> Assignment {
    Assignment {
        resource_id: model.resource_id,
        node_id: model.node_id,
        path: node.path.clone(),
        label: node.label.clone(),
        source: model.source,
        confidence: model.confidence,
        status: AssignmentStatus::Accepted,
        prediction_id: None,
        reviewed_at: model.reviewed_at,
        created_at: model.created_at,
    }
}

/// By hand: what was predicted, rejected or accepted before becomes this.
async fn assign(
    transaction: &Transaction,
    resource_id: Uuid,
    node: &taxonomy_nodes::Model,
    now: DateTime<Utc>,
) -> Result<(Assignment, bool), Error> {
    let before = assigned(transaction, resource_id, node.id).await?;
    let model = Model {
        resource_id,
        node_id: node.id,
        source: "manual".to_owned(),
        confidence: None,
        reviewed_at: None,
        created_at: before.as_ref().map_or(now, |before| before.created_at),
    };
    insert(transaction, model.clone(), true).await?;
    forget_prediction(transaction, resource_id, node.id).await?;
    Ok((shown(model, node), before.is_none()))
}

/// Inserts an assignment; one that is there already stays, or becomes one by hand.
pub(super) async fn insert(
    transaction: &Transaction,
    model: Model,
    by_hand: bool,
) -> Result<(), Error> {
    let mut there = OnConflict::columns([Column::ResourceId, Column::NodeId]);
    if by_hand {
        there.update_columns([Column::Source, Column::Confidence, Column::ReviewedAt]);
    } else {
        there.do_nothing();
    }
    let row = ActiveModel {
        resource_id: Set(model.resource_id),
        node_id: Set(model.node_id),
        source: Set(model.source),
        confidence: Set(model.confidence),
        reviewed_at: Set(model.reviewed_at),
        created_at: Set(model.created_at),
    };
    Entity::insert(row)
        .on_conflict(there)
        .exec_without_returning(transaction)
        .await
        .map_err(DatabaseError::from)?;
    Ok(())
}

pub(super) async fn forget_prediction(
    transaction: &Transaction,
    resource_id: Uuid,
    node_id: Uuid,
) -> Result<(), Error> {
    use taxonomy_predictions::{Column, Entity};

    Entity::delete_many()
        .filter(Column::ResourceId.eq(resource_id))
        .filter(Column::NodeId.eq(node_id))
        .exec(transaction)
        .await
        .map_err(DatabaseError::from)?;
    Ok(())
}
