//! Counts of the taxonomy, and the check that a write knows the authority files as they are.

use sea_orm_migration::prelude::*;

use super::{Dialect, Versioned, create_updated_at_trigger, run};

/// Gives a table another touch trigger than the one it has.
pub async fn replace_touch_trigger(
    manager: &SchemaManager<'_>,
    table: &str,
    versioned: Versioned,
) -> Result<(), DbErr> {
    let drop = match Dialect::of(manager)? {
        Dialect::Postgres => format!("DROP TRIGGER {table}_touch ON {table}"),
        Dialect::Sqlite => format!("DROP TRIGGER {table}_touch"),
    };
    run(manager, &drop).await?;
    create_updated_at_trigger(manager, table, versioned).await
}

/// Keeps `taxonomy_nodes.resource_count`, whoever assigns, moves or deletes.
pub async fn create_counting(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    run(manager, COUNT_ALL).await?;
    all(
        manager,
        match Dialect::of(manager)? {
            Dialect::Postgres => POSTGRES_COUNTING,
            Dialect::Sqlite => SQLITE_COUNTING,
        },
    )
    .await
}

pub async fn drop_counting(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    all(
        manager,
        match Dialect::of(manager)? {
            Dialect::Postgres => POSTGRES_COUNTING_DOWN,
            Dialect::Sqlite => SQLITE_COUNTING_DOWN,
        },
    )
    .await
}

/// Makes the table `authority_checks`: inserting an epoch into it stores nothing, and fails when that is not the current
/// one. On PostgreSQL it also keeps the authority files from changing until the transaction ends.
pub async fn create_authority_check(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let checks = Table::create()
        .table("authority_checks")
        .col(ColumnDef::new("epoch").big_integer().not_null())
        .take();
    manager.create_table(checks).await?;
    all(
        manager,
        match Dialect::of(manager)? {
            Dialect::Postgres => POSTGRES_CHECK,
            Dialect::Sqlite => SQLITE_CHECK,
        },
    )
    .await
}

pub async fn drop_authority_check(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let drop = Table::drop().table("authority_checks").take();
    manager.drop_table(drop).await?;
    match Dialect::of(manager)? {
        Dialect::Postgres => run(manager, "DROP FUNCTION pharos_check_authorities()").await,
        Dialect::Sqlite => Ok(()),
    }
}

async fn all(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    for statement in statements {
        run(manager, statement).await?;
    }
    Ok(())
}

const COUNT_ALL: &str = "UPDATE taxonomy_nodes SET resource_count = \
     (SELECT count(*) FROM resource_taxonomy a WHERE a.node_id = taxonomy_nodes.id)";

// Who changes the tree holds the lock 7237120351 alone; who assigns shares it. So nobody who assigns waits for a node
// that a change of the tree holds while that waits for another. Among themselves they take nodes in the order of ids.
const POSTGRES_COUNTING: &[&str] = &[
    "\
CREATE FUNCTION pharos_assignments_begin() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7237120351);
    RETURN NULL;
END $$",
    "\
CREATE FUNCTION pharos_count_assignments() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM 1 FROM taxonomy_nodes WHERE id IN (SELECT node_id FROM old_rows) ORDER BY id FOR NO KEY UPDATE;
        UPDATE taxonomy_nodes AS n SET resource_count = n.resource_count - c.count
            FROM (SELECT node_id, count(*) AS count FROM old_rows GROUP BY node_id) AS c WHERE n.id = c.node_id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM 1 FROM taxonomy_nodes WHERE id IN (SELECT node_id FROM new_rows) ORDER BY id FOR NO KEY UPDATE;
        UPDATE taxonomy_nodes AS n SET resource_count = n.resource_count + c.count
            FROM (SELECT node_id, count(*) AS count FROM new_rows GROUP BY node_id) AS c WHERE n.id = c.node_id;
    END IF;
    RETURN NULL;
END $$",
    "CREATE TRIGGER resource_taxonomy_begin BEFORE INSERT OR UPDATE OR DELETE ON resource_taxonomy \
     FOR EACH STATEMENT EXECUTE FUNCTION pharos_assignments_begin()",
    "CREATE TRIGGER resource_taxonomy_inserted AFTER INSERT ON resource_taxonomy \
     REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION pharos_count_assignments()",
    "CREATE TRIGGER resource_taxonomy_updated AFTER UPDATE ON resource_taxonomy \
     REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION pharos_count_assignments()",
    "CREATE TRIGGER resource_taxonomy_deleted AFTER DELETE ON resource_taxonomy \
     REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION pharos_count_assignments()",
];

const POSTGRES_COUNTING_DOWN: &[&str] = &[
    "DROP TRIGGER resource_taxonomy_deleted ON resource_taxonomy",
    "DROP TRIGGER resource_taxonomy_updated ON resource_taxonomy",
    "DROP TRIGGER resource_taxonomy_inserted ON resource_taxonomy",
    "DROP TRIGGER resource_taxonomy_begin ON resource_taxonomy",
    "DROP FUNCTION pharos_count_assignments()",
    "DROP FUNCTION pharos_assignments_begin()",
];

const SQLITE_COUNTING: &[&str] = &[
    "CREATE TRIGGER resource_taxonomy_inserted AFTER INSERT ON resource_taxonomy FOR EACH ROW \
     BEGIN UPDATE taxonomy_nodes SET resource_count = resource_count + 1 WHERE id = NEW.node_id; END",
    "CREATE TRIGGER resource_taxonomy_updated AFTER UPDATE OF node_id ON resource_taxonomy FOR EACH ROW \
     WHEN NEW.node_id IS NOT OLD.node_id \
     BEGIN UPDATE taxonomy_nodes SET resource_count = resource_count - 1 WHERE id = OLD.node_id; \
     UPDATE taxonomy_nodes SET resource_count = resource_count + 1 WHERE id = NEW.node_id; END",
    "CREATE TRIGGER resource_taxonomy_deleted AFTER DELETE ON resource_taxonomy FOR EACH ROW \
     BEGIN UPDATE taxonomy_nodes SET resource_count = resource_count - 1 WHERE id = OLD.node_id; END",
];

const SQLITE_COUNTING_DOWN: &[&str] = &[
    "DROP TRIGGER resource_taxonomy_deleted",
    "DROP TRIGGER resource_taxonomy_updated",
    "DROP TRIGGER resource_taxonomy_inserted",
];

// A volatile function sees what was committed while it waited for the lock, which the statement around it does not.
const POSTGRES_CHECK: &[&str] = &[
    "\
CREATE FUNCTION pharos_check_authorities() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7237120352);
    IF NEW.epoch <> (SELECT e.epoch FROM authority_epoch e) THEN
        RAISE EXCEPTION 'the authority files have changed' USING ERRCODE = 'PH001';
    END IF;
    RETURN NULL;
END $$",
    "CREATE TRIGGER authority_checks_check BEFORE INSERT ON authority_checks \
     FOR EACH ROW EXECUTE FUNCTION pharos_check_authorities()",
];

const SQLITE_CHECK: &[&str] = &[
    "CREATE TRIGGER authority_checks_check BEFORE INSERT ON authority_checks FOR EACH ROW BEGIN \
     SELECT CASE WHEN NEW.epoch IS NOT (SELECT e.epoch FROM authority_epoch e) \
     THEN RAISE(ABORT, 'the authority files have changed') ELSE RAISE(IGNORE) END; END",
];
