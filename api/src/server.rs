//! The server: connections with patience in front of the application.

use std::net::TcpListener;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, Request};
use actix_server::Server;
use actix_service::{
    IntoServiceFactory, ServiceFactory, ServiceFactoryExt, fn_service, map_config,
};
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, ServiceResponse};
use tokio::net::TcpStream;

use crate::app::ServerOptions;
use crate::connections::{Connection, KEEP_ALIVE};

/// How long a connection that is being closed is waited for.
const GOODBYE: Duration = Duration::from_secs(1);

/// Serves what `application` makes, once for each worker. A signal to stop is heeded from now on, also while the workers
/// are still being started.
pub fn serve<A, I, F, B>(
    application: A,
    listener: TcpListener,
    options: &ServerOptions,
) -> std::io::Result<Server>
where
    A: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<F, Request>,
    F: ServiceFactory<
            Request,
            Config = AppConfig,
            Response = ServiceResponse<B>,
            Error = Error,
            InitError = (),
        > + 'static,
    B: MessageBody + 'static,
{
    let patience = options.manners.client_timeout;
    let builder = Server::build()
        .workers(options.workers.max(1))
        .shutdown_timeout(options.shutdown_timeout.as_secs())
        .shutdown_signal(signal_to_stop()?);
    let stopping = builder.graceful_shutdown_signal();
    let server = builder.listen("pharos", listener, move || {
        let stopping = stopping.clone();
        let application = application()
            .into_factory()
            .map_err(|error: Error| error.error_response());
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(patience)
            .client_disconnect_timeout(GOODBYE)
            .on_connect_ext(|connection: &Connection, data| {
                data.insert(connection.progress());
            })
            .h1(map_config(application, |()| AppConfig::default()));
        fn_service(move |stream: TcpStream| async move {
            let peer = stream.peer_addr().ok();
            Ok::<_, DispatchError>((Connection::new(stream, patience), peer))
        })
        .and_then(http)
    })?;
    Ok(server.run())
}

/// Ends when the process is told to stop: by SIGTERM or an interrupt (Ctrl-C).
#[cfg(unix)]
fn signal_to_stop() -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};

    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn signal_to_stop() -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    Ok(async {
        // Without a way to be told, it runs until it is killed.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
