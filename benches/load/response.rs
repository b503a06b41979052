//! Finds where an HTTP/1.1 answer ends: by `Content-Length` or by chunks.

use crate::Result;

/// Of an answer that is no 2xx, this much of the body is kept to be shown.
const KEPT_OF_FAILURES: usize = 400;
const LONGEST_HEAD: usize = 64 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub body_bytes: u64,
    /// The server closes the connection after this answer.
    pub closes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Head,
    Body {
        remaining: u64,
    },
    ChunkSize,
    /// The line end behind the data is counted in.
    Chunk {
        remaining: u64,
    },
    Trailer,
}

/// Reads one answer after the other from the bytes of a connection.
pub struct ResponseReader {
    stage: Stage,
    /// The unfinished head or line.
    line: Vec<u8>,
    response: Response,
    body: Vec<u8>,
    keeps_bodies: bool,
}

const NOTHING_YET: Response = Response {
    status: 0,
    body_bytes: 0,
    closes: false,
};

impl ResponseReader {
    pub fn new() -> Self {
        Self {
            stage: Stage::Head,
            line: Vec::new(),
            response: NOTHING_YET,
            body: Vec::new(),
            keeps_bodies: false,
        }
    }

    pub fn keeping_bodies() -> Self {
        Self {
            keeps_bodies: true,
            ..Self::new()
        }
    }

    /// The body of the last answer, or its beginning when only failures are kept.
    pub fn take_body(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.body)
    }

    /// The answer, once `bytes` complete it.
    ///
    /// # Errors
    /// When they are not HTTP/1.1, tell no length, or go on behind the answer's end.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<Option<Response>> {
        loop {
            match self.stage {
                Stage::Head => {
                    let Some(rest) = self.read_head(bytes)? else {
                        return Ok(None);
                    };
                    bytes = rest;
                }
                Stage::Body { remaining } => {
                    let taken = bytes
                        .len()
                        .min(usize::try_from(remaining).unwrap_or(usize::MAX));
                    self.take_data(&bytes[..taken]);
                    let remaining = remaining - taken as u64;
                    if remaining > 0 {
                        self.stage = Stage::Body { remaining };
                        return Ok(None);
                    }
                    return self.finish(&bytes[taken..]);
                }
                Stage::ChunkSize => {
                    let Some(rest) = self.read_line(bytes)? else {
                        return Ok(None);
                    };
                    bytes = rest;
                    let size = chunk_size(&self.line)?;
                    self.line.clear();
                    self.stage = if size == 0 {
                        Stage::Trailer
                    } else {
                        Stage::Chunk {
                            remaining: size + 2,
                        }
                    };
                }
                Stage::Chunk { remaining } => {
                    let taken = bytes
                        .len()
                        .min(usize::try_from(remaining).unwrap_or(usize::MAX));
                    let data = taken
                        .min(usize::try_from(remaining.saturating_sub(2)).unwrap_or(usize::MAX));
                    self.take_data(&bytes[..data]);
                    let remaining = remaining - taken as u64;
                    if remaining > 0 {
                        self.stage = Stage::Chunk { remaining };
                        return Ok(None);
                    }
                    bytes = &bytes[taken..];
                    self.stage = Stage::ChunkSize;
                }
                Stage::Trailer => {
                    let Some(rest) = self.read_line(bytes)? else {
                        return Ok(None);
                    };
                    bytes = rest;
                    let ends = self.line.iter().all(u8::is_ascii_whitespace);
                    self.line.clear();
                    if ends {
                        return self.finish(bytes);
                    }
                }
            }
        }
    }

    fn finish(&mut self, behind: &[u8]) -> Result<Option<Response>> {
        if !behind.is_empty() {
            return Err("the server sent more than the answer".into());
        }
        self.stage = Stage::Head;
        Ok(Some(std::mem::replace(&mut self.response, NOTHING_YET)))
    }

    fn take_data(&mut self, data: &[u8]) {
        self.response.body_bytes += data.len() as u64;
        if self.keeps_bodies {
            self.body.extend_from_slice(data);
        } else if !(200..300).contains(&self.response.status) {
            let room = KEPT_OF_FAILURES.saturating_sub(self.body.len());
            self.body.extend_from_slice(&data[..data.len().min(room)]);
        }
    }

    /// What follows the head, or `None` when it is not complete.
    fn read_head<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<&'a [u8]>> {
        // Almost always the whole head comes at once, and then nothing is copied.
        if self.line.is_empty()
            && let Some(end) = head_end(bytes, 0)
        {
            self.begin_body(&bytes[..end])?;
            return Ok(Some(&bytes[end..]));
        }
        let before = self.line.len();
        self.line.extend_from_slice(bytes);
        let Some(end) = head_end(&self.line, before.saturating_sub(3)) else {
            if self.line.len() > LONGEST_HEAD {
                return Err("the head of the answer does not end".into());
            }
            return Ok(None);
        };
        let head = std::mem::take(&mut self.line);
        self.begin_body(&head[..end])?;
        Ok(Some(&bytes[end - before..]))
    }

    fn begin_body(&mut self, head: &[u8]) -> Result<()> {
        let status = head
            .strip_prefix(b"HTTP/1.1 ")
            .and_then(|rest| std::str::from_utf8(rest.get(..3)?).ok()?.parse().ok())
            .ok_or_else(|| {
                format!(
                    "no HTTP/1.1 answer: {:?}",
                    String::from_utf8_lossy(&head[..head.len().min(80)])
                )
            })?;
        self.body.clear();
        self.response = Response {
            status,
            body_bytes: 0,
            closes: false,
        };
        let mut length = None;
        let mut chunked = false;
        for line in head.split(|b| *b == b'\n').skip(1) {
            if let Some(value) = header(line, b"content-length:") {
                length = Some(std::str::from_utf8(value)?.parse()?);
            } else if let Some(value) = header(line, b"transfer-encoding:") {
                chunked = value.eq_ignore_ascii_case(b"chunked");
            } else if let Some(value) = header(line, b"connection:") {
                self.response.closes = value.eq_ignore_ascii_case(b"close");
            }
        }
        self.stage = match length {
            _ if chunked => Stage::ChunkSize,
            _ if matches!(status, 204 | 304) => Stage::Body { remaining: 0 },
            Some(remaining) => Stage::Body { remaining },
            None => return Err(format!("an answer of status {status} tells no length").into()),
        };
        Ok(())
    }

    /// What follows the line, which is then in `self.line`; `None` when it is not complete.
    fn read_line<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<&'a [u8]>> {
        if let Some(end) = bytes.iter().position(|b| *b == b'\n') {
            self.line.extend_from_slice(&bytes[..=end]);
            return Ok(Some(&bytes[end + 1..]));
        }
        self.line.extend_from_slice(bytes);
        if self.line.len() > LONGEST_HEAD {
            return Err("a line between the chunks of the answer does not end".into());
        }
        Ok(None)
    }
}

fn head_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(found) = bytes[at..].iter().position(|b| *b == b'\r') {
        at += found;
        if bytes[at..].starts_with(b"\r\n\r\n") {
            return Some(at + 4);
        }
        at += 1;
    }
    None
}

fn header<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

fn chunk_size(line: &[u8]) -> Result<u64> {
    let text = std::str::from_utf8(line)?;
    let digits = text.split(';').next().unwrap_or_default().trim();
    Ok(u64::from_str_radix(digits, 16).map_err(|_| format!("no chunk size: {digits:?}"))?)
}
