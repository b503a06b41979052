//! Clients that keep the server waiting, and bodies that would be too much.

use std::time::Duration;

use api::Manners;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Backend, World};

backend_matrix![
    a_client_that_sends_too_slowly_is_cut_off,
    bodies_that_would_be_large_are_refused_early,
    what_is_no_http_is_refused_with_a_problem_document,
    a_client_that_does_not_read_is_cut_off,
];

fn impatient() -> Manners {
    Manners {
        client_timeout: Duration::from_millis(1_500),
        ..Manners::default()
    }
}

async fn bodies_that_would_be_large_are_refused_early(backend: Backend) {
    let world = World::start_polite(backend, impatient()).await;
    let post = |path: &str| world.editor.request("POST", path);
    // Packed bodies are not unpacked.
    for path in ["resources", "users", "resources/delete"] {
        for coding in ["gzip", "deflate", "br", "x-unknown"] {
            let packed = post(path).header("content-type", "application/json");
            let reply = packed
                .header("content-encoding", coding)
                .body([0x1f, 0x8b, 8, 0])
                .send()
                .await;
            reply.problem(415, "unsupported_encoding");
            assert_eq!(reply.header("accept-encoding"), Some("identity"));
        }
    }
    let lines = post("resources/batch").header("content-type", "application/x-ndjson");
    lines
        .header("content-encoding", "gzip")
        .body([0x1f, 0x8b])
        .send()
        .await
        .problem(415, "unsupported_encoding");
    // Deep ones are not descended into.
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        post("resources")
            .header("content-type", "application/json")
            .body(deep.clone())
            .send()
            .await
            .problem(400, "malformed_json");
        let lines = post("resources/batch").header("content-type", "application/x-ndjson");
        let result = lines.body(deep).send().await.is(200).json();
        assert_eq!(
            (&result["status"], &result["code"]),
            (&json!(400), &json!("malformed_json"))
        );
    }
    // Endless ones are read to the limit, whoever reads them: the handler, or for the key of a repeated request.
    for with_key in [false, true] {
        let mut head = format!(
            "POST /api/v1/resources HTTP/1.1\r\nhost: pharos\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n",
            world.editor.key().unwrap()
        );
        if with_key {
            head += "idempotency-key: endless\r\n";
        }
        let mut stream = TcpStream::connect(world.editor.address()).await.unwrap();
        stream
            .write_all(format!("{head}\r\n").as_bytes())
            .await
            .unwrap();
        let (mut reader, mut writer) = stream.into_split();
        let sending = tokio::spawn(async move {
            let chunk = format!("10000\r\n{}\r\n", "[".repeat(0x10000));
            while writer.write_all(chunk.as_bytes()).await.is_ok() {}
        });
        let mut reply = Vec::new();
        let mut buffer = [0; 4096];
        while !reply.ends_with(b"}") {
            let read = reader.read(&mut buffer).await.unwrap();
            assert!(read > 0, "{}", String::from_utf8_lossy(&reply));
            reply.extend_from_slice(&buffer[..read]);
        }
        let reply = String::from_utf8(reply).unwrap();
        assert!(reply.starts_with("HTTP/1.1 413"), "{reply}");
        assert!(reply.contains("\"code\":\"body_too_large\""), "{reply}");
        // And it does not go on for ever.
        tokio::time::timeout(Duration::from_secs(30), sending)
            .await
            .expect("the connection ends")
            .unwrap();
    }
}

