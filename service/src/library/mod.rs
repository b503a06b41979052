//! What the library holds: resources, and what readers make of them.

mod annotations;
mod bulk;
mod citations;
mod collections;
mod export;
mod fields;
mod import;
mod list;
mod record;
pub(crate) mod related;
mod resources;
mod rows;
mod table;

pub use self::annotations::{
    Annotation, AnnotationExport, AnnotationFields, AnnotationRequest, ExportedAnnotation,
    MARKDOWN_HEAD, Sharing, TextField,
};
pub use self::bulk::MOST_DELETED;
pub use self::citations::{
    Citation, CitationFields, CitationType, ComputedImportance, Direction, Importance,
};
pub use self::collections::{
    Added, Children, Collection, CollectionFields, CollectionItem, Member, MemberRole, Visibility,
    placement, resource_ids,
};
pub use self::fields::{ReadStatus, ResourceFields};
pub use self::import::{ImportReport, Reject};
pub use self::record::{Rendered, Resource};
pub use self::resources::NewResource;
pub use self::rows::{ImportFormat, join_entries, not_json};

pub(crate) use self::annotations::ANNOTATIONS;
pub(crate) use self::citations::{CITATIONS, RANKS};
pub(crate) use self::collections::{COLLECTIONS, CONTENTS, MEMBERS};
pub(crate) use self::list::padded;
pub(crate) use self::record::{KnownResources, Stamp, resource_columns, stamp_columns};
pub(crate) use self::resources::{creator, find_where, not_found, reader, update};
pub(crate) use self::rows::{late_lines, listed};
pub(crate) use self::table::RESOURCES;
