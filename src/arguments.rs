//! What can be said on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::settings::Settings;

/// A self-hosted document library and reporting backend, on SQLite or PostgreSQL.
///
/// Without a command it serves. Settings come from the environment or a .env file; the variable beside each option
/// names it.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 110)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Option<Command>,

    #[command(flatten)]
    pub settings: Settings,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Bring the schema up to date and serve the API and the pages.
    Serve,
    /// Apply, revert or show schema steps.
    #[command(subcommand)]
    Migrate(MigrateCommand),
    /// Import files. The same natural key (identifier, else source and title) updates instead of inserting.
    Import(ImportArguments),
    /// Write everything of one kind to stdout as NDJSON.
    Export {
        /// What to export: resources.
        kind: String,
    },
    /// Search, as the search endpoint does.
    Search(SearchArguments),
    /// Manage users.
    #[command(subcommand)]
    User(UserCommand),
    /// Manage API keys.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Declare what is compared by often, for PostgreSQL to index. SQLite indexes every path into JSON by itself.
    #[command(subcommand)]
    Index(IndexCommand),
    /// Send the same generated requests to two libraries, and compare what a client sees.
    Conformance(ConformanceArguments),
    /// Measure the ranking on a retrieval collection, in a scratch database of DATABASE_URL's kind.
    Evaluate(EvaluateArguments),
    /// Print the served OpenAPI document.
    Openapi,
    /// Check configuration, database, schema and search index, and say what to mend.
    Doctor {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Mend the search index while it is in use. May be ended at any time and run again.
    Reindex {
        /// Write every search document anew, not only those that are wrong.
        #[arg(long)]
        all: bool,
        /// Print the sums as JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum MigrateCommand {
    /// Apply every missing step. Two processes may do this at once.
    Up,
    /// Revert the last steps. What their tables held is lost.
    Down {
        /// How many steps.
        #[arg(long, default_value_t = 1)]
        steps: u32,
    },
    /// List the steps and whether they are applied.
    Status {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub struct ConformanceArguments {
    /// An empty database, on which a server is started, or a running server with an editor's key and no resources:
    /// http://ph_…@127.0.0.1:8080.
    #[arg(long, value_name = "URL")]
    pub a: crate::settings::Secret,
    /// The other one.
    #[arg(long, value_name = "URL")]
    pub b: crate::settings::Secret,
    /// The same seed gives the same requests.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How many requests, at least.
    #[arg(long, default_value_t = 10_000)]
    pub cases: usize,
    /// Write what was found, as Markdown.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum IndexCommand {
    /// Declare a path, such as resources.metadata.pages (or resources.title, where PostgreSQL has the extension pg_trgm),
    /// and make its indexes while others read and write.
    Add { path: String },
    /// List the declared paths.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Take a declaration back and drop the indexes of its path.
    Drop { path: String },
}

#[derive(Debug, Args)]
pub struct ImportArguments {
    /// What the files hold: resources or classification-codes.
    pub kind: String,
    /// .csv, .ndjson or .jsonl, each also .gz; `-` is NDJSON from stdin.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Keep the rows that are not taken, as NDJSON with line and reason.
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,
    /// How stdin is read: csv or ndjson.
    #[arg(long, default_value = "ndjson", value_parser = ["csv", "ndjson"])]
    pub stdin_format: String,
    /// Print the sums as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct SearchArguments {
    /// The query, as in the API; it may begin with a minus: '-potter harry'. A query that is an option stands behind
    /// `--`: pharos search -- --json.
    #[arg(allow_hyphen_values = true)]
    pub query: String,
    /// How many matches: 1 to 200.
    #[arg(long, default_value_t = 10)]
    pub limit: u64,
    /// Print the reply of the API.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct EvaluateArguments {
    /// The collection: corpus.jsonl (_id, title, text), queries.jsonl (_id, text), qrels.tsv (query, document, score; or
    /// TREC's four columns).
    pub folder: PathBuf,
    /// Write the ranked ids, 100 a query at most, in the TREC run format.
    #[arg(long, value_name = "FILE")]
    pub run: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Create a user.
    Create {
        email: String,
        /// reader, editor or admin.
        #[arg(long, default_value = "reader", value_parser = clap::value_parser!(service::accounts::Role))]
        role: service::accounts::Role,
    },
    /// List users.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Create a key for a user, who is created when not there yet. The key is printed once.
    Create {
        email: String,
        /// Narrow the user's role; the role of a user who is created.
        #[arg(long, value_parser = clap::value_parser!(service::accounts::Role))]
        role: Option<service::accounts::Role>,
        /// When it expires, from now: for example 90d, 12h, 30m.
        #[arg(long, value_name = "DURATION", value_parser = crate::settings::parse_duration)]
        expires: Option<std::time::Duration>,
        /// Print the key alone.
        #[arg(long)]
        quiet: bool,
    },
    /// List keys, newest first.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Revoke a key for good.
    Revoke { id: String },
}
