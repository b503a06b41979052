//! Merging an authority into another one: its name and variants become variants of the other, and it is gone.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::authority::{Authority, MOST_VARIANTS, Stored, find};
use super::change::{delete, store};
use super::file::AuthorityFile;
use super::forms::{begin, release};
use crate::Pharos;
use crate::database::Transaction;
use crate::error::Error;

impl Pharos {
    /// Merges an authority into another one and gives the other one. All resources have its name when this returns.
    pub async fn merge_authorities(
        &self,
        file: AuthorityFile,
        id: Uuid,
        into: Uuid,
    ) -> Result<Authority, Error> {
        let now = self.clock.now();
        let merged = self
            .database
            .write(move |transaction| async move { merge(&transaction, file, id, into, now).await })
            .await?;
        self.rewritten(file, merged).await
    }
}

async fn merge(
    transaction: &Transaction,
    file: AuthorityFile,
    id: Uuid,
    into: Uuid,
    now: DateTime<Utc>,
) -> Result<Stored, Error> {
    let epoch = begin(transaction).await?;
    let gone = find(transaction, file, id).await?;
    let stays = find(transaction, file, into).await;
    let mut stays = stays.map_err(Error::of_reference)?;
    if id == into {
        return Err(Error::Conflict(format!(
            "`{}` cannot be merged into itself",
            gone.name
        )));
    }
    let variants = std::mem::take(&mut stays.variants);
    let taken_over = std::iter::once(gone.name).chain(gone.variants);
    stays.set_variants(variants.into_iter().chain(taken_over).collect());
    if stays.variants.len() > MOST_VARIANTS {
        return Err(Error::Conflict(format!(
            "`{}` would have more than {MOST_VARIANTS} variants: delete some first",
            stays.name
        )));
    }
    release(transaction, id, epoch).await?;
    delete(transaction, file, id).await?;
    store(transaction, file, &mut stays, epoch, now).await?;
    Ok(stays)
}
