use sea_orm::entity::prelude::*;

/// A record of the library, described in Dublin Core.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "resources")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub title: String,
    pub description: Option<String>,
    pub creator: Option<String>,
    pub publisher: Option<String>,
    pub contributor: Option<String>,
    pub date: Option<String>,
    #[sea_orm(column_name = "type")]
    pub resource_type: Option<String>,
    pub format: Option<String>,
    pub identifier: Option<String>,
    pub source: Option<String>,
    pub language: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub relation: Json,
    pub coverage: Option<String>,
    pub rights: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub subject: Json,
    pub classification_code: Option<String>,
    pub read_status: String,
    pub quality_score: Option<f64>,
    #[sea_orm(column_type = "JsonBinary")]
    pub metadata: Json,
    pub year: Option<i64>,
    pub version: i64,
    pub created_by: Option<Uuid>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::users::Entity",
        from = "Column::CreatedBy",
        to = "super::users::Column::Id",
        on_delete = "SetNull"
    )]
    Creator,
}

impl ActiveModelBehavior for ActiveModel {}
