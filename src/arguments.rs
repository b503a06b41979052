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
    /// Measure the ranking on a retrieval collection, in a scratch database of DATABASE_URL's kind.
    Evaluate(EvaluateArguments),
    /// Print the served OpenAPI document.
    Openapi,
    /// Check configuration, database and schema, and say what to mend.
    Doctor,
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
pub struct ImportArguments {
    /// What the files hold: resources.
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
    /// The query, as in the API.
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
    /// The collection: corpus.jsonl (_id, title, text), queries.jsonl (_id, text), qrels.tsv (query, document, score).
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
