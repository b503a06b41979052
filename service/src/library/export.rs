//! Exporting resources: NDJSON that can be imported again.

use entity::resources::Column;
use sea_orm::sea_query::{Expr, ExprTrait, Order};
use uuid::Uuid;

use super::record::{self, Resource};
use crate::Pharos;
use crate::error::Error;

/// Resources in memory at once.
const BATCH_ROWS: u64 = 500;

impl Pharos {
    /// Hands every resource to `each`, in the order of their ids, a batch at a time.
    pub async fn export_resources(
        &self,
        mut each: impl FnMut(&Resource) -> Result<(), Error> + Send,
    ) -> Result<u64, Error> {
        let mut after = Uuid::nil();
        let mut count = 0;
        loop {
            let id = (entity::resources::Entity, Column::Id);
            let select = record::select()
                .and_where(Expr::col(id).gt(after))
                .order_by(id, Order::Asc)
                .limit(BATCH_ROWS)
                .take();
            let batch: Vec<Resource> = self
                .database
                .fetch_all(self.database.build(&select))
                .await?;
            let Some(last) = batch.last() else {
                return Ok(count);
            };
            after = last.id;
            count += batch.len() as u64;
            for resource in &batch {
                each(resource)?;
            }
        }
    }
}
