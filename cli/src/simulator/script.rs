//! How the simulated vendor behaves: a small JSON document that may be changed while it runs.
//!
//! The empty document `{}` is an honest vendor: it passes everybody, fails names with `FAIL` in them and reports a
//! system failure for names with `SYSTEM`. Every field has a default, and an unknown field is refused. An example with
//! everything in it:
//!
//! ```json
//! {
//!   "verdicts": [{"name_contains": "Eve", "receipt": null,
//!                 "verdict": {"result": "FAIL", "reason": [{"generalReasons": ["Name mismatch"]}], "message_type": "x"}}],
//!   "inspect_photos": true,
//!   "answer": {"delay_ms": 0, "fault": {"kind": "status", "status": 503}, "first": 3, "for_ms": 60000,
//!              "name_contains": "Eve"},
//!   "callback": {"copies": 1, "covers": "date", "timing": "after_answer", "delay_ms": 0, "forgery": "wrong_secret",
//!                "tries": 5, "backoff_ms": 200,
//!                "followed_by": [{"verdict": {"result": "FAIL"}, "date_offset_s": -60, "delay_ms": 0}]}
//! }
//! ```

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vouch_common::vendor::strict_json;

/// Most copies of one callback, so that a slip of the keyboard does not become a flood.
const COPIES_MAX: u32 = 1_000;
/// Most tries of one callback.
const TRIES_MAX: u32 = 20;
/// Most follow-ups of one verdict and most verdict rules of one script.
const ITEMS_MAX: usize = 100;
/// Longest wait that a script may ask for: a day.
const WAIT_MS_MAX: u64 = 86_400_000;

/// The whole behaviour of the simulated vendor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// The rules for verdicts; the first that fits decides, and if none fits, the verdict is `PASS`.
    pub verdicts: Vec<VerdictRule>,
    /// Whether photos are downloaded, decrypted and decoded; `false` is for measuring throughput only.
    pub inspect_photos: bool,
    /// How submissions are answered.
    pub answer: AnswerScript,
    /// How verdicts are called back.
    pub callback: CallbackScript,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            verdicts: vec![
                VerdictRule::for_name("SYSTEM", Verdict::system_fail()),
                VerdictRule::for_name("FAIL", Verdict::fail()),
            ],
            inspect_photos: true,
            answer: AnswerScript::default(),
            callback: CallbackScript::default(),
        }
    }
}

impl Script {
    /// Reads a script from JSON and checks its bounds.
    ///
    /// # Errors
    /// [`ScriptError`] tells what to mend.
    pub fn parse(json: &[u8]) -> Result<Self, ScriptError> {
        let script: Self = serde_json::from_slice(json).map_err(|cause| ScriptError::Syntax { cause })?;
        script.check()?;
        Ok(script)
    }

    /// Gives the verdict for an attempt by the first rule that fits.
    #[must_use]
    pub fn verdict(&self, receipt: &str, name: &str) -> Verdict {
        self.verdicts.iter().find(|rule| rule.fits(receipt, name)).map_or_else(Verdict::pass, |rule| rule.verdict.clone())
    }

    pub(super) fn check(&self) -> Result<(), ScriptError> {
        let callback = &self.callback;
        let bound = |field, is_within: bool| if is_within { Ok(()) } else { Err(ScriptError::OutOfBounds { field }) };
        let is_short = |wait_ms: u64| wait_ms <= WAIT_MS_MAX;
        bound("verdicts", self.verdicts.len() <= ITEMS_MAX)?;
        bound("answer.delay_ms", is_short(self.answer.delay_ms))?;
        bound("answer.for_ms", self.answer.for_ms.is_none_or(is_short))?;
        bound("callback.copies", callback.copies <= COPIES_MAX)?;
        bound("callback.tries", (1..=TRIES_MAX).contains(&callback.tries))?;
        bound("callback.delay_ms", callback.delay_ms.is_none_or(is_short))?;
        bound("callback.backoff_ms", is_short(callback.backoff_ms))?;
        bound("callback.followed_by", callback.followed_by.len() <= ITEMS_MAX)?;
        bound("followed_by.delay_ms", callback.followed_by.iter().all(|next| is_short(next.delay_ms)))?;
        let is_near = |next: &FollowUp| next.date_offset_s.unsigned_abs().saturating_mul(1_000) <= WAIT_MS_MAX;
        bound("followed_by.date_offset_s", callback.followed_by.iter().all(is_near))?;
        if let Some(Fault::Status { status }) = self.answer.fault {
            bound("answer.fault.status", (200..=599).contains(&status))?;
        }
        let is_header = |text: &str| text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        match &self.answer.fault {
            Some(Fault::TooManyRequests { retry_after: text } | Fault::Redirect { location: text }) => {
                bound("answer.fault", is_header(text))
            }
            None | Some(Fault::Status { .. } | Fault::Hang | Fault::Garbage) => Ok(()),
        }
    }
}

