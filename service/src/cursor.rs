//! Page cursors: opaque, signed, and good only for the request they came from.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value as Json;
use sha2::Sha256;

use crate::error::{Error, Fault};

/// Bytes of the signature that a cursor carries.
const SIGNATURE: usize = 16;

/// Signs and reads cursors with the library's secret.
#[derive(Clone)]
pub struct Cursors {
    secret: [u8; 32],
}

impl Cursors {
    pub fn new(secret: [u8; 32]) -> Self {
        Self { secret }
    }

    /// A cursor that carries `position` and is valid for `request` alone (path, filter and sort).
    pub fn write(&self, request: &str, position: &Json) -> String {
        let position = position.to_string();
        let mut bytes = self.signature(request, position.as_bytes()).to_vec();
        bytes.extend_from_slice(position.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The position in a cursor; an error when it was altered or came from another request.
    pub fn read(&self, request: &str, cursor: &str) -> Result<Json, Error> {
        URL_SAFE_NO_PAD
            .decode(cursor)
            .ok()
            .filter(|bytes| bytes.len() > SIGNATURE)
            .filter(|bytes| {
                let (signature, position) = bytes.split_at(SIGNATURE);
                let expected = self.signature(request, position);
                // Constant time: a guess must not learn how far it was right.
                signature.iter().zip(expected).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
            })
            .and_then(|bytes| serde_json::from_slice(&bytes[SIGNATURE..]).ok())
            .ok_or_else(|| {
                Error::BadParameter(vec![Fault::parameter(
                    "cursor",
                    "bad_cursor",
                    "the cursor is not one of this list: use next_cursor of a reply with the same filter, sort and query, or leave it out",
                )])
            })
    }

    fn signature(&self, request: &str, position: &[u8]) -> [u8; SIGNATURE] {
        let mut key = [0; 64];
        key[..32].copy_from_slice(&self.secret);
        let mut mac = <Hmac<Sha256> as KeyInit>::new(&key.into());
        mac.update(request.as_bytes());
        mac.update(&[0]);
        mac.update(position);
        let mut signature = [0; SIGNATURE];
        signature.copy_from_slice(&mac.finalize().into_bytes()[..SIGNATURE]);
        signature
    }
}
