//! Each command: open the library, call the service, print.

use std::error::Error;
use std::io::Write;
use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use service::accounts::{NewKey, NewUser, Role};
use service::clock::{Clock, SystemClock};
use service::database::Database;
use service::lists::ListRequest;
use service::random::SystemRandom;
use service::search::{SearchReply, SearchRequest};
use service::{Environment, Pharos};

use crate::arguments::{
    Arguments, Command, IndexCommand, KeyCommand, MigrateCommand, SearchArguments, UserCommand,
};
use crate::conformance::compare;
use crate::doctor::doctor;
use crate::evaluate::evaluate;
use crate::import::{import, import_codes};
use crate::output::{failure, say};
use crate::reindex::reindex;
use crate::settings::Settings;

/// How long open requests may go on after a signal to stop.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);

type Outcome = Result<ExitCode, Box<dyn Error>>;

/// Runs the command.
pub async fn run(arguments: Arguments) -> Outcome {
    let settings = &arguments.settings;
    match arguments.command {
        None | Some(Command::Serve) => serve(settings).await,
        Some(Command::Migrate(command)) => migrate(settings, command).await,
        Some(Command::Import(options)) if options.kind == "classification-codes" => {
            import_codes(&open(settings).await?, &options).await
        }
        Some(Command::Import(options)) => {
            if let Some(code) = refuse_kind("import", &options.kind) {
                return Ok(code);
            }
            import(&open(settings).await?, &options).await
        }
        Some(Command::Export { kind }) => match refuse_kind("export", &kind) {
            Some(code) => Ok(code),
            None => export(&open(settings).await?).await,
        },
        Some(Command::Search(options)) => search(&open(settings).await?, options).await,
        Some(Command::User(command)) => user(&open(settings).await?, command).await,
        Some(Command::Key(command)) => key(&open(settings).await?, command).await,
        Some(Command::Index(command)) => index(&open(settings).await?, command).await,
        Some(Command::Conformance(options)) => compare(&options),
        Some(Command::Evaluate(options)) => evaluate(settings, &options).await,
        Some(Command::Openapi) => {
            say!("{}", api::openapi_document().to_pretty_json()?);
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Doctor { json }) => doctor(settings, json).await,
        Some(Command::Reindex { all, json }) => reindex(&open(settings).await?, all, json).await,
    }
}

/// Wrong usage when the kind is not one that this version knows.
fn refuse_kind(command: &str, kind: &str) -> Option<ExitCode> {
    (kind != "resources").then(|| {
        let more = if command == "import" {
            " or classification-codes"
        } else {
            ""
        };
        eprintln!("pharos: `{kind}` is nothing that can be {command}ed: use resources{more}");
        ExitCode::from(2)
    })
}

async fn open(settings: &Settings) -> Result<Pharos, Box<dyn Error>> {
    let url = settings.database_url()?;
    Ok(Pharos::open(&url, &settings.database_options(), Environment::default()).await?)
}

async fn serve(settings: &Settings) -> Outcome {
    let pharos = open(settings).await?;
    let listen = &settings.listen;
    let listener = TcpListener::bind(listen).map_err(|error| {
        format!("cannot listen on {listen}: {error}; choose another with --listen or PHAROS_LISTEN")
    })?;
    let address = listener.local_addr()?;
    let mut greeting = format!(
        "Pharos serves http://{address} (API at /docs) on {}\n",
        pharos.database().url()
    );
    if let Some(created) = pharos.create_first_admin().await? {
        greeting.push_str(&format!(
            "\nThis is the first start. An admin key was made; it is not shown again:\n\n    {secret}\n\n\
             Try it:\n\n    curl -H 'Authorization: Bearer {secret}' http://{address}/api/v1/me\n\n",
            secret = created.secret
        ));
    }
    // It serves, also when nobody reads this.
    let mut stdout = std::io::stdout();
    let _ = stdout
        .write_all(greeting.as_bytes())
        .and_then(|()| stdout.flush());
    let options = api::ServerOptions {
        manners: settings.manners(),
        workers: settings.workers(),
        shutdown_timeout: SHUTDOWN_TIMEOUT,
    };
    api::serve(pharos, listener, &options)?.await?;
    Ok(ExitCode::SUCCESS)
}

