//! Requests with an Idempotency-Key: one effect, and the same reply to everyone who repeats them.
//!
//! The reply is kept in the transaction of its effect: after a crash both are there, or neither. Only successful replies
//! are kept, since a refusal has no effect. A kept reply is encrypted under a key that is made of the caller's secret and
//! the Idempotency-Key, neither of which the database has: so a reply may hold a secret that is shown once.

use std::collections::HashSet;
use std::future::Future;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Duration, Utc};
use entity::idempotency_keys::{Column, Entity};
use parking_lot::Mutex;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sea_orm::sea_query::{Expr, ExprTrait, Order, Query};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::Pharos;
use crate::database::{
    BulkInsert, ColumnType, Database, DatabaseError, Form, FromRow, JoinedWrites, Row,
};
use crate::error::Error;
use crate::random::Random;

/// How long a reply is kept.
const KEPT_FOR: Duration = Duration::hours(24);

/// How often what has expired is looked for, at most.
const SWEEP_INTERVAL: Duration = Duration::minutes(1);

/// Expired replies that are removed in one transaction.
const SWEPT_AT_ONCE: u64 = 500;

type Hash = [u8; 32];

/// A request with an Idempotency-Key, as far as it has to be told from others.
#[derive(Clone)]
pub struct Attempt {
    id: Hash,
    fingerprint: Hash,
    sealing: Hash,
}

impl Attempt {
    /// `caller` is whose keys are apart from everybody else's, `secret` what only the caller has, `request` everything
    /// that makes two requests the same.
    pub fn new(caller: &str, key: &str, secret: &str, request: &[&[u8]]) -> Self {
        Self {
            id: hash(&[b"pharos idempotency", caller.as_bytes(), key.as_bytes()]),
            fingerprint: hash(request),
            sealing: hash(&[b"pharos reply", secret.as_bytes(), key.as_bytes()]),
        }
    }

    /// A part of the request, which has its own effect and its own reply: `number` tells it from other parts.
    pub fn part(&self, number: u64, content: &[u8]) -> Self {
        Self {
            id: hash(&[&self.id, &number.to_be_bytes()]),
            fingerprint: hash(&[&self.fingerprint, content]),
            sealing: self.sealing,
        }
    }
}

/// Of several texts, each with its length, so that no two lists of texts give the same.
fn hash(texts: &[&[u8]]) -> Hash {
    let mut hasher = Sha256::new();
    for text in texts {
        hasher.update((text.len() as u64).to_be_bytes());
        hasher.update(text);
    }
    hasher.finalize().into()
}

/// A reply as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptReply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    #[serde(skip)]
    pub body: Vec<u8>,
}

/// What becomes of an attempt.
pub enum Once {
    /// It was made now.
    Done,
    /// It was made before, with this reply.
    Repeated(KeptReply),
    /// The first one is still under way.
    UnderWay,
    /// The key was used for another request.
    AnotherRequest,
}

/// Attempts that are being made by this process.
#[derive(Default)]
pub(crate) struct Attempts {
    under_way: Mutex<HashSet<Hash>>,
    /// Microseconds of the time when what has expired was last looked for.
    swept_at: AtomicI64,
}

struct UnderWay<'a>(&'a Attempts, Hash);

impl Attempts {
    fn begin(&self, id: Hash) -> Option<UnderWay<'_>> {
        self.under_way.lock().insert(id).then(|| UnderWay(self, id))
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.lock().remove(&self.1);
    }
}

struct Kept {
    fingerprint: Vec<u8>,
    reply: Vec<u8>,
    expires_at: DateTime<Utc>,
}

impl FromRow for Kept {
    fn from_row(row: &Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            fingerprint: row.get(0)?,
            reply: row.get(1)?,
            expires_at: row.get(2)?,
        })
    }
}

