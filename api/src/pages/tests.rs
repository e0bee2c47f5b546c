//! What no compiler holds: that every text exists in every language and is used, that a page is light, that
//! nothing in a fact becomes markup, and that the headers are there.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use fluent_bundle::FluentArgs;
use poem::http::header;
use serde_json::json;
use vouch_common::domain::attempt::reasons;

use super::{
    catalogue::{SCRIPT_PREFIX, keys},
    view::TEMPLATES,
    *,
};

/// What a page may weigh: HTML, script, style, sound and icon, as they go over the wire without compression.
const PAGE_BYTES_MAX: usize = 60_000;

fn pay_and_verify() -> Value {
    let steps = ["make-payment-step", "payment-confirmation-step", "face-photo-step", "id-photo-step", "review-photos-step"];
    let steps: Vec<Value> = steps
        .iter()
        .chain(&["enrollment-confirmation-step", "intro-step"])
        .map(|name| json!({ "name": name, "title": "Take <photo>" }))
        .collect();
    json!({
        "page": "pay-and-verify", "title": "Enroll In <b>Demo</b>", "full_name": "Zoë <b>\"O'Neil\"</b> & Söhne",
        "platform_name": "<i>Vouch</i>", "course_key": "course-v1:edX+DemoX+Fall", "course_name": "Demo </script>",
        "course_start_date": "Jan 01, 2016", "courseware_url": "/courses/x/", "course_mode_name": "Verified",
        "course_mode_slug": "verified", "course_mode_min_price": 49, "course_mode_sku": "", "course_mode_suggested_prices": "",
        "course_mode_currency": "usd", "contribution_amount": "", "amount_to_pay": "49.00", "processors": ["CyberSource2", "paypal", "Stripe"],
        "processors_available": true, "verification_deadline": "Jun 01, 2016 at 12:00 UTC", "display_steps": steps,
        "current_step": "make-payment-step", "msg_key": "first-time-verify", "is_active": true, "already_verified": false,
        "requirements": { "account-activation-required": false, "photo-id-required": true, "webcam-required": true },
        "verification_good_until": "", "capture_sound": "/s.wav", "is_ab_testing": false, "dashboard_url": "/dashboard",
        "support_email": "help@example.com", "checkpoint_location": "i4x://a/b/c/d",
    })
}

fn other_pages() -> Vec<(&'static str, Value)> {
    let usual = json!({ "platform_name": "Vouch", "dashboard_url": "/dashboard", "support_email": "", "full_name": "<b>Zoë",
        "course_name": "<b>Demo", "course_key": "a/b/c", "usage_id": "i4x://a/b/c/d", "checkpoint_name": "<b>Midterm",
        "attempts_used": 1, "attempts_allowed": 2, "due": "", "is_open": true, "status": "must_reverify", "can_verify": true,
        "reasons": ["The image of your face was not clear.", "<b>new"], "deadline": "Jun 01, 2016 at 12:00 UTC",
        "kind": "verification", "expires_at": "Jun 01, 2016", "access_point": "enrollment", "message_key": "embargo" });
    let names =
        ["missed-deadline", "reverify", "reverify-not-allowed", "incourse-reverify", "embargo-blocked", "submission-status"];
    names.map(|name| (name, usual.clone())).into()
}

fn request(uri: &str, headers: &[(&'static str, &str)]) -> Request {
    let builder = Request::builder().uri_str(uri);
    headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value)).finish()
}

fn answer_to(request: &Request, page: &str, facts: &Value) -> Response {
    Pages::new(true).unwrap().answer(request, &PageFacts { page, facts, status: StatusCode::OK })
}

async fn html(page: &str, facts: &Value, language: &str) -> String {
    let response = answer_to(&request("/verify_student/x/", &[("accept-language", language)]), page, facts);
    assert_eq!(response.status(), StatusCode::OK, "{page}");
    response.into_body().into_string().await.unwrap()
}

