//! Resources: what the library holds.

mod export;
mod fields;
mod import;
mod list;
mod record;
pub(crate) mod related;
mod resources;
mod rows;
mod table;

pub use self::fields::{ReadStatus, ResourceFields};
pub use self::import::{ImportReport, Reject};
pub use self::record::{Rendered, Resource};
pub use self::resources::NewResource;
pub use self::rows::ImportFormat;

pub(crate) use self::list::padded;
pub(crate) use self::record::{KnownResources, Stamp, resource_columns, stamp_columns};
pub(crate) use self::resources::{creator, find_where, not_found, reader, update};
pub(crate) use self::table::RESOURCES;
