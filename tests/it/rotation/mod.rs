//! Secrets that are replaced while all goes on.

mod master_keys;
mod master_keys_beside;
mod page;
mod secrets;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use vouch_common::photos::{
    keys::MasterKeys,
    seal::{SealContext, master_of, open, seal},
};
use vouch_tests::TestApp;

use crate::cli::{Ended, program, run};

/// A list of master keys: `m1` is that of the harness.
fn list(ids: &[&str]) -> String {
    let key = |id: &&str| format!("{id}:{}", STANDARD.encode([6 + id[1..].parse::<u8>().unwrap(); 32]));
    ids.iter().map(key).collect::<Vec<_>>().join(",")
}

fn master_keys(ids: &[&str]) -> MasterKeys {
    MasterKeys::parse(&list(ids)).unwrap()
}

/// Sets a setting for whatever starts from now on.
fn set(app: &mut TestApp, name: &str, value: &str) {
    app.settings.retain(|(set, _)| set != name);
    app.settings.push((name.to_owned(), value.to_owned()));
}

fn setting<'a>(app: &'a TestApp, name: &str) -> &'a str {
    &app.settings.iter().find(|(set, _)| set == name).unwrap().1
}

/// Runs `vouch keys …` with these master keys; no key is ever told.
async fn keys_at(app: &TestApp, database_url: &str, ids: &[&str], words: &[&str]) -> Ended {
    let mut command = program();
    command.env("DATABASE_URL", database_url).env("VOUCH_MASTER_KEYS", list(ids));
    command.env("VOUCH_STORAGE_URL", setting(app, "VOUCH_STORAGE_URL"));
    let ended = run(command, &[&["keys"], words].concat()).await;
    for id in ids {
        let key = list(&[id]).split_once(':').unwrap().1.to_owned();
        assert!(!ended.out.contains(&key) && !ended.err.contains(&key), "{} {}", ended.out, ended.err);
    }
    ended
}

async fn keys(app: &TestApp, ids: &[&str], words: &[&str]) -> Ended {
    keys_at(app, setting(app, "DATABASE_URL"), ids, words).await
}

async fn rewrap(app: &TestApp, ids: &[&str]) -> Ended {
    keys(app, ids, &["rewrap", "--reason", "a new key each year"]).await
}

/// Key, state, uploads and callbacks of each line of `vouch keys status`.
async fn status(app: &TestApp, ids: &[&str]) -> Vec<String> {
    let rows = keys(app, ids, &["status"]).await.rows();
    rows.into_iter().map(|row| row[..4].join(" ")).collect()
}

/// Keeps a callback of a receipt as the api does, sealed under `m1`.
async fn keep_callback(app: &TestApp, receipt: &str) -> i64 {
    let sealed = seal(&master_keys(&["m1"]), SealContext { receipt, kind: "callback" }, b"what the vendor said").unwrap();
    sqlx::query_scalar(
        "INSERT INTO vendor_callbacks (event_key, outcome, received_at, vendor, receipt, verdict, signature_valid, body_sealed)
         VALUES (gen_random_uuid()::text::bytea, 'applied', now(), 'sealed', $1, 'approved', true, $2) RETURNING id",
    )
    .bind(receipt)
    .bind(sealed.as_ref())
    .fetch_one(&app.db)
    .await
    .unwrap()
}

/// Submits for a learner, and keeps a callback; nobody works on it.
async fn plant(app: &TestApp, user: i64) -> String {
    let receipt = app.submit(user, "Sofia Marek", json!({})).await;
    keep_callback(app, &receipt).await;
    receipt
}

/// Opens every upload that is named and every callback that is kept with the keys; how many there are. What is noted of an
/// upload is what it is sealed under, or older.
async fn open_all(app: &TestApp, ids: &[&str], newest: &str) -> usize {
    let keys = master_keys(ids);
    let uploads: Vec<(String, String, String, Option<String>)> = sqlx::query_as(
        "SELECT receipt_id::text, kind, object, upload_master_key FROM attempts,
                LATERAL (VALUES ('face', face_upload), ('photo_id', photo_id_upload)) AS uploads (kind, object)
         WHERE object IS NOT NULL",
    )
    .fetch_all(&app.db)
    .await
    .unwrap();
    for (receipt, kind, object, noted) in &uploads {
        let sealed = std::fs::read(app.folder.path().join(object)).unwrap();
        let plain = open(&keys, SealContext { receipt, kind }, &sealed).unwrap();
        assert!(plain.starts_with(b"\xff\xd8"), "a JPEG");
        if noted.as_deref() == Some(newest) {
            assert_eq!(master_of(&sealed), *noted, "what is noted is never ahead of what is stored");
        }
    }
    let callbacks: Vec<(String, Vec<u8>)> =
        sqlx::query_as("SELECT receipt, body_sealed FROM vendor_callbacks WHERE body_sealed <> ''")
            .fetch_all(&app.db)
            .await
            .unwrap();
    for (receipt, body) in &callbacks {
        open(&keys, SealContext { receipt, kind: "callback" }, body).unwrap();
    }
    uploads.len() + callbacks.len()
}