async fn migrate(settings: &Settings, command: MigrateCommand) -> Outcome {
    let url = settings.database_url()?;
    let database =
        Database::connect(&url, &settings.database_options(), Arc::new(SystemRandom)).await?;
    match command {
        MigrateCommand::Up => {
            database.migrate_up().await?;
            say!("the schema is up to date");
        }
        MigrateCommand::Down { steps } => {
            say!("reverted {}", database.migrate_down(steps).await?);
        }
        MigrateCommand::Status { json } => {
            let steps = database.migration_status().await?;
            if json {
                say!("{}", serde_json::to_string_pretty(&steps)?);
            } else {
                for step in steps {
                    say!(
                        "{} {}",
                        if step.applied { "applied" } else { "missing" },
                        step.name
                    );
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn export(pharos: &Pharos) -> Outcome {
    let mut output = std::io::BufWriter::new(std::io::stdout());
    let mut failed = None;
    let exported = pharos
        .export_resources(|resource| {
            let written = serde_json::to_writer(&mut output, &resource.fields)
                .map_err(std::io::Error::from)
                .and_then(|()| output.write_all(b"\n"));
            written.map_err(|error| {
                let said = service::Error::Internal(format!("cannot write: {error}"));
                failed = Some(error);
                said
            })
        })
        .await;
    if let Some(error) = failed {
        // Dropped, it would try to write again.
        let _ = output.into_parts();
        return Err(failure(error));
    }
    exported?;
    output.flush().map_err(failure)?;
    Ok(ExitCode::SUCCESS)
}

async fn search(pharos: &Pharos, options: SearchArguments) -> Outcome {
    let request = SearchRequest {
        q: options.query,
        limit: Some(options.limit),
        ..SearchRequest::default()
    };
    let reply = pharos.search(&request).await?;
    if options.json {
        say!("{}", serde_json::to_string(&reply)?);
    } else {
        print_matches(&reply)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The largest page of a list from a cursor on.
fn next_page(cursor: Option<String>) -> ListRequest {
    ListRequest {
        limit: Some(200),
        cursor,
        ..ListRequest::default()
    }
}

fn print_matches(reply: &SearchReply) -> Result<(), Box<dyn Error>> {
    for item in &reply.items {
        let fields = &item.resource.fields;
        let about: Vec<&str> = [&fields.creator, &fields.date]
            .into_iter()
            .filter_map(|text| text.as_deref())
            .collect();
        say!(
            "{:>8.3}  {}  {}",
            item.score,
            fields.title,
            about.join(", ")
        );
    }
    say!("{} of {} matches", reply.items.len(), reply.total);
    match &reply.did_you_mean {
        Some(other) if reply.corrected => say!("these are the matches of: {other}"),
        Some(other) => say!("did you mean: {other}"),
        None => {}
    }
    Ok(())
}

async fn user(pharos: &Pharos, command: UserCommand) -> Outcome {
    match command {
        UserCommand::Create { email, role } => {
            let user = pharos
                .create_user(NewUser {
                    email,
                    display_name: None,
                    role,
                })
                .await?;
            say!("{} {} {}", user.id, user.email, user.role.as_str());
        }
        UserCommand::List { json } => {
            let mut cursor = None;
            loop {
                let page = pharos.list_users(&next_page(cursor)).await?;
                for user in page.items {
                    if json {
                        say!("{}", serde_json::to_string(&user)?);
                    } else {
                        let state = if user.disabled_at.is_some() {
                            " disabled"
                        } else {
                            ""
                        };
                        say!("{} {} {}{state}", user.id, user.email, user.role.as_str());
                    }
                }
                cursor = page.next_cursor;
                if cursor.is_none() {
                    break;
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn key(pharos: &Pharos, command: KeyCommand) -> Outcome {
    match command {
        KeyCommand::Create {
            email,
            role,
            expires,
            quiet,
        } => {
            let user = match pharos.find_user_by_email(&email).await {
                Err(service::Error::NotFound { .. }) => {
                    let role = role.unwrap_or(Role::Reader);
                    pharos
                        .create_user(NewUser {
                            email,
                            display_name: None,
                            role,
                        })
                        .await?
                }
                found => found?,
            };
            let expires_at = expires.map(|expires| SystemClock.now() + expires);
            let key = NewKey {
                user_id: user.id,
                name: "command line".to_owned(),
                role,
                scopes: None,
                expires_at,
            };
            let created = pharos.create_key(key).await?;
            if quiet {
                say!("{}", created.secret);
            } else {
                say!(
                    "{} for {}; the key is not shown again:",
                    created.key.id,
                    user.email
                );
                say!("{}", created.secret);
            }
        }
        KeyCommand::List { json } => {
            let mut cursor = None;
            loop {
                let page = pharos.list_keys(None, &next_page(cursor)).await?;
                for key in page.items {
                    if json {
                        say!("{}", serde_json::to_string(&key)?);
                    } else {
                        let state = if key.revoked_at.is_some() {
                            "revoked"
                        } else {
                            "valid"
                        };
                        say!(
                            "{} {}… user {} {state} {}",
                            key.id,
                            key.prefix,
                            key.user_id,
                            key.name
                        );
                    }
                }
                cursor = page.next_cursor;
                if cursor.is_none() {
                    break;
                }
            }
        }
        KeyCommand::Revoke { id } => {
            let id = id
                .parse()
                .map_err(|_| format!("`{id}` is no id: `pharos key list` shows them"))?;
            let key = pharos.revoke_key(id).await?;
            say!("{} is revoked", key.id);
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn index(pharos: &Pharos, command: IndexCommand) -> Outcome {
    match command {
        IndexCommand::Add { path } => match pharos.add_index(&path).await? {
            true => say!("{path} is indexed"),
            false => say!("{path} was indexed already"),
        },
        IndexCommand::List { json } => {
            let paths = pharos.indexed_paths().await?;
            if json {
                say!("{}", serde_json::to_string(&paths)?);
            } else {
                for path in paths {
                    say!("{path}");
                }
            }
        }
        IndexCommand::Drop { path } => {
            if !pharos.drop_index(&path).await? {
                return Err(
                    format!("{path} is not declared: `pharos index list` shows what is").into(),
                );
            }
            say!("{path} is no longer indexed");
        }
    }
    Ok(ExitCode::SUCCESS)
}
