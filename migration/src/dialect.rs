//! The one place in the migrations that knows which database it speaks to.

use sea_orm::DbBackend;
use sea_orm_migration::prelude::*;

pub mod classification;

/// Whether a table carries a `version` that the touch trigger raises with `updated_at`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Versioned {
    Yes,
    /// Yes, except where `created_by` alone changes: a user who is deleted leaves their rows as they were.
    ExceptForItsMaker,
    /// Yes, except where this count changes, which triggers keep: whoever edits the row has not seen another one.
    ExceptForItsCount(&'static str),
    No,
}

#[derive(Clone, Copy)]
pub enum Dialect {
    Postgres,
    Sqlite,
}

impl Dialect {
    pub fn of(manager: &SchemaManager<'_>) -> Result<Self, DbErr> {
        match manager.get_database_backend() {
            DbBackend::Postgres => Ok(Self::Postgres),
            DbBackend::Sqlite => Ok(Self::Sqlite),
            other => Err(DbErr::BackendNotSupported {
                db: other.as_str(),
                ctx: "migration",
            }),
        }
    }

    /// Text that both databases compare and order by byte.
    pub fn text(self, name: &'static str) -> ColumnDef {
        match self {
            Self::Postgres => ColumnDef::new(name).custom(r#"text COLLATE "C""#).take(),
            Self::Sqlite => ColumnDef::new(name).text().take(),
        }
        .not_null()
        .take()
    }

    pub fn text_null(self, name: &'static str) -> ColumnDef {
        self.text(name).null().take()
    }

    pub fn json(self, name: &'static str) -> ColumnDef {
        match self {
            Self::Postgres => ColumnDef::new(name).json_binary().take(),
            Self::Sqlite => ColumnDef::new(name).json().take(),
        }
        .not_null()
        .take()
    }

    /// An integer key that the database counts up; on SQLite another name of the rowid.
    pub fn numbered_key(self, name: &'static str) -> ColumnDef {
        let mut key = ColumnDef::new(name);
        key.big_integer().not_null().primary_key();
        match self {
            Self::Postgres => key.auto_increment().take(),
            Self::Sqlite => key,
        }
    }

    pub fn json_null(self, name: &'static str) -> ColumnDef {
        self.json(name).null().take()
    }
}

/// Makes what the touch triggers of all tables call; comes before the first of them.
pub async fn create_touch_functions(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    match Dialect::of(manager)? {
        Dialect::Postgres => {
            run(manager, POSTGRES_TOUCH).await?;
            run(manager, POSTGRES_TOUCH_VERSION).await
        }
        Dialect::Sqlite => Ok(()),
    }
}

pub async fn drop_touch_functions(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    match Dialect::of(manager)? {
        Dialect::Postgres => {
            run(manager, "DROP FUNCTION pharos_touch_version()").await?;
            run(manager, "DROP FUNCTION pharos_touch()").await
        }
        Dialect::Sqlite => Ok(()),
    }
}

/// Sets `updated_at`, and raises `version`, where another tool changed a row and left them alone.
/// The trigger goes with its table.
pub async fn create_updated_at_trigger(
    manager: &SchemaManager<'_>,
    table: &str,
    versioned: Versioned,
) -> Result<(), DbErr> {
    let statement = match Dialect::of(manager)? {
        Dialect::Postgres => postgres_touch_trigger(table, versioned),
        Dialect::Sqlite => sqlite_touch_trigger(table, versioned),
    };
    run(manager, &statement).await
}

pub async fn drop_updated_at_trigger(
    manager: &SchemaManager<'_>,
    table: &str,
) -> Result<(), DbErr> {
    let statement = match Dialect::of(manager)? {
        Dialect::Postgres => format!("DROP TRIGGER {table}_touch ON {table}"),
        Dialect::Sqlite => format!("DROP TRIGGER {table}_touch"),
    };
    run(manager, &statement).await
}

/// Citations with the resource that each is resolved to: the one that was named, else the oldest with its identifier.
pub async fn create_resolved_citations(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    run(
        manager,
        "CREATE VIEW resolved_citations AS SELECT c.*, COALESCE(c.cited_id, (SELECT i.resource_id \
         FROM resource_identifiers i WHERE i.identifier_key = c.identifier_key \
         ORDER BY i.resource_id LIMIT 1)) AS target_id FROM citations c",
    )
    .await
}

pub async fn drop_resolved_citations(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    run(manager, "DROP VIEW resolved_citations").await
}

/// An index for JSON containment; SQLite has none, there a scan answers.
pub async fn create_json_index(
    manager: &SchemaManager<'_>,
    name: &str,
    table: &str,
    column: &str,
) -> Result<(), DbErr> {
    match Dialect::of(manager)? {
        Dialect::Postgres => {
            let statement =
                format!("CREATE INDEX {name} ON {table} USING gin ({column} jsonb_path_ops)");
            run(manager, &statement).await
        }
        Dialect::Sqlite => Ok(()),
    }
}

/// One index for containment in either JSON column of `resources`: its entries are gathered and sorted in together. Pharos
/// sorts them in beside the writers; the limit, in kB, is for when that does not happen, since the write that passes it
/// waits for all of them.
pub async fn join_json_indexes(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    if let Dialect::Postgres = Dialect::of(manager)? {
        for statement in [
            "DROP INDEX idx_resources_metadata",
            "DROP INDEX idx_resources_subject",
            "CREATE INDEX idx_resources_metadata_subject ON resources \
             USING gin (metadata jsonb_path_ops, subject jsonb_path_ops) WITH (gin_pending_list_limit = 32768)",
            "ALTER INDEX idx_search_documents_tokens SET (gin_pending_list_limit = 32768)",
        ] {
            run(manager, statement).await?;
        }
    }
    Ok(())
}

pub async fn part_json_indexes(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    if let Dialect::Postgres = Dialect::of(manager)? {
        run(manager, "DROP INDEX idx_resources_metadata_subject").await?;
        run(
            manager,
            "ALTER INDEX idx_search_documents_tokens RESET (gin_pending_list_limit)",
        )
        .await?;
    }
    for column in ["metadata", "subject"] {
        let name = format!("idx_resources_{column}");
        create_json_index(manager, &name, "resources", column).await?;
    }
    Ok(())
}

/// PostgreSQL offers two ways to sort the pending list of a GIN index in: all of it, again and again until nothing new
/// came meanwhile, which beside writers never ends and costs each of the short rounds as much as a long one; or once, by
/// an insert that finds the list too long. So a function inserts a document with a small limit and takes it back. The
/// index has no limit of its own then, since that would go before the function's.
pub async fn sort_in_pending_documents_once(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    if let Dialect::Postgres = Dialect::of(manager)? {
        run(
            manager,
            "ALTER INDEX idx_search_documents_tokens RESET (gin_pending_list_limit)",
        )
        .await?;
        run(manager, POSTGRES_SORT_IN_DOCUMENTS).await?;
    }
    Ok(())
}

pub async fn sort_in_pending_documents_wholly(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    if let Dialect::Postgres = Dialect::of(manager)? {
        run(manager, "DROP FUNCTION pharos_sort_in_new_documents()").await?;
        run(
            manager,
            "ALTER INDEX idx_search_documents_tokens SET (gin_pending_list_limit = 32768)",
        )
        .await?;
    }
    Ok(())
}

/// When a foreign key is checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum CheckedAt {
    Statement,
    Commit,
}

