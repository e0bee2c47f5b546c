//! From facts to HTML: the templates, and what every page is given.

use chrono::{DateTime, SecondsFormat, Utc};
use minijinja::{Environment, Value as Shown, context, syntax::SyntaxConfig, value::Serde};
use poem::{Response, http::StatusCode};
use serde_json::{Value, json};
use vouch_common::telemetry::chain;

use super::{client::Refusal, session::Flash, visit::Me, words};
use crate::pages;

/// The templates by their names.
const TEMPLATES: [(&str, &str); 25] = [
    ("layout.html", include_str!("../../pages/ops/layout.html")),
    ("parts.html", include_str!("../../pages/ops/parts.html")),
    ("sign-in.html", include_str!("../../pages/ops/sign-in.html")),
    ("detour.html", include_str!("../../pages/ops/detour.html")),
    ("problem.html", include_str!("../../pages/ops/problem.html")),
    ("overview.html", include_str!("../../pages/ops/overview.html")),
    ("overview-now.html", include_str!("../../pages/ops/overview-now.html")),
    ("history.html", include_str!("../../pages/ops/history.html")),
    ("search.html", include_str!("../../pages/ops/search.html")),
    ("errors.html", include_str!("../../pages/ops/errors.html")),
    ("errors-now.html", include_str!("../../pages/ops/errors-now.html")),
    ("attempt.html", include_str!("../../pages/ops/attempt.html")),
    ("attempt-now.html", include_str!("../../pages/ops/attempt-now.html")),
    ("attempt-confirm.html", include_str!("../../pages/ops/attempt-confirm.html")),
    ("jobs.html", include_str!("../../pages/ops/jobs.html")),
    ("job.html", include_str!("../../pages/ops/job.html")),
    ("job-drop.html", include_str!("../../pages/ops/job-drop.html")),
    ("retries.html", include_str!("../../pages/ops/retries.html")),
    ("retries-now.html", include_str!("../../pages/ops/retries-now.html")),
    ("retry.html", include_str!("../../pages/ops/retry.html")),
    ("retry-now.html", include_str!("../../pages/ops/retry-now.html")),
    ("retry-new.html", include_str!("../../pages/ops/retry-new.html")),
    ("queue.html", include_str!("../../pages/ops/queue.html")),
    ("breaker.html", include_str!("../../pages/ops/breaker.html")),
    ("audit.html", include_str!("../../pages/ops/audit.html")),
];

/// What a page shows.
pub(super) struct Page {
    template: &'static str,
    title: String,
    /// The part of the console that it belongs to, as the navigation names it.
    section: &'static str,
    facts: Value,
    status: StatusCode,
}

impl Page {
    pub(super) fn new(template: &'static str, section: &'static str, title: impl Into<String>, facts: Value) -> Self {
        Self { template, title: title.into(), section, facts, status: StatusCode::OK }
    }

    /// With what the api said to the form that was sent, and with the form's contents.
    #[must_use]
    pub(super) fn refused(mut self, refusal: &Refusal, action: &str, fields: &Value) -> Self {
        self.status = refusal.status;
        if let Some(facts) = self.facts.as_object_mut() {
            facts.insert("tried".to_owned(), json!({ "action": action, "detail": refusal.detail, "fields": fields }));
        }
        self
    }

    pub(super) fn problem(refusal: &Refusal) -> Self {
        let title = match refusal.status {
            StatusCode::NOT_FOUND => "Not found",
            StatusCode::FORBIDDEN => "This key may not do that",
            StatusCode::BAD_REQUEST => "That makes no sense",
            StatusCode::CONFLICT => "That does not fit",
            _ => "That did not work",
        };
        let mut page = Self::new("problem.html", "", title, json!({ "detail": refusal.detail }));
        page.status = refusal.status;
        page
    }
}

/// What stands around the facts.
pub(super) struct Frame<'a> {
    /// Who is signed in, if anybody.
    pub(super) me: Option<&'a Me>,
    pub(super) csrf: &'a str,
    pub(super) theme: &'static str,
    pub(super) flash: Option<&'a Flash>,
    pub(super) address: &'a str,
    pub(super) now: DateTime<Utc>,
}

/// The templates, with the words that they use.
pub(super) fn templates() -> Environment<'static> {
    let mut environment = Environment::new();
    if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
        environment.set_syntax(syntax);
    }
    for (name, source) in TEMPLATES {
        if let Err(error) = environment.add_template(name, source) {
            tracing::error!(error = %chain(&error), template = name, "a template of the console can't be read");
        }
    }
    words::add_to(&mut environment);
    environment
}

