//! Each kind of job: once, twice, and stopped between every two steps.

use serde_json::json;
use vouch_common::{domain::effect::Effect, store::jobs::ClaimedJob};
use vouch_tests::{samples, wait_for};
use vouch_worker::{
    jobs,
    runtime::job::{JobFailure, Verdict},
    services::Services,
};

use super::{
    play::{Act, Again, Play, Told},
    world::World,
};
use crate::acting::{WHY, post};

/// The kinds that are tried below.
pub(super) const TRIED: [&str; 8] = [
    "prepare_photos",
    "submit_to_vendor",
    "apply_vendor_result",
    "update_credit_requirement",
    "send_email",
    "track_event",
    "retry_batch",
    "erase_learner",
];

async fn run(services: &Services, job: &ClaimedJob) -> Result<(), JobFailure> {
    jobs::run(services, job.into(), Effect::from_parts(&job.kind, &job.args).unwrap()).await
}

impl World {
    /// Does whatever comes before a job of that kind, and claims it.
    async fn reach(&self, kind: &str) -> ClaimedJob {
        wait_for(kind, async || {
            let claimed = self.claim_all().await;
            if let Some(job) = claimed.iter().find(|job| job.kind == kind) {
                return Some(job.clone());
            }
            for job in claimed {
                run(&self.direct.services, &job).await.unwrap();
            }
            None
        })
        .await
    }

    /// Does all that is left to do.
    async fn drain(&self) {
        wait_for("all to be done", async || {
            let claimed = self.claim_all().await;
            for job in &claimed {
                run(&self.direct.services, job).await.unwrap();
            }
            claimed.is_empty().then_some(())
        })
        .await;
    }

    /// Claims a job once more, as when its lease has ended; `None` when it is over.
    async fn claim_again(&self, job: &ClaimedJob) -> Option<ClaimedJob> {
        // Who was cut off may hold it a moment longer, and what is held is not handed out.
        self.quiet().await;
        let id = job.lease.job;
        self.app.sql(&format!("UPDATE jobs SET due_at = now(), deliveries = 0, phase = 'waiting' WHERE id = {id}")).await;
        let queue = Effect::from_parts(&job.kind, &job.args).unwrap().queue();
        self.claim(queue).await.into_iter().find(|claimed| claimed.lease.job == id)
    }

    /// Learner 1 at the checkpoint, as far as a job of that kind, which is claimed. All others wait.
    async fn begin(&self, kind: &str) -> ClaimedJob {
        let place = json!({ "course_key": samples::COURSE, "checkpoint": samples::USAGE });
        let receipt = self.app.submit(1, "Sofia Marek", place).await;
        match kind {
            "apply_vendor_result" | "update_credit_requirement" => {
                self.drain().await;
                let verdict = json!({ "EdX-ID": receipt, "Result": "PASS", "Reason": "", "MessageType": "" });
                assert_eq!(self.app.callback(&verdict).send().await.0, 200);
            }
            "retry_batch" => {
                let job = self.reach("submit_to_vendor").await;
                self.app
                    .sql(&format!("UPDATE jobs SET dead_at = now(), error_class = 'vendor_refused' WHERE id = {}", job.lease.job))
                    .await;
                let order = json!({ "filter": { "state": "dead" }, "rate": 100, "reason": WHY });
                assert_eq!(post(&self.app, "retries", &order).await.0, 202);
            }
            "erase_learner" => {
                self.drain().await;
                assert_eq!(post(&self.app, "users/1/erasure", &json!({ "reason": WHY })).await.0, 202);
            }
            _ => {}
        }
        let job = self.reach(kind).await;
        self.app.sql(&format!("UPDATE jobs SET due_at = now() + interval '1 day' WHERE id <> {}", job.lease.job)).await;
        job
    }
}

/// The job under the lease that it was claimed with; and when nobody knows what became of it, under another.
fn play(job: &ClaimedJob) -> Play {
    let (mine, theirs) = (job.clone(), job.clone());
    let act: Act = Box::new(move |_, side| {
        let job = mine.clone();
        Box::pin(async move { said(run(&side.services, &job).await) })
    });
    let repeat: Act = Box::new(move |world, side| {
        let job = theirs.clone();
        Box::pin(async move {
            match world.claim_again(&job).await {
                Some(job) => said(run(&side.services, &job).await),
                None => Told::Done,
            }
        })
    });
    Play { name: job.kind.clone(), act, repeat: Some(repeat), again: Again::IsOnce }
}

fn said(result: Result<(), JobFailure>) -> Told {
    match result {
        Ok(()) => Told::Done,
        Err(failure) if failure.verdict == Verdict::Retry => Told::Unknown(failure.error),
        Err(failure) => Told::Refused(format!("{failure:?}")),
    }
}

async fn stopped_anywhere_it_ends_the_same(kind: &str) {
    let mut world = World::start(vec![]).await;
    let job = world.begin(kind).await;
    world.keep().await;
    play(&job).holds(&world).await;
}

#[tokio::test]
async fn preparing_photos_can_be_stopped_anywhere() {
    stopped_anywhere_it_ends_the_same(TRIED[0]).await;
}

#[tokio::test]
async fn submitting_to_the_vendor_can_be_stopped_anywhere() {
    stopped_anywhere_it_ends_the_same(TRIED[1]).await;
}

#[tokio::test]
async fn applying_a_result_can_be_stopped_anywhere() {
    stopped_anywhere_it_ends_the_same(TRIED[2]).await;
}

#[tokio::test]
async fn updating_a_requirement_can_be_stopped_anywhere() {
    stopped_anywhere_it_ends_the_same(TRIED[3]).await;
}

#[tokio::test]
async fn sending_a_mail_can_be_stopped_anywhere() {
    stopped_anywhere_it_ends_the_same(TRIED[4]).await;
}

#[tokio::test]
async fn telling_of_events_can_be_stopped_anywhere() {
    stopped_anywhere_it_ends_the_same(TRIED[5]).await;
}

#[tokio::test]
async fn a_bulk_retry_can_be_stopped_anywhere() {
    stopped_anywhere_it_ends_the_same(TRIED[6]).await;
}

#[tokio::test]
async fn an_erasure_can_be_stopped_anywhere() {
    stopped_anywhere_it_ends_the_same(TRIED[7]).await;
}
