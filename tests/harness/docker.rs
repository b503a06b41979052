//! PostgreSQL in a container, gone when the process ends.

use std::process::Command;
use std::time::Duration;

use testcontainers::core::{IntoContainerPort, WaitFor};
use testcontainers::runners::AsyncRunner;
use testcontainers::{GenericImage, ImageExt};

use super::watchdog;

/// Starts a container and gives the URL of its database `postgres`; says why where it cannot.
pub async fn start() -> Result<String, String> {
    let mut image = GenericImage::new("postgres", "16-alpine")
        .with_exposed_port(5432.tcp())
        .with_wait_for(WaitFor::message_on_stderr(
            "database system is ready to accept connections",
        ))
        .with_startup_timeout(Duration::from_secs(120))
        .with_env_var("POSTGRES_HOST_AUTH_METHOD", "trust")
        .with_cmd(["postgres", "-c", "fsync=off", "-c", "max_connections=300"]);
    if let Ok(run) = std::env::var("PHAROS_TEST_RUN") {
        image = image.with_label("pharos.test-run", run);
    }
    let container = image.start().await.map_err(|error| error.to_string())?;
    watchdog::at_process_end(
        Command::new("sh"),
        &format!("docker rm -f -v {}", container.id()),
    );
    let host = container
        .get_host()
        .await
        .map_err(|error| error.to_string())?;
    let port = container
        .get_host_port_ipv4(5432)
        .await
        .map_err(|error| error.to_string())?;
    // It would be stopped with this value, which nobody could keep: the process ends without dropping statics.
    std::mem::forget(container);
    Ok(format!("postgres://postgres@{host}:{port}/postgres"))
}