#[test]
fn every_language_has_the_same_texts() {
    let english: Vec<&str> = keys(Language::English.source()).filter(|key| !key.starts_with("reason-")).collect();
    for language in Language::ALL {
        let texts = Texts::read(language).unwrap();
        for key in &english {
            assert!(texts.find(key, &FluentArgs::new()).is_some(), "{} has no {key}", language.tag());
        }
        for key in keys(language.source()).filter(|key| !key.starts_with("reason-")) {
            assert!(english.contains(&key), "{key} is in {} only", language.tag());
        }
    }
}

#[test]
fn every_reason_has_its_words_and_its_advice_in_every_language() {
    let codes: Vec<String> = reasons::coded_texts().map(|(code, _)| code).collect();
    for language in Language::ALL {
        let texts = Texts::read(language).unwrap();
        for code in &codes {
            let is_ours = code.contains("image");
            let advice = texts.find(&format!("advice-{code}"), &FluentArgs::new());
            assert_ne!(advice.is_some(), is_ours, "{code} in {}", language.tag());
            let words = texts.find(&format!("reason-{code}"), &FluentArgs::new());
            assert_eq!(words.is_some(), language != Language::English, "{code} in {}", language.tag());
        }
        for key in keys(language.source()) {
            let code = key.strip_prefix("reason-").or_else(|| key.strip_prefix("advice-"));
            assert!(code.is_none_or(|code| codes.iter().any(|known| known == code)), "{key} is nobody's");
        }
    }
}

/// Whether a key is named where it is shown: in a template, in the script, or in a row that the code puts together.
fn is_used(key: &str) -> bool {
    if let Some(name) = key.strip_prefix(SCRIPT_PREFIX) {
        let script = assets::SCRIPTS.concat();
        let stem = name.split('-').next().unwrap_or_default();
        return script.contains(&format!("say(\"{name}\""))
            || script.contains(&format!("say(`{stem}-${{"))
            || script.contains(&format!("\"{name}\""));
    }
    ["title-", "step-", "reason-", "advice-", "payment-checkout"].iter().any(|put_together| key.starts_with(put_together))
        || TEMPLATES.iter().any(|(_, source)| source.contains(&format!("t(\"{key}\"")))
}

#[test]
fn no_text_is_left_over() {
    for key in keys(Language::English.source()) {
        assert!(is_used(key), "{key} is shown nowhere");
    }
}

#[test]
fn no_template_and_no_script_names_a_text_that_is_not_there() {
    let known: Vec<&str> = keys(Language::English.source()).collect();
    let named = |source: &'static str, call: &'static str| {
        source.split(call).skip(1).filter_map(|rest| rest.split('"').next()).filter(|key| !key.ends_with('-'))
    };
    for (name, source) in TEMPLATES {
        for key in named(source, "t(\"") {
            assert!(known.contains(&key), "{name} names {key}");
        }
    }
    for key in assets::SCRIPTS.into_iter().flat_map(|source| named(source, "say(\"")) {
        assert!(known.contains(&format!("{SCRIPT_PREFIX}{key}").as_str()), "the script names {key}");
    }
}

#[tokio::test]
async fn a_whole_page_is_light() {
    for language in ["en", "de"] {
        let html = html("pay-and-verify", &pay_and_verify(), language).await;
        let parts = [
            html.len(),
            assets::script().bytes.len(),
            assets::style().bytes.len(),
            assets::sound().bytes.len(),
            assets::icon().bytes.len(),
        ];
        let bytes: usize = parts.iter().sum();
        assert!(bytes < PAGE_BYTES_MAX, "{language}: {bytes} bytes, of which {parts:?}");
    }
}

#[tokio::test]
async fn no_fact_becomes_markup() {
    let mut pages = other_pages();
    pages.push(("pay-and-verify", pay_and_verify()));
    for (page, facts) in pages {
        for language in ["en", "de"] {
            let html = html(page, &facts, language).await;
            assert!(!html.contains("<b>") && !html.contains("<i>") && !html.contains("Demo </script>"), "{page}");
            assert!(html.contains(&format!("<html lang=\"{language}\" dir=\"ltr\">")), "{page}");
            assert!(!html.contains("style=") && !html.contains(" onclick") && !html.contains("javascript:"), "{page}");
        }
    }
}

