use sea_orm::entity::prelude::*;

/// A passage that a user marked in a field of a resource; stale once the field no longer reads so.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "annotations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub resource_id: Uuid,
    pub user_id: Uuid,
    pub field: String,
    pub start_offset: i64,
    pub end_offset: i64,
    pub quote: String,
    pub note: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub tags: Json,
    pub colour: Option<String>,
    pub visibility: String,
    pub stale: bool,
    pub version: i64,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
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
    #[sea_orm(
        belongs_to = "super::users::Entity",
        from = "Column::UserId",
        to = "super::users::Column::Id",
        on_delete = "Cascade"
    )]
    User,
}

impl ActiveModelBehavior for ActiveModel {}
