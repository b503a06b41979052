//! Bringing the names of resources into their canonical form after an authority file has changed.
//!
//! The change notes in its own transaction that this is to be done. A pass looks at all resources and rewrites those that
//! have another form, in small batches, each a transaction that looks again. So it may be ended at any time: the note
//! stays until a pass has come to its end, and the next start or change of a file begins another one.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use entity::resources::{Column, Entity};
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, ExprTrait, Order, Query};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::authority::Stored;
use super::file::AuthorityFile;
use super::forms::key_of;
use super::known::{Authorities, KnownNames, by_authorities, check};
use crate::Pharos;
use crate::clock::Clock;
use crate::database::{Database, DatabaseError, FromRow, Row, Transaction};
use crate::error::Error;
use crate::library::{find_where, update};
use crate::search::FullTextSearch;

/// Resources that are looked at in one statement.
const BATCH_LOOKED_AT: u64 = 1_000;
/// Resources that are rewritten in one transaction.
const BATCH_REWRITTEN: usize = 50;
/// How often a pass goes on when the database cannot take it now.
const ATTEMPTS: usize = 20;
const WAIT: Duration = Duration::from_millis(500);

/// What a pass needs, whoever asked for it.
#[derive(Clone)]
struct Rewriter {
    database: Database,
    search: Arc<dyn FullTextSearch>,
    authorities: Arc<Authorities>,
    clock: Arc<dyn Clock>,
}

/// A file that waits for a pass, and the change that asked for it.
struct Note {
    file: String,
    epoch: i64,
}

impl FromRow for Note {
    fn from_row(row: &Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            file: row.get(0)?,
            epoch: row.get(1)?,
        })
    }
}

/// What a resource has in the column of a file.
struct Named {
    id: Uuid,
    names: Vec<String>,
}

struct One(Named);

struct Many(Named);

impl FromRow for One {
    fn from_row(row: &Row<'_>) -> Result<Self, DatabaseError> {
        let name: Option<String> = row.get(1)?;
        Ok(Self(Named {
            id: row.get(0)?,
            names: name.into_iter().collect(),
        }))
    }
}

impl FromRow for Many {
    fn from_row(row: &Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self(Named {
            id: row.get(0)?,
            names: row.get(1)?,
        }))
    }
}

impl Pharos {
    /// Rewrites what waits for it when the change is committed, and returns when that is done; within a request that is
    /// kept under an `Idempotency-Key`, before it is answered. It goes on when the caller does not wait.
    pub(super) async fn rewrite_resources(&self) {
        let (rewriter, database) = (self.rewriter(), self.database.clone());
        let rewriting = async move {
            let (done, wait) = oneshot::channel();
            database.spawn(async move {
                rewriter.run().await;
                let _ = done.send(());
            });
            let _ = wait.await;
        };
        self.database.after_commit(rewriting).await;
    }

    /// Goes on with what a process left that was ended, beside the requests.
    pub(crate) fn rewrite_resources_beside(&self) {
        let rewriter = self.rewriter();
        self.database.spawn(async move { rewriter.run().await });
    }

    /// How many resources have some form of a name, whose rewriting waits for the commit: so many have the name itself
    /// afterwards. Forms are told apart in Rust, so all resources are looked at, as the rewriting does.
    pub(super) async fn count_forms(
        &self,
        file: AuthorityFile,
        authority: &Stored,
    ) -> Result<i64, Error> {
        let forms = std::iter::once(&authority.name).chain(&authority.variants);
        let forms: HashSet<Uuid> = forms.map(|form| key_of(form)).collect();
        let (mut count, mut after) = (0, Uuid::nil());
        loop {
            let batch = look_at(&self.database, file, after).await?;
            let Some(last) = batch.last() else {
                return Ok(count);
            };
            after = last.id;
            for named in &batch {
                let has_form = named.names.iter().any(|name| forms.contains(&key_of(name)));
                count += i64::from(has_form);
            }
        }
    }

    fn rewriter(&self) -> Rewriter {
        Rewriter {
            database: self.database.clone(),
            search: Arc::clone(&self.search),
            authorities: Arc::clone(&self.authorities),
            clock: Arc::clone(&self.clock),
        }
    }
}

