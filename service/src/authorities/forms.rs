//! The forms of a name: what is folded, who it belongs to, and the number of its last change.

use entity::authority_forms::{ActiveModel, Column, Entity};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, Set};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::authority::Stored;
use super::file::AuthorityFile;
use crate::database::{DatabaseError, Transaction, Turn};
use crate::error::Error;
use crate::search::fold_name;

/// Bytes of a folded form that completion looks at.
const LONGEST_FOLDED: usize = 400;
/// Forms in one statement.
const BATCH_FORMS: usize = 500;

/// By which a form is found: of any length, and never too long for an index.
pub(super) fn key_of(name: &str) -> Uuid {
    let digest = Sha256::digest(fold_name(name));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Uuid::from_bytes(bytes)
}

/// A form as completion compares it.
pub(super) fn folded_form(name: &str) -> String {
    let mut folded = fold_name(name);
    let mut end = folded.len().min(LONGEST_FOLDED);
    while !folded.is_char_boundary(end) {
        end -= 1;
    }
    folded.truncate(end);
    folded
}

/// Begins a change of the authority files: nobody else changes them or writes by them until it ends. Gives its number.
pub(super) async fn begin(transaction: &Transaction) -> Result<i64, Error> {
    transaction
        .take_turn(Turn::Authorities)
        .await
        .map_err(DatabaseError::from)?;
    let count_up = Query::update()
        .table("authority_epoch")
        .value("epoch", Expr::col("epoch").add(1_i64))
        .take();
    transaction
        .execute(&count_up)
        .await
        .map_err(DatabaseError::from)?;
    let select = Query::select()
        .column("epoch")
        .from("authority_epoch")
        .take();
    let row = transaction
        .query_one(&select)
        .await
        .map_err(DatabaseError::from)?
        .ok_or_else(|| Error::Internal("the authority files have no epoch".to_owned()))?;
    Ok(row.try_get("", "epoch").map_err(DatabaseError::from)?)
}

/// Makes the name and variants of an authority its forms, and takes from it those it had before.
pub(super) async fn claim(
    transaction: &Transaction,
    file: AuthorityFile,
    authority: &Stored,
    epoch: i64,
) -> Result<(), Error> {
    release(transaction, authority.id, epoch).await?;
    let names: Vec<&String> = std::iter::once(&authority.name)
        .chain(&authority.variants)
        .collect();
    for names in names.chunks(BATCH_FORMS) {
        refuse_taken(transaction, file, names).await?;
        let rows = names.iter().map(|form| ActiveModel {
            file: Set(file.as_str().to_owned()),
            key: Set(key_of(form)),
            folded: Set(folded_form(form)),
            authority_id: Set(Some(authority.id)),
            name: Set(authority.name.clone()),
            changed: Set(epoch),
        });
        let there = OnConflict::columns([Column::File, Column::Key])
            .update_columns([Column::AuthorityId, Column::Name, Column::Changed])
            .to_owned();
        Entity::insert_many(rows)
            .on_conflict(there)
            .exec_without_returning(transaction)
            .await
            .map_err(DatabaseError::from)?;
    }
    Ok(())
}

/// Takes all forms from an authority. They stay as belonging to nobody, for those who follow the changes.
pub(super) async fn release(
    transaction: &Transaction,
    authority_id: Uuid,
    epoch: i64,
) -> Result<(), Error> {
    let release = Query::update()
        .table(Entity)
        .value(Column::AuthorityId, Option::<Uuid>::None)
        .value(Column::Changed, epoch)
        .and_where(Expr::col(Column::AuthorityId).eq(authority_id))
        .take();
    transaction
        .execute(&release)
        .await
        .map_err(DatabaseError::from)?;
    Ok(())
}

/// Refuses forms that belong to another authority.
async fn refuse_taken(
    transaction: &Transaction,
    file: AuthorityFile,
    names: &[&String],
) -> Result<(), Error> {
    let keys: Vec<Uuid> = names.iter().map(|name| key_of(name)).collect();
    let taken = Entity::find()
        .filter(Column::File.eq(file.as_str()))
        .filter(Column::Key.is_in(keys))
        .filter(Column::AuthorityId.is_not_null())
        .order_by_asc(Column::Key)
        .one(transaction)
        .await
        .map_err(DatabaseError::from)?;
    let Some(taken) = taken else {
        return Ok(());
    };
    let form = names
        .iter()
        .find(|name| key_of(name) == taken.key)
        .map_or(taken.folded.as_str(), |name| name.as_str());
    let owner = taken.authority_id.unwrap_or_default();
    Err(Error::Conflict(format!(
        "`{form}` stands for `{}` ({owner}) already: change that one, or merge the two",
        taken.name
    )))
}

/// Notes that resources may still have other forms than the canonical ones.
pub(super) async fn note_rewrite(
    transaction: &Transaction,
    file: AuthorityFile,
    epoch: i64,
) -> Result<(), Error> {
    let note = Query::insert()
        .into_table("authority_rewrites")
        .columns(["file", "epoch"])
        .values_panic([file.as_str().into(), epoch.into()])
        .on_conflict(OnConflict::column("file").update_column("epoch").to_owned())
        .take();
    transaction
        .execute(&note)
        .await
        .map_err(DatabaseError::from)?;
    Ok(())
}
