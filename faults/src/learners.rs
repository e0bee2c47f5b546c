//! Learners who submit until they are answered, each with one `Idempotency-Key`, and who note what they are told.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use futures_util::{StreamExt, stream};
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::time::{Instant, sleep};
use vouch_tests::{JWT_SECRET, samples};

use crate::{
    check::facts::Accepted,
    markers::{Photos, address, name},
};

/// How long a learner goes on before it counts as refused.
const SUBMIT_MAX: Duration = Duration::from_mins(5);
/// Pause between two tries of a learner.
const PAUSE: Duration = Duration::from_millis(250);
/// Learners who submit at once.
const AT_ONCE: usize = 6;

/// All learners of one scenario.
pub struct Learners {
    api: SocketAddr,
    db: PgPool,
    photos: Photos,
    client: reqwest::Client,
    next: AtomicI64,
    noted: Mutex<Noted>,
}

/// What they were told.
#[derive(Debug, Clone, Default)]
pub struct Noted {
    pub accepted: Vec<Accepted>,
    pub submitters: Vec<i64>,
    /// Answers that no fault excuses: a 500, a 503 without `Retry-After`, a 4xx.
    pub lies: Vec<String>,
    /// Answers 503.
    pub refused: usize,
}

/// What one learner sends, and how it should end.
#[derive(Debug, Clone, Copy)]
pub struct Wish {
    /// A part of the name by which the simulated vendor decides: `FAIL`, `SYSTEM`, or nothing.
    pub name: &'static str,
    pub ends: &'static [&'static str],
    /// Every third stands at a checkpoint.
    pub is_at_checkpoints: bool,
}

pub const GOOD: Wish = Wish { name: "", ends: &["approved"], is_at_checkpoints: true };

impl Learners {
    pub fn new(api: SocketAddr, db: PgPool, photos: Photos) -> Arc<Self> {
        let (next, noted) = (AtomicI64::new(1), Mutex::default());
        Arc::new(Self { api, db, photos, client: crate::client(), next, noted })
    }

    pub fn noted(&self) -> Noted {
        self.lock().clone()
    }

    /// How many submissions were answered 2xx.
    pub fn accepted(&self) -> usize {
        self.lock().accepted.len()
    }

    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers so many learners, as the platform would have; their numbers.
    pub async fn register(&self, count: i64, wish: Wish) -> Result<Vec<i64>> {
        let first = self.next.fetch_add(count, Ordering::SeqCst);
        let users: Vec<i64> = (first..first + count).collect();
        for user in &users {
            let sql = "INSERT INTO users (user_id, username, email, full_name, is_active, created_at, updated_at)
                       VALUES ($1, $2, $3, $4, true, now(), now())";
            let names = sqlx::query(sql).bind(user).bind(format!("u{user}")).bind(address(*user));
            names.bind(name(*user, wish.name)).execute(&self.db).await?;
        }
        Ok(users)
    }

    /// So many learners submit; returns when all are answered 2xx.
    pub async fn submit(&self, count: i64, wish: Wish) -> Result<()> {
        let users = self.register(count, wish).await?;
        self.submit_as(&users, wish).await
    }

    /// These learners submit; returns when all are answered 2xx.
    pub async fn submit_as(&self, users: &[i64], wish: Wish) -> Result<()> {
        let mut answers = stream::iter(users.to_vec()).map(|user| self.submit_one(user, wish)).buffer_unordered(AT_ONCE);
        while let Some(answer) = answers.next().await {
            answer?;
        }
        Ok(())
    }

    /// One learner submits until the answer is 2xx, always with the same key.
    pub async fn submit_one(&self, user: i64, wish: Wish) -> Result<String> {
        let is_at_checkpoint = wish.is_at_checkpoints && user % 3 == 0;
        let mut fields = self.good_photos();
        if is_at_checkpoint {
            fields["course_key"] = json!(samples::COURSE);
            fields["checkpoint"] = json!(samples::USAGE);
        }
        self.submit_fields(user, wish, &fields).await
    }

    /// One learner submits these fields until the answer is 2xx.
    pub async fn submit_fields(&self, user: i64, wish: Wish, fields: &Value) -> Result<String> {
        let is_at_checkpoint = fields.get("checkpoint").is_some();
        self.lock().submitters.push(user);
        let began = Instant::now();
        while began.elapsed() < SUBMIT_MAX {
            if let Some(receipt) = self.send(user, fields).await? {
                let accepted = Accepted { receipt: receipt.clone(), user, is_at_checkpoint, ends: wish.ends };
                self.lock().accepted.push(accepted);
                return Ok(receipt);
            }
            sleep(PAUSE).await;
        }
        anyhow::bail!("learner {user} was not answered for {SUBMIT_MAX:?}")
    }

    /// Sends once; the receipt when it was accepted.
    async fn send(&self, user: i64, fields: &Value) -> Result<Option<String>> {
        let request = self.request(user, fields)?.header("Idempotency-Key", format!("submission-of-{user}"));
        // A connection that broke may have been accepted or not: the learner can't know, and sends again.
        let Ok(answer) = request.send().await else { return Ok(None) };
        let status = answer.status().as_u16();
        match status {
            200..=299 => {
                let receipt = answer.headers().get("vouch-receipt-id").context("2xx without a receipt")?;
                return Ok(Some(receipt.to_str()?.to_owned()));
            }
            503 | 507 if answer.headers().contains_key("retry-after") => self.lock().refused += 1,
            _ => {
                let text = answer.text().await.unwrap_or_default();
                self.lock().lies.push(format!("a submission was answered {status}: {text}"));
            }
        }
        Ok(None)
    }

    /// A submission of any fields.
    pub fn request(&self, user: i64, fields: &Value) -> Result<reqwest::RequestBuilder> {
        self.request_with_body(user, serde_json::to_vec(fields)?)
    }

    /// A submission of any bytes that say they are JSON.
    pub fn request_with_body(&self, user: i64, body: Vec<u8>) -> Result<reqwest::RequestBuilder> {
        let url = format!("http://{}/verify_student/submit-photos/", self.api);
        Ok(self.client.post(url).bearer_auth(token(user)?).header("content-type", "application/json").body(body))
    }

    /// A learner asks where they stand.
    pub async fn ask_standing(&self, user: i64) -> Result<reqwest::Response> {
        let url = format!("http://{}/verify_student/status/", self.api);
        Ok(self.client.get(url).bearer_auth(token(user)?).header("accept", "application/json").send().await?)
    }

    /// Two good photos, as a submission sends them.
    pub fn good_photos(&self) -> Value {
        json!({ "face_image": self.photos.face, "photo_id_image": self.photos.photo_id })
    }
}

fn token(user: i64) -> Result<String> {
    let claims = json!({ "sub": user.to_string(), "exp": chrono::Utc::now().timestamp() + 86_400 });
    Ok(encode(&Header::default(), &claims, &EncodingKey::from_secret(JWT_SECRET.as_bytes()))?)
}
