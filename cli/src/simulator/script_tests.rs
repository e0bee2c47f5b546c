//! The rules of scripts.

use std::time::Duration;

use super::{AnswerScript, Fault, Script, ScriptError, Verdict};

#[test]
fn the_empty_script_is_an_honest_vendor() {
    let script = Script::parse(b"{}").unwrap();

    assert_eq!(script, Script::default());
    assert_eq!(script.verdict("r", "Sofia Marek"), Verdict::pass());
    assert_eq!(script.verdict("r", "Sofia FAIL"), Verdict::fail());
    assert_eq!(script.verdict("r", "SYSTEM FAIL"), Verdict::system_fail());
}

#[test]
fn the_first_rule_that_fits_decides() {
    let script = Script::parse(
        br#"{"verdicts":[{"receipt":"r1","verdict":{"result":"MAYBE"}},
            {"name_contains":"Eve","verdict":{"result":"FAIL","reason":[]}}]}"#,
    )
    .unwrap();

    assert_eq!(script.verdict("r1", "Eve").result, "MAYBE");
    assert_eq!(script.verdict("r2", "Eve").result, "FAIL");
    assert_eq!(script.verdict("r2", "FAIL"), Verdict::pass());
}

#[test]
fn a_script_survives_being_written_and_read() {
    let text = br#"{"answer":{"delay_ms":5,"fault":{"kind":"too_many_requests","retry_after":"7"},"first":2},
        "callback":{"copies":3,"covers":"content_type_and_date","timing":"before_answer","forgery":"flipped_bit",
        "followed_by":[{"verdict":{"result":"FAIL"},"date_offset_s":-60}]},"inspect_photos":false}"#;
    let script = Script::parse(text).unwrap();

    assert_eq!(Script::parse(&serde_json::to_vec(&script).unwrap()).unwrap(), script);
}

#[test]
fn unknown_fields_and_values_out_of_bounds_are_refused() {
    for text in ["", "1", r#"{"verdict":[]}"#, r#"{"answer":{"fault":{"kind":"explode"}}}"#] {
        assert!(matches!(Script::parse(text.as_bytes()), Err(ScriptError::Syntax { .. })), "{text}");
    }
    for text in [
        r#"{"callback":{"copies":1001}}"#,
        r#"{"callback":{"tries":0}}"#,
        r#"{"callback":{"delay_ms":86400001}}"#,
        r#"{"callback":{"followed_by":[{"verdict":{"result":"x"},"date_offset_s":-9223372036854775808}]}}"#,
        r#"{"answer":{"delay_ms":86400001}}"#,
        r#"{"answer":{"fault":{"kind":"status","status":99}}}"#,
        r#"{"answer":{"fault":{"kind":"redirect","location":"a\nb"}}}"#,
    ] {
        assert!(matches!(Script::parse(text.as_bytes()), Err(ScriptError::OutOfBounds { .. })), "{text}");
    }
}

#[test]
fn a_fault_ends_after_its_number_or_its_time_whichever_comes_first() {
    let fault = Some(Fault::Hang);
    let both = AnswerScript { fault: fault.clone(), first: Some(2), for_ms: Some(1_000), ..AnswerScript::default() };
    let always = AnswerScript { fault, ..AnswerScript::default() };
    let age = Duration::from_millis;

    assert!(both.fault_for("Eve", 1, age(999)).is_some());
    assert!(both.fault_for("Eve", 2, age(0)).is_none());
    assert!(both.fault_for("Eve", 0, age(1_000)).is_none());
    assert!(always.fault_for("Eve", u64::MAX, Duration::MAX).is_some());
    let some = AnswerScript { name_contains: Some("Mal".to_owned()), ..always.clone() };
    assert!(some.fault_for("Mallory", 5, Duration::ZERO).is_some() && some.fault_for("Eve", 5, Duration::ZERO).is_none());
    assert!(AnswerScript::default().fault_for("Eve", 0, age(0)).is_none());
}

#[test]
fn a_verdict_whose_reason_nests_too_deeply_cannot_be_written() {
    let reason = serde_json::from_str(&format!("{}{}", "[".repeat(16), "]".repeat(16))).unwrap();

    assert!(Verdict { reason, ..Verdict::pass() }.write_body("r").is_err());
    assert!(Verdict::fail().write_body("r").is_ok());
}

#[test]
fn the_example_on_the_modules_page_is_a_script() {
    let page: Vec<&str> = include_str!("script.rs").lines().filter_map(|line| line.strip_prefix("//! ")).collect();
    let example = page.join("\n");
    let example = example.split("```json").nth(1).and_then(|rest| rest.split("```").next()).unwrap();

    let script = Script::parse(example.as_bytes()).unwrap();
    assert_eq!(script.callback.followed_by[0].date_offset_s, -60);
    assert_eq!(script.answer.first, Some(3));
}
