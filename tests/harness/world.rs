//! A running server in its own database, with its time and chance repeatable.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use chrono::{DateTime, TimeDelta, Utc};
use service::accounts::{NewKey, NewUser, Role};
use service::clock::{Clock, SteppingClock};
use service::database::{Database, DatabaseOptions, DatabaseUrl};
use service::random::SeededRandom;
use service::{Environment, Pharos};

use super::{Backend, Client, Scratch};

/// What every world draws from: ids, keys and cursors are the same in each.
const SEED: u64 = 20_260_101;

/// A server, its database, and somebody of each kind to ask it.
pub struct World {
    pub backend: Backend,
    /// The same library as the server's, without HTTP.
    pub pharos: Pharos,
    pub clock: Arc<TestClock>,
    pub admin: Client,
    pub editor: Client,
    pub reader: Client,
    pub anonymous: Client,
    server: ServerHandle,
    environment: Environment,
    options: DatabaseOptions,
    manners: api::Manners,
    /// Last, so that the database goes when nobody uses it any more.
    pub scratch: Scratch,
}

impl World {
    pub async fn start(backend: Backend) -> Self {
        Self::start_with(backend, small_options()).await
    }

    pub async fn start_with(backend: Backend, options: DatabaseOptions) -> Self {
        Self::start_as(backend, options, api::Manners::default()).await
    }

    /// With limits and other manners of its own.
    pub async fn start_polite(backend: Backend, manners: api::Manners) -> Self {
        Self::start_as(backend, small_options(), manners).await
    }

    async fn start_as(backend: Backend, options: DatabaseOptions, manners: api::Manners) -> Self {
        let scratch = Scratch::migrated(backend).await;
        let clock = Arc::new(TestClock::default());
        let environment = Environment {
            clock: Arc::clone(&clock) as _,
            random: Arc::new(SeededRandom::new(SEED)),
        };
        let (pharos, address, server) = serve(&scratch.url, &options, &environment, &manners).await;
        let admin = pharos
            .create_first_admin()
            .await
            .expect("an admin")
            .expect("the first start")
            .secret;
        let client = |key: Option<String>| Client::new(address, key);
        Self {
            backend,
            admin: client(Some(admin)),
            editor: client(Some(
                key_of(&pharos, "editor@example.org", Role::Editor).await,
            )),
            reader: client(Some(
                key_of(&pharos, "reader@example.org", Role::Reader).await,
            )),
            anonymous: client(None),
            pharos,
            clock,
            server,
            environment,
            options,
            manners,
            scratch,
        }
    }

    /// Stops the server and starts another one on what it left behind.
    pub async fn restart(self) -> Self {
        self.server.stop(false).await;
        let (pharos, address, server) = serve(
            &self.scratch.url,
            &self.options,
            &self.environment,
            &self.manners,
        )
        .await;
        Self {
            admin: self.admin.at(address),
            editor: self.editor.at(address),
            reader: self.reader.at(address),
            anonymous: self.anonymous.at(address),
            pharos,
            server,
            ..self
        }
    }

    /// Ends the server; what is asked of it from now on fails.
    pub async fn stop(self) {
        self.server.stop(true).await;
    }
}

async fn serve(
    url: &str,
    options: &DatabaseOptions,
    environment: &Environment,
    manners: &api::Manners,
) -> (Pharos, SocketAddr, ServerHandle) {
    let url = DatabaseUrl::parse(url).expect("a URL");
    let database = Database::connect(&url, options, Arc::clone(&environment.random))
        .await
        .expect("a database");
    let pharos = Pharos::on(database.clone(), environment.clone())
        .await
        .expect("a library");
    let same = Pharos::on(database, environment.clone())
        .await
        .expect("the same library");
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let address = listener.local_addr().expect("an address");
    let options = api::ServerOptions {
        workers: 2,
        shutdown_timeout: Duration::from_secs(5),
        manners: manners.clone(),
    };
    let server = api::serve(same, listener, &options).expect("a server");
    let handle = server.handle();
    tokio::spawn(server);
    (pharos, address, handle)
}

async fn key_of(pharos: &Pharos, email: &str, role: Role) -> String {
    let user = NewUser {
        email: email.to_owned(),
        display_name: None,
        role,
    };
    let user_id = pharos.create_user(user).await.expect("a user").id;
    let key = NewKey {
        user_id,
        name: "test".to_owned(),
        role: None,
        scopes: None,
        expires_at: None,
    };
    pharos.create_key(key).await.expect("a key").secret
}

/// Few connections, since many cases run at once, and patience, since they share the machine.
pub fn small_options() -> DatabaseOptions {
    DatabaseOptions {
        max_connections: 6,
        min_connections: 0,
        sqlite_readers: 3,
        acquire_timeout: Duration::from_secs(20),
        ..DatabaseOptions::default()
    }
}

/// Begins with the year 2026, moves on by a millisecond each time it is read, and jumps when it is told to.
pub struct TestClock {
    stepping: SteppingClock,
    ahead: AtomicI64,
}

impl Default for TestClock {
    fn default() -> Self {
        let start: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().expect("a time");
        Self {
            stepping: SteppingClock::new(start),
            ahead: AtomicI64::new(0),
        }
    }
}

impl TestClock {
    pub fn advance(&self, by: TimeDelta) {
        self.ahead.fetch_add(
            by.num_microseconds().expect("a short time"),
            Ordering::Relaxed,
        );
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        self.stepping.now() + TimeDelta::microseconds(self.ahead.load(Ordering::Relaxed))
    }
}
