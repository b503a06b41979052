//! Predictions: they wait for review, and one that was rejected is not made again.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use entity::taxonomy_predictions::{ActiveModel, Column, Entity, Model};
use entity::{resource_taxonomy, resources, taxonomy_nodes};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query, SelectStatement};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, Set};
use serde::Serialize;
use uuid::Uuid;

use super::assignments::{
    Assignment, AssignmentStatus, assigned, forget_prediction, hold, insert, shown,
};
use super::subtree::find;
use crate::Pharos;
use crate::database::{DatabaseError, FromRow, Row, Transaction};
use crate::error::Error;
use crate::lists::{Field, Holds, ListRequest, Listed, Page, Source, Table};
use crate::time::{format_timestamp, rfc3339};

const PENDING: &str = "pending";
const REJECTED: &str = "rejected";

/// Which predictions are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReviewStatus {
    /// Those that wait for review.
    #[default]
    Pending,
    /// Those that were rejected; they can still be accepted.
    Rejected,
}

impl ReviewStatus {
    fn as_str(self) -> &'static str {
        match self {
            Self::Pending => PENDING,
            Self::Rejected => REJECTED,
        }
    }
}

impl FromStr for ReviewStatus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Pending, Self::Rejected]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| format!("expected {PENDING} or {REJECTED}"))
    }
}

/// A prediction that waits for review, or was rejected.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Prediction {
    /// UUIDv7.
    pub id: Uuid,
    pub resource_id: Uuid,
    /// The title of the resource.
    pub title: String,
    pub node_id: Uuid,
    /// The path of the node.
    pub path: String,
    /// The label of the node.
    pub label: String,
    /// From 0 to 1.
    #[schema(minimum = 0, maximum = 1)]
    pub confidence: f64,
    pub status: ReviewStatus,
    /// When it was rejected.
    #[serde(with = "rfc3339::option")]
    #[schema(required)]
    pub reviewed_at: Option<DateTime<Utc>>,
    /// RFC 3339 in UTC with six fraction digits.
    #[serde(with = "rfc3339")]
    pub created_at: DateTime<Utc>,
}

const FIELDS: [Field; 6] = [
    Field::new("taxonomy_predictions", "id", Holds::Id).sortable(),
    Field::new("taxonomy_predictions", "resource_id", Holds::Id),
    Field::new("taxonomy_predictions", "node_id", Holds::Id),
    Field::new("taxonomy_nodes", "path", Holds::Text).sortable(),
    Field::new("taxonomy_predictions", "confidence", Holds::Number).sortable(),
    Field::new("taxonomy_predictions", "created_at", Holds::Time).sortable(),
];

pub(crate) const QUEUE: Table = Table {
    fields: &[&FIELDS],
    key: "id",
    default_sort: "-confidence",
};

impl Listed for Prediction {}

impl FromRow for Prediction {
    fn from_row(row: &Row<'_>) -> Result<Self, DatabaseError> {
        let status: String = row.get(8)?;
        let status: ReviewStatus = status.parse().map_err(DatabaseError::Other)?;
        let changed_at: DateTime<Utc> = row.get(9)?;
        Ok(Self {
            id: row.get(0)?,
            resource_id: row.get(1)?,
            title: row.get(2)?,
            node_id: row.get(3)?,
            path: row.get(4)?,
            label: row.get(5)?,
            confidence: row.get(6)?,
            status,
            reviewed_at: (status == ReviewStatus::Rejected).then_some(changed_at),
            created_at: row.get(7)?,
        })
    }
}

fn columns() -> [Expr; 10] {
    let own = |name| Expr::col(("taxonomy_predictions", name));
    [
        own("id"),
        own("resource_id"),
        Expr::col(("resources", "title")),
        own("node_id"),
        Expr::col(("taxonomy_nodes", "path")),
        Expr::col(("taxonomy_nodes", "label")),
        own("confidence"),
        own("created_at"),
        own("status"),
        own("updated_at"),
    ]
}

/// Predictions with their nodes and resources.
fn predictions() -> SelectStatement {
    Query::select()
        .from(Entity)
        .inner_join(
            taxonomy_nodes::Entity,
            Expr::col((taxonomy_nodes::Entity, taxonomy_nodes::Column::Id))
                .equals((Entity, Column::NodeId)),
        )
        .inner_join(
            resources::Entity,
            Expr::col((resources::Entity, resources::Column::Id))
                .equals((Entity, Column::ResourceId)),
        )
        .take()
}

impl Pharos {
    /// The predictions that wait for review, or those that were rejected.
    pub async fn list_taxonomy_review(
        &self,
        status: ReviewStatus,
        request: &ListRequest,
    ) -> Result<Page<Prediction>, Error> {
        let status = status.as_str();
        let source = Source {
            name: format!("taxonomy/review/{status}"),
            table: &QUEUE,
            rows: predictions()
                .and_where(Expr::col((Entity, Column::Status)).eq(status))
                .take(),
        };
        self.list_rows(&source, request, columns()).await
    }

