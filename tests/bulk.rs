//! Many resources at once: batches of lines, exports, deletions by filter.

use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Backend, Client, Process, Reply, Request, Scratch, World};

matrix![
    each_line_of_a_batch_is_answered,
    lines_are_answered_while_more_are_still_to_come,
    a_batch_that_breaks_off_keeps_what_it_has_answered,
    a_repeated_batch_gives_the_same_results_and_makes_nothing_new,
    a_deletion_by_filter_needs_the_count_it_expects,
    a_deletion_says_what_is_wrong_with_it,
    fixed_paths_are_not_taken_for_ids,
];

backend_matrix![a_batch_that_is_killed_goes_on_where_it_was];

pub fn batch(client: &Client, lines: &str) -> Request {
    client
        .request("POST", "resources/batch")
        .header("content-type", "application/x-ndjson")
        .body(lines)
}

pub fn lines(reply: &Reply) -> Vec<Json> {
    reply
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

async fn count(world: &World) -> i64 {
    world.scratch.number("SELECT count(*) FROM resources").await
}

async fn each_line_of_a_batch_is_answered(world: World) {
    let body = "\u{feff}{\"title\": \"One\"}\r\n\n{\"title\": \"\"}\nnot json\n  \n[1]\n{\"titel\": \"x\", \"title\": \"Six\"}\n{\"title\": \"Last\", \"subject\": [\"batch\"]}";
    let reply = batch(&world.editor, body).send().await.is(200);
    assert_eq!(reply.header("content-type"), Some("application/x-ndjson"));
    let results = lines(&reply);
    let short: Vec<_> = results
        .iter()
        .map(|result| {
            let code = result["code"].as_str().unwrap_or_default().to_owned();
            (
                result["line"].as_u64().unwrap(),
                result["status"].as_u64().unwrap(),
                code,
            )
        })
        .collect();
    let expected = [
        (1, 201, ""),
        (3, 422, "invalid_body"),
        (4, 400, "malformed_json"),
        (6, 422, "invalid_body"),
        (7, 422, "invalid_body"),
        (8, 201, ""),
    ];
    assert_eq!(
        short,
        expected.map(|(line, status, code)| (line, status, code.to_owned()))
    );
    assert_eq!(results[4]["errors"][0]["pointer"], "/titel");
    assert_eq!(results[4]["errors"][0]["code"], "unknown_field");
    let id = results[5]["id"].as_str().unwrap();
    let made = world
        .reader
        .get(&format!("resources/{id}"))
        .await
        .is(200)
        .json();
    assert_eq!(made["title"], "Last");
    let found = world
        .reader
        .query("search", &[("q", "subject:batch")])
        .await
        .json();
    assert_eq!(found["items"][0]["id"], id);
    assert_eq!(count(&world).await, 2);
    assert_eq!(batch(&world.editor, "").send().await.is(200).text(), "");
    // Chunked, and more lines than one transaction takes.
    let many: String = (0..501)
        .map(|number| format!("{{\"title\": \"Many {number}\"}}\n"))
        .collect();
    let reply = batch(&world.editor, &many).send_chunked().await.is(200);
    let results = lines(&reply);
    assert_eq!(results.len(), 501);
    assert!((1..).zip(&results).all(|(line, result)| {
        result["line"].as_u64() == Some(line) && result["status"] == 201
    }));
    world
        .editor
        .post("resources/batch", &json!({"title": "JSON"}))
        .await
        .problem(415, "unsupported_media_type");
}

async fn lines_are_answered_while_more_are_still_to_come(world: World) {
    let mut stream = open_batch(&world.editor).await;
    let mut received = String::new();
    for number in 1..=3 {
        let line = format!("{{\"title\": \"Live {number}\"}}\n");
        send_chunk(&mut stream, line.as_bytes()).await;
        read_until(&mut stream, &mut received, &format!("\"line\":{number},")).await;
        assert_eq!(count(&world).await, number);
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    stream.read_to_string(&mut received).await.unwrap();
    assert!(received.ends_with("0\r\n\r\n"), "{received}");
}

async fn open_batch(client: &Client) -> TcpStream {
    let mut stream = TcpStream::connect(client.address()).await.unwrap();
    let head = format!(
        "POST /api/v1/resources/batch HTTP/1.1\r\nhost: pharos\r\nconnection: close\r\nauthorization: Bearer {}\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n",
        client.key().unwrap()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

async fn send_chunk(stream: &mut TcpStream, bytes: &[u8]) {
    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    stream.write_all(&chunk).await.unwrap();
}

async fn read_until(stream: &mut TcpStream, received: &mut String, wanted: &str) {
    let mut buffer = [0; 4096];
    while !received.contains(wanted) {
        let wait = std::time::Duration::from_secs(30);
        let read = tokio::time::timeout(wait, stream.read(&mut buffer))
            .await
            .unwrap_or_else(|_| panic!("no {wanted} in {received}"))
            .unwrap();
        assert!(read > 0, "no {wanted} in {received}");
        received.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
    }
}

async fn a_batch_that_breaks_off_keeps_what_it_has_answered(world: World) {
    // A line that is longer than a line may be ends the batch.
    let long = format!(
        "{{\"title\": \"Before\"}}\n{{\"title\": \"{}\"}}\n{{\"title\": \"After\"}}\n",
        "x".repeat(3 << 20)
    );
    let results = lines(&batch(&world.editor, &long).send().await.is(200));
    assert_eq!(results[0]["status"], 201);
    assert_eq!(
        (&results[1]["line"], &results[1]["status"]),
        (&json!(2), &json!(413)),
        "{results:?}"
    );
    assert_eq!(results.len(), 2);
    // A body that is no chunked one breaks the connection; what was answered stands.
    let mut stream = open_batch(&world.editor).await;
    send_chunk(&mut stream, b"{\"title\": \"Kept\"}\n").await;
    let mut received = String::new();
    read_until(&mut stream, &mut received, "\"line\":1,").await;
    stream.write_all(b"no chunk\r\n").await.unwrap();
    let _ = stream.read_to_string(&mut received).await;
    assert!(!received.ends_with("0\r\n\r\n"), "{received}");
    assert_eq!(count(&world).await, 2);
}

async fn a_repeated_batch_gives_the_same_results_and_makes_nothing_new(world: World) {
    let body: String = (0..450)
        .map(|number| match number % 100 {
            7 => "{\"title\": \"\"}\n".to_owned(),
            _ => format!("{{\"title\": \"Keyed {number}\"}}\n"),
        })
        .collect();
    let keyed = |key: &str, body: &str| batch(&world.editor, body).header("idempotency-key", key);
    let first = keyed("k", &body).send().await.is(200);
    let made = count(&world).await;
    assert_eq!(made, 445);
    // However the bytes arrive.
    for reply in [
        keyed("k", &body).send().await,
        keyed("k", &body).send_chunked().await,
    ] {
        assert_eq!(reply.is(200).text(), first.text());
    }
    assert_eq!(count(&world).await, made);
    keyed("k", "{\"title\": \"Another\"}\n")
        .send()
        .await
        .problem(422, "idempotency_key_reused");
    // What differs in its first lines alone is found there; what differs later, there.
    let other = body.replace("Keyed 440", "Changed 440");
    let results = lines(&keyed("k", &other).send().await.is(200));
    assert_eq!(results.len(), 401);
    assert_eq!(results[400]["code"], "idempotency_key_reused");
    assert_eq!(count(&world).await, made);
    // Another operation under the same key is another request.
    let same = world
        .editor
        .request("POST", "resources")
        .json(&json!({"title": "x"}));
    same.header("idempotency-key", "k").send().await.is(201);
}

/// The server is killed in the middle of a batch; repeated, it makes what is missing and nothing twice.
async fn a_batch_that_is_killed_goes_on_where_it_was(backend: Backend) {
    let scratch = Scratch::empty(backend).await;
    let mut server = Process::start(&scratch.url).await;
    let mut admin = server.first_admin().await;
    let body: String = (0..4_000)
        .map(|number| format!("{{\"title\": \"Killed {number}\"}}\n"))
        .collect();
    for _ in 0..3 {
        let before = scratch.number("SELECT count(*) FROM resources").await;
        let request = batch(&admin, &body).header("idempotency-key", "k");
        let sending = tokio::spawn(request.try_send());
        // After some more lines were made.
        while scratch.number("SELECT count(*) FROM resources").await < before + 300
            && !sending.is_finished()
        {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        server.kill().await;
        let _ = sending.await;
        server = Process::start(&scratch.url).await;
        admin = admin.at(server.address);
    }
    let request = || batch(&admin, &body).header("idempotency-key", "k").send();
    let first = request().await.is(200);
    assert_eq!(lines(&first).len(), 4_000);
    assert_eq!(request().await.text(), first.text());
    for (sql, expected) in [
        ("SELECT count(*) FROM resources", 4_000),
        ("SELECT count(DISTINCT title) FROM resources", 4_000),
        ("SELECT count(*) FROM search_documents", 4_000),
    ] {
        assert_eq!(scratch.number(sql).await, expected, "{sql}");
    }
    server.kill().await;
}

async fn a_deletion_by_filter_needs_the_count_it_expects(world: World) {
    for number in 0..6 {
        let kind = if number < 4 { "draft" } else { "book" };
        let body =
            json!({"title": format!("Bulk {number}"), "type": kind, "metadata": {"n": number}});
        world.editor.post("resources", &body).await.is(201);
    }
    let delete = |expected: i64| {
        let body =
            json!({"filter": "type = \"draft\" AND metadata.n >= 0", "expected_count": expected});
        let editor = world.editor.clone();
        async move { editor.post("resources/delete", &body).await }
    };
    for wrong in [0, 3, 5, 10_000] {
        let problem = delete(wrong).await.problem(409, "count_mismatch");
        assert_eq!(problem["count"], 4);
        assert_eq!(count(&world).await, 6);
    }
    assert_eq!(delete(4).await.is(200).json(), json!({"deleted": 4}));
    assert_eq!(count(&world).await, 2);
    assert_eq!(delete(4).await.problem(409, "count_mismatch")["count"], 0);
    assert_eq!(delete(0).await.is(200).json(), json!({"deleted": 0}));
    // What is gone is not found.
    let found = world.reader.query("search", &[("q", "bulk")]).await.json();
    assert_eq!(found["total"], 2);
    // With a key it is one deletion, however often it is sent.
    let body = json!({"filter": "type = \"book\"", "expected_count": 2});
    for _ in 0..2 {
        let request = world.editor.request("POST", "resources/delete");
        let reply = request
            .header("idempotency-key", "k")
            .json(&body)
            .send()
            .await;
        assert_eq!(reply.is(200).json(), json!({"deleted": 2}));
    }
    world
        .reader
        .post("resources/delete", &body)
        .await
        .problem(403, "forbidden");
}

async fn a_deletion_says_what_is_wrong_with_it(world: World) {
    let delete = |body: Json| {
        let editor = world.editor.clone();
        async move { editor.post("resources/delete", &body).await }
    };
    let wrong = [
        (
            json!({"filter": "", "expected_count": 1}),
            "/filter",
            "required",
        ),
        (json!({"expected_count": 1}), "/filter", "required"),
        (
            json!({"filter": "type = \"x\""}),
            "/expected_count",
            "required",
        ),
        (
            json!({"filter": "type = \"x\"", "expected_count": "1"}),
            "/expected_count",
            "type",
        ),
        (
            json!({"filter": "type = \"x\"", "expected_count": 1.5}),
            "/expected_count",
            "out_of_range",
        ),
        (
            json!({"filter": "type = \"x\"", "expected_count": 10_001}),
            "/expected_count",
            "out_of_range",
        ),
        (
            json!({"filter": "kind = 1", "expected_count": 1}),
            "/filter",
            "unknown_field",
        ),
        (
            json!({"filter": "type = \"x\"", "expected_count": 1, "force": true}),
            "/force",
            "unknown_field",
        ),
    ];
    for (body, place, code) in wrong {
        delete(body).await.has_fault(422, place, code);
    }
}

async fn fixed_paths_are_not_taken_for_ids(world: World) {
    for (path, allowed) in [("batch", "POST"), ("export", "GET"), ("delete", "POST")] {
        for method in ["GET", "POST", "PATCH", "DELETE", "PUT"] {
            if method == allowed {
                continue;
            }
            let path = format!("resources/{path}");
            let reply = world.admin.request(method, &path).send().await;
            reply.problem(405, "method_not_allowed");
            let head = if allowed == "GET" {
                "GET, HEAD"
            } else {
                allowed
            };
            assert_eq!(reply.header("allow"), Some(head), "{method} {path}");
        }
    }
}
