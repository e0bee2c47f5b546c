//! What there is in the end: all tables, the photos that rows name, and what the far sides got. Whatever is another at
//! each try is levelled out: numbers and names of rows, moments, sealed bytes, and how often a job was handed out.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::world::World;

/// Members that hold numbers of rows.
const NUMBERS: [&str; 6] = ["id", "callback", "checkpoint", "jobs", "target", "last_value"];
/// Members that tell how often something was tried: a job handed out, the vendor called.
const TRIES: [&str; 3] = ["generation", "deliveries", "window_calls"];

/// How far the far sides had come before a try.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    mails: usize,
    events: usize,
    calls: usize,
}

impl World {
    pub(super) fn mark(&self) -> Mark {
        Mark {
            mails: self.app.mail.mails().len(),
            events: self.events.events().len(),
            calls: self.app.vendor.journal().entries().len(),
        }
    }

    /// What there is, and what the far sides got since the mark. The same mail twice has one `Message-ID`, and a mail
    /// program shows it once; so with events and their `messageId`, and the vendor and its receipts.
    pub(super) async fn outcome(&self, since: Mark) -> Value {
        self.quiet().await;
        let selects: Vec<String> = self
            .tables
            .iter()
            .map(|table| format!("'{table}', (SELECT jsonb_agg(to_jsonb(row)) FROM public.{table} AS row)"))
            .collect();
        let sql = format!("SELECT jsonb_build_object({})", selects.join(", "));
        let whole: Value = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&self.app.db).await.unwrap();
        let missing: Vec<&str> = names_of_photos(&whole).filter(|name| !self.app.folder.path().join(name).exists()).collect();
        let mut outcome = Map::new();
        for (table, rows) in whole.as_object().unwrap() {
            let mut rows: Vec<Value> = rows.as_array().into_iter().flatten().map(|row| levelled("", row)).collect();
            rows.sort_by_key(Value::to_string);
            outcome.insert(table.clone(), Value::Array(rows));
        }
        outcome.insert("missing photos".to_owned(), json!(missing.len()));
        let mails = self.app.mail.mails();
        let mails: BTreeSet<_> = mails[since.mails..].iter().map(|mail| (&mail.to, &mail.subject, &mail.message_id)).collect();
        let mails: Vec<_> = mails.into_iter().map(|(to, subject, _)| json!([to, subject])).collect();
        outcome.insert("mails".to_owned(), json!(mails));
        let events = self.events.events();
        let events: BTreeSet<_> = events[since.events..].iter().map(|event| event["messageId"].as_str()).collect();
        outcome.insert("told".to_owned(), json!(events.len()));
        let calls = self.app.vendor.journal().entries();
        let calls: BTreeSet<_> = calls[since.calls..].iter().map(|entry| entry.event.receipt.clone()).collect();
        outcome.insert("submitted".to_owned(), json!(calls.len()));
        Value::Object(outcome)
    }
}

fn names_of_photos(whole: &Value) -> impl Iterator<Item = &str> {
    let attempts = whole["attempts"].as_array().into_iter().flatten();
    attempts
        .flat_map(|row| ["face_upload", "photo_id_upload", "face_object", "photo_id_object"].map(|name| row[name].as_str()))
        .flatten()
}

/// A value without what is another each time; `name` is that of the member it stands in.
fn levelled(name: &str, value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.iter().filter(|(name, _)| !TRIES.contains(&name.as_str()));
            Value::Object(kept.map(|(name, value)| (name.clone(), levelled(name, value))).collect())
        }
        Value::Array(values) => Value::Array(values.iter().map(|value| levelled(name, value)).collect()),
        Value::Number(_) if name != "user_id" && (NUMBERS.contains(&name) || name.ends_with("_id")) => json!("a number"),
        Value::String(text) => json!(levelled_text(name, text)),
        other => other.clone(),
    }
}

fn levelled_text(name: &str, text: &str) -> String {
    let is_moment = text.len() > 18 && text.as_bytes()[10] == b'T' && text[..4].bytes().all(|digit| digit.is_ascii_digit());
    match () {
        () if is_moment => "a moment".to_owned(),
        () if text.starts_with("\\x") => "bytes".to_owned(),
        () if name.ends_with("_key") && !text.contains(':') && text.len() > 40 => "a sealed key".to_owned(),
        () if NUMBERS.contains(&name) && text.bytes().all(|digit| digit.is_ascii_digit()) => "a number".to_owned(),
        () if name.ends_with("_object") || name.ends_with("_upload") => text.split('/').next().unwrap_or_default().to_owned(),
        () => {
            text.split('/').map(|part| if Uuid::parse_str(part).is_ok() { "a name" } else { part }).collect::<Vec<_>>().join("/")
        }
    }
}

/// Fails with the tables that are not alike.
pub(super) fn assert_alike(found: &Value, wanted: &[&Value], what: &str) {
    if wanted.contains(&found) {
        return;
    }
    let mut different = String::new();
    for (table, rows) in wanted[0].as_object().unwrap() {
        if found[table] != *rows {
            different += &format!("\n{table}:\n  found  {}\n  wanted {rows}", found[table]);
        }
    }
    panic!("{what}: not what one run leaves{different}");
}
