//! Memory under more than is let in at once: photos in the worker, bodies in the api.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use tokio::time::sleep;
use vouch_tests::samples;

use crate::{
    figure::{Aim, Figure},
    ground::Ground,
    load::{Learners, at_once},
};

/// Pixels of the large photo, three bytes each when it is decoded.
const DECODED_MIB: f64 = 3264.0 * 2448.0 * 3.0 / 1024.0 / 1024.0;

/// Peak of a worker that prepares photos of 8 megapixels, beside the decoded size of those that are inspected at
/// once.
pub async fn worker(ground: &Ground) -> Result<Vec<Figure>> {
    let attempts = ground.amount(32, 2);
    let place = ground.place().await?;
    let api = place.start_api().await?;
    let large = samples::good("face-8mp.jpg");
    let learners = Learners::register(&place, attempts).await?.sending(&json!({ "face_image": large, "photo_id_image": large }));
    at_once(4, attempts, async |number| learners.submit(number).await).await?;
    // All of it at once: more than is let in.
    let worker = place.start_worker(&["--queues", "photos", "--concurrency", "photos=64"]).await?;
    let idle = worker.peak_mib()?;
    while place.count("SELECT count(*) FROM jobs WHERE queue = 'photos'").await? > 0 {
        sleep(Duration::from_millis(50)).await;
    }
    let peak = worker.peak_mib()?;
    worker.stop().await?;
    api.stop().await?;
    ground.clear(place).await?;
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let at_once = std::thread::available_parallelism()?.get() as f64;
    let ceiling = at_once * DECODED_MIB;
    let notes = vec![format!(
        "{idle:.0} MiB before the first photo; {at_once:.0} photos are inspected at once, and plain ones are not decoded"
    )];
    let figure = Figure {
        name: "worker_memory",
        value: peak,
        unit: "MiB",
        ceiling: Some(ceiling),
        ratio: peak / ceiling,
        aim: Aim::AtMost(1.3),
        notes,
    };
    Ok(vec![figure])
}

/// Peak of an api that is sent 200 bodies of 20 MiB at once, beside the room that a setting gives them.
pub async fn api(ground: &Ground) -> Result<Vec<Figure>> {
    const ROOM_MIB: f64 = 128.0;
    let bodies = ground.amount(200, 4);
    let mut place = ground.place().await?;
    place.set("VOUCH_BODY_MEMORY", "128MiB");
    let api = place.start_api().await?;
    let idle = api.peak_mib()?;
    // A photo of 7 MB is 9.3 MiB as a data URL, and there are two of them.
    let photo = samples::data_url(&padded(samples::bytes("good/face.jpg"), 7_600_000));
    let learners = Learners::register(&place, bodies).await?.sending(&json!({ "face_image": photo, "photo_id_image": photo }));
    let (mut taken, mut refused, mut unanswered) = (0, 0, 0);
    for status in futures_util::future::join_all((0..bodies).map(|number| learners.send(number))).await {
        match status {
            Ok(503) => refused += 1,
            Ok(_) => taken += 1,
            Err(_) => unanswered += 1,
        }
    }
    let peak = api.peak_mib()?;
    api.stop().await?;
    ground.clear(place).await?;
    let notes = vec![
        format!("{idle:.0} MiB before the first; {taken} were taken, {refused} told to come again, {unanswered} got no answer"),
        "bounded by VOUCH_BODY_MEMORY".to_owned(),
    ];
    let figure = Figure {
        name: "api_memory",
        value: peak,
        unit: "MiB",
        ceiling: Some(ROOM_MIB),
        ratio: peak / ROOM_MIB,
        aim: Aim::Shown,
        notes,
    };
    Ok(vec![figure])
}

/// A photo with so many bytes more behind its end, which the api lets pass and the worker takes off.
fn padded(mut photo: Vec<u8>, size: usize) -> Vec<u8> {
    photo.resize(size, 0);
    photo
}
