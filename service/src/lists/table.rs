//! What a list has to know of a table: its fields, what they hold, and what may be asked of them.

use sea_orm::sea_query::Expr;

use crate::accounts::Viewer;
use crate::json::JsonColumn;

/// A table that is listed, perhaps joined to others.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// Groups of fields, in the order in which errors name them.
    pub fields: &'static [&'static [Field]],
    /// Names the field that is unique and never NULL: it breaks ties.
    pub key: &'static str,
    /// As `sort=` spells it.
    pub default_sort: &'static str,
}

impl Table {
    pub fn fields(&self) -> impl Iterator<Item = &'static Field> {
        self.fields.iter().copied().flatten()
    }

    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields().find(|field| field.name == name)
    }
}

/// A field of a list.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// As requests and replies spell it.
    pub name: &'static str,
    pub holds: Holds,
    pub nullable: bool,
    pub sortable: bool,
    pub filterable: bool,
    table: &'static str,
    column: &'static str,
}

/// What a field holds, which decides how it may be compared.
#[derive(Debug, Clone, Copy)]
pub enum Holds {
    Text,
    Integer,
    Number,
    Boolean,
    Time,
    Id,
    /// A list of texts.
    List(JsonColumn),
    Json(JsonColumn),
    /// What the row belongs to.
    Related(Related),
}

/// Conditions for rows that belong to something.
#[derive(Debug, Clone, Copy)]
pub struct Related {
    /// To what has this name or id, or to something beneath it: `:`.
    pub within: fn(&str, Option<Viewer>) -> Expr,
    /// To what has this name or id: `=`.
    pub named: fn(&str, Option<Viewer>) -> Expr,
    /// To anything.
    pub any: fn(Option<Viewer>) -> Expr,
}

impl Field {
    /// A field that can be filtered by, of a column of the same name that is never NULL.
    pub const fn new(table: &'static str, name: &'static str, holds: Holds) -> Self {
        Self {
            name,
            holds,
            nullable: false,
            sortable: false,
            filterable: true,
            table,
            column: name,
        }
    }

    pub const fn column(mut self, column: &'static str) -> Self {
        self.column = column;
        self
    }

    pub const fn nullable(mut self) -> Self {
        self.nullable = true;
        self
    }

    /// Texts, numbers, booleans, times and ids can be sorted by.
    pub const fn sortable(mut self) -> Self {
        self.sortable = true;
        self
    }

    pub const fn not_filterable(mut self) -> Self {
        self.filterable = false;
        self
    }

    pub fn expression(&self) -> Expr {
        Expr::col((self.table, self.column))
    }
}
