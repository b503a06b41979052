//! Resources: what the library holds.

mod bulk;
mod export;
mod fields;
mod import;
mod list;
mod record;
mod resources;
mod rows;

pub use self::bulk::MOST_DELETED;
pub use self::fields::{ReadStatus, ResourceFields};
pub use self::import::{ImportReport, Reject};
pub use self::list::{DEFAULT_LIMIT, LARGEST_LIMIT, ListRequest, Page};
pub use self::record::{Rendered, Resource};
pub use self::resources::{Expected, NewResource};
pub use self::rows::ImportFormat;

pub(crate) use self::list::{checked_limit, padded};
pub(crate) use self::record::{KnownResources, Stamp, resource_columns, stamp_columns};
pub(crate) use self::resources::{creator, find_where, reader};
