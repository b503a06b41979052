//! Lists of nodes, and of the resources at a node.

use std::sync::Arc;

use entity::taxonomy_nodes::{Column, Entity};
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use uuid::Uuid;

use super::node::TaxonomyNode;
use super::subtree::not_found;
use crate::Pharos;
use crate::error::Error;
use crate::library::{RESOURCES, Rendered, related};
use crate::lists::{Field, Holds, ListRequest, Page, Source, Table, all_rows};

const FIELDS: [Field; 10] = [
    field("id", Holds::Id).sortable(),
    field("parent_id", Holds::Id).nullable(),
    field("slug", Holds::Text).sortable(),
    field("label", Holds::Text).sortable(),
    field("path", Holds::Text).sortable(),
    field("level", Holds::Integer).sortable(),
    field("resource_count", Holds::Integer).sortable(),
    field("version", Holds::Integer).sortable(),
    field("created_at", Holds::Time).sortable(),
    field("updated_at", Holds::Time).sortable(),
];

const fn field(name: &'static str, holds: Holds) -> Field {
    Field::new("taxonomy_nodes", name, holds)
}

pub(crate) const NODES: Table = Table {
    fields: &[&FIELDS],
    key: "id",
    default_sort: "path",
};

/// Which nodes are listed, and with what.
#[derive(Debug, Clone, Default)]
pub struct NodeList {
    pub list: ListRequest,
    /// Whether to count what is beneath each, too.
    pub subtree_counts: bool,
}

impl Pharos {
    /// Nodes of the taxonomy, by path unless asked otherwise.
    pub async fn list_taxonomy(&self, request: &NodeList) -> Result<Page<TaxonomyNode>, Error> {
        let source = Source {
            name: "taxonomy".to_owned(),
            table: &NODES,
            rows: all_rows("taxonomy_nodes"),
        };
        let columns = TaxonomyNode::columns(request.subtree_counts);
        self.list_rows(&source, &request.list, columns).await
    }

    /// Reads a node.
    pub async fn find_taxonomy_node(
        &self,
        id: Uuid,
        subtree_counts: bool,
    ) -> Result<TaxonomyNode, Error> {
        let select = Query::select()
            .exprs(TaxonomyNode::columns(subtree_counts))
            .from(Entity)
            .and_where(Expr::col((Entity, Column::Id)).eq(id))
            .take();
        let found = self
            .database
            .fetch_one(self.database.build(&select))
            .await?;
        found.ok_or_else(|| not_found(id))
    }

    /// The resources at a node, or at one beneath it unless only its own are asked for.
    pub async fn list_taxonomy_resources(
        &self,
        id: Uuid,
        beneath: bool,
        request: &ListRequest,
    ) -> Result<Page<Arc<Rendered>>, Error> {
        self.find_taxonomy_node(id, false).await?;
        let mut rows = all_rows("resources");
        rows.and_where(if beneath {
            related::in_taxonomy(&id.to_string())
        } else {
            related::at_taxonomy_node(id)
        });
        let source = Source {
            name: format!("taxonomy/{id}/resources/{beneath}"),
            table: &RESOURCES,
            rows,
        };
        self.list_resources_of(&source, request).await
    }
}
