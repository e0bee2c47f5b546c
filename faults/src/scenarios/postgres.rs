//! Postgres that goes away.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Result;
use vouch_cli::simulator::Kind;

use crate::{learners::GOOD, stage::Stage};

/// Ended without a checkpoint while submissions and verdicts flow, twice.
pub async fn restarted(stage: &mut Stage) -> Result<()> {
    for round in 1..=2 {
        let learners = Arc::clone(&stage.learners);
        let users = learners.register(15, GOOD).await?;
        let submitting = tokio::spawn(async move { learners.submit_as(&users, GOOD).await });
        stage.wait_for_count("half of the submissions", "SELECT count(*) FROM attempts", round * 15 - 8).await?;
        stage.ground.postgres.stop().await?;
        stage.server_kills += 1;
        stage.disturbances += 20;
        stage.ground.postgres.up().await?;
        submitting.await??;
    }
    Ok(())
}

/// For how long it is away.
const AWAY: Duration = Duration::from_mins(1);

/// Away for a minute: who has no lease calls nobody, and whoever calls is told to come again.
pub async fn away(stage: &mut Stage) -> Result<()> {
    stage.kill("vendor").await?;
    stage.learners.submit(6, GOOD).await?;
    stage.wait_for_count("six that lie ready", "SELECT count(*) FROM jobs WHERE kind = 'submit_to_vendor'", 6).await?;
    stage.wait_for_count("six that lie ready", "SELECT count(*) FROM jobs WHERE phase = 'dispatched'", 6).await?;
    let receipt = stage.learners.noted().accepted[0].receipt.clone();
    let learners = Arc::clone(&stage.learners);
    let users = learners.register(6, GOOD).await?;
    stage.ground.postgres.stop().await?;
    let began = Instant::now();
    stage.server_kills += 1;
    stage.disturbances += 20;
    // It finds six entries in Redis, and can't claim one.
    stage.start("vendor").await?;
    let submitting = tokio::spawn(async move { learners.submit_as(&users, GOOD).await });
    let mut asked = 0;
    while began.elapsed() < AWAY {
        let call = stage.call_back(&receipt, "approved").await?;
        let read = stage.request(reqwest::Method::GET, &format!("attempts/{receipt}")).send().await?;
        let standing = stage.learners.ask_standing(1).await?;
        for (what, answer) in [("a callback", call), ("an operator", read), ("a learner", standing)] {
            let (status, has_retry_after) = (answer.status().as_u16(), answer.headers().contains_key("retry-after"));
            let text = format!("{what} was answered {status} (Retry-After: {has_retry_after}) without Postgres");
            stage.expect(status == 503 && has_retry_after, text);
            asked += 1;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let refused = stage.learners.noted().refused;
    stage.expect(refused > 0 && !submitting.is_finished(), format!("{refused} submissions were refused without Postgres"));
    let calls = stage.vendor.journal().entries().len();
    stage.expect(calls == 0, format!("the vendor was called {calls} times by a worker without a lease"));
    stage.notes.push(format!("{asked} requests and {refused} submissions were answered 503 with Retry-After"));
    stage.ground.postgres.up().await?;
    submitting.await?
}

/// Raises every so manieth write, with either of the two codes in turn, after it was done.
const CONTENTION: &str = "
    CREATE SEQUENCE writes;
    CREATE FUNCTION contend() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE place bigint := nextval('writes');
    BEGIN
        IF place % 13 = 0 THEN
            RAISE EXCEPTION 'contention' USING ERRCODE = CASE WHEN place % 2 = 0 THEN '40P01' ELSE '40001' END;
        END IF;
        RETURN NULL;
    END $$;
    DO $$
    DECLARE name text;
    BEGIN
        FOREACH name IN ARRAY ARRAY['attempts', 'attempt_events', 'jobs', 'vendor_callbacks', 'checkpoint_statuses',
            'credit_requirement_statuses', 'credit_eligibilities', 'submission_keys', 'breakers'] LOOP
            EXECUTE format('CREATE TRIGGER contend AFTER INSERT OR UPDATE OR DELETE ON %I EXECUTE FUNCTION contend()', name);
        END LOOP;
    END $$;";
const NO_CONTENTION: &str = "DROP FUNCTION contend CASCADE";

/// Every thirteenth write is told that it could not be serialised, or that it was the victim of a deadlock.
pub async fn contended(stage: &mut Stage) -> Result<()> {
    stage.sql(CONTENTION).await?;
    stage.learners.submit(30, GOOD).await?;
    stage.wait_for_count("the verdicts", "SELECT count(*) FROM attempts WHERE status = 'approved'", 30).await?;
    let raised = stage.count("SELECT last_value / 13 FROM writes").await?;
    stage.expect(raised >= 20, format!("only {raised} writes were refused"));
    stage.notes.push(format!("{raised} writes were refused; {} submissions had to come again", stage.learners.noted().refused));
    let entries = stage.vendor.journal().entries();
    let calls = entries.iter().filter(|entry| entry.event.kind == Kind::Callback);
    let odd = calls.filter(|entry| !matches!(entry.event.http_status, Some(200..=299 | 503))).count();
    stage.expect(odd == 0, format!("{odd} callbacks were answered neither 2xx nor 503"));
    stage.disturbances += usize::try_from(raised)?;
    stage.sql(NO_CONTENTION).await
}
