//! One of the two libraries: a server that runs already, or one that is started on a database.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::Failure;
use crate::http::{Connection, Outgoing, Place};

/// How long a server may take to say where it is, a first migration included.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long after that the first key may take.
const KEY_LIMIT: Duration = Duration::from_secs(3);

/// A server to ask; one that was started is stopped when this is dropped.
pub struct Side {
    /// Without password and key.
    pub name: String,
    pub place: Place,
    child: Option<Child>,
}

impl Side {
    /// `url` is `http://KEY@host:port`, or a database for `server serve` that is empty or not there yet.
    pub fn open(url: &str, server: &Path) -> Result<Self, Failure> {
        let side = match url.strip_prefix("http://") {
            Some(rest) => Self::running(rest)?,
            None if url.starts_with("https://") => {
                return Err(Failure(
                    "https is not spoken here: give the address behind the proxy with http://"
                        .to_owned(),
                ));
            }
            None => Self::start(url, server)?,
        };
        side.check_empty()?;
        Ok(side)
    }

    fn running(rest: &str) -> Result<Self, Failure> {
        let (key, authority) = rest.trim_end_matches('/').split_once('@').ok_or_else(|| {
            Failure(
                "a running server needs the key of an editor: http://ph_…@127.0.0.1:8080"
                    .to_owned(),
            )
        })?;
        Ok(Self {
            name: format!("http://{authority}"),
            place: Place {
                authority: authority.to_owned(),
                key: key.to_owned(),
            },
            child: None,
        })
    }

    fn start(url: &str, server: &Path) -> Result<Self, Failure> {
        let name = redacted(url);
        let mut child = Command::new(server)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env("DATABASE_URL", url)
            .env_remove("DATABASE_PASSWORD")
            .env("RUST_LOG", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| Failure(format!("cannot start {}: {error}", server.display())))?;
        let lines = child.stdout.take().map(lines_of);
        let mut side = Self {
            name,
            place: Place {
                authority: String::new(),
                key: String::new(),
            },
            child: Some(child),
        };
        let lines = lines.ok_or_else(|| Failure("the server has no output".to_owned()))?;
        let next = |limit| {
            lines.recv_timeout(limit).map_err(|_| {
                Failure(format!(
                    "{} does not start, or is no empty database: no first key was printed",
                    side.name
                ))
            })
        };
        side.place.authority = loop {
            let line = next(START_LIMIT)?;
            let address = line.strip_prefix("Pharos serves http://");
            if let Some(address) = address.and_then(|rest| rest.split(' ').next()) {
                break address.to_owned();
            }
        };
        side.place.key = loop {
            let line = next(KEY_LIMIT)?;
            if line.trim().starts_with("ph_") {
                break line.trim().to_owned();
            }
        };
        Ok(side)
    }

    /// What is there already would be asked about, too, and might be deleted.
    fn check_empty(&self) -> Result<(), Failure> {
        let request = Outgoing {
            method: "GET",
            target: "/api/v1/resources?limit=1&total=true".to_owned(),
            headers: Vec::new(),
            body: None,
            with_key: true,
        };
        let reply = Connection::new(self.place.clone()).send(&request)?;
        let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        match body["total"].as_u64() {
            Some(0) => Ok(()),
            Some(count) => Err(Failure(format!(
                "{} has {count} resources: conformance needs an empty library",
                self.name
            ))),
            None => Err(Failure(format!(
                "{} does not list its resources: status {}",
                self.name, reply.status
            ))),
        }
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // Nothing in a scratch library is worth a clean end; its databases keep what they have said is durable.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The lines of an output, read beside so that it is possible to stop waiting.
fn lines_of(output: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // Nobody listens once the key is known; the pipe must not fill up all the same.
            let _ = sender.send(line);
        }
    });
    receiver
}

/// A database URL without user and password.
fn redacted(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
            let host = authority.rsplit('@').next().unwrap_or(authority);
            let path = path.split('?').next().unwrap_or(path);
            format!("{scheme}://{host}/{path}")
        }
        None => url.split('?').next().unwrap_or(url).to_owned(),
    }
}
