//! Annotations to take away: as JSON, and as Markdown to read.

use std::fmt::Write as _;
use std::str::FromStr;

use entity::annotations::Column;
use entity::{annotations, resources};
use sea_orm::sea_query::{Expr, ExprTrait};
use serde::Serialize;
use uuid::Uuid;

use super::reading::{AnnotationRequest, seen};
use super::{ANNOTATIONS, Annotation, FIELDS, Sharing};
use crate::Pharos;
use crate::database::{DatabaseError, FromRow, Row};
use crate::error::Error;
use crate::lists::{Field, LARGEST_LIMIT, ListRequest, Listed, Page, Source};

/// What a Markdown file begins with.
pub const MARKDOWN_HEAD: &str = "# Annotations\n";

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, utoipa::ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum AnnotationExport {
    /// An array of objects.
    #[default]
    Json,
    /// A heading for each resource, a block quote for each passage.
    Markdown,
}

impl FromStr for AnnotationExport {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "json" => Ok(Self::Json),
            "markdown" => Ok(Self::Markdown),
            _ => Err("expected json or markdown".to_owned()),
        }
    }
}

/// An annotation with the title of its resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ExportedAnnotation {
    #[serde(flatten)]
    pub annotation: Annotation,
    pub resource_title: String,
}

impl Listed for ExportedAnnotation {}

impl FromRow for ExportedAnnotation {
    fn from_row(row: &Row<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            annotation: Annotation::read(row)?,
            resource_title: row.get(FIELDS.len())?,
        })
    }
}

impl ExportedAnnotation {
    /// As Markdown, under a heading of its own unless it is about the same resource as the one before.
    pub fn to_markdown(&self, before: Option<Uuid>) -> String {
        let annotation = &self.annotation;
        let mut text = String::new();
        if before != Some(annotation.resource_id) {
            let title = self.resource_title.replace(is_line_end, " ");
            let _ = write!(text, "\n## {}\n", escaped(&title));
        }
        text.push('\n');
        for line in annotation.quote.split(is_line_end) {
            let _ = writeln!(text, "> {}", escaped(line));
        }
        let _ = write!(
            text,
            "\n{} {}–{}",
            annotation.field.as_str(),
            annotation.start,
            annotation.end
        );
        if let Some(colour) = &annotation.colour {
            let _ = write!(text, " · {colour}");
        }
        for tag in &annotation.tags {
            let _ = write!(text, " · {}", escaped(&tag.replace(is_line_end, " ")));
        }
        if annotation.visibility == Sharing::Shared {
            text.push_str(" · shared");
        }
        if annotation.stale {
            text.push_str(" · stale");
        }
        text.push('\n');
        if let Some(note) = &annotation.note {
            let _ = write!(text, "\n{}\n", note.trim_end());
        }
        text
    }
}

fn is_line_end(character: char) -> bool {
    matches!(character, '\n' | '\r')
}

/// A line of text with what Markdown would take for its own behind a backslash.
fn escaped(line: &str) -> String {
    let mut text = String::with_capacity(line.len() + 8);
    for character in line.chars() {
        if matches!(
            character,
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '&'
        ) {
            text.push('\\');
        }
        text.push(character);
    }
    // A list, a heading's underline, or a number in front of a list's point.
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let marks = matches!(text.as_bytes().get(digits), Some(b'.' | b')')) && digits > 0;
    if marks {
        text.insert(digits, '\\');
    } else if text.starts_with(['-', '+', '=']) {
        text.insert(0, '\\');
    }
    text
}

impl Pharos {
    /// A piece of an export: what the caller may see, by resource, field and place. It goes on at `cursor`.
    pub async fn export_annotations(
        &self,
        request: &AnnotationRequest,
        cursor: Option<String>,
    ) -> Result<Page<ExportedAnnotation>, Error> {
        let same = Expr::col((annotations::Entity, Column::ResourceId))
            .equals((resources::Entity, resources::Column::Id));
        let rows = seen(request.list.viewer)
            .inner_join(resources::Entity, same)
            .take();
        let source = Source {
            name: request.name("annotations/export"),
            table: &ANNOTATIONS,
            rows: request.narrow(rows),
        };
        let title = Expr::col((resources::Entity, resources::Column::Title));
        let columns = FIELDS.iter().map(Field::expression).chain([title]);
        let list = ListRequest {
            sort: Some("resource_id,field,start,end".to_owned()),
            limit: Some(LARGEST_LIMIT),
            cursor,
            total: false,
            ..request.list.clone()
        };
        self.list_rows(&source, &list, columns).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_means_itself() {
        for (line, expected) in [
            ("a *b* <c> [d](e)", r"a \*b\* \<c\> \[d\](e)"),
            ("1. one", r"1\. one"),
            ("- list", r"\- list"),
            ("2001", "2001"),
            ("# no heading", r"\# no heading"),
        ] {
            assert_eq!(escaped(line), expected);
        }
    }
}
