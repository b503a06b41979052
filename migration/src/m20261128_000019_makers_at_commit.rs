// SQLite keeps a copy of every page that an insert into `resources` changes, to undo it if the user who made the
// resource turns out not to be there. Looked for at the commit, that user costs no copies.

use sea_orm_migration::prelude::*;

use crate::dialect::{CheckedAt, check_makers_of_resources};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        check_makers_of_resources(manager, CheckedAt::Commit).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        check_makers_of_resources(manager, CheckedAt::Statement).await
    }
}
