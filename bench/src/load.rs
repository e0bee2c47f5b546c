//! Load: many callers at once, or callers at a pace, who don't wait for each other.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};
use vouch_tests::{JWT_SECRET, samples};

use crate::ground::Place;

/// Calls so often, with so many calls at once; `call` is given the number of the call, from 0.
pub async fn at_once(callers: usize, count: usize, call: impl AsyncFn(usize) -> Result<()>) -> Result<()> {
    let next = AtomicUsize::new(0);
    let caller = async || -> Result<()> {
        loop {
            let number = next.fetch_add(1, Ordering::SeqCst);
            if number >= count {
                return Ok(());
            }
            call(number).await?;
        }
    };
    try_join_all((0..callers).map(|_| caller())).await.map(drop)
}

/// Calls so often, at so many calls a second whether or not the former ones are answered; how long each took, in
/// seconds, from the moment at which it was to begin.
pub async fn at_pace(per_second: f64, count: usize, call: impl AsyncFn(usize) -> Result<()>) -> Result<Vec<f64>> {
    let (began, pause) = (Instant::now(), Duration::from_secs_f64(1.0 / per_second));
    let one = async |number: usize| -> Result<f64> {
        let begins = began + pause * u32::try_from(number)?;
        sleep_until(begins).await;
        call(number).await?;
        Ok(begins.elapsed().as_secs_f64())
    };
    try_join_all((0..count).map(one)).await
}

/// What a learner sends: two photos of 65 kB as data URLs.
pub fn submission() -> Value {
    json!({ "face_image": samples::good("face.jpg"), "photo_id_image": samples::good("id.jpg") })
}

/// Learners whom the platform has told of.
pub struct Learners {
    url: String,
    tokens: Vec<String>,
    body: bytes::Bytes,
}

impl Learners {
    /// Registers so many.
    pub async fn register(place: &Place, count: usize) -> Result<Self> {
        let sql = "INSERT INTO users (user_id, username, email, full_name, is_active, created_at, updated_at)
                   SELECT n, 'u' || n, 'u' || n || '@example.com', 'Ada Lovelace', true, now(), now()
                   FROM generate_series(1, $1::bigint) AS n";
        sqlx::query(sql).bind(i64::try_from(count)?).execute(&place.db).await?;
        let key = EncodingKey::from_secret(JWT_SECRET.as_bytes());
        let expires = chrono::Utc::now().timestamp() + 86_400;
        let token = |user: usize| encode(&Header::default(), &json!({ "sub": user.to_string(), "exp": expires }), &key);
        let tokens = (1..=count).map(token).collect::<Result<_, _>>()?;
        let url = format!("http://{}/verify_student/submit-photos/", place.api);
        Ok(Self { url, tokens, body: submission().to_string().into() })
    }

    /// They send something else.
    pub fn sending(mut self, fields: &Value) -> Self {
        self.body = fields.to_string().into();
        self
    }

    /// The learner of that number submits, and is taken.
    pub async fn submit(&self, number: usize) -> Result<()> {
        let status = self.send(number).await?;
        anyhow::ensure!((200..300).contains(&status), "a submission was answered {status}");
        Ok(())
    }

    /// The learner of that number sends; the status of the answer.
    pub async fn send(&self, number: usize) -> Result<u16> {
        let token = self.tokens.get(number).context("no such learner")?;
        let request = crate::client().post(&self.url).bearer_auth(token).header("content-type", "application/json");
        let answer = request.body(self.body.clone()).send().await?;
        let status = answer.status().as_u16();
        answer.bytes().await?;
        Ok(status)
    }
}
