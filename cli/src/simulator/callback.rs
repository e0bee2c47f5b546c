//! The verdict's way back: signed as the vendor signs, tried until it is taken, or broken as the script wants it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use futures_util::future::join_all;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, DATE};
use sha2::{Digest as _, Sha256};
use tokio::time::sleep;
use vouch_common::secret::Secret;
use vouch_common::vendor::software_secure::canonical::Message;
use vouch_common::vendor::software_secure::signature::{format_date, sign};
use vouch_common::vendor::strict_json::Members;

use super::Shared;
use super::journal::{Event, Kind};
use super::photos::chain;
use super::script::{CallbackScript, Covers, Forgery, Verdict};

const MEDIA_TYPE: &str = "application/json";
const BACKOFF_MAX: Duration = Duration::from_mins(1);
const STALE_SECONDS: i64 = -600;

/// Everything that is called back for one accepted submission.
pub(super) struct Plan {
    /// The attempt's receipt id.
    pub(super) receipt: String,
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
    deliver(&shared, &plan, &plan.verdict, (delay, 0)).await;
    for next in &plan.script.followed_by {
        let delay = Duration::from_millis(next.delay_ms);
        deliver(&shared, &plan, &next.verdict, (delay, next.date_offset_s)).await;
    }
}

async fn deliver(shared: &Shared, plan: &Plan, verdict: &Verdict, (delay, date_offset_s): (Duration, i64)) {
    if !delay.is_zero() {
        sleep(delay).await;
    }
    let (body, members) = match verdict.write_body(&plan.receipt) {
        Ok(written) => written,
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
        let headers = Headers::sign(shared, &plan.script, &members, date_offset_s);
        let posts = (0..missing).map(|_| post(shared, plan, &headers, &body));
        let mut failed = 0;
        for (http_status, said) in join_all(posts).await {
            let is_taken = http_status.is_some_and(|status| (200..300).contains(&status));
            failed += u32::from(!is_taken);
            let detail = format!("try {turn} of {tries}: {said}");
            let event = Event { http_status, detail, ..callback_event(plan, verdict, &body) };
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
    let request = shared
        .client
        .post(&plan.send_response_to)
        .header(CONTENT_TYPE, MEDIA_TYPE)
        .header(DATE, &headers.date)
        .header(AUTHORIZATION, &headers.authorization)
        .body(body.to_vec());
    match request.send().await {
        Ok(response) if response.status().is_success() => (Some(response.status().as_u16()), "taken".to_owned()),
        Ok(response) => (Some(response.status().as_u16()), "not taken".to_owned()),
        Err(error) => (None, chain(&error.without_url())),
    }
}

struct Headers {
    date: String,
    authorization: String,
}

impl Headers {
    fn sign(shared: &Shared, script: &CallbackScript, body: &Members, date_offset_s: i64) -> Self {
        let stale = if script.forgery == Some(Forgery::StaleDate) { STALE_SECONDS } else { 0 };
        let date = format_date(shared.now() + TimeDelta::seconds(date_offset_s.saturating_add(stale)));
        let content_type = match script.covers {
            Covers::Date => None,
            Covers::ContentTypeAndDate => Some(MEDIA_TYPE),
        };
        let message = Message { method: "POST", content_type, date: Some(&date), content_md5: None, body };
        let (access_key, secret) = (&shared.config.access_key, &shared.config.secret_key);
        let authorization = match script.forgery {
            None | Some(Forgery::StaleDate) => sign(&message, access_key, secret),
            Some(Forgery::WrongSecret) => sign(&message, access_key, &another_secret(secret)),
            Some(Forgery::WrongAccessKey) => sign(&message, &format!("{access_key}x"), secret),
            Some(Forgery::FlippedBit) => with_flipped_bit(&sign(&message, access_key, secret)),
        };
        Self { date, authorization }
    }
}

fn another_secret(secret: &Secret) -> Secret {
    Secret::new([secret.expose(), b"x"].concat())
}

fn with_flipped_bit(authorization: &str) -> String {
    let (start, signature) = authorization.rsplit_once(':').unwrap_or((authorization, ""));
    let mut bytes = STANDARD.decode(signature).unwrap_or_default();
    if let Some(first) = bytes.first_mut() {
        *first ^= 1;
    }
    format!("{start}:{}", STANDARD.encode(bytes))
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

#[cfg(test)]
mod tests {
    use super::with_flipped_bit;

    #[test]
    fn a_flipped_bit_changes_the_signature_and_nothing_else() {
        assert_eq!(with_flipped_bit("SSI key:AAAA"), "SSI key:AQAA");
    }
}
