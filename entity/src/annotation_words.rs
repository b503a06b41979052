use sea_orm::entity::prelude::*;

/// A word by which an annotation is found.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "annotation_words")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub annotation_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub word: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::annotations::Entity",
        from = "Column::AnnotationId",
        to = "super::annotations::Column::Id",
        on_delete = "Cascade"
    )]
    Annotation,
}

impl ActiveModelBehavior for ActiveModel {}
