//! From facts to HTML: what the templates are given.

use fluent_bundle::{FluentArgs, FluentValue};
use minijinja::{
    Environment, Value as Shown, context,
    syntax::SyntaxConfig,
    value::{Kwargs, Serde},
};
use serde_json::{Value, json};

use super::{assets, catalogue::Texts, language::Language, visitor::Visitor};

/// The templates by their names.
pub(super) const TEMPLATES: [(&str, &str); 19] = [
    ("layout.html", include_str!("../../pages/templates/layout.html")),
    ("parts.html", include_str!("../../pages/templates/parts.html")),
    ("pay-and-verify.html", include_str!("../../pages/templates/pay-and-verify.html")),
    ("missed-deadline.html", include_str!("../../pages/templates/missed-deadline.html")),
    ("reverify.html", include_str!("../../pages/templates/reverify.html")),
    ("reverify-not-allowed.html", include_str!("../../pages/templates/reverify-not-allowed.html")),
    ("incourse-reverify.html", include_str!("../../pages/templates/incourse-reverify.html")),
    ("embargo-blocked.html", include_str!("../../pages/templates/embargo-blocked.html")),
    ("submission-status.html", include_str!("../../pages/templates/submission-status.html")),
    ("requirements.html", include_str!("../../pages/templates/requirements.html")),
    ("steps.html", include_str!("../../pages/templates/steps.html")),
    ("steps/intro-step.html", include_str!("../../pages/templates/steps/intro-step.html")),
    ("steps/make-payment-step.html", include_str!("../../pages/templates/steps/make-payment-step.html")),
    ("steps/payment-confirmation-step.html", include_str!("../../pages/templates/steps/payment-confirmation-step.html")),
    ("steps/face-photo-step.html", include_str!("../../pages/templates/steps/face-photo-step.html")),
    ("steps/id-photo-step.html", include_str!("../../pages/templates/steps/id-photo-step.html")),
    ("steps/review-photos-step.html", include_str!("../../pages/templates/steps/review-photos-step.html")),
    ("steps/enrollment-confirmation-step.html", include_str!("../../pages/templates/steps/enrollment-confirmation-step.html")),
    ("steps/reverify-success-step.html", include_str!("../../pages/templates/steps/reverify-success-step.html")),
];

/// The container's attributes on the page of payment and verification. Source: reference 4.6.
const PAY_AND_VERIFY: [&str; 25] = [
    "full_name",
    "platform_name",
    "course_key",
    "course_name",
    "course_start_date",
    "courseware_url",
    "course_mode_name",
    "course_mode_slug",
    "course_mode_min_price",
    "course_mode_sku",
    "course_mode_suggested_prices",
    "course_mode_currency",
    "contribution_amount",
    "amount_to_pay",
    "processors",
    "verification_deadline",
    "display_steps",
    "current_step",
    "requirements",
    "msg_key",
    "is_active",
    "already_verified",
    "verification_good_until",
    "capture_sound",
    "is_ab_testing",
];
/// There only when the address names a checkpoint.
const CHECKPOINT: &str = "checkpoint_location";
const REVERIFY: [&str; 3] = ["full_name", "platform_name", "capture_sound"];
const IN_COURSE: [&str; 4] = ["course_key", "platform_name", "usage_id", "capture_sound"];

/// The steps of verifying again, in order. Source: reference 4.9.
const REVERIFY_STEPS: [&str; 4] = ["face-photo-step", "id-photo-step", "review-photos-step", "reverify-success-step"];
/// At a checkpoint the ID is known already.
const IN_COURSE_STEPS: [&str; 2] = ["face-photo-step", "reverify-success-step"];

/// One page for one visitor.
pub(super) struct View<'a> {
    pub(super) page: &'a str,
    pub(super) facts: &'a Value,
    pub(super) visitor: &'a Visitor,
    pub(super) texts: &'a Texts,
}

/// The templates of one language; in them, `t("key", name=value)` is a text.
pub(super) fn templates(texts: &Texts) -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    for (name, source) in TEMPLATES {
        environment.add_template(name, source)?;
    }
    let texts = texts.clone();
    environment.add_function("t", move |key: String, arguments: Kwargs| text(&texts, &key, &arguments));
    Ok(environment)
}

fn text(texts: &Texts, key: &str, arguments: &Kwargs) -> Result<String, minijinja::Error> {
    let mut filled = FluentArgs::new();
    for name in arguments.args() {
        let value: Shown = arguments.get(name)?;
        filled.set(name.to_owned(), value.as_i64().map_or_else(|| FluentValue::from(value.to_string()), FluentValue::from));
    }
    Ok(texts.find(key, &filled).unwrap_or_else(|| key.to_owned()))
}