/// A whole page as an answer.
pub(super) fn answer(templates: &Environment<'_>, frame: &Frame<'_>, page: &Page) -> Response {
    match render(templates, frame, page.template, (&page.title, page.section), &page.facts) {
        Ok(html) => Response::builder().status(page.status).content_type("text/html; charset=utf-8").body(html),
        Err(error) => {
            tracing::error!(error = %chain(&error), template = page.template, "a page of the console can't be shown");
            let body = "Something went wrong on our side. Nothing was changed.";
            Response::builder().status(StatusCode::INTERNAL_SERVER_ERROR).content_type("text/plain; charset=utf-8").body(body)
        }
    }
}

/// A part of a page, to take the place of the one that is shown.
pub(super) fn part(
    templates: &Environment<'_>,
    frame: &Frame<'_>,
    template: &str,
    facts: &Value,
) -> Result<String, minijinja::Error> {
    render(templates, frame, template, ("", ""), facts)
}

/// A page that only leads on to the same address, which the browser then asks for with its cookies.
pub(super) fn detour(templates: &Environment<'_>, address: &str) -> Response {
    let frame = Frame { me: None, csrf: "", theme: "auto", flash: None, address, now: DateTime::UNIX_EPOCH };
    answer(templates, &frame, &Page::new("detour.html", "", "One moment", json!({})))
}

fn render(
    templates: &Environment<'_>,
    frame: &Frame<'_>,
    template: &str,
    (title, section): (&str, &str),
    facts: &Value,
) -> Result<String, minijinja::Error> {
    templates.get_template(template)?.render(context! {
        title => title,
        section => section,
        facts => Shown::from(Serde(facts)),
        me => frame.me.map(|me| Shown::from(Serde(json!({ "name": me.name, "role": me.role })))),
        may_act => frame.me.is_some_and(Me::may_act),
        csrf => frame.csrf,
        theme => frame.theme,
        flash => frame.flash.map(|flash| Shown::from(Serde(json!({ "text": flash.text, "more": flash.more })))),
        address => frame.address,
        now => frame.now.to_rfc3339_opts(SecondsFormat::Secs, true),
        script_url => pages::console_script_url(),
        style_url => pages::console_style_url(),
        icon_url => pages::icon_url(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By WCAG: how light a colour such as `#1a222c` or `#fff` is.
    fn luminance(colour: &str) -> f64 {
        let digits = colour.trim_start_matches('#');
        let step = digits.len() / 3;
        let part = |place: usize| {
            let digits = digits[place * step..][..step].repeat(3 - step);
            let value = f64::from(u8::from_str_radix(&digits, 16).unwrap()) / 255.0;
            if value <= 0.03928 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(0) + 0.7152 * part(1) + 0.0722 * part(2)
    }

    #[test]
    fn every_text_stands_out_from_its_ground_by_day_and_by_night() {
        let style = include_str!("../../pages/ops/ops.css");
        let colour = |name: &str, place: usize| {
            let pair = style.split(&format!("--{name}: light-dark(")).nth(1).unwrap().split(')').next().unwrap();
            luminance(pair.split(", ").nth(place).unwrap())
        };
        let grounds = ["ground", "card", "raised"];
        let plain = ["ink", "soft", "accent", "bad"].into_iter().flat_map(|text| grounds.map(|ground| (text, ground, 4.5)));
        let lines = ["edge", "l0", "l1", "l2", "l3", "l4", "l5", "l6"].map(|line| (line, "card", 3.0));
        let marked = ["good", "warn", "bad", "info"].map(|kind| [(kind, kind), ("ink", kind)]).concat();
        let marked = marked.into_iter().map(|(text, kind)| (text, format!("{kind}-ground")));
        let others = [("accent", "tint"), ("ink", "tint"), ("accent-ink", "accent"), ("accent-ink", "accent-over")];
        let pairs = plain.chain(lines).map(|(text, ground, least)| (text, ground.to_owned(), least));
        let pairs = pairs.chain(marked.map(|(text, ground)| (text, ground, 4.5)));
        for (text, ground, least) in pairs.chain(others.map(|(text, ground)| (text, ground.to_owned(), 4.5))) {
            for place in 0..2 {
                let (one, other) = (colour(text, place), colour(&ground, place));
                let contrast = (one.max(other) + 0.05) / (one.min(other) + 0.05);
                assert!(contrast >= least, "{text} on {ground}: {contrast:.2}");
            }
        }
    }

    #[test]
    fn every_template_can_be_read() {
        let environment = templates();
        for (name, _) in TEMPLATES {
            assert!(environment.get_template(name).is_ok(), "{name}");
        }
    }
}
