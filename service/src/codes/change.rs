//! Creating, changing and deleting codes: what has become different is written in one transaction.

use chrono::{DateTime, TimeDelta, Utc};
use entity::classification_codes::{ActiveModel, Column, Entity, Model};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter};

use super::code::{ClassificationCode, CodeChanges, NewCode};
use super::tree::{Codes, arrange, in_circles};
use crate::Pharos;
use crate::database::{DatabaseError, Transaction, Turn};
use crate::error::Error;
use crate::version::Expected;

/// Rows in one statement.
const BATCH_ROWS: usize = 500;
/// Between two times of a row: the trigger for other tools leaves rows alone whose time changes.
const STEP: TimeDelta = TimeDelta::microseconds(1);

impl Pharos {
    /// Creates a code. What lies beneath it by its prefix goes there.
    pub async fn create_classification_code(
        &self,
        new: NewCode,
    ) -> Result<ClassificationCode, Error> {
        let code = new.code.clone();
        self.edit_codes(move |codes, now| {
            if codes.contains_key(&new.code) {
                return Err(Error::Conflict(format!(
                    "there is a code `{}` already",
                    new.code
                )));
            }
            require_parent(codes, new.parent_code.as_deref())?;
            codes.insert(new.code.clone(), model(new.clone(), now));
            Ok(())
        })
        .await?;
        self.find_classification_code(&code, false).await
    }

    /// Changes label and parent when the stored version is an expected one.
    pub async fn patch_classification_code(
        &self,
        code: &str,
        expected: Expected,
        changes: CodeChanges,
    ) -> Result<ClassificationCode, Error> {
        let key = code.to_owned();
        self.edit_codes(move |codes, _| {
            let version = codes.get(&key).ok_or_else(|| not_found(&key))?.version;
            expected.check(KIND, version)?;
            if let Some(parent) = &changes.parent_code {
                require_parent(codes, parent.as_deref())?;
            }
            if let Some(code) = codes.get_mut(&key) {
                if let Some(label) = &changes.label {
                    code.label.clone_from(label);
                }
                if let Some(parent) = &changes.parent_code {
                    code.parent_given = parent.is_some();
                    code.parent_code.clone_from(parent);
                }
            }
            Ok(())
        })
        .await?;
        self.find_classification_code(code, false).await
    }

    /// Deletes a code when the stored version is an expected one. What was beneath it goes beneath what its prefixes say.
    /// Resources keep the code.
    pub async fn delete_classification_code(
        &self,
        code: &str,
        expected: Expected,
    ) -> Result<(), Error> {
        let key = code.to_owned();
        self.edit_codes(move |codes, _| {
            let version = codes.get(&key).ok_or_else(|| not_found(&key))?.version;
            expected.check(KIND, version)?;
            codes.remove(&key);
            for child in codes.values_mut() {
                if child.parent_code.as_ref() == Some(&key) {
                    child.parent_given = false;
                }
            }
            Ok(())
        })
        .await
    }

    /// Changes the codes in memory, and writes what has become different. The change may be made more than once.
    pub(super) async fn edit_codes<T: Send + 'static>(
        &self,
        change: impl Fn(&mut Codes, DateTime<Utc>) -> Result<T, Error> + Send + Sync + 'static,
    ) -> Result<T, Error> {
        let now = self.clock.now();
        let change = std::sync::Arc::new(change);
        self.database
            .write(move |transaction| {
                let change = std::sync::Arc::clone(&change);
                async move {
                    let before = read_all(&transaction).await?;
                    let mut codes = before.clone();
                    let result = change(&mut codes, now)?;
                    arrange(&mut codes);
                    if let Some(code) = in_circles(&codes).first() {
                        return Err(Error::Conflict(format!(
                            "`{code}` would lie beneath itself: that would be a circle"
                        )));
                    }
                    write_changes(&transaction, &before, codes, now).await?;
                    Ok(result)
                }
            })
            .await
    }
}

pub(super) const KIND: &str = "classification code";

pub(super) fn not_found(code: &str) -> Error {
    Error::NotFound {
        kind: KIND,
        id: code.chars().take(100).collect(),
    }
}

pub(super) fn model(new: NewCode, now: DateTime<Utc>) -> Model {
    Model {
        code: new.code,
        parent_given: new.parent_code.is_some(),
        parent_code: new.parent_code,
        label: new.label,
        level: 1,
        version: 1,
        created_at: now,
        updated_at: now,
    }
}

fn require_parent(codes: &Codes, parent: Option<&str>) -> Result<(), Error> {
    match parent {
        Some(parent) if !codes.contains_key(parent) => Err(not_found(parent).of_reference()),
        _ => Ok(()),
    }
}

async fn read_all(transaction: &Transaction) -> Result<Codes, Error> {
    transaction
        .take_turn(Turn::Codes)
        .await
        .map_err(DatabaseError::from)?;
    let all = Entity::find()
        .all(transaction)
        .await
        .map_err(DatabaseError::from)?;
    Ok(all
        .into_iter()
        .map(|code| (code.code.clone(), code))
        .collect())
}

/// New codes first, those above before those beneath; then what changed; last what is gone, which nobody names any more.
async fn write_changes(
    transaction: &Transaction,
    before: &Codes,
    after: Codes,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let gone: Vec<&String> = before
        .keys()
        .filter(|code| !after.contains_key(*code))
        .collect();
    let mut new: Vec<Model> = Vec::new();
    let mut changed: Vec<Model> = Vec::new();
    for code in after.into_values() {
        match before.get(&code.code) {
            None => new.push(code),
            Some(known) if *known != code => changed.push(code),
            Some(_) => {}
        }
    }
    new.sort_by_key(|code| code.level);
    for batch in new.chunks(BATCH_ROWS) {
        let rows = batch
            .iter()
            .map(|code| ActiveModel::from(code.clone()).reset_all());
        Entity::insert_many(rows)
            .exec_without_returning(transaction)
            .await
            .map_err(DatabaseError::from)?;
    }
    for mut code in changed {
        code.version += 1;
        code.updated_at = std::cmp::max(now, code.updated_at + STEP);
        Entity::update_many()
            .set(ActiveModel::from(code.clone()).reset_all())
            .filter(Column::Code.eq(code.code))
            .exec(transaction)
            .await
            .map_err(DatabaseError::from)?;
    }
    for code in gone {
        Entity::delete_by_id(code.clone())
            .exec(transaction)
            .await
            .map_err(DatabaseError::from)?;
    }
    Ok(())
}
