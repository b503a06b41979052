//! Creating, reading, changing and deleting resources. What must be true together commits together: a resource and
//! its search document are one transaction.

use std::sync::Arc;

use entity::resources::{ActiveModel, Column, Entity, Model};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, Set, Value};
use serde_json::Value as Json;
use uuid::Uuid;

use super::fields::ResourceFields;
use super::record::{self, Resource};
use crate::Pharos;
use crate::accounts::Actor;
use crate::database::{
    Batcher, BulkInsert, ColumnType, Database, DatabaseError, Form, Transaction,
};
use crate::error::Error;
use crate::json::Change;
use crate::search::{self, Document, FullTextSearch};

/// A resource on its way into the database.
#[derive(Clone)]
pub struct NewResource {
    pub resource: Arc<Resource>,
    pub document: Arc<Document>,
    pub created_by: Option<Uuid>,
}

/// What a change expects to find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// Whatever is there (`If-Match: *`).
    Any,
    /// One of these versions.
    Versions(Vec<i64>),
}

impl Expected {
    fn check(&self, current: i64) -> Result<(), Error> {
        match self {
            Self::Any => Ok(()),
            Self::Versions(versions) if versions.contains(&current) => Ok(()),
            Self::Versions(_) => Err(Error::Stale {
                kind: "resource",
                current,
            }),
        }
    }
}

/// Reads by id, answered together where that saves round trips.
pub(crate) fn reader(database: &Database) -> Batcher<Uuid, Option<Resource>> {
    let one = database
        .build(record::select().and_where(by_id(Uuid::nil())))
        .sql;
    let database_for_batches = database.clone();
    database.batcher(2, move |ids: Vec<Uuid>| {
        let database = database_for_batches.clone();
        let one = one.clone();
        async move {
            if let [id] = ids[..] {
                let found = database
                    .fetch_one(database.statement(&one, [id.into()]))
                    .await;
                return vec![found.map_err(Error::from)];
            }
            let column = Expr::col((Entity, Column::Id));
            let statement = database.build(record::select().and_where(column.is_in(ids.clone())));
            match database.fetch_all::<Resource>(statement).await {
                Ok(found) => ids
                    .iter()
                    .map(|id| Ok(found.iter().find(|resource| resource.id == *id).cloned()))
                    .collect(),
                Err(error) => ids.iter().map(|_| Err(error.clone().into())).collect(),
            }
        }
    })
}

/// Creates, written together where that saves round trips. When a shared write fails, each is written alone, so that
/// only the one at fault fails.
pub(crate) fn creator(
    database: &Database,
    search: Arc<dyn FullTextSearch>,
) -> Batcher<NewResource, ()> {
    let database_for_batches = database.clone();
    database.batcher(2, move |batch: Vec<NewResource>| {
        let database = database_for_batches.clone();
        let search = Arc::clone(&search);
        async move {
            let together = insert(&database, &search, batch.clone()).await;
            let nobody_is_at_fault = match &together {
                Ok(()) => true,
                Err(Error::Database(error)) => error.is_passing(),
                Err(_) => false,
            };
            if batch.len() == 1 || nobody_is_at_fault {
                return batch.iter().map(|_| together.clone()).collect();
            }
            let mut results = Vec::with_capacity(batch.len());
            for one in batch {
                results.push(insert(&database, &search, vec![one]).await);
            }
            results
        }
    })
}

async fn insert(
    database: &Database,
    search: &Arc<dyn FullTextSearch>,
    batch: Vec<NewResource>,
) -> Result<(), Error> {
    let (search, batch) = (Arc::clone(search), Arc::new(batch));
    database
        .write_new("resources_pkey", move |transaction| {
            let (search, batch) = (Arc::clone(&search), Arc::clone(&batch));
            async move { insert_all(&transaction, &*search, &batch).await }
        })
        .await
}

/// Inserts new resources with their search documents.
pub(crate) async fn insert_all(
    transaction: &Transaction,
    search: &dyn FullTextSearch,
    batch: &[NewResource],
) -> Result<(), Error> {
    let rows = batch
        .iter()
        .map(|new| row(&new.resource, new.created_by))
        .collect();
    transaction
        .insert_rows(&INSERT, rows)
        .await
        .map_err(DatabaseError::from)?;
    let documents: Vec<(Uuid, &Document)> = batch
        .iter()
        .map(|new| (new.resource.id, &*new.document))
        .collect();
    search::index_new(search, transaction, &documents)
        .await
        .map_err(DatabaseError::from)?;
    Ok(())
}

