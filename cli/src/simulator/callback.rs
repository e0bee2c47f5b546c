//! The verdict's way back: signed as the vendor signs, tried until it is taken, or broken as the script wants it.

use std::time::Duration;

use futures_util::future::join_all;
use sha2::{Digest as _, Sha256};
use tokio::time::sleep;

use super::Shared;
use super::journal::{Event, Kind};
use super::letter::{Headers, Letter};
use super::photos::chain;
use super::script::{CallbackScript, Verdict};

const BACKOFF_MAX: Duration = Duration::from_mins(1);

/// Everything that is called back for one accepted submission.
pub(super) struct Plan {
    /// The attempt's receipt id.
    pub(super) receipt: String,
    /// What names the submission.
    pub(super) order: String,
    /// Where the submission wants its verdict.
    pub(super) send_response_to: String,
    /// The first verdict.
    pub(super) verdict: Verdict,
    /// How it is called back, as the script stood at the submission.
    pub(super) script: CallbackScript,
}

/// Calls the verdict back, then those that follow it, each when the one before is done.
pub(super) async fn carry_out(shared: std::sync::Arc<Shared>, plan: Plan) {
    let delay = plan.script.delay_ms.map_or(shared.config.verdict_delay, Duration::from_millis);
    sleep_for(delay).await;
    deliver(&shared, &plan, &plan.verdict, (0, 0)).await;
    for (next, place) in plan.script.followed_by.iter().zip(1..) {
        sleep_for(Duration::from_millis(next.delay_ms)).await;
        deliver(&shared, &plan, &next.verdict, (place, next.date_offset_s)).await;
    }
}

async fn sleep_for(delay: Duration) {
    if !delay.is_zero() {
        sleep(delay).await;
    }
}

async fn deliver(shared: &Shared, plan: &Plan, verdict: &Verdict, place_and_offset: (usize, i64)) {
    let letter = match Letter::write(shared, plan, verdict, place_and_offset) {
        Ok(letter) => letter,
        Err(error) => {
            let event = Event { detail: chain(&error), ..callback_event(plan, verdict, b"") };
            shared.journal.append(shared.now(), event);
            return;
        }
    };
    let tries = if plan.script.forgery.is_some() { 1 } else { plan.script.tries };
    let mut missing = plan.script.copies;
    let mut backoff = Duration::from_millis(plan.script.backoff_ms);
    for turn in 1..=tries {
        let headers = letter.sign(shared, &plan.script);
        let posts = (0..missing).map(|_| post(shared, plan, &headers, &letter.body));
        let mut failed = 0;
        for (http_status, said) in join_all(posts).await {
            let is_taken = http_status.is_some_and(|status| (200..300).contains(&status));
            failed += u32::from(!is_taken);
            let detail = format!("try {turn} of {tries}: {said}");
            let event = Event { http_status, detail, ..callback_event(plan, verdict, &letter.body) };
            shared.journal.append(shared.now(), event);
        }
        missing = failed;
        if missing == 0 || turn == tries {
            return;
        }
        sleep(backoff).await;
        backoff = (backoff * 2).min(BACKOFF_MAX);
    }
}

/// Posts one copy and tells the answer's status and what it means.
async fn post(shared: &Shared, plan: &Plan, headers: &Headers, body: &[u8]) -> (Option<u16>, String) {
    let Ok(_permit) = shared.callers.acquire().await else { return (None, "the simulator stops".to_owned()) };
    let request = shared.client.post(&plan.send_response_to).body(body.to_vec());
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
    match request.send().await {
        Ok(response) if response.status().is_success() => (Some(response.status().as_u16()), "taken".to_owned()),
        Ok(response) => (Some(response.status().as_u16()), "not taken".to_owned()),
        Err(error) => (None, chain(&error.without_url())),
    }
}

fn callback_event(plan: &Plan, verdict: &Verdict, body: &[u8]) -> Event {
    Event {
        kind: Kind::Callback,
        receipt: Some(plan.receipt.clone()),
        body_sha256: hex::encode(Sha256::digest(body)),
        name_sha256: None,
        face: None,
        photo_id: None,
        decision: verdict.result.clone(),
        http_status: None,
        detail: String::new(),
    }
}
