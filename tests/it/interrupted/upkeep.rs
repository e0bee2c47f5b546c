//! What workers do by themselves: recurring care, and how a job ends.

use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use vouch_common::{
    config::Settings,
    domain::effect::{Effect, Queue},
    operations::{
        OperationError, api_keys, compact_tallies, forget_retries, forget_submission_keys, match_orphans, mend_stuck,
        put_off_unknown, remind_expired, sample_queues, settle_job,
    },
    store::{Db, jobs::ClaimedJob, jobs::Failure},
};
use vouch_worker::{jobs, purge, services::Services};

use super::{
    play::{Act, Again, Play, Told},
    world::World,
};

fn play(
    name: &str,
    operation: impl for<'a> Fn(&'a World, &'a Db) -> LocalBoxFuture<'a, Result<(), OperationError>> + 'static,
) -> Play {
    let act: Act = Box::new(move |world, side| {
        let doing = operation(world, side.services.db());
        Box::pin(async move { told(doing.await) })
    });
    Play { name: name.to_owned(), act, repeat: None, again: Again::IsOnce }
}

fn told(result: Result<(), OperationError>) -> Told {
    match result {
        Ok(()) => Told::Done,
        Err(OperationError::Store(error)) if error.is_transient() => Told::Unknown(format!("{error:?}")),
        Err(error) => Told::Refused(format!("{error:?}")),
    }
}

fn settings(world: &World) -> &Settings {
    world.direct.services.settings()
}

#[tokio::test]
async fn recurring_care_can_be_stopped_anywhere() {
    let mut world = World::start(vec![]).await;
    let stuck = world.app.submit(1, "Sofia Marek", json!({})).await;
    let stray = world.app.submit(2, "Sofia Marek", json!({})).await;
    let app = &world.app;
    app.put_user(3, "Sofia Marek").await;
    api_keys::create(world.direct.services.db(), "old", &["admin".to_owned()], None, app.now()).await.unwrap();
    // A verdict that nobody applies, an attempt without its job, an approval that expired yesterday.
    app.sql(&format!(
        "DELETE FROM jobs;
         UPDATE attempts SET updated_at = now() - interval '5 minutes' WHERE receipt_id = '{stuck}';
         UPDATE attempts SET status = 'submitted' WHERE receipt_id = '{stray}';
         INSERT INTO vendor_callbacks (event_key, outcome, received_at, vendor, receipt, verdict, signature_valid, body_sealed, attempt_id)
         SELECT 'a', 'received', now() - interval '5 minutes', 'software-secure', receipt_id, 'PASS', true, 'x', id
         FROM attempts WHERE receipt_id = '{stray}';
         INSERT INTO vendor_callbacks (event_key, outcome, received_at, vendor, receipt, verdict, signature_valid, body_sealed)
         VALUES ('b', 'orphan', now(), 'sealed', '{stray}', 'approved', true, 'x');
         INSERT INTO attempts (receipt_id, user_id, status, name, created_at, updated_at)
         VALUES (gen_random_uuid(), 3, 'approved', 'Sofia Marek', now() - interval '366 days', now() - interval '366 days');
         INSERT INTO submission_keys (caller, key, body_digest, receipt_id, answer, created_at)
         VALUES ('a', 'k', 'x', '{stray}', '{{}}', now() - interval '8 days');
         INSERT INTO retries (id, status, filter, rate, reason, created_by, created_at, finished_at, total)
         VALUES ('{stray}', 'done', '{{}}', 1, 'why', 'ann', now() - interval '9 days', now() - interval '8 days', 0);
         INSERT INTO retry_keys (caller, key, body_digest, retry_id, created_at)
         VALUES ('a', 'k', 'x', '{stray}', now() - interval '8 days');
         INSERT INTO dead_tallies (queue, fingerprint, jobs) SELECT 'mail', 'f', 1 FROM generate_series(1, 5)"
    ))
    .await;
    world.keep().await;
    let plays = [
        play("mend_stuck", |world, db| Box::pin(async { mend_stuck::mend(db, world.app.now()).await.map(drop) })),
        play("match_orphans", |world, db| Box::pin(async { match_orphans::match_again(db, world.app.now()).await.map(drop) })),
        play("remind_expired", |world, db| {
            Box::pin(async {
                let days = settings(world).validity.days_good_for;
                remind_expired::remind(db, settings(world).reminders, days, world.app.now()).await.map(drop)
            })
        }),
        play("forget_submission_keys", |world, db| {
            Box::pin(async { forget_submission_keys::forget(db, world.app.now()).await.map(drop) })
        }),
        play("forget_retries", |world, db| Box::pin(async { forget_retries::forget(db, world.app.now()).await.map(drop) })),
        play("compact_tallies", |_, db| Box::pin(async { compact_tallies::compact(db).await.map(drop) })),
        play("api_keys, revoked", |world, db| {
            Box::pin(async {
                let keys = api_keys::list(db).await?;
                let id = keys.first().map_or(0, |key| key.id);
                api_keys::revoke(db, id, world.app.now()).await.map(drop)
            })
        }),
        Play { again: Again::IsTwice, ..play("sample_queues", |_, db| Box::pin(async { sample_queues::take(db).await })) },
        Play {
            again: Again::IsTwice,
            ..play("api_keys, made", |world, db| {
                Box::pin(async { api_keys::create(db, "ann", &["admin".to_owned()], None, world.app.now()).await.map(drop) })
            })
        },
    ];
    for play in plays {
        play.holds(&world).await;
    }
}