impl Pharos {
    /// Makes an attempt unless it was made before. All writes of `work` and the reply that it gives are one transaction;
    /// when it gives no reply, nothing is written.
    pub async fn once(
        &self,
        attempt: &Attempt,
        work: impl Future<Output = Option<KeptReply>>,
    ) -> Result<Once, Error> {
        self.sweep_now_and_then();
        let Some(_under_way) = self.attempts.begin(attempt.id) else {
            return Ok(Once::UnderWay);
        };
        if let Some(before) = self.made_before(attempt).await? {
            return Ok(before);
        }
        let joined = self.database.join_writes();
        let failure = match joined.run(work).await {
            Some(reply) => match self.keep(joined, attempt, &reply).await {
                Ok(()) => return Ok(Once::Done),
                Err(error) => Err(error),
            },
            None => {
                joined.roll_back().await;
                Ok(Once::Done)
            }
        };
        // Another process may have been first: then that is why this one failed.
        match self.made_before(attempt).await {
            Ok(Some(before)) => Ok(before),
            _ => failure,
        }
    }

    async fn made_before(&self, attempt: &Attempt) -> Result<Option<Once>, Error> {
        let select = Query::select()
            .columns([Column::Fingerprint, Column::Reply, Column::ExpiresAt])
            .from(Entity)
            .and_where(Expr::col(Column::Id).eq(attempt.id.to_vec()))
            .take();
        let found: Option<Kept> = self
            .database
            .fetch_one(self.database.build(&select))
            .await?;
        let Some(kept) = found else {
            return Ok(None);
        };
        let now = self.clock.now();
        if kept.expires_at <= now {
            remove(&self.database, Column::Id.eq(attempt.id.to_vec()), now).await?;
            return Ok(None);
        }
        if kept.fingerprint != attempt.fingerprint {
            return Ok(Some(Once::AnotherRequest));
        }
        // Who has the key but not the secret asks for something else.
        Ok(Some(
            open(&attempt.sealing, kept.reply).map_or(Once::AnotherRequest, Once::Repeated),
        ))
    }

    async fn keep(
        &self,
        joined: JoinedWrites,
        attempt: &Attempt,
        reply: &KeptReply,
    ) -> Result<(), Error> {
        let now = self.clock.now();
        let sealed = seal(&attempt.sealing, reply, &*self.random)?;
        let id = attempt.id.to_vec();
        let row = vec![
            id.clone().into(),
            attempt.fingerprint.to_vec().into(),
            sealed.into(),
            now.into(),
            (now + KEPT_FOR).into(),
        ];
        joined
            .run(self.database.write(move |transaction| {
                let row = row.clone();
                async move {
                    transaction
                        .insert_rows(&INSERT, std::iter::once(row))
                        .await
                        .map_err(DatabaseError::from)?;
                    Ok(())
                }
            }))
            .await?;
        joined.commit().await
    }

    /// Removes what has expired, beside the request.
    fn sweep_now_and_then(&self) {
        let now = self.clock.now();
        let before = self.attempts.swept_at.load(Ordering::Relaxed);
        let due = before + SWEEP_INTERVAL.num_microseconds().unwrap_or(i64::MAX);
        let mine = now.timestamp_micros() >= due
            && self
                .attempts
                .swept_at
                .compare_exchange(
                    before,
                    now.timestamp_micros(),
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                )
                .is_ok();
        if mine {
            let database = self.database.clone();
            self.database.spawn(async move {
                if let Err(error) = remove_expired(&database, now).await {
                    tracing::debug!(%error, "expired replies were not removed");
                }
            });
        }
    }
}

static INSERT: BulkInsert = BulkInsert::new(
    "idempotency_keys",
    Form::Records,
    &[
        ("id", ColumnType::Bytes),
        ("fingerprint", ColumnType::Bytes),
        ("reply", ColumnType::Bytes),
        ("created_at", ColumnType::Timestamp),
        ("expires_at", ColumnType::Timestamp),
    ],
    &[],
);