impl Rewriter {
    async fn run(&self) {
        // Whoever waited here finds their note answered, if the pass before began after it was written.
        let _one_at_a_time = self.authorities.rewriting.lock().await;
        for _ in 0..ATTEMPTS {
            match self.answer_notes().await {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(%error, "names of resources are not all rewritten yet");
                }
            }
            tokio::time::sleep(WAIT).await;
        }
    }

    async fn answer_notes(&self) -> Result<(), Error> {
        self.authorities.refresh(&self.database).await?;
        let select = "SELECT file, epoch FROM authority_rewrites ORDER BY file";
        let notes: Vec<Note> = self
            .database
            .fetch_all(self.database.statement(select, []))
            .await?;
        for note in notes {
            let file: AuthorityFile = note.file.parse()?;
            self.pass(file).await?;
            self.database
                .write(
                    move |transaction| async move { forget(&transaction, file, note.epoch).await },
                )
                .await?;
        }
        Ok(())
    }

    /// Looks at every resource once, in the order of ids. What is written meanwhile has its canonical form already.
    async fn pass(&self, file: AuthorityFile) -> Result<(), Error> {
        let mut after = Uuid::nil();
        loop {
            let batch = look_at(&self.database, file, after).await?;
            let Some(last) = batch.last() else {
                return Ok(());
            };
            after = last.id;
            let names = self.authorities.known();
            let other: Vec<Uuid> = batch
                .iter()
                .filter(|named| has_other_form(&names, file, &named.names))
                .map(|named| named.id)
                .collect();
            for ids in other.chunks(BATCH_REWRITTEN) {
                self.rewrite(ids).await?;
            }
        }
    }

    async fn rewrite(&self, ids: &[Uuid]) -> Result<(), Error> {
        let ids: Arc<[Uuid]> = ids.into();
        by_authorities(&self.database, &self.authorities, |names| {
            let (ids, search, now) = (Arc::clone(&ids), Arc::clone(&self.search), self.clock.now());
            self.database.write(move |transaction| {
                let (ids, search, names) =
                    (Arc::clone(&ids), Arc::clone(&search), Arc::clone(&names));
                async move {
                    check(&transaction, names.epoch).await?;
                    let id = Expr::col((Entity, Column::Id));
                    for resource in find_where(&transaction, id.is_in(ids.to_vec())).await? {
                        if let Some(fields) = names.resolve(&resource.fields) {
                            update(&transaction, &*search, resource, fields, now).await?;
                        }
                    }
                    Ok(())
                }
            })
        })
        .await
    }
}

/// The next resources that have something in the column of a file, in the order of ids.
async fn look_at(
    database: &Database,
    file: AuthorityFile,
    after: Uuid,
) -> Result<Vec<Named>, Error> {
    let column = Expr::col((Entity, file.column()));
    let id = (Entity, Column::Id);
    let select = Query::select()
        .column(id)
        .expr(column.clone())
        .from(Entity)
        .and_where(Expr::col(id).gt(after))
        .and_where(column.is_not_null())
        .order_by(id, Order::Asc)
        .limit(BATCH_LOOKED_AT)
        .take();
    let statement = database.build(&select);
    Ok(match file {
        AuthorityFile::Subjects => {
            let found: Vec<Many> = database.fetch_all(statement).await?;
            found.into_iter().map(|Many(named)| named).collect()
        }
        AuthorityFile::Creators | AuthorityFile::Publishers => {
            let found: Vec<One> = database.fetch_all(statement).await?;
            found.into_iter().map(|One(named)| named).collect()
        }
    })
}

fn has_other_form(names: &KnownNames, file: AuthorityFile, found: &[String]) -> bool {
    found
        .iter()
        .any(|name| names.canonical(file, name).is_some())
}

/// Takes back the note of a change, unless a later one has taken its place.
async fn forget(transaction: &Transaction, file: AuthorityFile, epoch: i64) -> Result<(), Error> {
    let forget = Query::delete()
        .from_table("authority_rewrites")
        .and_where(Expr::col("file").eq(file.as_str()))
        .and_where(Expr::col("epoch").eq(epoch))
        .take();
    transaction
        .execute(&forget)
        .await
        .map_err(DatabaseError::from)?;
    Ok(())
}
