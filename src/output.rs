//! Writing to stdout, which somebody may close before everything is written: `pharos export resources | head`.

use std::error::Error;
use std::fmt::Display;
use std::io::{ErrorKind, Write};

/// Nobody reads any more.
#[derive(Debug)]
pub struct Closed;

impl Closed {
    /// What a shell shows of a program that the signal of a broken pipe has ended, as it ends others.
    pub const EXIT_CODE: u8 = 128 + 13;
}

impl Display for Closed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the output was closed")
    }
}

impl Error for Closed {}

/// Writes a line.
pub fn line(text: impl Display) -> Result<(), Box<dyn Error>> {
    writeln!(std::io::stdout(), "{text}").map_err(failure)
}

/// Why something could not be written.
pub fn failure(error: std::io::Error) -> Box<dyn Error> {
    match error.kind() {
        ErrorKind::BrokenPipe => Closed.into(),
        _ => format!("cannot write the output: {error}").into(),
    }
}

/// Writes a line as `println!` does, and leaves the function where that fails.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::output::line(format_args!($($text)*))?
    };
}

pub(crate) use say;