/// Whatever it was, it is done unless its connection was cut.
fn care(name: &str, care: impl for<'a> Fn(&'a Services) -> LocalBoxFuture<'a, ()> + 'static) -> Play {
    let act: Act = Box::new(move |world, side| {
        let doing = care(&side.services);
        Box::pin(async move {
            doing.await;
            if world.proxy.is_closed() { Told::Unknown("cut off".to_owned()) } else { Told::Done }
        })
    });
    Play { name: name.to_owned(), act, repeat: None, again: Again::IsOnce }
}

#[tokio::test]
async fn the_purge_can_be_stopped_anywhere() {
    let mut world = World::start(vec![]).await;
    let old = world.app.submit(1, "Sofia Marek", json!({})).await;
    for job in world.claim_all().await {
        jobs::run(&world.direct.services, (&job).into(), Effect::from_parts(&job.kind, &job.args).unwrap()).await.unwrap();
    }
    world
        .app
        .sql(&format!(
            "DELETE FROM jobs;
             UPDATE attempts SET status = 'denied', created_at = now() - interval '9 years', updated_at = now() - interval '9 years'
             WHERE receipt_id = '{old}'"
        ))
        .await;
    world.keep().await;
    care("purge_photos, purge_rows", |services| {
        Box::pin(async {
            let _ = purge::run(services, &CancellationToken::new()).await;
        })
    })
    .holds(&world)
    .await;
}

#[tokio::test]
async fn the_end_of_a_try_is_kept_once_however_often_it_breaks_off() {
    let mut world = World::start(vec![]).await;
    world.app.submit(1, "Sofia Marek", json!({})).await;
    let job = world.claim_all().await.into_iter().find(|job| job.kind == "prepare_photos").unwrap();
    world.keep().await;
    let lease = job.lease;
    let failure = Failure {
        kind: job.kind.clone(),
        class: "storage",
        code: String::new(),
        error: "the object store is away".to_owned(),
        retry_after: Some(Duration::from_secs(60)),
    };
    let last = Failure { retry_after: None, ..failure.clone() };
    let fail = |name: &str, failure: Failure| {
        play(name, move |_, db| {
            let failure = failure.clone();
            Box::pin(async move {
                settle_job::fail(db, lease, &failure, Some((Queue::Photos, Duration::from_secs(9))), None).await.map(drop)
            })
        })
    };
    for play in [
        fail("settle_job, a try that failed", failure),
        fail("settle_job, the last try", last),
        play("settle_job, done", move |_, db| Box::pin(settle_job::finish(db, lease))),
        play("settle_job, given back", move |_, db| Box::pin(async move { settle_job::release(db, &[lease]).await.map(drop) })),
        put_off(&job),
    ] {
        play.holds(&world).await;
    }
    // Nobody has known it for an hour.
    world.restore().await;
    world.app.sql(&format!("UPDATE jobs SET unknown_since = now() - interval '2 hours' WHERE id = {}", lease.job)).await;
    world.keep().await;
    put_off(&job).holds(&world).await;
}

fn put_off(job: &ClaimedJob) -> Play {
    let job = job.clone();
    play("put_off_unknown", move |_, db| {
        let job = job.clone();
        Box::pin(async move { put_off_unknown::put_off(db, &job).await.map(drop) })
    })
}
