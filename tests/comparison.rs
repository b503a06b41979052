//! `pharos conformance`: SQLite against PostgreSQL, and against a server that is wrong.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::Command;

use crate::harness::{Backend, Scratch, block_on, pharos_binary};

/// Requests: `PHAROS_CONFORMANCE_CASES`, 1,000 when absent.
fn cases() -> String {
    std::env::var("PHAROS_CONFORMANCE_CASES").unwrap_or_else(|_| "1000".to_owned())
}

fn conformance(a: &str, b: &str, more: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(pharos_binary())
        .args(["conformance", "--a", a, "--b", b])
        .args(more)
        .current_dir(std::env::temp_dir())
        .env("DATABASE_ACQUIRE_TIMEOUT", "20s")
        .output()
        .expect("pharos starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    (output.status.code(), text + &errors)
}

#[test]
fn sqlite_and_postgresql_answer_generated_requests_alike() {
    block_on(async {
        let sqlite = Scratch::empty(Backend::Sqlite).await;
        let postgres = Scratch::empty(Backend::Postgres).await;
        let report = sqlite.folder_of_files().join("report.md");
        let report_name = report.to_str().expect("a path");
        let cases = cases();
        let (code, text) = conformance(
            &sqlite.url,
            &postgres.url,
            &[
                "--seed",
                "20260101",
                "--cases",
                &cases,
                "--report",
                report_name,
            ],
        );
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains("differences=0"), "{text}");
        let report = std::fs::read_to_string(report).expect("a report");
        assert!(report.contains("No difference was found"), "{report}");
        // A library that is not empty is not touched.
        let (code, text) = conformance(&sqlite.url, &postgres.url, &["--cases", "1"]);
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains("is no empty database"), "{text}");
    });
}

/// Answers every request with an empty list.
fn wrong_server() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream);
                let mut length = 0;
                let mut line = String::new();
                while reader.read_line(&mut line).is_ok_and(|read| read > 0) {
                    if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                        length = value.trim().parse().expect("a length");
                    }
                    if line == "\r\n" {
                        let mut body = vec![0; std::mem::take(&mut length)];
                        let body = reader.read_exact(&mut body);
                        let answer = r#"{"items":[],"next_cursor":null,"total":0}"#;
                        let reply = format!(
                            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{answer}",
                            answer.len()
                        );
                        if body
                            .and_then(|()| reader.get_mut().write_all(reply.as_bytes()))
                            .is_err()
                        {
                            return;
                        }
                    }
                    line.clear();
                }
            });
        }
    });
    format!("http://key@{address}")
}

#[test]
fn a_server_that_answers_otherwise_is_found_out_with_the_shortest_request() {
    block_on(async {
        let sqlite = Scratch::empty(Backend::Sqlite).await;
        let (code, text) = conformance(&sqlite.url, &wrong_server(), &["--cases", "500"]);
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains("differences=1"), "{text}");
        let steps = text
            .split("The fewest steps:\n\n```\n")
            .nth(1)
            .expect("steps");
        let steps = steps.split("```").next().expect("their end");
        assert_eq!(steps.lines().count(), 1, "{text}");
        assert!(!text.contains("key@"), "{text}");
    });
}
