//! Exporting resources: a stream that shows one moment.

use entity::resources::{Column, Entity};
use sea_orm::sea_query::Order;
use tokio::sync::mpsc;

use super::RESOURCES;
use super::record::{self, Resource};
use crate::Pharos;
use crate::accounts::Viewer;
use crate::error::Error;
use crate::json::filter::Reach;

/// Resources in memory at once, and as many on their way.
const BATCH_ROWS: usize = 100;

impl Pharos {
    /// Starts to read every resource that a filter finds, in the order of their ids, as they are at this moment. Batches
    /// come as fast as they are taken; when the receiver is dropped, the reading ends. A few exports may go on at once,
    /// the next one is told that the database is busy.
    pub async fn export(
        &self,
        filter: Option<&str>,
        viewer: Option<Viewer>,
    ) -> Result<mpsc::Receiver<Result<Vec<Resource>, Error>>, Error> {
        let condition = match filter.map(str::trim) {
            None | Some("") => None,
            Some(text) => Some(self.filter(&RESOURCES, text, viewer, Reach::All).await?),
        };
        let select = record::select()
            .and_where_option(condition)
            .order_by((Entity, Column::Id), Order::Asc)
            .take();
        let (sender, receiver) = mpsc::channel(1);
        self.database
            .pour(self.database.build(&select), BATCH_ROWS, sender)?;
        Ok(receiver)
    }

    /// Hands every resource to `each`, in the order of their ids, a batch at a time.
    pub async fn export_resources(
        &self,
        mut each: impl FnMut(&Resource) -> Result<(), Error> + Send,
    ) -> Result<u64, Error> {
        let mut batches = self.export(None, None).await?;
        let mut count = 0;
        while let Some(batch) = batches.recv().await {
            let batch = batch?;
            count += batch.len() as u64;
            for resource in &batch {
                each(resource)?;
            }
        }
        Ok(count)
    }
}
