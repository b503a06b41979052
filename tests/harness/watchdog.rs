//! Cleaning up after the process, however it ends: a shell waits for the end of its input, which only this
//! process holds open.

use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

static WATCHDOGS: Mutex<Vec<Child>> = Mutex::new(Vec::new());

/// Runs a shell command once this process is gone. `shell` may already carry a user to run as.
pub fn at_process_end(mut shell: Command, command: &str) {
    use std::os::unix::process::CommandExt;

    let child = shell
        .arg("-c")
        .arg(format!("cat >/dev/null; {command}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Ctrl-C goes to the tests alone.
        .process_group(0)
        .spawn()
        .expect("a shell");
    WATCHDOGS.lock().unwrap().push(child);
}
