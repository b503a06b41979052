use sea_orm::entity::prelude::*;

/// A folded form of a name, and the canonical name that it stands for.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "authority_forms")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub file: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: Uuid,
    pub folded: String,
    pub authority_id: Option<Uuid>,
    pub name: String,
    pub changed: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
