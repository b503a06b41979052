//! Creating, changing and deleting authorities. A reply comes when the resources that were there are rewritten, too.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use serde_json::Value as Json;
use uuid::Uuid;

use super::authority::{Authority, AuthorityChanges, NewAuthority, Stored, find};
use super::file::AuthorityFile;
use super::forms::{begin, claim, note_rewrite, release};
use crate::Pharos;
use crate::database::{DatabaseError, Transaction, writes_are_joined};
use crate::error::Error;
use crate::version::Expected;

/// Between two times of a row: the trigger for other tools leaves rows alone whose time changes.
const STEP: TimeDelta = TimeDelta::microseconds(1);

impl Pharos {
    /// Creates an authority. Resources that have another form of the name get this one.
    pub async fn create_authority(
        &self,
        file: AuthorityFile,
        new: NewAuthority,
    ) -> Result<Authority, Error> {
        let now = self.clock.now();
        let mut authority = Stored {
            id: crate::ids::new_id(now, &*self.random),
            name: new.name,
            variants: Vec::new(),
            version: 1,
            created_at: now,
            updated_at: now,
        };
        authority.set_variants(new.variants);
        let created = self
            .database
            .write(move |transaction| {
                let authority = authority.clone();
                async move {
                    let epoch = begin(&transaction).await?;
                    // First: it tells better than the unique index whose name it is.
                    claim(&transaction, file, &authority, epoch).await?;
                    insert(&transaction, file, &authority).await?;
                    note_rewrite(&transaction, file, epoch).await?;
                    Ok(authority)
                }
            })
            .await?;
        self.rewritten(file, created).await
    }

    /// Changes name and variants when the stored version is an expected one. The old name becomes a variant.
    pub async fn patch_authority(
        &self,
        file: AuthorityFile,
        id: Uuid,
        expected: Expected,
        changes: AuthorityChanges,
    ) -> Result<Authority, Error> {
        let now = self.clock.now();
        let changed = self
            .database
            .write(move |transaction| {
                let (expected, changes) = (expected.clone(), changes.clone());
                async move { patch(&transaction, file, id, &expected, changes, now).await }
            })
            .await?;
        self.rewritten(file, changed).await
    }

    /// Deletes an authority when the stored version is an expected one. Resources keep the names that they have.
    pub async fn delete_authority(
        &self,
        file: AuthorityFile,
        id: Uuid,
        expected: Expected,
    ) -> Result<(), Error> {
        self.database
            .write(move |transaction| {
                let expected = expected.clone();
                async move {
                    let epoch = begin(&transaction).await?;
                    let authority = find(&transaction, file, id).await?;
                    expected.check(file.kind(), authority.version)?;
                    release(&transaction, id, epoch).await?;
                    delete(&transaction, file, id).await
                }
            })
            .await?;
        self.authorities.refresh(&self.database).await
    }

    /// What a change answers, after resources have been rewritten by it. A reply that is kept under an `Idempotency-Key` is
    /// made before that, and counts what is going to be rewritten.
    pub(super) async fn rewritten(
        &self,
        file: AuthorityFile,
        stored: Stored,
    ) -> Result<Authority, Error> {
        self.rewrite_resources().await;
        let usage_count = if writes_are_joined() {
            self.count_forms(file, &stored).await?
        } else {
            self.count_usage(file, &stored.name).await?
        };
        Ok(stored.shown(usage_count))
    }
}

async fn patch(
    transaction: &Transaction,
    file: AuthorityFile,
    id: Uuid,
    expected: &Expected,
    changes: AuthorityChanges,
    now: DateTime<Utc>,
) -> Result<Stored, Error> {
    let epoch = begin(transaction).await?;
    let before = find(transaction, file, id).await?;
    expected.check(file.kind(), before.version)?;
    let mut authority = before.clone();
    let mut variants = changes.variants.unwrap_or_else(|| before.variants.clone());
    if let Some(name) = changes.name.filter(|name| *name != before.name) {
        // What has the old name is to get the new one.
        variants.push(before.name.clone());
        authority.name = name;
    }
    authority.set_variants(variants);
    if authority == before {
        return Ok(before);
    }
    store(transaction, file, &mut authority, epoch, now).await?;
    Ok(authority)
}

/// Stores a changed authority with its forms.
pub(super) async fn store(
    transaction: &Transaction,
    file: AuthorityFile,
    authority: &mut Stored,
    epoch: i64,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    authority.version += 1;
    authority.updated_at = std::cmp::max(now, authority.updated_at + STEP);
    claim(transaction, file, authority, epoch).await?;
    let update = Query::update()
        .table(file.table())
        .value("name", authority.name.as_str())
        .value("variants", Json::from(authority.variants.as_slice()))
        .value("version", authority.version)
        .value("updated_at", authority.updated_at)
        .and_where(Expr::col("id").eq(authority.id))
        .take();
    transaction
        .execute(&update)
        .await
        .map_err(DatabaseError::from)?;
    note_rewrite(transaction, file, epoch).await
}

async fn insert(
    transaction: &Transaction,
    file: AuthorityFile,
    authority: &Stored,
) -> Result<(), Error> {
    let insert = Query::insert()
        .into_table(file.table())
        .columns([
            "id",
            "name",
            "variants",
            "version",
            "created_at",
            "updated_at",
        ])
        .values_panic([
            authority.id.into(),
            authority.name.as_str().into(),
            Json::from(authority.variants.as_slice()).into(),
            authority.version.into(),
            authority.created_at.into(),
            authority.updated_at.into(),
        ])
        .take();
    transaction
        .execute(&insert)
        .await
        .map_err(DatabaseError::from)?;
    Ok(())
}

pub(super) async fn delete(
    transaction: &Transaction,
    file: AuthorityFile,
    id: Uuid,
) -> Result<(), Error> {
    let delete = Query::delete()
        .from_table(file.table())
        .and_where(Expr::col("id").eq(id))
        .take();
    transaction
        .execute(&delete)
        .await
        .map_err(DatabaseError::from)?;
    Ok(())
}
