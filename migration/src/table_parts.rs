//! What the tables of every step have in common: keys, times, foreign keys, index names.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, timestamp_with_time_zone},
};

/// `CREATE TABLE` with the UUID key `id`.
pub fn table_with_id(name: &'static str) -> TableCreateStatement {
    Table::create()
        .table(name)
        .col(ColumnDef::new("id").uuid().not_null().primary_key())
        .take()
}

pub fn version() -> ColumnDef {
    big_integer("version").default(1).take()
}

pub fn created_at() -> ColumnDef {
    timestamp_with_time_zone("created_at")
}

pub fn updated_at() -> ColumnDef {
    timestamp_with_time_zone("updated_at")
}

/// Rows go with the row that `column` names.
pub fn cascade(
    table: &'static str,
    column: &'static str,
    target: &'static str,
) -> ForeignKeyCreateStatement {
    foreign_key(table, column, target, ForeignKeyAction::Cascade)
}

/// Rows stay, and forget the row that `column` named.
pub fn set_null(
    table: &'static str,
    column: &'static str,
    target: &'static str,
) -> ForeignKeyCreateStatement {
    foreign_key(table, column, target, ForeignKeyAction::SetNull)
}

/// The row that `column` names stays as long as a row names it.
pub fn restrict(
    table: &'static str,
    column: &'static str,
    target: &'static str,
) -> ForeignKeyCreateStatement {
    foreign_key(table, column, target, ForeignKeyAction::Restrict)
}

fn foreign_key(
    table: &'static str,
    column: &'static str,
    target: &'static str,
    on_delete: ForeignKeyAction,
) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(format!("fk_{table}_{column}"))
        .from(table, column)
        .to(target, "id")
        .on_delete(on_delete)
        .take()
}

pub async fn create_index<const N: usize>(
    manager: &SchemaManager<'_>,
    table: &'static str,
    columns: [&'static str; N],
) -> Result<(), DbErr> {
    manager.create_index(index(table, &columns)).await
}

pub async fn create_unique_index<const N: usize>(
    manager: &SchemaManager<'_>,
    table: &'static str,
    columns: [&'static str; N],
) -> Result<(), DbErr> {
    manager
        .create_index(index(table, &columns).unique().take())
        .await
}

/// An index named `idx_<table>_<columns>`.
pub fn index(table: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create();
    index
        .name(format!("idx_{table}_{}", columns.join("_")))
        .table(table);
    for column in columns {
        index.col(*column);
    }
    index
}

/// Drops in the order given: children before parents.
pub async fn drop_tables<const N: usize>(
    manager: &SchemaManager<'_>,
    tables: [&'static str; N],
) -> Result<(), DbErr> {
    for table in tables {
        manager
            .drop_table(Table::drop().table(table).take())
            .await?;
    }
    Ok(())
}