/// When SQLite checks that the user who made a resource is there. It can alter no constraint, but lets the text of a table
/// be written where that changes nothing about the rows, as here. PostgreSQL checks at the statement and keeps no copies.
pub async fn check_makers_of_resources(
    manager: &SchemaManager<'_>,
    at: CheckedAt,
) -> Result<(), DbErr> {
    const STATEMENT: &str = "REFERENCES \"users\" (\"id\") ON DELETE SET NULL";
    const COMMIT: &str =
        "REFERENCES \"users\" (\"id\") ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED";
    if let Dialect::Postgres = Dialect::of(manager)? {
        return Ok(());
    }
    let (from, to) = match at {
        CheckedAt::Commit => (STATEMENT, COMMIT),
        CheckedAt::Statement => (COMMIT, STATEMENT),
    };
    // A schema change of the usual kind behind it tells the other connections to read the schema anew.
    for statement in [
        "PRAGMA writable_schema = ON",
        &format!(
            "UPDATE sqlite_schema SET sql = replace(sql, '{from}', '{to}') WHERE type = 'table' AND name = 'resources'"
        ),
        "PRAGMA writable_schema = RESET",
        "DROP TRIGGER resources_json_new",
        SQLITE_LIST_NEW_FOR_JSON,
    ] {
        run(manager, statement).await?;
    }
    Ok(())
}

