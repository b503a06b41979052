use sea_orm::entity::prelude::*;

/// A comparison of two model versions on live traffic.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "ab_test_experiments")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    pub control_id: Uuid,
    pub treatment_id: Uuid,
    pub traffic_share: f64,
    pub status: String,
    pub started_at: Option<DateTimeUtc>,
    pub ended_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::model_versions::Entity",
        from = "Column::ControlId",
        to = "super::model_versions::Column::Id",
        on_delete = "Restrict"
    )]
    Control,
    #[sea_orm(
        belongs_to = "super::model_versions::Entity",
        from = "Column::TreatmentId",
        to = "super::model_versions::Column::Id",
        on_delete = "Restrict"
    )]
    Treatment,
}

impl ActiveModelBehavior for ActiveModel {}
