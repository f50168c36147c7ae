//! Begins a transaction so that a caller that waits for it may be dropped.

use sqlx::postgres::PgPool;
use sqlx::{Postgres, Transaction};

/// Begins a transaction.
///
/// `sqlx::Pool::begin` must not be dropped while it waits: the connection would go back to the pool with the transaction
/// open (<https://github.com/launchbadge/sqlx/issues/4393>), and what others write over it would never be committed. Here
/// a task of its own waits, so that a caller may be dropped at any time; a transaction without a caller is rolled back.
///
/// # Errors
/// There is no connection, or the database does not answer.
pub async fn begin(pool: &PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    begin_with(pool, "BEGIN").await
}

/// The same with a statement of one's own, such as `BEGIN READ ONLY`.
///
/// # Errors
/// There is no connection, the database does not answer, or the statement begins no transaction.
pub async fn begin_with(pool: &PgPool, statement: &'static str) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let pool = pool.clone();
    #[expect(clippy::disallowed_methods, reason = "this is where it is waited for")]
    let begun = tokio::spawn(async move { pool.begin_with(statement).await });
    // The task ends early only with the runtime, and the pool with it.
    begun.await.unwrap_or(Err(sqlx::Error::PoolClosed))
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures::poll;
    use ytcaption_testing::Postgres as Server;

    use super::*;
    use crate::Database;

    /// Two pools of one connection each, on one database with a table of notes.
    async fn pools() -> (Database, Database) {
        let url = tokio::task::spawn_blocking(|| Server::shared().new_database()).await.expect("a database");
        let open = || Database::open(&url.clone().into(), 1).expect("a good URL");
        let (one, other) = (open(), open());
        sqlx::query("CREATE TABLE notes (round integer)").execute(one.pool()).await.expect("a table");
        (one, other)
    }

    /// Waits for a transaction for that number of polls, then drops it.
    async fn give_up(begun: impl Future<Output = Result<Transaction<'static, Postgres>, sqlx::Error>>, polls: u32) {
        let mut begun = pin!(begun);
        for _ in 0..polls {
            if poll!(&mut begun).is_ready() {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Whether what one pool writes is seen by the other.
    async fn is_committed((one, other): &(Database, Database), round: u32) -> bool {
        let round = i32::try_from(round).expect("a small number");
        sqlx::query("INSERT INTO notes VALUES ($1)").bind(round).execute(one.pool()).await.expect("an insert");
        let seen = sqlx::query_scalar("SELECT EXISTS (SELECT FROM notes WHERE round = $1)").bind(round);
        seen.fetch_one(other.pool()).await.expect("an answer")
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_dropped_caller_leaves_no_open_transaction() {
        let pools = pools().await;
        for round in 0..50 {
            // Dropped at every point: before it begins, while it is requested, while it is answered.
            give_up(begin(pools.0.pool()), round % 5).await;
            assert!(is_committed(&pools, round).await, "round {round}");
        }
    }
}
