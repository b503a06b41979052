//! Reading citations, in both directions.

use std::str::FromStr;

use entity::{citations, resource_identifiers};
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement, UnionType};
use uuid::Uuid;

use super::{CITATIONS, Citation, FIELDS, VIEW, not_found};
use crate::Pharos;
use crate::error::Error;
use crate::lists::{Field, ListRequest, Page, Source, all_rows};

/// Which citations of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Direction {
    /// What it cites.
    #[default]
    Out,
    /// What cites it.
    In,
}

impl FromStr for Direction {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "out" => Ok(Self::Out),
            "in" => Ok(Self::In),
            _ => Err("expected out or in".to_owned()),
        }
    }
}

fn columns() -> impl Iterator<Item = Expr> {
    let by_hand = Expr::col((VIEW, "cited_id"));
    FIELDS.iter().map(Field::expression).chain([by_hand])
}

/// The ids of what may cite a resource, each found by an index: those that name it, and those with one of its
/// identifiers.
fn may_cite(resource_id: Uuid) -> SelectStatement {
    use citations::{Column, Entity};
    use resource_identifiers::{Column as Identifier, Entity as Identifiers};

    let same_key =
        Expr::col((Identifiers, Identifier::IdentifierKey)).equals((Entity, Column::IdentifierKey));
    let by_identifier = Query::select()
        .column((Entity, Column::Id))
        .from(Identifiers)
        .inner_join(Entity, same_key)
        .and_where(Expr::col((Identifiers, Identifier::ResourceId)).eq(resource_id))
        .take();
    Query::select()
        .column((Entity, Column::Id))
        .from(Entity)
        .and_where(Expr::col((Entity, Column::CitedId)).eq(resource_id))
        .union(UnionType::All, by_identifier)
        .take()
}

impl Pharos {
    /// A page of all citations.
    pub async fn list_citations(&self, request: &ListRequest) -> Result<Page<Citation>, Error> {
        let source = Source {
            name: "citations".to_owned(),
            table: &CITATIONS,
            rows: all_rows(VIEW),
        };
        self.list_rows(&source, request, columns()).await
    }

    /// A page of what a resource cites, or of what cites it.
    pub async fn list_resource_citations(
        &self,
        resource_id: Uuid,
        direction: Direction,
        request: &ListRequest,
    ) -> Result<Page<Citation>, Error> {
        self.find_resource(resource_id).await?;
        let mut rows = all_rows(VIEW);
        match direction {
            Direction::Out => {
                rows.and_where(Expr::col((VIEW, "citing_id")).eq(resource_id));
            }
            Direction::In => {
                rows.and_where(Expr::col((VIEW, "id")).in_subquery(may_cite(resource_id)))
                    .and_where(Expr::col((VIEW, "target_id")).eq(resource_id));
            }
        }
        let source = Source {
            name: format!("resources/{resource_id}/citations/{direction:?}"),
            table: &CITATIONS,
            rows,
        };
        self.list_rows(&source, request, columns()).await
    }

    /// Reads a citation.
    pub async fn find_citation(&self, id: Uuid) -> Result<Citation, Error> {
        let select = all_rows(VIEW)
            .exprs(columns())
            .and_where(Expr::col((VIEW, "id")).eq(id))
            .take();
        let found = self
            .database
            .fetch_one(self.database.build(&select))
            .await?;
        found.ok_or_else(|| not_found(id))
    }
}