#[tokio::test]
async fn the_container_carries_the_facts_as_open_edx_spells_them() {
    let html = html("pay-and-verify", &pay_and_verify(), "en").await;
    for attribute in [
        "<div id=\"pay-and-verify-container\"",
        "data-full-name=\"Zoë &lt;b&gt;&quot;O&#x27;Neil&quot;&lt;&#x2f;b&gt; &amp; Söhne\"",
        "data-course-key=\"course-v1:edX+DemoX+Fall\"",
        "data-course-mode-min-price=\"49\"",
        "data-processors=\"[&quot;CyberSource2&quot;,&quot;paypal&quot;,&quot;Stripe&quot;]\"",
        "data-is-active=\"true\"",
        "data-already-verified=\"False\"",
        "data-is-ab-testing=\"false\"",
        "data-checkpoint-location=\"i4x:&#x2f;&#x2f;a&#x2f;b&#x2f;c&#x2f;d\"",
        "&quot;photo-id-required&quot;:true",
        "<title>Enroll In &lt;b&gt;Demo&lt;&#x2f;b&gt;</title>",
    ] {
        assert!(html.contains(attribute), "{attribute}\n{html}");
    }
    let mut facts = pay_and_verify();
    facts.as_object_mut().unwrap().remove("checkpoint_location");
    facts["already_verified"] = true.into();
    let html = super::tests::html("pay-and-verify", &facts, "en").await;
    assert!(html.contains("data-already-verified=\"True\"") && !html.contains("data-checkpoint-location"));
}

#[tokio::test]
async fn the_ways_to_pay_stand_last_one_first() {
    let html = html("pay-and-verify", &pay_and_verify(), "en").await;
    let places = ["id=\"Stripe\"", "id=\"paypal\"", "id=\"CyberSource2\""].map(|id| html.find(id).unwrap());
    assert!(places.is_sorted());
    for label in [">Checkout with Stripe<", ">Checkout with PayPal<", ">Checkout<", "49.00 USD"] {
        assert!(html.contains(label), "{label}");
    }
    let german = super::tests::html("pay-and-verify", &pay_and_verify(), "de").await;
    assert!(german.contains("49,00 USD") && german.contains("Anmeldung für Demo"));
}

#[tokio::test]
async fn every_other_page_shows_what_it_is_about() {
    for (page, facts) in other_pages() {
        let html = html(page, &facts, "en").await;
        let sign = match page {
            "missed-deadline" => "Jun 01, 2016 at 12:00 UTC",
            "reverify" => "id=\"reverify-container\"",
            "reverify-not-allowed" => "reverify-blocked",
            "incourse-reverify" => "id=\"incourse-reverify-container\"",
            "embargo-blocked" => "enroll in this course",
            _ => "class=\"standing\"",
        };
        assert!(html.contains(sign), "{page}: {html}");
        assert!(html.contains("href=\"&#x2f;dashboard\""), "{page}");
    }
}

#[test]
fn an_answer_has_its_headers_and_the_cookie_for_its_posts() {
    let response = answer_to(&request("/x/", &[]), "reverify", &json!({}));
    let policy = response.header("content-security-policy").unwrap();
    for part in
        ["default-src 'none'", "script-src 'self';", "style-src 'self';", "frame-ancestors 'none'", "form-action 'self' https:;"]
    {
        assert!(policy.contains(part), "{part}");
    }
    assert!(!policy.contains("unsafe"));
    assert!(response.header("permissions-policy").unwrap().contains("camera=(self)"));
    assert_eq!(response.header(header::CACHE_CONTROL), Some("no-store"));
    assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(response.header("referrer-policy"), Some("no-referrer"));
    let cookie = response.header(header::SET_COOKIE).unwrap();
    let token = cookie.strip_prefix("csrftoken=").and_then(|rest| rest.split(';').next()).unwrap();
    assert_eq!(token.len(), 32);
    assert!(cookie.ends_with("; Path=/; SameSite=Lax; Secure"), "{cookie}");
}

