//! Creating, reading, changing and deleting resources. What must be true together commits together: a resource and
//! its search document are one transaction.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use entity::resources::{ActiveModel, Column, Entity, Model};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set, Value,
};
use serde_json::Value as Json;
use uuid::Uuid;

use super::fields::ResourceFields;
use super::record::{self, Resource};
use super::{annotations, citations};
use crate::Pharos;
use crate::accounts::Actor;
use crate::authorities::{self, Authorities, KnownNames, by_authorities, names_something};
use crate::database::{
    Batcher, BulkInsert, ColumnType, Database, DatabaseError, Form, Transaction,
};
use crate::error::Error;
use crate::json::Change;
use crate::search::{self, Document, FullTextSearch};
use crate::version::Expected;

/// A resource on its way into the database.
#[derive(Clone)]
pub struct NewResource {
    pub resource: Arc<Resource>,
    pub document: Arc<Document>,
    pub created_by: Option<Uuid>,
    /// The fields before their names were brought into the canonical form, where that changed them.
    given: Option<Arc<ResourceFields>>,
    /// The authority files that the names were looked up in.
    epoch: i64,
}

impl NewResource {
    /// With its id and the time of its creation.
    pub(super) fn new(
        (id, now): (Uuid, DateTime<Utc>),
        fields: ResourceFields,
        created_by: Option<Uuid>,
        names: &KnownNames,
        search: &dyn FullTextSearch,
    ) -> Self {
        let (fields, given) = match names.resolve(&fields) {
            Some(resolved) => (resolved, Some(Arc::new(fields))),
            None => (fields, None),
        };
        let document = Arc::new(search.analyse(&fields, 1));
        let resource = Resource {
            id,
            fields,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        Self {
            resource: Arc::new(resource),
            document,
            created_by,
            given,
            epoch: names.epoch,
        }
    }

    /// Whether the names were looked up in these authority files.
    pub(super) fn is_of(&self, names: &KnownNames) -> bool {
        self.epoch == names.epoch
    }

    /// Looks the names up again.
    pub(super) fn renew(&mut self, names: &KnownNames, search: &dyn FullTextSearch) {
        self.epoch = names.epoch;
        let given = match &self.given {
            Some(given) => Arc::clone(given),
            None if names.resolve(&self.resource.fields).is_none() => return,
            None => Arc::new(self.resource.fields.clone()),
        };
        let fields = names.resolve(&given).unwrap_or_else(|| (*given).clone());
        self.document = Arc::new(search.analyse(&fields, 1));
        self.resource = Arc::new(Resource {
            fields,
            ..Resource::clone(&self.resource)
        });
        self.given = Some(given);
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

/// Creates, written together where that saves round trips; each answers with what was stored.
pub(crate) fn creator(
    database: &Database,
    search: Arc<dyn FullTextSearch>,
    authorities: Arc<Authorities>,
) -> Batcher<NewResource, Arc<Resource>> {
    let creator = Arc::new(Creator {
        database: database.clone(),
        search,
        authorities,
    });
    database.batcher(1, move |batch: Vec<NewResource>| {
        let creator = Arc::clone(&creator);
        async move { creator.insert_each(batch).await }
    })
}

pub(super) struct Creator {
    pub(super) database: Database,
    pub(super) search: Arc<dyn FullTextSearch>,
    pub(super) authorities: Arc<Authorities>,
}

impl Creator {
    /// Inserts new resources together; when that fails, each alone, so that only the one at fault fails.
    pub(super) async fn insert_each(
        &self,
        batch: Vec<NewResource>,
    ) -> Vec<Result<Arc<Resource>, Error>> {
        if batch.is_empty() {
            return Vec::new();
        }
        let batch = Arc::new(batch);
        let error = match self.insert(Arc::clone(&batch)).await {
            Ok(stored) => return stored.into_iter().map(Ok).collect(),
            Err(error) => error,
        };
        let nobody_is_at_fault = matches!(&error, Error::Database(error) if error.is_passing());
        if batch.len() == 1 || nobody_is_at_fault {
            return batch.iter().map(|_| Err(error.clone())).collect();
        }
        let mut results = Vec::with_capacity(batch.len());
        for one in &*batch {
            let stored = self.insert(Arc::new(vec![one.clone()])).await;
            results.push(stored.and_then(|stored| {
                let only = stored.into_iter().next();
                only.ok_or_else(|| Error::Internal("a create stored nothing".to_owned()))
            }));
        }
        results
    }

    async fn insert(&self, batch: Arc<Vec<NewResource>>) -> Result<Vec<Arc<Resource>>, Error> {
        by_authorities(&self.database, &self.authorities, |names| {
            let mut batch = Arc::clone(&batch);
            if !batch.iter().all(|new| new.is_of(&names)) {
                for new in Arc::make_mut(&mut batch) {
                    new.renew(&names, &*self.search);
                }
            }
            let search = Arc::clone(&self.search);
            let stored = batch.iter().map(|new| Arc::clone(&new.resource)).collect();
            async move {
                self.database
                    .write_new("resources_pkey", move |transaction| {
                        let (search, batch) = (Arc::clone(&search), Arc::clone(&batch));
                        async move { insert_all(&transaction, &*search, &batch).await }
                    })
                    .await?;
                Ok(stored)
            }
        })
        .await
    }
}

/// Inserts new resources with their search documents. It fails with [`DatabaseError::Outdated`] when the authority files
/// are not what they were when the names were looked up.
pub(crate) async fn insert_all(
    transaction: &Transaction,
    search: &dyn FullTextSearch,
    batch: &[NewResource],
) -> Result<(), Error> {
    let mut makers: Vec<Uuid> = batch.iter().filter_map(|new| new.created_by).collect();
    makers.dedup();
    for maker in makers {
        transaction.check_reference("users", maker)?;
    }
    let named = batch
        .iter()
        .filter(|new| names_something(&new.resource.fields));
    let mut epochs: Vec<i64> = named.map(|new| new.epoch).collect();
    epochs.dedup();
    authorities::check_all(transaction, epochs).await?;
    let rows = batch.iter().map(|new| row(&new.resource, new.created_by));
    transaction
        .insert_rows(&INSERT, rows)
        .await
        .map_err(DatabaseError::from)?;
    let new = batch
        .iter()
        .map(|new| (new.resource.id, &new.resource.fields));
    citations::insert_keys(transaction, new).await?;
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
        self.creates.call(new).await.map(Arc::unwrap_or_clone)
    }

    pub(crate) fn new_resource(
        &self,
        fields: ResourceFields,
        created_by: Option<Uuid>,
    ) -> NewResource {
        let now = self.clock.now();
        let id = crate::ids::new_id(now, &*self.random);
        let names = self.authorities.known();
        NewResource::new((id, now), fields, created_by, &names, &*self.search)
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
        let (expected, change) = (Arc::new(expected), Arc::new(change));
        let names_change = change.touches(&["creator", "publisher", "subject"]);
        self.by_authorities(|names| {
            let (search, names) = (Arc::clone(&self.search), names_change.then_some(names));
            let (expected, change) = (Arc::clone(&expected), Arc::clone(&change));
            self.database.write(move |transaction| {
                let (search, names) = (Arc::clone(&search), names.clone());
                let (expected, change) = (Arc::clone(&expected), Arc::clone(&change));
                async move {
                    if let Some(names) = &names {
                        authorities::check(&transaction, names.epoch).await?;
                    }
                    let current = lock(&transaction, id).await?;
                    expected.check("resource", current.version)?;
                    let mut fields = current.fields.changed(&change)?;
                    if let Some(resolved) = names.and_then(|names| names.resolve(&fields)) {
                        fields = resolved;
                    }
                    if fields == current.fields {
                        return Ok(current);
                    }
                    update(&transaction, &*search, current, fields, now).await
                }
            })
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
                    expected.check("resource", current.version)?;
                    search::forget_old_removals(&transaction, now)
                        .await
                        .map_err(DatabaseError::from)?;
                    let leaving = Expr::col((Entity, Column::Id)).eq(id);
                    citations::forget_targets(&transaction, leaving, now).await?;
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
    let before = current.fields;
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
    citations::replace_keys(transaction, resource.id, &before, &resource.fields).await?;
    annotations::follow(
        transaction,
        resource.id,
        &before,
        &resource.fields,
        resource.updated_at,
    )
    .await?;
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
static INSERT: BulkInsert = BulkInsert::new(
    "resources",
    Form::Records,
    &[
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
    &[],
);

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
        // Always in one order: two who lock the same rows wait for one another, and never both.
        .order_by_asc(Column::Id)
        .lock_exclusive()
        .all(transaction)
        .await
        .map_err(DatabaseError::from)?;
    found.into_iter().map(from_model).collect()
}
