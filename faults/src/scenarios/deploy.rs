//! Two releases side by side.

use std::sync::Arc;

use anyhow::Result;

use crate::{learners::GOOD, stage::Stage};

/// What a newer release would write: a kind, a version and members that this one does not know, and a member too few.
const NEWER: &str = r#"
    INSERT INTO jobs (queue, kind, args) VALUES
        ('mail', 'send_postcard', '{"v": 1, "user": 1}'),
        ('events', 'track_event', '{"v": 2, "learner": 1}'),
        ('mail', 'send_email', '{"v": 1, "user": 1}'),
        ('events', 'track_event', '{"v": 1, "user": 1, "campus": "north"}')"#;
/// The three that this release can't read, as they wait.
const WAITING: &str = "SELECT count(*) FROM jobs WHERE unknown_since IS NOT NULL AND dead_at IS NULL AND failures = 0";

/// N runs, N+1 writes; N goes on beside it, and is started anew; N+1 reads what waited.
///
/// There is one build: N+1 is played by rows as it would write them, and in the end by rewriting these to what this
/// build knows.
pub async fn rolling(stage: &mut Stage) -> Result<()> {
    stage.without_downloads()?;
    stage.sql(NEWER).await?;
    stage.wait_for_count("what is not known to be put off", WAITING, 3).await?;
    for (round, name) in (1..).zip(["photos", "vendor", "rest", "api"]) {
        let learners = Arc::clone(&stage.learners);
        let submitting = tokio::spawn(async move { learners.submit(4, GOOD).await });
        stage.program(name)?.signal("TERM").await?;
        let code = stage.program(name)?.wait_for_end().await?;
        stage.expect(code == Some(0), format!("{name} ended with {code:?} after SIGTERM"));
        stage.start(name).await?;
        submitting.await??;
        let decided = "SELECT count(*) FROM attempts WHERE status = 'approved'";
        stage.wait_for_count("the verdicts", decided, 4 * round).await?;
    }
    let waiting = stage.count(WAITING).await?;
    stage.expect(waiting == 3, format!("{waiting} of 3 jobs of the newer release wait for it"));
    let read = stage.count(r#"SELECT count(*) FROM jobs WHERE args ? 'campus'"#).await?;
    stage.expect(read == 0, "a member more kept this release from a job that it knows");
    stage
        .sql(
            r#"UPDATE jobs SET kind = 'track_event', queue = 'events', args = '{"v": 1, "user": 1}', due_at = now()
               WHERE unknown_since IS NOT NULL AND phase = 'waiting'"#,
        )
        .await
}
