//! Resources: what the library holds.

mod export;
mod fields;
mod import;
mod list;
mod record;
mod resources;

pub use self::fields::{ReadStatus, ResourceFields};
pub use self::import::{ImportFormat, ImportReport, Reject};
pub use self::list::{DEFAULT_LIMIT, LARGEST_LIMIT, ListRequest, Page};
pub use self::record::Resource;
pub use self::resources::{Expected, NewResource};

pub(crate) use self::list::checked_limit;
pub(crate) use self::record::select;
pub(crate) use self::resources::{creator, find_where, reader};
