use sea_orm::entity::prelude::*;

/// The reply to a request with an Idempotency-Key, for when it is repeated.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_keys")]
pub struct Model {
    /// A hash of the caller and the key.
    #[sea_orm(primary_key, auto_increment = false, column_type = "Blob")]
    pub id: Vec<u8>,
    /// A hash of the request.
    #[sea_orm(column_type = "Blob")]
    pub fingerprint: Vec<u8>,
    /// Encrypted; only a caller with the same secret and key can have it opened.
    #[sea_orm(column_type = "Blob")]
    pub reply: Vec<u8>,
    pub created_at: DateTimeUtc,
    pub expires_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