async fn remove_expired(database: &Database, now: DateTime<Utc>) -> Result<(), Error> {
    loop {
        let oldest = Query::select()
            .column(Column::Id)
            .from(Entity)
            .and_where(Expr::col(Column::ExpiresAt).lte(now))
            .order_by(Column::ExpiresAt, Order::Asc)
            .limit(SWEPT_AT_ONCE)
            .take();
        if remove(database, Column::Id.in_subquery(oldest), now).await? < SWEPT_AT_ONCE {
            return Ok(());
        }
    }
}

/// Removes what has expired and is meant by the condition; tells how many that were.
async fn remove(database: &Database, which: Expr, now: DateTime<Utc>) -> Result<u64, Error> {
    database
        .write(move |transaction| {
            let which = which.clone();
            async move {
                let removed = Entity::delete_many()
                    .filter(which)
                    .filter(Column::ExpiresAt.lte(now))
                    .exec(&transaction)
                    .await
                    .map_err(DatabaseError::from)?;
                Ok(removed.rows_affected)
            }
        })
        .await
}

/// Status and headers as JSON, a line feed, and the body; encrypted, behind the nonce.
fn seal(key: &Hash, reply: &KeptReply, random: &dyn Random) -> Result<Vec<u8>, Error> {
    let failed = || Error::Internal("a reply cannot be encrypted".to_owned());
    let mut bytes =
        serde_json::to_vec(reply).map_err(|error| Error::Internal(error.to_string()))?;
    bytes.push(b'\n');
    bytes.extend_from_slice(&reply.body);
    let mut nonce = [0; NONCE_LEN];
    random.fill(&mut nonce);
    cipher(key)
        .ok_or_else(failed)?
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::empty(),
            &mut bytes,
        )
        .map_err(|_| failed())?;
    let mut sealed = nonce.to_vec();
    sealed.append(&mut bytes);
    Ok(sealed)
}

/// `None` when it was sealed under another key.
fn open(key: &Hash, mut sealed: Vec<u8>) -> Option<KeptReply> {
    let (nonce, bytes) = sealed.split_first_chunk_mut::<NONCE_LEN>()?;
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let bytes = cipher(key)?
        .open_in_place(nonce, Aad::empty(), bytes)
        .ok()?;
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let mut reply: KeptReply = serde_json::from_slice(&bytes[..end]).ok()?;
    reply.body = bytes[end + 1..].to_vec();
    Some(reply)
}

fn cipher(key: &Hash) -> Option<LessSafeKey> {
    UnboundKey::new(&CHACHA20_POLY1305, key)
        .ok()
        .map(LessSafeKey::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SeededRandom;

    #[test]
    fn a_kept_reply_opens_for_the_secret_and_key_it_was_sealed_for() {
        let attempt = Attempt::new("ada", "one", "ph_secret", &[b"POST", b"/users"]);
        let reply = KeptReply {
            status: 201,
            headers: vec![("location".to_owned(), "/api/v1/users/1".to_owned())],
            body: b"{\"secret\":\"ph_new\"}\n".to_vec(),
        };
        let sealed = seal(&attempt.sealing, &reply, &SeededRandom::new(1)).expect("a sealed reply");
        assert!(!sealed.windows(6).any(|part| part == b"ph_new"));
        assert_eq!(open(&attempt.sealing, sealed.clone()), Some(reply));
        for other in [
            Attempt::new("ada", "one", "ph_other", &[]),
            Attempt::new("ada", "two", "ph_secret", &[]),
        ] {
            assert_eq!(open(&other.sealing, sealed.clone()), None);
        }
    }

    #[test]
    fn attempts_differ_in_caller_key_and_request() {
        let one = Attempt::new("ada", "one", "", &[b"ab", b"c"]);
        let same = Attempt::new("ada", "one", "", &[b"ab", b"c"]);
        assert_eq!((one.id, one.fingerprint), (same.id, same.fingerprint));
        assert_ne!(one.id, Attempt::new("adao", "ne", "", &[]).id);
        assert_ne!(
            one.fingerprint,
            Attempt::new("ada", "one", "", &[b"a", b"bc"]).fingerprint
        );
        assert_ne!(one.part(0, b"").id, one.part(1, b"").id);
    }
}
