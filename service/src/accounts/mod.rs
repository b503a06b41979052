//! Users, API keys, roles and scopes.

mod access;
mod keys;
mod list;
mod users;

pub use self::access::{Actor, Role, Scope, Viewer};
pub use self::keys::{CreatedKey, Key, NewKey};
pub use self::users::{NewUser, User, UserChanges};

pub(crate) use self::keys::{KeyUse, LastUses, checker};
pub(crate) use self::list::{KEYS, USERS};
