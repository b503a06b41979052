//! Reading annotations: one's own, and those that are shared.

use entity::annotations::{Column, Entity};
use sea_orm::sea_query::{Expr, ExprTrait, SelectStatement};
use uuid::Uuid;

use super::{ANNOTATIONS, Annotation, FIELDS, Sharing, not_found, words};
use crate::Pharos;
use crate::accounts::Viewer;
use crate::error::Error;
use crate::lists::{Field, ListRequest, Page, Source, all_rows};

/// What a list of annotations is asked for.
#[derive(Debug, Clone, Default)]
pub struct AnnotationRequest {
    pub list: ListRequest,
    /// Words that quote, note and tags together must have.
    pub q: Option<String>,
    /// Of this resource alone.
    pub resource_id: Option<Uuid>,
}

/// The annotations that the viewer may see; all for nobody in particular.
pub(super) fn seen(viewer: Option<Viewer>) -> SelectStatement {
    let visible = viewer.map(|viewer| {
        let shared = Expr::col((Entity, Column::Visibility)).eq(Sharing::Shared.as_str());
        shared.or(Expr::col((Entity, Column::UserId)).eq(viewer.user_id))
    });
    all_rows("annotations").and_where_option(visible).take()
}

impl AnnotationRequest {
    pub(super) fn narrow(&self, mut rows: SelectStatement) -> SelectStatement {
        let of_resource = self
            .resource_id
            .map(|id| Expr::col((Entity, Column::ResourceId)).eq(id));
        rows.and_where_option(of_resource)
            .and_where_option(self.q.as_deref().and_then(words::condition))
            .take()
    }

    /// For cursors.
    pub(super) fn name(&self, list: &str) -> String {
        let resource = self
            .resource_id
            .map_or_else(String::new, |id| id.to_string());
        let q = self.q.as_deref().unwrap_or("");
        format!("{list}\u{1}{resource}\u{1}{q}")
    }
}

impl Pharos {
    /// A page of the annotations that the caller may see.
    pub async fn list_annotations(
        &self,
        request: &AnnotationRequest,
    ) -> Result<Page<Annotation>, Error> {
        if let Some(id) = request.resource_id {
            self.find_resource(id).await?;
        }
        let source = Source {
            name: request.name("annotations"),
            table: &ANNOTATIONS,
            rows: request.narrow(seen(request.list.viewer)),
        };
        let columns = FIELDS.iter().map(Field::expression);
        self.list_rows(&source, &request.list, columns).await
    }

    /// Reads an annotation that the viewer may see.
    pub async fn find_annotation(&self, viewer: Viewer, id: Uuid) -> Result<Annotation, Error> {
        let select = seen(Some(viewer))
            .exprs(FIELDS.iter().map(Field::expression))
            .and_where(Expr::col((Entity, Column::Id)).eq(id))
            .take();
        let found = self
            .database
            .fetch_one(self.database.build(&select))
            .await?;
        found.ok_or_else(|| not_found(id))
    }
}
