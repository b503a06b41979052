//! HTTP where speed does not matter: preparing and checking. `load.rs` is the fast one.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Result;
use crate::load::ResponseReader;
use crate::process::{Server, check_interrupt};

/// A port nobody listens on now.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// The bytes of a GET on a kept connection.
pub fn get_bytes(target: &str, key: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\nAuthorization: Bearer {key}\r\n\r\n")
        .into_bytes()
}

/// The bytes of a POST of JSON on a kept connection.
pub fn post_bytes(target: &str, key: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The status and body of one request on a connection of its own.
pub fn send(address: SocketAddr, request: &[u8]) -> Result<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(request)?;
    let mut reader = ResponseReader::keeping_bodies();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            return Err("the server closed the connection within an answer".into());
        }
        if let Some(response) = reader.feed(&buffer[..read])? {
            return Ok((response.status, reader.take_body()));
        }
    }
}

/// The JSON that `target` answers.
///
/// # Errors
/// Any status but 200.
pub fn get_json(address: SocketAddr, target: &str, key: &str) -> Result<Value> {
    let (status, body) = send(address, &get_bytes(target, key))?;
    if status != 200 {
        return Err(format!(
            "GET {target}: status {status}: {}",
            String::from_utf8_lossy(&body)
        )
        .into());
    }
    Ok(serde_json::from_slice(&body)?)
}

/// Waits until `target` answers 200.
///
/// # Errors
/// When the server ends before that, or `limit` is over.
pub fn wait_until_ready(
    server: &mut Server,
    address: SocketAddr,
    target: &str,
    limit: Duration,
) -> Result<()> {
    let deadline = Instant::now() + limit;
    let request = get_bytes(target, "none");
    while Instant::now() < deadline {
        check_interrupt()?;
        server.check_alive()?;
        if matches!(send(address, &request), Ok((200, _))) {
            return Ok(());
        }
        // Short, because the time to the first answer is measured with this loop.
        sleep(Duration::from_millis(2));
    }
    Err(format!("{target} did not answer 200 within {} s", limit.as_secs()).into())
}

/// `text` as a value in a query string.
pub fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte))
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
