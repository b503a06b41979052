//! What a run starts and makes on disk, and how all of it goes away again: at the end, on an error, on Ctrl-C.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::Result;

static INTERRUPTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// From here on Ctrl-C and SIGTERM only raise a flag, so that every `Drop` has its turn. A second signal ends at once.
pub fn watch_for_interrupts() -> Result<()> {
    let flag = Arc::clone(INTERRUPTED.get_or_init(Arc::default));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&flag))?;
        signal_hook::flag::register(signal, Arc::clone(&flag))?;
    }
    Ok(())
}

/// # Errors
/// When the run was interrupted: long loops call this.
pub fn check_interrupt() -> Result<()> {
    match INTERRUPTED.get() {
        Some(flag) if flag.load(Ordering::Relaxed) => Err("interrupted".into()),
        _ => Ok(()),
    }
}

/// A folder that is removed when dropped.
pub struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    /// In the system's folder for temporary files (`TMPDIR`): on a memory file system a sync costs nothing there,
    /// to either side.
    pub fn create() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("pharos-bench-{}", std::process::id()));
        fs::create_dir(&path).map_err(|e| format!("cannot create {}: {e}", path.display()))?;
        Ok(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("cannot remove {}: {error}", self.0.display());
        }
    }
}

/// A server that is stopped when dropped, with the processes it started.
pub struct Server(Child);

impl Server {
    /// Starts `command` in a process group of its own: a server with workers ends only as a group.
    pub fn start(command: &mut Command) -> Result<Self> {
        let started = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        Ok(Self(started.map_err(|e| {
            format!("cannot start {}: {e}", command.get_program().display())
        })?))
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// # Errors
    /// When the process has ended.
    pub fn check_alive(&mut self) -> Result<()> {
        match self.0.try_wait()? {
            None => Ok(()),
            Some(status) => Err(format!("the server ended by itself: {status}").into()),
        }
    }

    fn signal(&self, signal: &str) {
        let group = format!("-{}", self.0.id());
        let sent = Command::new("kill")
            .args(["-s", signal, "--", &group])
            .stderr(Stdio::null())
            .status();
        if let Err(error) = sent {
            eprintln!("cannot stop process group {group}: {error}");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal("TERM");
        let patience = Instant::now() + Duration::from_secs(10);
        while Instant::now() < patience {
            if !matches!(self.0.try_wait(), Ok(None)) {
                break;
            }
            sleep(Duration::from_millis(20));
        }
        // Also after a clean end: a worker that outlived its parent must not disturb the next measurement.
        self.signal("KILL");
        if let Err(error) = self.0.wait() {
            eprintln!("cannot wait for process {}: {error}", self.0.id());
        }
    }
}

/// Runs `command` to its end and gives its stdout; stderr is shown only when it fails.
///
/// # Errors
/// When it cannot start or does not exit with 0.
pub fn output_of(command: &mut Command) -> Result<String> {
    check_interrupt()?;
    let program = command.get_program().display().to_string();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("cannot start {program}: {e}"))?;
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout)?);
    }
    // A URL may hold a password.
    let arguments = command
        .get_args()
        .map(|a| a.to_string_lossy())
        .filter(|a| !a.contains("://"));
    let arguments: Vec<_> = arguments.collect();
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "{program} {}: {}\n{}",
        arguments.join(" "),
        output.status,
        errors.trim_end()
    )
    .into())
}
