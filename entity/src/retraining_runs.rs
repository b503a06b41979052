use sea_orm::entity::prelude::*;

/// A run that trained a model again, and how it ended.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "retraining_runs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub model_id: Option<Uuid>,
    pub status: String,
    pub started_at: DateTimeUtc,
    pub finished_at: Option<DateTimeUtc>,
    #[sea_orm(column_type = "JsonBinary")]
    pub metrics: Json,
    pub error: Option<String>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::model_versions::Entity",
        from = "Column::ModelId",
        to = "super::model_versions::Column::Id",
        on_delete = "Cascade"
    )]
    ModelVersion,
}

impl ActiveModelBehavior for ActiveModel {}
