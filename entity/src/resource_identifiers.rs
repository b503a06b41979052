use sea_orm::entity::prelude::*;

/// A normalised identifier of a resource, by which citations find it.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "resource_identifiers")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub identifier_key: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub resource_id: Uuid,
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
