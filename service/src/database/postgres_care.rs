//! What is done for the pool beside its users: noticing that the server has fallen silent, and keeping connections.

use std::sync::Weak;
use std::time::{Duration, Instant};

use sea_orm::sqlx::{AssertSqlSafe, Executor};
use tokio::time::{sleep, timeout};

use super::postgres_pool::Pool;

/// How long statements may be under way without any answer before somebody asks.
const WITHOUT_ANSWER: Duration = Duration::from_millis(500);

/// How long that question waits for its answer.
const QUESTION_TIMEOUT: Duration = Duration::from_millis(1_500);

/// How often a silent server is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// How often connections are looked after.
const TIDY_EVERY: Duration = Duration::from_secs(30);

/// A server that stands still (a stopped process, a network that swallows packets) ends no connection: those who wait
/// for its answer would wait until the statement timeout, and everybody behind them. So when statements are under way
/// and nothing at all comes back, it is asked on a connection of its own; if that has no answer either, everybody is
/// told so, and again asked until it answers.
pub(super) async fn watch(pool: Weak<Pool>) {
    loop {
        sleep(WITHOUT_ANSWER).await;
        let Some(pool) = pool.upgrade() else { return };
        let asked = Instant::now();
        let quiet = asked.checked_sub(WITHOUT_ANSWER).unwrap_or(asked);
        if !pool.waits_in_vain(quiet) || reaches(&pool).await || !pool.waits_in_vain(asked) {
            continue;
        }
        tracing::warn!("the database server does not answer");
        pool.set_silent(true);
        while !reaches(&pool).await {
            sleep(ASK_AGAIN).await;
        }
        pool.set_silent(false);
        tracing::info!("the database server answers again");
    }
}

/// Whether the server says anything, if only that it refuses.
async fn reaches(pool: &Pool) -> bool {
    let question = async {
        match pool.connector.connect().await {
            Ok(mut connection) => {
                let _ = connection.execute(AssertSqlSafe("SELECT 1")).await;
            }
            Err(error) => tracing::debug!(%error, "the database server refuses"),
        }
    };
    timeout(QUESTION_TIMEOUT, question).await.is_ok()
}

/// Keeps the least number of connections, beginning now, and closes what is not needed.
pub(super) async fn maintain(pool: Weak<Pool>) {
    loop {
        {
            let Some(pool) = pool.upgrade() else { return };
            pool.tidy().await;
        }
        sleep(TIDY_EVERY).await;
    }
}
