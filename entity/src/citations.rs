use sea_orm::entity::prelude::*;

/// A reference from a resource to another, or to a work that the library does not hold yet.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "citations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub citing_id: Uuid,
    pub cited_id: Option<Uuid>,
    pub citation_type: String,
    pub raw_text: Option<String>,
    pub identifier: Option<String>,
    pub identifier_key: Option<String>,
    pub version: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::resources::Entity",
        from = "Column::CitingId",
        to = "super::resources::Column::Id",
        on_delete = "Cascade"
    )]
    Citing,
    #[sea_orm(
        belongs_to = "super::resources::Entity",
        from = "Column::CitedId",
        to = "super::resources::Column::Id",
        on_delete = "SetNull"
    )]
    Cited,
}

impl ActiveModelBehavior for ActiveModel {}