    /// Reads a prediction that waits for review or was rejected.
    pub async fn find_prediction(&self, id: Uuid) -> Result<Prediction, Error> {
        let select = predictions()
            .exprs(columns())
            .and_where(Expr::col((Entity, Column::Id)).eq(id))
            .take();
        let found = self
            .database
            .fetch_one(self.database.build(&select))
            .await?;
        found.ok_or_else(|| not_found(id))
    }

    /// Accepts a prediction: the resource belongs to the node from now on. One that was rejected can still be accepted.
    pub async fn accept_prediction(&self, id: Uuid) -> Result<Assignment, Error> {
        let now = self.clock.now();
        self.database
            .write(move |transaction| async move {
                let known = Entity::find_by_id(id)
                    .one(&transaction)
                    .await
                    .map_err(DatabaseError::from)?;
                hold(
                    &transaction,
                    known.ok_or_else(|| not_found(id))?.resource_id,
                )
                .await?;
                let prediction = lock(&transaction, id).await?;
                let node = find(&transaction, prediction.node_id).await?;
                let accepted = resource_taxonomy::Model {
                    resource_id: prediction.resource_id,
                    node_id: prediction.node_id,
                    source: "predicted".to_owned(),
                    confidence: Some(prediction.confidence),
                    reviewed_at: Some(now),
                    created_at: prediction.created_at,
                };
                insert(&transaction, accepted.clone(), false).await?;
                forget_prediction(&transaction, prediction.resource_id, prediction.node_id).await?;
                let there =
                    assigned(&transaction, prediction.resource_id, prediction.node_id).await?;
                Ok(shown(there.unwrap_or(accepted), &node))
            })
            .await
    }

    /// Rejects a prediction: it is not made again.
    pub async fn reject_prediction(&self, id: Uuid) -> Result<Assignment, Error> {
        let now = self.clock.now();
        self.database
            .write(move |transaction| async move {
                let mut prediction = lock(&transaction, id).await?;
                let node = find(&transaction, prediction.node_id).await?;
                if prediction.status != REJECTED {
                    prediction.status = REJECTED.to_owned();
                    prediction.updated_at = now;
                    let row = ActiveModel {
                        status: Set(prediction.status.clone()),
                        updated_at: Set(now),
                        ..ActiveModel::default()
                    };
                    Entity::update_many()
                        .set(row)
                        .filter(Column::Id.eq(id))
                        .exec(&transaction)
                        .await
                        .map_err(DatabaseError::from)?;
                }
                Ok(predicted(prediction, &node))
            })
            .await
    }
}

async fn lock(transaction: &Transaction, id: Uuid) -> Result<Model, Error> {
    let found = Entity::find_by_id(id)
        .lock_exclusive()
        .one(transaction)
        .await
        .map_err(DatabaseError::from)?;
    found.ok_or_else(|| not_found(id))
}

fn not_found(id: Uuid) -> Error {
    Error::NotFound {
        kind: "prediction",
        id: id.to_string(),
    }
}

fn predicted(model: Model, node: &taxonomy_nodes::Model) -> Assignment {
    let (status, reviewed_at) = if model.status == REJECTED {
        (AssignmentStatus::Rejected, Some(model.updated_at))
    } else {
        (AssignmentStatus::Pending, None)
    };
    Assignment {
        resource_id: model.resource_id,
        node_id: model.node_id,
        path: node.path.clone(),
        label: node.label.clone(),
        source: "predicted".to_owned(),
        confidence: Some(model.confidence),
        status,
        prediction_id: Some(model.id),
        reviewed_at,
        created_at: model.created_at,
    }
}

/// Notes a prediction. One for what is assigned already changes nothing, one that waits gets the new confidence.
pub(super) async fn predict(
    transaction: &Transaction,
    id: Uuid,
    resource_id: Uuid,
    node: &taxonomy_nodes::Model,
    confidence: f64,
    now: DateTime<Utc>,
) -> Result<(Assignment, bool), Error> {
    if let Some(there) = assigned(transaction, resource_id, node.id).await? {
        return Ok((shown(there, node), false));
    }
    let row = ActiveModel {
        id: Set(id),
        resource_id: Set(resource_id),
        node_id: Set(node.id),
        confidence: Set(confidence),
        status: Set(PENDING.to_owned()),
        created_at: Set(now),
        updated_at: Set(now),
    };
    let waiting = OnConflict::columns([Column::ResourceId, Column::NodeId])
        .update_columns([Column::Confidence, Column::UpdatedAt])
        .action_and_where(Expr::col((Entity, Column::Status)).eq(PENDING))
        .to_owned();
    Entity::insert(row)
        .on_conflict(waiting)
        .exec_without_returning(transaction)
        .await
        .map_err(DatabaseError::from)?;
    let stored = Entity::find()
        .filter(Column::ResourceId.eq(resource_id))
        .filter(Column::NodeId.eq(node.id))
        .one(transaction)
        .await
        .map_err(DatabaseError::from)?;
    let stored = stored.ok_or_else(|| {
        Error::Internal("a prediction that was just made is not there".to_owned())
    })?;
    if stored.status == REJECTED {
        return Err(Error::Conflict(format!(
            "that this resource belongs to `{}` was predicted before and rejected at {}: it is not predicted again",
            node.path,
            format_timestamp(stored.updated_at)
        )));
    }
    let new = stored.id == id;
    Ok((predicted(stored, node), new))
}