impl Pharos {
    /// Creates a resource; it is on disk and findable when this returns.
    pub async fn create_resource(
        &self,
        actor: &Actor,
        fields: ResourceFields,
    ) -> Result<Resource, Error> {
        let new = self.new_resource(fields, Some(actor.user_id));
        let resource = Arc::clone(&new.resource);
        self.creates.call(new).await?;
        Ok(Arc::unwrap_or_clone(resource))
    }

    pub(crate) fn new_resource(
        &self,
        fields: ResourceFields,
        created_by: Option<Uuid>,
    ) -> NewResource {
        let now = self.clock.now();
        let id = crate::ids::new_id(now, &*self.random);
        let document = Arc::new(self.search.analyse(&fields, 1));
        let resource = Resource {
            id,
            fields,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        NewResource {
            resource: Arc::new(resource),
            document,
            created_by,
        }
    }

    /// Reads a resource.
    pub async fn find_resource(&self, id: Uuid) -> Result<Resource, Error> {
        self.reads.call(id).await?.ok_or_else(|| not_found(id))
    }

    /// Applies a change when the stored version is an expected one. It is applied to what is stored when its turn comes,
    /// so that none is lost. One that changes nothing leaves the version as it is.
    pub async fn patch_resource(
        &self,
        id: Uuid,
        expected: Expected,
        change: Change,
    ) -> Result<Resource, Error> {
        let now = self.clock.now();
        let search = Arc::clone(&self.search);
        let (expected, change) = (Arc::new(expected), Arc::new(change));
        self.database
            .write(move |transaction| {
                let (search, expected, change) = (
                    Arc::clone(&search),
                    Arc::clone(&expected),
                    Arc::clone(&change),
                );
                async move {
                    let current = lock(&transaction, id).await?;
                    expected.check(current.version)?;
                    let fields = current.fields.changed(&change)?;
                    if fields == current.fields {
                        return Ok(current);
                    }
                    update(&transaction, &*search, current, fields, now).await
                }
            })
            .await
    }

    /// Deletes a resource, with what hangs on it, when the stored version is an expected one.
    pub async fn delete_resource(&self, id: Uuid, expected: Expected) -> Result<(), Error> {
        let now = self.clock.now();
        let expected = Arc::new(expected);
        self.database
            .write(move |transaction| {
                let expected = Arc::clone(&expected);
                async move {
                    let current = lock(&transaction, id).await?;
                    expected.check(current.version)?;
                    search::forget_old_removals(&transaction, now)
                        .await
                        .map_err(DatabaseError::from)?;
                    // Its document goes with it, and a trigger tells those who follow the changes.
                    Entity::delete_by_id(id)
                        .exec(&transaction)
                        .await
                        .map_err(DatabaseError::from)?;
                    Ok(())
                }
            })
            .await
    }
}

/// Stores changed fields and counts the version up.
pub(crate) async fn update(
    transaction: &Transaction,
    search: &dyn FullTextSearch,
    current: Resource,
    fields: ResourceFields,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<Resource, Error> {
    // The trigger for other tools must see that the application set the time.
    let updated_at = std::cmp::max(now, current.updated_at + chrono::Duration::microseconds(1));
    let resource = Resource {
        id: current.id,
        fields,
        version: current.version + 1,
        created_at: current.created_at,
        updated_at,
    };
    let mut changes = active_model(&resource);
    changes.created_at = sea_orm::ActiveValue::NotSet;
    Entity::update_many()
        .set(changes)
        .filter(Column::Id.eq(resource.id))
        .exec(transaction)
        .await
        .map_err(DatabaseError::from)?;
    let document = search.analyse(&resource.fields, resource.version);
    search::reindex(search, transaction, resource.id, &document)
        .await
        .map_err(DatabaseError::from)?;
    Ok(resource)
}

/// Reads a resource and keeps others from changing it until the transaction ends.
async fn lock(transaction: &Transaction, id: Uuid) -> Result<Resource, Error> {
    let found = Entity::find_by_id(id)
        .lock_exclusive()
        .one(transaction)
        .await
        .map_err(DatabaseError::from)?;
    found.ok_or_else(|| not_found(id)).and_then(from_model)
}

pub(crate) fn not_found(id: Uuid) -> Error {
    Error::NotFound {
        kind: "resource",
        id: id.to_string(),
    }
}

fn by_id(id: Uuid) -> Expr {
    Expr::col((Entity, Column::Id)).eq(id)
}

/// The columns in the order of [`row`].
const INSERT: BulkInsert = BulkInsert {
    table: "resources",
    form: Form::Records,
    columns: &[
        ("id", ColumnType::Uuid),
        ("title", ColumnType::Text),
        ("description", ColumnType::Text),
        ("creator", ColumnType::Text),
        ("publisher", ColumnType::Text),
        ("contributor", ColumnType::Text),
        ("date", ColumnType::Text),
        ("type", ColumnType::Text),
        ("format", ColumnType::Text),
        ("identifier", ColumnType::Text),
        ("source", ColumnType::Text),
        ("language", ColumnType::Text),
        ("relation", ColumnType::Json),
        ("coverage", ColumnType::Text),
        ("rights", ColumnType::Text),
        ("subject", ColumnType::Json),
        ("classification_code", ColumnType::Text),
        ("read_status", ColumnType::Text),
        ("quality_score", ColumnType::Double),
        ("metadata", ColumnType::Json),
        ("year", ColumnType::BigInt),
        ("version", ColumnType::BigInt),
        ("created_by", ColumnType::Uuid),
        ("created_at", ColumnType::Timestamp),
        ("updated_at", ColumnType::Timestamp),
    ],
    computed: &[],
};

fn row(resource: &Resource, created_by: Option<Uuid>) -> Vec<Value> {
    let fields = &resource.fields;
    vec![
        resource.id.into(),
        fields.title.clone().into(),
        fields.description.clone().into(),
        fields.creator.clone().into(),
        fields.publisher.clone().into(),
        fields.contributor.clone().into(),
        fields.date.clone().into(),
        fields.resource_type.clone().into(),
        fields.format.clone().into(),
        fields.identifier.clone().into(),
        fields.source.clone().into(),
        fields.language.clone().into(),
        Json::from(fields.relation.as_slice()).into(),
        fields.coverage.clone().into(),
        fields.rights.clone().into(),
        Json::from(fields.subject.as_slice()).into(),
        fields.classification_code.clone().into(),
        fields.read_status.as_str().into(),
        fields.quality_score.into(),
        fields.metadata.clone().into(),
        fields.year().into(),
        resource.version.into(),
        created_by.into(),
        resource.created_at.into(),
        resource.updated_at.into(),
    ]
}

fn active_model(resource: &Resource) -> ActiveModel {
    let fields = &resource.fields;
    ActiveModel {
        id: Set(resource.id),
        title: Set(fields.title.clone()),
        description: Set(fields.description.clone()),
        creator: Set(fields.creator.clone()),
        publisher: Set(fields.publisher.clone()),
        contributor: Set(fields.contributor.clone()),
        date: Set(fields.date.clone()),
        resource_type: Set(fields.resource_type.clone()),
        format: Set(fields.format.clone()),
        identifier: Set(fields.identifier.clone()),
        source: Set(fields.source.clone()),
        language: Set(fields.language.clone()),
        relation: Set(fields.relation.as_slice().into()),
        coverage: Set(fields.coverage.clone()),
        rights: Set(fields.rights.clone()),
        subject: Set(fields.subject.as_slice().into()),
        classification_code: Set(fields.classification_code.clone()),
        read_status: Set(fields.read_status.as_str().to_owned()),
        quality_score: Set(fields.quality_score),
        metadata: Set(fields.metadata.clone()),
        year: Set(fields.year()),
        version: Set(resource.version),
        created_by: sea_orm::ActiveValue::NotSet,
        created_at: Set(resource.created_at),
        updated_at: Set(resource.updated_at),
    }
}

pub(crate) fn from_model(model: Model) -> Result<Resource, Error> {
    let list = |json: Json| {
        serde_json::from_value(json).map_err(|error| {
            Error::from(DatabaseError::Other(format!(
                "a list is not stored as one: {error}"
            )))
        })
    };
    Ok(Resource {
        id: model.id,
        fields: ResourceFields {
            title: model.title,
            description: model.description,
            creator: model.creator,
            publisher: model.publisher,
            contributor: model.contributor,
            date: model.date,
            resource_type: model.resource_type,
            format: model.format,
            identifier: model.identifier,
            source: model.source,
            language: model.language,
            relation: list(model.relation)?,
            coverage: model.coverage,
            rights: model.rights,
            subject: list(model.subject)?,
            classification_code: model.classification_code,
            read_status: model.read_status.parse().unwrap_or_default(),
            quality_score: model.quality_score,
            metadata: model.metadata,
        },
        version: model.version,
        created_at: model.created_at,
        updated_at: model.updated_at,
    })
}

/// Locks and reads the resources that a batch of an import may update.
pub(crate) async fn find_where(
    transaction: &impl ConnectionTrait,
    condition: Expr,
) -> Result<Vec<Resource>, Error> {
    let found = Entity::find()
        .filter(condition)
        .lock_exclusive()
        .all(transaction)
        .await
        .map_err(DatabaseError::from)?;
    found.into_iter().map(from_model).collect()
}
