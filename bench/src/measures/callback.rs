//! The vendor's callbacks over HTTP until they are committed, beside pgbench writing the same rows.

use anyhow::{Context, Result};
use serde_json::json;
use tokio::time::Instant;
use vouch_common::vendor::sealed::webhook::{Message, parse_secret, sign};
use vouch_tests::SECRET;

use super::Pairs;
use crate::{
    figure::{Aim, Figure},
    ground::{Ground, Place},
    load::at_once,
    pgbench::rate,
};

/// Callbacks that come at once.
const AT_ONCE: usize = 16;

pub async fn run(ground: &Ground) -> Result<Vec<Figure>> {
    let count = ground.amount(4_000, 30);
    let mut pairs = Pairs::default();
    for _ in 0..ground.runs {
        let ceiling = ceiling(ground).await?;
        let place = ground.place().await?;
        let receipts = waiting_attempts(&place, count + count / 10).await?;
        let api = place.start_api().await?;
        let secret = parse_secret(SECRET).ok().context("the vendor's secret")?;
        let calls = receipts.iter().map(|receipt| signed(receipt, &secret)).collect::<Result<Vec<_>>>()?;
        let url = format!("http://{}/callbacks/vendor", place.api);
        let send = async |number: usize| call_back(&url, calls.get(number).context("no such callback")?).await;
        at_once(AT_ONCE, count / 10, &send).await?;
        let began = Instant::now();
        at_once(AT_ONCE, count, async |number| send(count / 10 + number).await).await?;
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        pairs.push(count as f64 / began.elapsed().as_secs_f64(), ceiling);
        let kept = place.count("SELECT count(*) FROM vendor_callbacks").await?;
        let jobs = place.count("SELECT count(*) FROM jobs WHERE kind = 'apply_vendor_result'").await?;
        anyhow::ensure!(
            [kept, jobs].map(usize::try_from) == [Ok(receipts.len()); 2],
            "{kept} callbacks were kept and {jobs} will be applied of the {} that were sent",
            receipts.len()
        );
        api.stop().await?;
        ground.clear(place).await?;
    }
    Ok(vec![pairs.figure("callback", "callbacks/s", Aim::AtLeast(0.6))])
}

/// The same rows from pgbench, plainly, with as many clients as call at once; each for an attempt of its own, as the
/// vendor calls.
async fn ceiling(ground: &Ground) -> Result<f64> {
    let place = ground.place().await?;
    let receipts = waiting_attempts(&place, 5_000).await?;
    let receipt = receipts.first().context("an attempt")?;
    let sealed = body(receipt).len() + SEAL_BYTES;
    let script = format!(
        r#"\set n random(1, {attempts})
BEGIN;
INSERT INTO vendor_callbacks (vendor, event_key, receipt, attempt_id, verdict, signed_at, received_at, signature_valid,
                              body_sealed, outcome, body_digest)
VALUES ('sealed', sha256(random()::text::bytea), '{receipt}', :n, 'approved', now(), now(), true,
        decode(repeat('ab', {sealed}), 'hex'), 'received', sha256('body'));
INSERT INTO jobs (queue, kind, args, subject) VALUES ('results', 'apply_vendor_result', '{{"v": 1, "callback": 1}}', '{receipt}');
COMMIT;
"#,
        attempts = receipts.len(),
    );
    let rate = rate(&place.database, place.folder(), &script, AT_ONCE, ground.amount(8, 1)).await?;
    ground.clear(place).await?;
    Ok(rate)
}

/// What sealing adds to a body: magic, id of the master key, wrapped key, nonces and tags.
const SEAL_BYTES: usize = 95;

/// Attempts that wait for their verdict; their receipts.
async fn waiting_attempts(place: &Place, count: usize) -> Result<Vec<String>> {
    let learners = "INSERT INTO users (user_id, username, email, full_name, is_active, created_at, updated_at)
                    SELECT n, 'u' || n, 'u' || n || '@example.com', 'Ada Lovelace', true, now(), now()
                    FROM generate_series(1, $1::bigint) AS n";
    sqlx::query(learners).bind(i64::try_from(count)?).execute(&place.db).await?;
    let attempts = "INSERT INTO attempts (receipt_id, user_id, name, status, created_at, updated_at, submitted_at)
                    SELECT gen_random_uuid(), n, 'Ada Lovelace', 'submitted', now(), now(), now()
                    FROM generate_series(1, $1::bigint) AS n RETURNING receipt_id";
    let receipts: Vec<uuid::Uuid> = sqlx::query_scalar(attempts).bind(i64::try_from(count)?).fetch_all(&place.db).await?;
    Ok(receipts.iter().map(ToString::to_string).collect())
}

fn body(receipt: &str) -> String {
    json!({ "receipt_id": receipt, "result": "approved", "reasons": [], "code": "" }).to_string()
}

/// A callback as the vendor signs it.
struct Call {
    id: String,
    timestamp: String,
    signature: String,
    body: String,
}

fn signed(receipt: &str, secret: &vouch_common::secret::Secret) -> Result<Call> {
    let (id, timestamp, body) = (format!("call_{receipt}"), chrono::Utc::now().timestamp().to_string(), body(receipt));
    let signature = sign(Message { id: &id, timestamp: &timestamp, body: body.as_bytes() }, secret);
    Ok(Call { id, timestamp, signature, body })
}

async fn call_back(url: &str, call: &Call) -> Result<()> {
    let request = crate::client().post(url).header("content-type", "application/json").header("webhook-id", &call.id);
    let signed = request.header("webhook-timestamp", &call.timestamp).header("webhook-signature", &call.signature);
    let answer = signed.body(call.body.clone()).send().await?;
    let status = answer.status();
    let text = answer.text().await?;
    anyhow::ensure!(status.is_success(), "a callback was answered {status}: {text}");
    Ok(())
}