/// A verdict for the attempts that fit; a condition that is absent fits every attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerdictRule {
    /// A part of the expected name, in the same letters.
    #[serde(default)]
    pub name_contains: Option<String>,
    /// The whole receipt id.
    #[serde(default)]
    pub receipt: Option<String>,
    /// What is called back for such an attempt.
    pub verdict: Verdict,
}

impl VerdictRule {
    /// Makes a rule that looks at the name only.
    #[must_use]
    pub fn for_name(part: &str, verdict: Verdict) -> Self {
        Self { name_contains: Some(part.to_owned()), receipt: None, verdict }
    }

    fn fits(&self, receipt: &str, name: &str) -> bool {
        self.name_contains.as_deref().is_none_or(|part| name.contains(part))
            && self.receipt.as_deref().is_none_or(|wanted| wanted == receipt)
    }
}

/// What the vendor says about an attempt, as the callback carries it; a value without meaning may be scripted too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// The field `Result`.
    pub result: String,
    /// The field `Reason`, any JSON; an empty string if absent.
    #[serde(default = "empty_text")]
    pub reason: Value,
    /// The field `MessageType`.
    #[serde(default)]
    pub message_type: String,
}

impl Verdict {
    /// The verdict `PASS` without a reason.
    #[must_use]
    pub fn pass() -> Self {
        Self { result: "PASS".to_owned(), reason: empty_text(), message_type: "You have been verified.".to_owned() }
    }

    /// The verdict `FAIL` because no ID photo was provided.
    #[must_use]
    pub fn fail() -> Self {
        Self {
            result: "FAIL".to_owned(),
            reason: json!([{"photoIdReasons": ["Not provided"]}]),
            message_type: "Photo reasons".to_owned(),
        }
    }

    /// The verdict `SYSTEM FAIL`.
    #[must_use]
    pub fn system_fail() -> Self {
        Self { result: "SYSTEM FAIL".to_owned(), reason: json!("system error"), message_type: "System".to_owned() }
    }

    /// Writes the callback's body and proves that it can be signed.
    pub(super) fn write_body(&self, receipt: &str) -> Result<(Vec<u8>, strict_json::Members), ScriptError> {
        let body = json!({
            "EdX-ID": receipt,
            "MessageType": self.message_type,
            "Reason": self.reason,
            "Result": self.result,
        })
        .to_string()
        .into_bytes();
        match strict_json::parse(&body) {
            Ok(strict_json::Json::Object(members)) => Ok((body, members)),
            Ok(_) | Err(_) => Err(ScriptError::OutOfBounds { field: "verdict.reason" }),
        }
    }
}

fn empty_text() -> Value {
    Value::String(String::new())
}

/// How submissions are answered; a fault with neither `first` nor `for_ms` lasts until the next script.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AnswerScript {
    /// How long every answer waits, in milliseconds.
    pub delay_ms: u64,
    /// What goes wrong.
    pub fault: Option<Fault>,
    /// The fault meets only this many submissions, counted from the setting of the script.
    pub first: Option<u64>,
    /// The fault lasts only this long, in milliseconds from the setting of the script.
    pub for_ms: Option<u64>,
    /// The fault meets only expected names with this part, in the same letters; the others are counted by `first` too.
    pub name_contains: Option<String>,
}

