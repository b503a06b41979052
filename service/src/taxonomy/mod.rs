//! The taxonomy: a tree of nodes with materialised paths, and the resources that are assigned to them.
//!
//! Changes of the tree take turns (`crate::database::Turn::Taxonomy`), so that paths, levels and the check for circles
//! are about a tree that stands still. Counts are kept by triggers, whoever assigns or deletes.

mod assignments;
mod change;
mod list;
mod merge;
mod node;
mod predictions;
mod subtree;

pub use self::assignments::{Assignment, AssignmentStatus, NewAssignment};
pub use self::list::NodeList;
pub use self::node::{NewNode, NodeChanges, TaxonomyNode};
pub use self::predictions::{Prediction, ReviewStatus};

pub(crate) use self::assignments::ASSIGNMENTS;
pub(crate) use self::list::NODES;
pub(crate) use self::node::folded_path;
pub(crate) use self::predictions::QUEUE;
