//! What a resource belongs to: collections, nodes of the taxonomy and codes of the classification, with everything beneath the one that is named.

use entity::{
    classification_codes, collection_resources, collections, resource_taxonomy, resources,
    taxonomy_nodes,
};
use sea_orm::sea_query::{
    CommonTableExpression, Expr, ExprTrait, Query, SelectStatement, UnionType, WithClause,
};
use uuid::Uuid;

use super::collections::visible;
use crate::accounts::Viewer;
use crate::taxonomy::folded_path;

const BELOW: &str = "below";

/// Resources in a collection with this name or id, as far as the viewer may see it, or in one beneath it.
pub(super) fn in_collection_or_beneath(name: &str, viewer: Option<Viewer>) -> Expr {
    use collections::{Column, Entity};

    let beneath = Query::select()
        .column((Entity, Column::Id))
        .from(Entity)
        .inner_join(
            BELOW,
            Expr::col((Entity, Column::ParentId)).equals((BELOW, "id")),
        )
        .and_where_option(visible(viewer))
        .take();
    resource_in(with_descendants(named_collections(name, viewer), beneath))
}

/// Resources in a collection with this name or id, as far as the viewer may see it.
pub(super) fn in_collection(name: &str, viewer: Option<Viewer>) -> Expr {
    resource_in(named_collections(name, viewer))
}

/// Resources in any collection that the viewer may see.
pub(super) fn in_any_collection(viewer: Option<Viewer>) -> Expr {
    let seen = Query::select()
        .column(collections::Column::Id)
        .from(collections::Entity)
        .and_where_option(visible(viewer))
        .take();
    resource_in(seen)
}

fn named_collections(name: &str, viewer: Option<Viewer>) -> SelectStatement {
    use collections::{Column, Entity};

    let named = by_id_or(
        name,
        Expr::col((Entity, Column::Id)),
        &[Expr::col((Entity, Column::Name))],
    );
    Query::select()
        .column((Entity, Column::Id))
        .from(Entity)
        .and_where(named)
        .and_where_option(visible(viewer))
        .take()
}

fn resource_in(collections: SelectStatement) -> Expr {
    let members = Query::select()
        .column(collection_resources::Column::ResourceId)
        .from(collection_resources::Entity)
        .and_where(Expr::col(collection_resources::Column::CollectionId).in_subquery(collections))
        .take();
    resource_id().in_subquery(members)
}

/// Resources under a node with this path, slug, label or id, or under one beneath it.
pub(crate) fn in_taxonomy(name: &str) -> Expr {
    use taxonomy_nodes::{Column, Entity};

    let folded = folded_path(name);
    let column = |column| Expr::col((Entity, column));
    let mut named = column(Column::Path)
        .eq(folded.as_str())
        .or(column(Column::Slug).eq(folded.as_str()))
        .or(column(Column::Label).eq(name));
    if let Ok(id) = Uuid::try_parse(name) {
        named = named.or(column(Column::Id).eq(id));
    }
    let first = Query::select()
        .column((Entity, Column::Id))
        .from(Entity)
        .and_where(named)
        .take();
    let beneath = Query::select()
        .column((Entity, Column::Id))
        .from(Entity)
        .inner_join(
            BELOW,
            Expr::col((Entity, Column::ParentId)).equals((BELOW, "id")),
        )
        .take();
    resource_id().in_subquery(members(
        Expr::col(resource_taxonomy::Column::NodeId).in_subquery(with_descendants(first, beneath)),
    ))
}

/// Resources at this very node.
pub(crate) fn at_taxonomy_node(id: Uuid) -> Expr {
    resource_id().in_subquery(members(Expr::col(resource_taxonomy::Column::NodeId).eq(id)))
}

fn members(at: Expr) -> SelectStatement {
    Query::select()
        .column(resource_taxonomy::Column::ResourceId)
        .from(resource_taxonomy::Entity)
        .and_where(at)
        .take()
}

/// Resources under any node.
pub(super) fn in_any_taxonomy() -> Expr {
    let members = Query::select()
        .column(resource_taxonomy::Column::ResourceId)
        .from(resource_taxonomy::Entity)
        .take();
    resource_id().in_subquery(members)
}

/// Resources with this code, or with one beneath the code that has this code or label.
pub(crate) fn in_classification(name: &str) -> Expr {
    use classification_codes::{Column, Entity};

    let column = |column| Expr::col((Entity, column));
    let first = Query::select()
        .column((Entity, Column::Code))
        .from(Entity)
        .and_where(
            column(Column::Code)
                .eq(name)
                .or(column(Column::Label).eq(name)),
        )
        .take();
    let beneath = Query::select()
        .column((Entity, Column::Code))
        .from(Entity)
        .inner_join(BELOW, column(Column::ParentCode).equals((BELOW, "id")))
        .take();
    // A code that is not listed is found by itself.
    let own = classification_code().eq(name);
    own.or(classification_code().in_subquery(with_descendants(first, beneath)))
}

/// Resources with a code that is listed.
pub(crate) fn in_any_classification() -> Expr {
    let listed = Query::select()
        .column(classification_codes::Column::Code)
        .from(classification_codes::Entity)
        .take();
    // Never NULL: what has no code has none that is listed.
    classification_code()
        .is_not_null()
        .and(classification_code().in_subquery(listed))
}

fn classification_code() -> Expr {
    Expr::col((resources::Entity, resources::Column::ClassificationCode))
}

fn resource_id() -> Expr {
    Expr::col((resources::Entity, resources::Column::Id))
}

fn by_id_or(name: &str, id: Expr, texts: &[Expr]) -> Expr {
    let named = texts.iter().map(|text| text.clone().eq(name));
    let with_id = Uuid::try_parse(name).ok().map(|wanted| id.eq(wanted));
    let mut all = Expr::val(false);
    for condition in named.chain(with_id) {
        all = all.or(condition);
    }
    all
}

/// The ids that `first` selects, and those that `beneath` finds below them; UNION ends even where a tree has a circle.
fn with_descendants(mut first: SelectStatement, beneath: SelectStatement) -> SelectStatement {
    let recursion = first.union(UnionType::Distinct, beneath).take();
    let below = CommonTableExpression::new()
        .query(recursion)
        .column("id")
        .table_name(BELOW)
        .to_owned();
    let with = WithClause::new().recursive(true).cte(below).to_owned();
    Query::select()
        .column((BELOW, "id"))
        .from(BELOW)
        .with_cte(with)
        .take()
}