impl AnswerScript {
    /// Gives the fault for the submission of this name with this place (from 0) and age of the script, if one is due.
    #[must_use]
    pub fn fault_for(&self, name: &str, place: u64, script_age: Duration) -> Option<&Fault> {
        let is_early = self.first.is_none_or(|first| place < first);
        let is_young = self.for_ms.is_none_or(|for_ms| script_age < Duration::from_millis(for_ms));
        let is_meant = self.name_contains.as_deref().is_none_or(|part| name.contains(part));
        self.fault.as_ref().filter(|_| is_early && is_young && is_meant)
    }
}

/// What goes wrong with an answer; each says whether the submission counts all the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Another status, mostly a 5xx; the submission does not count.
    Status {
        /// The status, 200 to 599.
        status: u16,
    },
    /// Status 429; the submission does not count.
    TooManyRequests {
        /// The value of `Retry-After`: seconds, a date, or nonsense.
        retry_after: String,
    },
    /// Status 302; the submission does not count.
    Redirect {
        /// The value of `Location`.
        location: String,
    },
    /// No answer until the caller hangs up; the submission counts, and its verdict is called back.
    Hang,
    /// Status 200 with bytes that mean nothing; the submission counts, and its verdict is called back.
    Garbage,
}

/// How verdicts are called back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CallbackScript {
    /// How many equal callbacks are sent at the same time; 0 means that the vendor stays silent.
    pub copies: u32,
    /// What the signature covers.
    pub covers: Covers,
    /// Whether the callback waits for the answer of the submission.
    pub timing: Timing,
    /// How long the verdict takes, in milliseconds; absent means the delay of the simulator's settings.
    pub delay_ms: Option<u64>,
    /// What is wrong with the signature; forged callbacks are tried once.
    pub forgery: Option<Forgery>,
    /// How often a callback is tried until it is answered with 2xx.
    pub tries: u32,
    /// The wait before the second try, in milliseconds; it doubles from try to try, up to a minute.
    pub backoff_ms: u64,
    /// Verdicts that follow the first one for the same attempt.
    pub followed_by: Vec<FollowUp>,
}

impl Default for CallbackScript {
    fn default() -> Self {
        Self {
            copies: 1,
            covers: Covers::default(),
            timing: Timing::default(),
            delay_ms: None,
            forgery: None,
            tries: 5,
            backoff_ms: 200,
            followed_by: Vec::new(),
        }
    }
}

/// What the signature of a callback covers besides the body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Covers {
    /// The `Date` alone.
    #[default]
    Date,
    /// `Content-Type` and `Date`.
    ContentTypeAndDate,
}

/// Whether the callback waits for the answer of the submission.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timing {
    /// The submission is answered at once, the verdict comes later.
    #[default]
    AfterAnswer,
    /// The verdict is called back first; the submission is answered when that is done.
    BeforeAnswer,
}

/// What is wrong with the signature of a forged callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forgery {
    /// It is made with another secret.
    WrongSecret,
    /// One of its bits is flipped.
    FlippedBit,
    /// It names another access key.
    WrongAccessKey,
    /// It is right, but its date is ten minutes old.
    StaleDate,
}

/// A later verdict for the same attempt, such as a `FAIL` after a `PASS` whose date is older.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FollowUp {
    /// What is called back.
    pub verdict: Verdict,
    /// Seconds that are added to the signed date; negative means older.
    #[serde(default)]
    pub date_offset_s: i64,
    /// The wait after the verdict before it, in milliseconds.
    #[serde(default)]
    pub delay_ms: u64,
}

/// Why a script was refused.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// It is no JSON, or has an unknown or wrong field.
    #[error("could not read the script")]
    Syntax {
        /// What the parser says, with the place.
        #[source]
        cause: serde_json::Error,
    },
    /// A value is outside what the simulator can do.
    #[error("the script's value of {field} is out of bounds")]
    OutOfBounds {
        /// The field's place in the document.
        field: &'static str,
    },
}

#[cfg(test)]
#[path = "script_tests.rs"]
mod tests;
