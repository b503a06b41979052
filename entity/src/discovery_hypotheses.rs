use sea_orm::entity::prelude::*;

/// A supposed link between two resources, with its evidence, for someone to judge.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "discovery_hypotheses")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub source_id: Uuid,
    pub target_id: Uuid,
    pub kind: String,
    pub statement: String,
    pub confidence: f64,
    #[sea_orm(column_type = "JsonBinary")]
    pub evidence: Json,
    pub status: String,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::resources::Entity",
        from = "Column::SourceId",
        to = "super::resources::Column::Id",
        on_delete = "Cascade"
    )]
    Source,
    #[sea_orm(
        belongs_to = "super::resources::Entity",
        from = "Column::TargetId",
        to = "super::resources::Column::Id",
        on_delete = "Cascade"
    )]
    Target,
}

impl ActiveModelBehavior for ActiveModel {}
