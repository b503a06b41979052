//! How good the ranking is: a retrieval collection is loaded, its queries are run, the rankings are judged.

mod collection;
mod measures;

use std::path::Path;

use chrono::DateTime;

use crate::clock::SteppingClock;
use crate::database::{DatabaseOptions, DatabaseUrl};
use crate::error::Error;
use crate::library::ImportFormat;
use crate::random::SystemRandom;
use crate::search::{MatchMode, SearchRequest};
use crate::{Environment, Pharos};

pub use self::collection::{Collection, CollectionError, TestQuery};
pub use self::measures::{ndcg, recall};

/// Ranks that are looked at.
pub const DEPTH: u64 = 100;
/// Ranks that count for nDCG.
pub const NDCG_DEPTH: usize = 10;

/// What came of a collection.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Documents that were loaded; those without any text are left out.
    pub documents: u64,
    /// Queries that have a relevant document; the means are over these.
    pub judged: usize,
    pub ndcg_at_10: f64,
    pub recall_at_100: f64,
    /// One for each query, in the order of the file.
    pub rankings: Vec<Ranking>,
}

/// The best documents for a query, best first, at most [`DEPTH`].
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    pub query: String,
    /// The collection's `_id` and the score.
    pub documents: Vec<(String, f64)>,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum EvaluationError {
    #[error(transparent)]
    Collection(#[from] CollectionError),
    #[error("corpus.jsonl:{line}: {reason}")]
    Refused { line: u64, reason: String },
    #[error(transparent)]
    Service(#[from] Error),
}

/// Loads a collection into an empty database and runs its queries as any search. Ids ascend in the order of the
/// corpus, so that ties are broken alike wherever it is loaded.
pub async fn evaluate(
    folder: &Path,
    url: &DatabaseUrl,
    options: &DatabaseOptions,
    progress: impl FnMut(u64) + Send,
) -> Result<Evaluation, EvaluationError> {
    let collection = Collection::read(folder)?;
    let environment = Environment {
        clock: std::sync::Arc::new(SteppingClock::new(DateTime::UNIX_EPOCH)),
        random: std::sync::Arc::new(SystemRandom),
    };
    let pharos = Pharos::open(url, options, environment).await?;
    let documents = load(&pharos, folder, progress).await?;
    let mut rankings = Vec::with_capacity(collection.queries.len());
    for query in &collection.queries {
        rankings.push(rank(&pharos, query).await?);
    }
    let (mut ndcg_sum, mut recall_sum, mut judged) = (0.0, 0.0, 0_usize);
    for ranking in &rankings {
        let Some(relevant) = collection.relevant(&ranking.query) else {
            continue;
        };
        let ids: Vec<&str> = ranking.documents.iter().map(|(id, _)| &**id).collect();
        ndcg_sum += ndcg(&ids, relevant, NDCG_DEPTH);
        recall_sum += recall(&ids, relevant);
        judged += 1;
    }
    let mean = |sum: f64| sum / judged.max(1) as f64;
    Ok(Evaluation {
        documents,
        judged,
        ndcg_at_10: mean(ndcg_sum),
        recall_at_100: mean(recall_sum),
        rankings,
    })
}

async fn load(
    pharos: &Pharos,
    folder: &Path,
    mut progress: impl FnMut(u64) + Send,
) -> Result<u64, EvaluationError> {
    let mut refused = None;
    let report = pharos
        .import_resources(
            Box::new(collection::Corpus::open(folder)?),
            ImportFormat::NdJson,
            |report| progress(report.read),
            |reject| {
                refused.get_or_insert((reject.line, reject.reason));
                Ok(())
            },
        )
        .await;
    let report = report?;
    if let Some((line, reason)) = refused {
        return Err(EvaluationError::Refused { line, reason });
    }
    pharos.database().analyse().await?;
    Ok(report.inserted)
}

async fn rank(pharos: &Pharos, query: &TestQuery) -> Result<Ranking, Error> {
    let request = SearchRequest {
        q: query.text.clone(),
        mode: MatchMode::Best,
        limit: Some(DEPTH),
        ..SearchRequest::default()
    };
    let reply = pharos.search(&request).await?;
    let documents = reply.items.into_iter().filter_map(|item| {
        let id = item
            .resource
            .fields
            .metadata
            .get(collection::ID)?
            .as_str()?;
        Some((id.to_owned(), item.score))
    });
    Ok(Ranking {
        query: query.id.clone(),
        documents: documents.collect(),
    })
}
