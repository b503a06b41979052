use sea_orm::entity::prelude::*;

/// What ranking and faceting need of one searchable resource; the database's own token index is written beside it.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "search_documents")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub doc: i64,
    pub kind: String,
    pub resource_id: Uuid,
    #[sea_orm(column_type = "Blob")]
    pub terms: Vec<u8>,
    #[sea_orm(column_type = "Blob")]
    #[sea_orm(column_type = "Blob")]
    pub facets: Vec<u8>,
    pub length: i64,
    /// The version of the resource that this was made from.
    pub version: i64,
    /// The number of the analysis that made this.
    pub analysis: i64,
    /// When this was written, in the order in which changes become visible.
    pub changed: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::resources::Entity",
        from = "Column::ResourceId",
        to = "super::resources::Column::Id",
        on_delete = "Cascade"
    )]
    Resource,
}

impl ActiveModelBehavior for ActiveModel {}
