use sea_orm::entity::prelude::*;

/// One shard of the totals that ranking needs: documents, and tokens in them.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "search_statistics")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub shard: i64,
    pub documents: i64,
    pub tokens: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