/// Gives `search_documents` its inverted index: a column of the table on PostgreSQL, an FTS5 table
/// with `rowid` = `doc` on SQLite.
pub async fn create_token_index(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let statements = match Dialect::of(manager)? {
        Dialect::Postgres => POSTGRES_TOKEN_INDEX,
        Dialect::Sqlite => SQLITE_TOKEN_INDEX,
    };
    for statement in statements {
        run(manager, statement).await?;
    }
    Ok(())
}

/// Comes before `search_documents` is dropped.
pub async fn drop_token_index(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    match Dialect::of(manager)? {
        Dialect::Postgres => Ok(()),
        Dialect::Sqlite => {
            run(manager, "DROP TRIGGER search_documents_unindex").await?;
            run(manager, "DROP TABLE search_changes").await?;
            run(manager, "DROP TABLE search_index").await
        }
    }
}

/// Gives `search_documents` back the column that the first packed form had.
pub async fn restore_places(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let (kind, empty) = match Dialect::of(manager)? {
        Dialect::Postgres => ("bytea", "''"),
        Dialect::Sqlite => ("blob", "x''"),
    };
    let statement =
        format!("ALTER TABLE search_documents ADD COLUMN places {kind} NOT NULL DEFAULT {empty}");
    run(manager, &statement).await
}

/// Records every search document that is deleted, by whomever.
pub async fn create_removal_trigger(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let statements = match Dialect::of(manager)? {
        Dialect::Postgres => POSTGRES_REMOVAL_TRIGGER,
        Dialect::Sqlite => SQLITE_REMOVAL_TRIGGER,
    };
    for statement in statements {
        run(manager, statement).await?;
    }
    Ok(())
}

pub async fn drop_removal_trigger(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    match Dialect::of(manager)? {
        Dialect::Postgres => {
            run(
                manager,
                "DROP TRIGGER search_documents_removed ON search_documents",
            )
            .await?;
            run(manager, "DROP FUNCTION pharos_search_document_removed()").await
        }
        Dialect::Sqlite => run(manager, "DROP TRIGGER search_documents_removed").await,
    }
}

/// Gives SQLite an index over the JSON of `resources`: an FTS5 table with `rowid` = `search_documents.doc`, and the list
/// of resources that are not in it. PostgreSQL has GIN.
pub async fn create_json_lookup(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    match Dialect::of(manager)? {
        Dialect::Postgres => {}
        Dialect::Sqlite => {
            for statement in SQLITE_JSON_LOOKUP {
                run(manager, statement).await?;
            }
        }
    }
    Ok(())
}

pub async fn drop_json_lookup(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    match Dialect::of(manager)? {
        Dialect::Postgres => {}
        Dialect::Sqlite => {
            for statement in SQLITE_JSON_LOOKUP_DOWN {
                run(manager, statement).await?;
            }
        }
    }
    Ok(())
}

/// Shows the entries of SQLite's token index, a row for each token of each document: FTS5's own view, which takes no room.
pub async fn create_search_terms(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    match Dialect::of(manager)? {
        Dialect::Postgres => Ok(()),
        Dialect::Sqlite => {
            let create =
                "CREATE VIRTUAL TABLE search_terms USING fts5vocab(search_index, instance)";
            run(manager, create).await
        }
    }
}

pub async fn drop_search_terms(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    match Dialect::of(manager)? {
        Dialect::Postgres => Ok(()),
        Dialect::Sqlite => run(manager, "DROP TABLE search_terms").await,
    }
}

/// How SQLite's token indexes merge their segments.
pub async fn set_token_merges(
    manager: &SchemaManager<'_>,
    settings: [(&str, u8); 3],
) -> Result<(), DbErr> {
    if let Dialect::Sqlite = Dialect::of(manager)? {
        for index in ["search_index", "json_index"] {
            for (setting, value) in settings {
                let set =
                    format!("INSERT INTO {index} ({index}, rank) VALUES ('{setting}', {value})");
                run(manager, &set).await?;
            }
        }
    }
    Ok(())
}

/// Drops the indexes that administrators declared with `pharos index add`; SQLite has none.
pub async fn drop_declared_indexes(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    match Dialect::of(manager)? {
        Dialect::Postgres => run(manager, POSTGRES_DROP_DECLARED).await,
        Dialect::Sqlite => Ok(()),
    }
}

async fn run(manager: &SchemaManager<'_>, statement: &str) -> Result<(), DbErr> {
    manager
        .get_connection()
        .execute_unprepared(statement)
        .await
        .map(|_| ())
}