impl View<'_> {
    /// The page as HTML.
    ///
    /// # Errors
    ///
    /// When there is no such page, or its template fails.
    pub(super) fn render(&self, templates: &Environment<'_>) -> Result<String, minijinja::Error> {
        let template = templates.get_template(&format!("{}.html", self.page))?;
        let language = self.visitor.language;
        let languages: Vec<Value> =
            self.visitor.addresses.iter().map(|(other, address)| link(*other, language, address)).collect();
        template.render(context! {
            page => self.page,
            facts => Shown::from(Serde(self.facts)),
            title => self.title(),
            language => language.tag(),
            direction => language.direction(),
            languages => Shown::from(Serde(languages)),
            draft_key => self.visitor.draft_key.as_str(),
            attributes => Shown::from(Serde(self.attributes())),
            steps => Shown::from(Serde(self.steps())),
            current_step => self.current_step(),
            processors => Shown::from(Serde(self.processors())),
            amount => self.amount(),
            reasons => Shown::from(Serde(self.reasons())),
            script_texts => embedded(&self.texts.of_script()),
            reasons_url => assets::reasons_url(language),
            script_url => assets::script().url.as_str(),
            style_url => assets::style().url.as_str(),
            icon_url => assets::icon().url.as_str(),
            sound_url => assets::capture_sound_url(),
        })
    }

    fn fact(&self, name: &str) -> &str {
        self.facts.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A text of the catalogue about the course.
    fn course_text(&self, key: &str) -> Option<String> {
        let mut arguments = FluentArgs::new();
        arguments.set("course", self.fact("course_name").to_owned());
        self.texts.find(key, &arguments)
    }

    /// The title is a fact in English; other languages have their own.
    fn title(&self) -> String {
        let told = self.fact("title");
        if self.visitor.language == Language::English && !told.is_empty() {
            return told.to_owned();
        }
        let kind = match self.page {
            "pay-and-verify" => self.fact("msg_key"),
            "missed-deadline" => self.fact("kind"),
            _ => "page",
        };
        let found = self.course_text(&format!("title-{}-{kind}", self.page));
        found.or_else(|| self.course_text(&format!("title-{}", self.page))).unwrap_or_else(|| told.to_owned())
    }

    fn attributes(&self) -> Vec<(String, String)> {
        let names: &[&str] = match self.page {
            "pay-and-verify" => &PAY_AND_VERIFY,
            "reverify" => &REVERIFY,
            "incourse-reverify" => &IN_COURSE,
            _ => &[],
        };
        let optional = self.facts.get(CHECKPOINT).map(|_| CHECKPOINT);
        let names = names.iter().copied().chain(optional);
        names.map(|name| (format!("data-{}", name.replace('_', "-")), self.attribute(name))).collect()
    }

    fn attribute(&self, name: &str) -> String {
        match self.facts.get(name) {
            // Older clients read Python's spelling of this one.
            Some(Value::Bool(flag)) if name == "already_verified" => if *flag { "True" } else { "False" }.to_owned(),
            Some(Value::String(text)) => text.clone(),
            None if name == "capture_sound" => assets::capture_sound_url().to_owned(),
            None | Some(Value::Null) => String::new(),
            Some(other) => other.to_string(),
        }
    }

    /// The steps that the page has, each with its title in the visitor's language.
    fn steps(&self) -> Vec<Value> {
        let fixed =
            |names: &[&str]| names.iter().map(|name| json!({ "name": name, "title": self.step_title(name, "") })).collect();
        match self.page {
            "reverify" => fixed(&REVERIFY_STEPS),
            "incourse-reverify" => fixed(&IN_COURSE_STEPS),
            _ => {
                let told = self.facts.get("display_steps").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
                let named = told.iter().filter_map(|step| Some((step.get("name")?.as_str()?, step.get("title")?.as_str()?)));
                named.map(|(name, title)| json!({ "name": name, "title": self.step_title(name, title) })).collect()
            }
        }
    }

    fn step_title(&self, name: &str, told: &str) -> String {
        if self.visitor.language == Language::English && !told.is_empty() {
            return told.to_owned();
        }
        self.texts.find(&format!("step-{name}"), &FluentArgs::new()).unwrap_or_else(|| told.to_owned())
    }

    fn current_step(&self) -> &str {
        match self.page {
            "pay-and-verify" => self.fact("current_step"),
            _ => "face-photo-step",
        }
    }

    /// The ways to pay, last one first. Source: reference 4.9.
    fn processors(&self) -> Vec<Value> {
        let told = self.facts.get("processors").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let names = told.iter().rev().filter_map(Value::as_str);
        names.map(|name| json!({ "name": name, "label": self.checkout_label(name) })).collect()
    }

    fn checkout_label(&self, processor: &str) -> String {
        let mut arguments = FluentArgs::new();
        let lower = processor.to_lowercase();
        arguments.set("processor", if lower == "paypal" { "PayPal".to_owned() } else { processor.to_owned() });
        let key = if lower.starts_with("cybersource") { "payment-checkout" } else { "payment-checkout-with" };
        self.texts.find(key, &arguments).unwrap_or_default()
    }

    /// What is to be paid.
    fn amount(&self) -> String {
        let figures = self.fact("amount_to_pay").replace('.', self.visitor.language.decimal_mark());
        format!("{figures} {}", self.fact("course_mode_currency").to_uppercase()).trim_end().to_owned()
    }

    /// Why the last attempt was denied, with what to do about it.
    fn reasons(&self) -> Vec<Value> {
        let known = self.texts.of_reasons();
        let told = self.facts.get("reasons").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let texts = told.iter().filter_map(Value::as_str);
        texts
            .map(|text| {
                let entry = known.get(text);
                let part = |index: usize| entry.and_then(|entry| entry.get(index)).and_then(Value::as_str);
                json!({ "text": part(0).unwrap_or(text), "advice": part(1).unwrap_or_default() })
            })
            .collect()
    }
}

fn link(other: Language, shown: Language, address: &str) -> Value {
    json!({ "tag": other.tag(), "name": other.own_name(), "address": address, "is_shown": other == shown })
}

/// JSON that can stand in a `script` element: nothing in it ends the element.
fn embedded(value: &Value) -> Shown {
    Shown::from_safe_string(value.to_string().replace('<', "\\u003c").replace("-->", "--\\u003e"))
}
