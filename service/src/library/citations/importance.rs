//! How important resources are: computed when it is asked for, and kept.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use entity::resource_ranks::Entity;
use entity::resources;
use sea_orm::EntityTrait;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use serde::Serialize;
use uuid::Uuid;

use super::VIEW;
use super::pagerank::{Rank, pagerank};
use crate::Pharos;
use crate::database::{BulkInsert, ColumnType, DatabaseError, Form, FromRow, Row, Turn};
use crate::error::Error;
use crate::lists::{Field, Holds, ListRequest, Listed, Page, Source, Table, all_rows};
use crate::time::rfc3339;

/// How often ranks are computed again when a resource goes meanwhile.
const ATTEMPTS: usize = 3;
/// Rows that are written with one statement.
const BATCH_ROWS: usize = 5_000;

/// How important a resource is among those that cite each other.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Importance {
    pub resource_id: Uuid,
    /// PageRank, damping 0.85; those of all resources together are 1.
    #[schema(minimum = 0, maximum = 1)]
    pub importance: f64,
    /// How many resources cite it.
    #[schema(minimum = 0)]
    pub cited_by: i64,
    /// Citations of later do not count yet.
    #[serde(with = "rfc3339")]
    pub computed_at: DateTime<Utc>,
}

impl Listed for Importance {}

impl FromRow for Importance {
    fn from_row(row: &Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            resource_id: row.get(0)?,
            importance: row.get(1)?,
            cited_by: row.get(2)?,
            computed_at: row.get(3)?,
        })
    }
}

/// What a computation did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ComputedImportance {
    /// Resources that cite or are cited.
    #[schema(minimum = 0)]
    pub resources: u64,
    #[serde(with = "rfc3339")]
    pub computed_at: DateTime<Utc>,
}

pub(crate) const RANKS: Table = Table {
    fields: &[&FIELDS],
    key: "resource_id",
    default_sort: "-importance",
};

const FIELDS: [Field; 4] = [
    Field::new("resource_ranks", "resource_id", Holds::Id).sortable(),
    Field::new("resource_ranks", "importance", Holds::Number).sortable(),
    Field::new("resource_ranks", "cited_by", Holds::Integer).sortable(),
    Field::new("resource_ranks", "computed_at", Holds::Time).sortable(),
];

static INSERT: BulkInsert = BulkInsert::new(
    "resource_ranks",
    Form::Records,
    &[
        ("resource_id", ColumnType::Uuid),
        ("importance", ColumnType::Double),
        ("cited_by", ColumnType::BigInt),
        ("computed_at", ColumnType::Timestamp),
    ],
    &[],
);

struct Edge(Uuid, Uuid);

impl FromRow for Edge {
    fn from_row(row: &Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self(row.get(0)?, row.get(1)?))
    }
}

impl Pharos {
    /// A page of what was computed last, the most important first.
    pub async fn list_importance(&self, request: &ListRequest) -> Result<Page<Importance>, Error> {
        let source = Source {
            name: "citations/importance".to_owned(),
            table: &RANKS,
            rows: all_rows("resource_ranks"),
        };
        let columns = FIELDS.iter().map(Field::expression);
        self.list_rows(&source, request, columns).await
    }

    /// Computes the importance of every resource that cites or is cited, and keeps it in place of what was there.
    pub async fn compute_importance(&self) -> Result<ComputedImportance, Error> {
        let mut attempt = 1;
        loop {
            match self.try_compute_importance().await {
                // A resource went between the reading and the writing.
                Err(Error::Database(DatabaseError::ForeignKey(_))) if attempt < ATTEMPTS => {}
                result => return result,
            }
            attempt += 1;
        }
    }

    async fn try_compute_importance(&self) -> Result<ComputedImportance, Error> {
        let computed_at = self.clock.now();
        let (citing, target) = ((VIEW, "citing_id"), (VIEW, "target_id"));
        let edges = all_rows(VIEW)
            .column(citing)
            .column(target)
            .and_where(Expr::col(target).is_not_null())
            .take();
        let edges: Vec<Edge> = self.database.fetch_all(self.database.build(&edges)).await?;
        let count = Query::select()
            .expr(Expr::cust("count(*)"))
            .from(resources::Entity)
            .take();
        let count: Option<i64> = self.database.fetch_one(self.database.build(&count)).await?;
        let count = u64::try_from(count.unwrap_or(0)).unwrap_or(0);
        let computed = tokio::task::spawn_blocking(move || {
            let edges = edges.into_iter().map(|Edge(citing, cited)| (citing, cited));
            pagerank(edges.collect(), count)
        });
        let ranks = computed
            .await
            .map_err(|error| Error::Internal(error.to_string()))?;
        let computed = ComputedImportance {
            resources: ranks.len() as u64,
            computed_at,
        };
        let ranks = Arc::new(ranks);
        self.database
            .write(move |transaction| {
                let ranks = Arc::clone(&ranks);
                async move {
                    transaction
                        .take_turn(Turn::Importance)
                        .await
                        .map_err(DatabaseError::from)?;
                    Entity::delete_many()
                        .exec(&transaction)
                        .await
                        .map_err(DatabaseError::from)?;
                    for batch in ranks.chunks(BATCH_ROWS) {
                        let row = |rank: &Rank| {
                            vec![
                                rank.id.into(),
                                rank.importance.into(),
                                rank.cited_by.into(),
                                computed_at.into(),
                            ]
                        };
                        transaction
                            .insert_rows(&INSERT, batch.iter().map(row))
                            .await
                            .map_err(DatabaseError::from)?;
                    }
                    Ok(())
                }
            })
            .await?;
        Ok(computed)
    }
}