const POSTGRES_TOUCH: &str = "\
CREATE FUNCTION pharos_touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW IS DISTINCT FROM OLD AND NEW.updated_at = OLD.updated_at THEN
        NEW.updated_at = date_trunc('microseconds', clock_timestamp());
    END IF;
    RETURN NEW;
END $$";

const POSTGRES_TOUCH_VERSION: &str = "\
CREATE FUNCTION pharos_touch_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW IS DISTINCT FROM OLD AND NEW.updated_at = OLD.updated_at THEN
        NEW.updated_at = date_trunc('microseconds', clock_timestamp());
        IF NEW.version = OLD.version THEN
            NEW.version = OLD.version + 1;
        END IF;
    END IF;
    RETURN NEW;
END $$";

// The condition stands in the trigger as well, so that an update by Pharos itself calls no function.
fn postgres_touch_trigger(table: &str, versioned: Versioned) -> String {
    let function = match versioned {
        Versioned::Yes | Versioned::ExceptForItsMaker | Versioned::ExceptForItsCount(_) => {
            "pharos_touch_version"
        }
        Versioned::No => "pharos_touch",
    };
    let same = match versioned {
        Versioned::ExceptForItsMaker => {
            " AND NEW.created_by IS NOT DISTINCT FROM OLD.created_by".to_owned()
        }
        Versioned::ExceptForItsCount(count) => format!(" AND NEW.{count} = OLD.{count}"),
        Versioned::Yes | Versioned::No => String::new(),
    };
    format!(
        "CREATE TRIGGER {table}_touch BEFORE UPDATE ON {table} FOR EACH ROW \
         WHEN (NEW.updated_at = OLD.updated_at{same}) EXECUTE FUNCTION {function}()"
    )
}

// 'now' stands still within one statement, triggers included: the update in the trigger leaves behind a
// row that the condition refuses, since its time either changed or is already now (and its version rose).
fn sqlite_touch_trigger(table: &str, versioned: Versioned) -> String {
    let now = "strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'";
    let (stale, version) = match versioned {
        Versioned::Yes | Versioned::ExceptForItsMaker | Versioned::ExceptForItsCount(_) => (
            format!("(NEW.updated_at IS NOT ({now}) OR NEW.version IS OLD.version)"),
            ", version = CASE WHEN NEW.version IS OLD.version THEN OLD.version + 1 ELSE NEW.version END",
        ),
        Versioned::No => (format!("NEW.updated_at IS NOT ({now})"), ""),
    };
    let same = match versioned {
        Versioned::ExceptForItsMaker => " AND NEW.created_by IS OLD.created_by".to_owned(),
        Versioned::ExceptForItsCount(count) => format!(" AND NEW.{count} IS OLD.{count}"),
        Versioned::Yes | Versioned::No => String::new(),
    };
    format!(
        "CREATE TRIGGER {table}_touch AFTER UPDATE ON {table} FOR EACH ROW \
         WHEN NEW.updated_at IS OLD.updated_at{same} AND {stale} \
         BEGIN UPDATE {table} SET updated_at = {now}{version} WHERE rowid = NEW.rowid; END"
    )
}

// The blobs are packed already, and read in part: EXTERNAL spares PostgreSQL the attempt to compress them.
const POSTGRES_TOKEN_INDEX: &[&str] = &[
    "ALTER TABLE search_documents ADD COLUMN tokens tsvector NOT NULL",
    // Serves every search: the documents that hold a term.
    // Rows of up to a page stay whole: reading a packed document from the TOAST table costs an index scan each.
    "ALTER TABLE search_documents SET (toast_tuple_target = 8160)",
    "CREATE INDEX idx_search_documents_tokens ON search_documents USING gin (tokens)",
    "ALTER TABLE search_documents ALTER COLUMN terms SET STORAGE EXTERNAL, \
     ALTER COLUMN places SET STORAGE EXTERNAL, ALTER COLUMN facets SET STORAGE EXTERNAL",
];

// All punctuation belongs to tokens, so that only white space separates what the analysis joined with it.
// contentless_delete refuses columnsize=0.
const SQLITE_TOKEN_INDEX: &[&str] = &[
    r##"CREATE VIRTUAL TABLE search_index USING fts5(tokens, content='', contentless_delete=1, detail=none, tokenize="ascii tokenchars '!""#$%&''()*+,-./:;<=>?@[\]^_`{|}~'")"##,
    // Counts the changes; a number is never given twice, whatever is deleted.
    "CREATE TABLE search_changes (id integer PRIMARY KEY CHECK (id = 1), last integer NOT NULL)",
    "INSERT INTO search_changes (id, last) VALUES (1, 0)",
    "CREATE TRIGGER search_documents_unindex AFTER DELETE ON search_documents FOR EACH ROW \
     BEGIN DELETE FROM search_index WHERE rowid = OLD.doc; END",
];