#[test]
fn a_token_that_the_visitor_has_is_kept() {
    let known = request("/x/", &[("cookie", "csrftoken=0123456789abcdef0123456789abcdef")]);
    assert_eq!(answer_to(&known, "reverify", &json!({})).header(header::SET_COOKIE), None);
    let short = request("/x/", &[("cookie", "csrftoken=short")]);
    assert!(answer_to(&short, "reverify", &json!({})).header(header::SET_COOKIE).is_some());
}

#[test]
fn the_language_is_the_one_chosen_then_remembered_then_wished_for() {
    let language = |uri: &str, headers: &[(&'static str, &str)]| {
        let response = answer_to(&request(uri, headers), "reverify", &json!({}));
        response.header(header::CONTENT_LANGUAGE).unwrap().to_owned()
    };
    assert_eq!(language("/x/", &[]), "en");
    assert_eq!(language("/x/", &[("accept-language", "de-CH")]), "de");
    assert_eq!(language("/x/", &[("accept-language", "de"), ("cookie", "a=b; vouch_language=en")]), "en");
    assert_eq!(language("/x/?lang=de", &[("cookie", "vouch_language=en")]), "de");
    assert_eq!(language("/x/?lang=xx", &[]), "en");
}

#[test]
fn another_learner_has_another_draft() {
    let key = |sub: &str, token: &str| {
        let session =
            format!("vouch_session=e30.{}.x; csrftoken={token}", URL_SAFE_NO_PAD.encode(json!({ "sub": sub }).to_string()));
        Visitor::of(&request("/x/", &[("cookie", &session)])).draft_key
    };
    let token = "0123456789abcdef";
    assert_eq!(key("1", token), key("1", token));
    assert_ne!(key("1", token), key("2", token));
    assert_eq!(key("1", token), key("1", "fedcba9876543210"), "signing in again loses no photo");
}

/// The colours of the style sheet by their names: by day, and by night where it differs.
fn colours() -> [std::collections::HashMap<String, String>; 2] {
    let sheet = include_str!("../../pages/styles/base.css");
    let (day, night) = sheet.split_once("prefers-color-scheme: dark").unwrap();
    let read = |text: &str| {
        let lines = text.lines().filter_map(|line| line.trim().strip_prefix("--")?.strip_suffix(';')?.split_once(": "));
        lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<std::collections::HashMap<_, _>>()
    };
    [read(day), read(night)]
}

fn luminance(colour: &str) -> f64 {
    let hex = colour.strip_prefix('#').unwrap();
    let hex = if hex.len() == 3 { hex.chars().flat_map(|digit| [digit, digit]).collect() } else { hex.to_owned() };
    let channel = |at: usize| {
        let value = f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
}

#[test]
fn every_text_stands_out_from_its_ground_by_day_and_by_night() {
    let texts = [
        ("ink", "ground"),
        ("ink", "card"),
        ("soft", "ground"),
        ("soft", "card"),
        ("accent", "ground"),
        ("accent", "card"),
        ("accent-ink", "accent"),
        ("accent-ink", "accent-over"),
        ("ink", "tint"),
        ("ink", "warn"),
        ("ink", "bad-ground"),
    ];
    // The edges of what can be pressed or typed into need less.
    let edges = [("edge", "card"), ("edge", "ground"), ("bad", "bad-ground")];
    for colours in colours() {
        for ((front, back), least) in texts.map(|pair| (pair, 4.5)).into_iter().chain(edges.map(|pair| (pair, 3.0))) {
            let (a, b) = (luminance(&colours[front]) + 0.05, luminance(&colours[back]) + 0.05);
            assert!(
                a.max(b) / a.min(b) >= least,
                "{front} {} on {back} {}: {:.2}",
                colours[front],
                colours[back],
                a.max(b) / a.min(b)
            );
        }
    }
}
