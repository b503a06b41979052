//! Lists of codes.

use entity::classification_codes::{Column, Entity};
use sea_orm::sea_query::{Expr, ExprTrait, Query};

use super::change::not_found;
use super::code::ClassificationCode;
use crate::Pharos;
use crate::error::Error;
use crate::lists::{Field, Holds, ListRequest, Page, Source, Table, all_rows};

const FIELDS: [Field; 8] = [
    field("code", Holds::Text).sortable(),
    field("parent_code", Holds::Text).nullable(),
    field("label", Holds::Text).sortable(),
    field("level", Holds::Integer).sortable(),
    field("parent_given", Holds::Boolean),
    field("version", Holds::Integer).sortable(),
    field("created_at", Holds::Time).sortable(),
    field("updated_at", Holds::Time).sortable(),
];

const fn field(name: &'static str, holds: Holds) -> Field {
    Field::new("classification_codes", name, holds)
}

pub(crate) const CODES: Table = Table {
    fields: &[&FIELDS],
    key: "code",
    default_sort: "code",
};

/// Which codes are listed, and with what.
#[derive(Debug, Clone, Default)]
pub struct CodeList {
    pub list: ListRequest,
    /// Whether to count what is beneath each, too.
    pub subtree_counts: bool,
}

impl Pharos {
    /// Codes in their order, unless asked otherwise.
    pub async fn list_classification_codes(
        &self,
        request: &CodeList,
    ) -> Result<Page<ClassificationCode>, Error> {
        let source = Source {
            name: "classification-codes".to_owned(),
            table: &CODES,
            rows: all_rows("classification_codes"),
        };
        let columns = ClassificationCode::columns(request.subtree_counts);
        self.list_rows(&source, &request.list, columns).await
    }

    /// Reads a code.
    pub async fn find_classification_code(
        &self,
        code: &str,
        subtree_counts: bool,
    ) -> Result<ClassificationCode, Error> {
        let select = Query::select()
            .exprs(ClassificationCode::columns(subtree_counts))
            .from(Entity)
            .and_where(Expr::col((Entity, Column::Code)).eq(code))
            .take();
        let found = self
            .database
            .fetch_one(self.database.build(&select))
            .await?;
        found.ok_or_else(|| not_found(code))
    }
}
