//! The other side: the FastAPI application of `peers/fastapi`, in a virtual environment that later runs use again.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::constants::{START_LIMIT, repository};
use crate::http::{free_port, wait_until_ready};
use crate::process::{Server, output_of};

const WORKERS: &str = "2";

pub struct Peer {
    _server: Server,
    pub address: SocketAddr,
    pub key: String,
}

/// The Python of the virtual environment, which is made where it is missing or has other packages.
pub fn install() -> Result<PathBuf> {
    let environment = cache_folder()?.join("pharos").join("fastapi-venv");
    let requirements = source_folder().join("requirements.txt");
    let python = environment.join("bin").join("python");
    // Written last, so that an interrupted installation starts over.
    let installed = environment.join("installed-requirements.txt");
    let wanted = fs::read_to_string(&requirements)?;
    if fs::read_to_string(&installed).is_ok_and(|found| found == wanted) {
        return Ok(python);
    }
    println!(
        "INFO installing the FastAPI peer, once, in {}",
        environment.display()
    );
    if let Some(parent) = environment.parent() {
        fs::create_dir_all(parent)?;
    }
    output_of(
        Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&environment),
    )?;
    output_of(
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "-r"])
            .arg(&requirements),
    )?;
    fs::write(installed, wanted)?;
    Ok(python)
}

impl Peer {
    /// Loads `files` into an empty database and starts the server on it. `database_url` is SQLAlchemy's.
    pub fn start(
        python: &Path,
        database_url: &str,
        files: &[PathBuf],
        checks_keys: bool,
    ) -> Result<Self> {
        let command = || {
            let mut command = Command::new(python);
            command
                .current_dir(source_folder())
                .env("DATABASE_URL", database_url);
            // The source folder is part of the repository: nothing is written there.
            command
                .env("PYTHONDONTWRITEBYTECODE", "1")
                .env("PEER_AUTH", if checks_keys { "on" } else { "off" });
            command
        };
        let key = output_of(command().arg("load.py").args(files))?
            .trim()
            .to_owned();
        let port = free_port()?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut uvicorn = command();
        uvicorn.args([
            "-m",
            "uvicorn",
            "app:app",
            "--host",
            "127.0.0.1",
            "--port",
            &port.to_string(),
        ]);
        uvicorn.args([
            "--workers",
            WORKERS,
            "--loop",
            "uvloop",
            "--http",
            "httptools",
        ]);
        uvicorn.args(["--no-access-log", "--log-level", "warning"]);
        let mut server = Server::start(&mut uvicorn)?;
        wait_until_ready(&mut server, address, "/livez", START_LIMIT)?;
        Ok(Self {
            _server: server,
            address,
            key,
        })
    }
}

/// SQLAlchemy names the driver in the scheme, and asyncpg calls `sslmode` `ssl`.
pub fn sqlalchemy_url(url: &str) -> Result<String> {
    let (_, rest) = url.split_once("://").ok_or("a PostgreSQL URL has ://")?;
    let rest = rest
        .replacen("?sslmode=", "?ssl=", 1)
        .replacen("&sslmode=", "&ssl=", 1);
    Ok(format!("postgresql+asyncpg://{rest}"))
}

fn source_folder() -> PathBuf {
    repository().join("benches").join("peers").join("fastapi")
}

fn cache_folder() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|folder| folder.is_absolute())
    {
        return Ok(folder);
    }
    Ok(
        PathBuf::from(std::env::var_os("HOME").ok_or("neither XDG_CACHE_HOME nor HOME is set")?)
            .join(".cache"),
    )
}
