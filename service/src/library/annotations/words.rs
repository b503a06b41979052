//! The words by which annotations are found: those of quote, note and tags, by the same analysis as the search's.

use std::collections::BTreeSet;

use entity::annotation_words::{Column, Entity};
use entity::annotations;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::Annotation;
use crate::database::{BulkInsert, ColumnType, DatabaseError, Form, Transaction};
use crate::error::Error;
use crate::search::Analyser;

/// Distinct words of an annotation that are kept at most; further ones do not find it.
const MOST_WORDS: usize = 5_000;
/// Words of a query at most; further ones are left out.
const MOST_ASKED: usize = 32;

static INSERT: BulkInsert = BulkInsert::new(
    "annotation_words",
    Form::Arrays,
    &[
        ("annotation_id", ColumnType::Uuid),
        ("word", ColumnType::Text),
    ],
    &[],
);

/// Writes the words of a new annotation. The language is that of the resource.
pub(super) async fn insert(
    transaction: &Transaction,
    annotation: &Annotation,
    language: Option<&str>,
) -> Result<(), Error> {
    let analyser = Analyser::for_language(language);
    let mut words = BTreeSet::new();
    let texts = [Some(&annotation.quote), annotation.note.as_ref()];
    for text in texts.into_iter().flatten().chain(&annotation.tags) {
        analyser.words(text, |word| {
            if words.len() < MOST_WORDS {
                words.extend(word.terms);
            }
        });
    }
    let rows = words
        .into_iter()
        .map(|word| vec![annotation.id.into(), word.into()]);
    transaction
        .insert_rows(&INSERT, rows)
        .await
        .map_err(DatabaseError::from)?;
    Ok(())
}

/// Writes the words of an annotation anew.
pub(super) async fn replace(
    transaction: &Transaction,
    annotation: &Annotation,
    language: Option<&str>,
) -> Result<(), Error> {
    Entity::delete_many()
        .filter(Column::AnnotationId.eq(annotation.id))
        .exec(transaction)
        .await
        .map_err(DatabaseError::from)?;
    insert(transaction, annotation, language).await
}

/// Annotations that have every word of a query; `None` for a query without one.
pub(super) fn condition(query: &str) -> Option<Expr> {
    let mut asked: Vec<Vec<String>> = Vec::new();
    Analyser::for_query().words(query, |word| {
        if asked.len() < MOST_ASKED {
            asked.push(word.terms);
        }
    });
    let has = |terms: Vec<String>| {
        let found = Query::select()
            .column(Column::AnnotationId)
            .from(Entity)
            .and_where(Expr::col(Column::Word).is_in(terms))
            .take();
        Expr::col((annotations::Entity, annotations::Column::Id)).in_subquery(found)
    };
    asked.into_iter().map(has).reduce(Expr::and)
}
