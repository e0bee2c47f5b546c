//! Submissions over HTTP until they are committed, beside the least that they can cost: the same bytes read, sealed,
//! written and committed in one loop.

use std::time::Duration;

use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use tokio::time::Instant;
use url::Url;
use vouch_common::{
    adapters::objects::Objects,
    domain::{ids::ReceiptId, photo::PhotoKind},
    photos::{
        keys::MasterKeys,
        names,
        seal::{seal, with_context},
    },
};

use super::Pairs;
use crate::{
    figure::{Aim, Figure, quantile},
    ground::{Ground, Place},
    load::{Learners, at_once, at_pace},
};

/// Learners who submit at once when the most is asked for.
const AT_ONCE: usize = 16;

pub async fn run(ground: &Ground) -> Result<Vec<Figure>> {
    let count = ground.amount(1_500, 20);
    let (mut pairs, mut spread, mut latencies) = (Pairs::default(), Vec::new(), Vec::new());
    for _ in 0..ground.runs {
        let place = ground.place().await?;
        let ceiling = in_one_loop(&place, ground.amount(400, 10)).await?;
        let api = place.start_api().await?;
        let learners = Learners::register(&place, 3 * count).await?;
        at_once(AT_ONCE, count / 10 + 1, async |number| learners.submit(number).await).await?;
        let first = count / 10 + 1;
        let began = Instant::now();
        at_once(AT_ONCE, count, async |number| learners.submit(first + number).await).await?;
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let rate = count as f64 / began.elapsed().as_secs_f64();
        pairs.push(rate, ceiling);
        let first = first + count;
        let seen = at_pace(0.7 * rate, count, async |number| learners.submit(first + number).await).await?;
        spread.push(quantile(&seen, 0.99) / quantile(&seen, 0.5));
        latencies.extend(seen);
        api.stop().await?;
        ground.clear(place).await?;
    }
    let mut figure = pairs.figure("submission", "submissions/s", Aim::AtLeast(0.6));
    let milliseconds = |share| 1_000.0 * quantile(&latencies, share);
    figure.notes.push(format!(
        "at 70% of that: p50 {:.1} ms, p99 {:.1} ms, p99 by p50 {:.1}; aim at most 5",
        milliseconds(0.5),
        milliseconds(0.99),
        quantile(&spread, 0.5)
    ));
    Ok(vec![figure])
}

/// Reads and decodes the same body, seals, writes two files, commits; submissions a second.
async fn in_one_loop(place: &Place, count: usize) -> Result<f64> {
    let body = crate::load::submission().to_string();
    let keys = MasterKeys::parse(&format!("m1:{}", STANDARD.encode([7; 32])))?;
    let storage = Url::from_file_path(place.folder().join("objects")).ok().context("the folder's address")?;
    let objects = Objects::open(&storage, &Url::parse("http://127.0.0.1/")?, &keys)?;
    let mut db = PgConnection::connect(place.database.as_str()).await?;
    let began = Instant::now();
    for _ in 0..count {
        let fields: Value = serde_json::from_str(&body)?;
        let receipt = ReceiptId(uuid::Uuid::new_v4());
        for (kind, field) in [(PhotoKind::Face, "face_image"), (PhotoKind::PhotoId, "photo_id_image")] {
            let (_, coded) = fields[field].as_str().and_then(|url| url.split_once(',')).context("no data URL")?;
            let plain = STANDARD.decode(coded)?;
            let sealed = with_context(receipt, kind.as_str(), |context| seal(&keys, context, &plain))?;
            objects.put(&names::upload(receipt, kind), sealed).await?;
        }
        // It writes nothing, but asks for a number, and so is flushed like any other.
        sqlx::query("SELECT pg_current_xact_id()::text").execute(&mut db).await?;
    }
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    Ok(count as f64 / began.elapsed().max(Duration::from_micros(1)).as_secs_f64())
}