async fn a_client_that_sends_too_slowly_is_cut_off(backend: Backend) {
    let manners = Manners {
        client_timeout: Duration::from_millis(600),
        ..Manners::default()
    };
    let world = World::start_polite(backend, manners).await;
    let key = world.editor.key().unwrap();
    let head = |path: &str, kind: &str, more: &str| {
        format!(
            "POST /api/v1/{path} HTTP/1.1\r\nhost: pharos\r\nauthorization: Bearer {key}\r\ncontent-type: {kind}\r\ncontent-length: 1000\r\n{more}\r\n"
        )
    };
    let cases = [
        (
            head("resources", "application/json", ""),
            "\"code\":\"slow_body\"",
        ),
        (
            head("resources", "application/json", "idempotency-key: slow\r\n"),
            "\"code\":\"slow_body\"",
        ),
        (
            head("resources/batch", "application/x-ndjson", ""),
            "\"status\":408,\"code\":\"slow_body\"",
        ),
        // A head that does not come to its end; on a connection that was used before, too.
        ("GET /livez HTTP/1.1\r\nx-slow: ".to_owned(), ""),
        (
            "GET /livez HTTP/1.1\r\nhost: pharos\r\n\r\nGET /livez HTTP/1.1\r\nx-slow: ".to_owned(),
            "",
        ),
    ];
    for (request, expected) in cases {
        let mut stream = TcpStream::connect(world.editor.address()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let (mut reader, mut writer) = stream.into_split();
        let trickle = tokio::spawn(async move {
            while writer.write_all(b" ").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        let mut reply = Vec::new();
        let read = reader.read_to_end(&mut reply);
        let _ = tokio::time::timeout(Duration::from_secs(20), read)
            .await
            .unwrap_or_else(|_| panic!("it goes on and on: {request}"));
        let reply = String::from_utf8(reply).unwrap();
        assert!(reply.contains(expected), "{request}: {reply}");
        trickle.await.unwrap();
    }
    // Who is quick is served meanwhile and afterwards.
    world.reader.get("me").await.is(200);
    assert_eq!(
        world.scratch.number("SELECT count(*) FROM resources").await,
        0
    );
}

async fn what_is_no_http_is_refused_with_a_problem_document(backend: Backend) {
    let world = World::start_polite(backend, impatient()).await;
    let long = format!(
        "GET /livez HTTP/1.1\r\nhost: pharos\r\nx-long: {}\r\n\r\n",
        "x".repeat(200_000)
    );
    let url = |length: usize| {
        let path = "x".repeat(length - 1);
        format!("GET /{path} HTTP/1.1\r\nhost: pharos\r\n\r\n")
    };
    let many = format!("GET /livez HTTP/1.1\r\n{}\r\n", "x-many: 1\r\n".repeat(200));
    let cases = [
        ("nonsense\r\n\r\n", 400, "malformed_request"),
        (
            "GET / HTTP/1.1\r\nno colon\r\n\r\n",
            400,
            "malformed_request",
        ),
        (
            "GET /livez HTTP/1.1\r\ncontent-length: x\r\n\r\n",
            400,
            "malformed_request",
        ),
        (&many, 431, "head_too_large"),
        (&long, 431, "head_too_large"),
        (&url(65_535), 414, "uri_too_long"),
        ("GET /livez HTTP/1.1\r\nx-slow: ", 408, "slow_head"),
        // On a connection that was used before.
        (
            "GET /livez HTTP/1.1\r\nhost: pharos\r\n\r\nnonsense\r\n\r\n",
            400,
            "malformed_request",
        ),
    ];
    // One that is as long as it may be is looked for.
    let mut stream = TcpStream::connect(world.anonymous.address()).await.unwrap();
    stream.write_all(url(65_534).as_bytes()).await.unwrap();
    let mut reply = [0; 12];
    stream.read_exact(&mut reply).await.unwrap();
    assert_eq!(&reply, b"HTTP/1.1 404");
    for (request, status, code) in cases {
        let mut stream = TcpStream::connect(world.anonymous.address()).await.unwrap();
        let _ = stream.write_all(request.as_bytes()).await;
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply).await;
        let text = String::from_utf8(reply).unwrap();
        let shown: String = request.chars().take(60).collect();
        let start = text
            .rfind("HTTP/1.1 4")
            .unwrap_or_else(|| panic!("{shown}: {text}"));
        let (head, body) = text[start..].split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{shown}: {head}"
        );
        assert!(
            head.contains("content-type: application/problem+json"),
            "{shown}: {head}"
        );
        for name in ["date", "content-security-policy", "referrer-policy"] {
            assert!(head.contains(&format!("\r\n{name}: ")), "{shown}: {head}");
        }
        assert!(
            body.starts_with("{\"type\":\"about:blank\",\"title\":"),
            "{body}"
        );
        let problem: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(
            (&problem["status"], &problem["code"]),
            (&json!(status), &json!(code)),
            "{shown}"
        );
        let id = problem["request_id"].as_str().unwrap();
        assert!(
            head.contains(&format!("x-request-id: {id}")),
            "{shown}: {head}"
        );
    }
}

/// Who asks for much and does not take it is not waited for.
async fn a_client_that_does_not_read_is_cut_off(backend: Backend) {
    let world = World::start_polite(backend, impatient()).await;
    let filling = "x".repeat(100_000);
    let lines: String = (0..200)
        .map(|number| format!("{{\"title\": \"{number}\", \"description\": \"{filling}\"}}\n"))
        .collect();
    let batch = world.editor.request("POST", "resources/batch");
    batch
        .header("content-type", "application/x-ndjson")
        .body(lines)
        .send()
        .await
        .is(200);
    let mut stream = TcpStream::connect(world.reader.address()).await.unwrap();
    let key = world.reader.key().unwrap();
    let head = format!(
        "GET /api/v1/resources/export HTTP/1.1\r\nhost: pharos\r\nauthorization: Bearer {key}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut reply = vec![0; 1_000];
    stream.read_exact(&mut reply).await.unwrap();
    assert!(reply.starts_with(b"HTTP/1.1 200"));
    tokio::time::sleep(Duration::from_secs(7)).await;
    let _ = stream.read_to_end(&mut reply).await;
    assert!(
        !reply.ends_with(b"0\r\n\r\n"),
        "all of {} bytes came",
        reply.len()
    );
    // The exports that were given up have left room for others.
    for _ in 0..5 {
        world.reader.get("resources/export").await.is(200);
    }
}