// The triggers call nothing but SQLite itself, so that every tool can fire them: what one of them changes is put on the
// list, and Pharos takes off what it has indexed.
const SQLITE_LIST_NEW_FOR_JSON: &str = "CREATE TRIGGER resources_json_new AFTER INSERT ON resources FOR EACH ROW \
     BEGIN INSERT OR IGNORE INTO json_unindexed (resource_id) VALUES (NEW.id); END";

const SQLITE_JSON_LOOKUP: &[&str] = &[
    "CREATE VIRTUAL TABLE json_index USING fts5(tokens, content='', contentless_delete=1, detail=none, tokenize='ascii')",
    "CREATE VIRTUAL TABLE json_terms USING fts5vocab(json_index, instance)",
    "CREATE TABLE json_unindexed (resource_id blob NOT NULL PRIMARY KEY) WITHOUT ROWID",
    "INSERT INTO json_unindexed (resource_id) SELECT id FROM resources",
    SQLITE_LIST_NEW_FOR_JSON,
    "CREATE TRIGGER resources_json_changed AFTER UPDATE OF metadata, subject, relation ON resources FOR EACH ROW \
     WHEN NEW.metadata IS NOT OLD.metadata OR NEW.subject IS NOT OLD.subject OR NEW.relation IS NOT OLD.relation \
     BEGIN INSERT OR IGNORE INTO json_unindexed (resource_id) VALUES (NEW.id); END",
    "CREATE TRIGGER search_documents_unindex_json AFTER DELETE ON search_documents FOR EACH ROW \
     BEGIN DELETE FROM json_index WHERE rowid = OLD.doc; \
     INSERT OR IGNORE INTO json_unindexed (resource_id) \
     SELECT id FROM resources WHERE id = OLD.resource_id; END",
];

const SQLITE_JSON_LOOKUP_DOWN: &[&str] = &[
    "DROP TRIGGER search_documents_unindex_json",
    "DROP TRIGGER resources_json_changed",
    "DROP TRIGGER resources_json_new",
    "DROP TABLE json_unindexed",
    "DROP TABLE json_terms",
    "DROP TABLE json_index",
];

const POSTGRES_DROP_DECLARED: &str = "\
DO $$ DECLARE declared text;
BEGIN
    FOR declared IN SELECT indexname FROM pg_indexes
        WHERE schemaname = ANY (current_schemas(false)) AND tablename = 'resources' AND indexname LIKE 'idx\\_json\\_%'
    LOOP
        EXECUTE format('DROP INDEX %I', declared);
    END LOOP;
END $$";

/// The document is of no resource, so it never stays.
const POSTGRES_SORT_IN_DOCUMENTS: &str = "\
CREATE FUNCTION pharos_sort_in_new_documents() RETURNS void LANGUAGE plpgsql
    SET gin_pending_list_limit = 64 SET work_mem = '64MB' AS $$
BEGIN
    INSERT INTO search_documents (kind, resource_id, terms, facets, length, version, changed, tokens)
    VALUES ('resource', gen_random_uuid(), '', '', 0, 0, 0, '');
EXCEPTION WHEN foreign_key_violation THEN
    NULL;
END $$";

const POSTGRES_REMOVAL_TRIGGER: &[&str] = &[
    "\
CREATE FUNCTION pharos_search_document_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO search_removals (resource_id, changed, removed_at)
    VALUES (OLD.resource_id, pg_current_xact_id()::text::bigint, date_trunc('microseconds', clock_timestamp()))
    ON CONFLICT (resource_id) DO UPDATE SET changed = excluded.changed, removed_at = excluded.removed_at;
    RETURN NULL;
END $$",
    "CREATE TRIGGER search_documents_removed AFTER DELETE ON search_documents \
     FOR EACH ROW EXECUTE FUNCTION pharos_search_document_removed()",
];

const SQLITE_REMOVAL_TRIGGER: &[&str] = &[
    "CREATE TRIGGER search_documents_removed AFTER DELETE ON search_documents FOR EACH ROW BEGIN \
     UPDATE search_changes SET last = last + 1; \
     INSERT OR REPLACE INTO search_removals (resource_id, changed, removed_at) \
     VALUES (OLD.resource_id, (SELECT last FROM search_changes), strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'); END",
];
