//! What every case stands on: a server of its own on a database of its own, and clients to ask it with.

mod binary;
mod chance;
mod cluster;
mod docker;
mod http;
mod postgres;
mod samples;
mod schema;
mod scratch;
mod watchdog;
mod world;

use std::future::Future;

pub use self::binary::{Process, pharos_binary, repository};
pub use self::chance::Chance;
pub use self::cluster::{Cluster, free_port};
pub use self::http::{Client, Reply, Request, with_query};
pub use self::samples::{catalogue, import, resource, tenant};
pub use self::scratch::Scratch;
pub use self::world::{World, small_options};

/// Which database a case runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
}

/// Runs each named case, an `async fn(World)`, on both databases, as `<case>::sqlite` and `<case>::postgres`.
macro_rules! matrix {
    ($($case:ident),+ $(,)?) => {$(
        mod $case {
            #[test]
            fn sqlite() {
                crate::harness::run_in_world(crate::harness::Backend::Sqlite, super::$case);
            }

            #[test]
            fn postgres() {
                crate::harness::run_in_world(crate::harness::Backend::Postgres, super::$case);
            }
        }
    )+};
}

/// The same for cases that start what they need themselves: an `async fn(Backend)`.
macro_rules! backend_matrix {
    ($($case:ident),+ $(,)?) => {$(
        mod $case {
            #[test]
            fn sqlite() {
                crate::harness::block_on(super::$case(crate::harness::Backend::Sqlite));
            }

            #[test]
            fn postgres() {
                crate::harness::block_on(super::$case(crate::harness::Backend::Postgres));
            }
        }
    )+};
}

pub fn run_in_world<F>(backend: Backend, case: impl FnOnce(World) -> F)
where
    F: Future<Output = ()>,
{
    block_on(async { case(World::start(backend).await).await });
}

/// Two threads beside the one that waits: the server and the database's own work run there.
pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(work)
}
