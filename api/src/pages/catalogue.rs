//! The texts: one Fluent catalogue a language, `api/pages/locales/<language>/*.ftl`.

use std::sync::Arc;

use fluent_bundle::{FluentArgs, FluentResource, concurrent::FluentBundle};
use serde_json::{Map, Value, json};
use unic_langid::LanguageIdentifier;
use vouch_common::domain::attempt::reasons;

use super::language::Language;

/// Texts whose key starts so are the script's.
pub(super) const SCRIPT_PREFIX: &str = "js-";
/// What the script fills in itself: `{ $percent }` reaches it as `{percent}`.
const SCRIPT_PLACEHOLDERS: [&str; 4] = ["percent", "seconds", "step", "steps"];

/// Why a catalogue can't be read.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// The file is not Fluent.
    #[error("the texts of `{0}` are not valid Fluent")]
    Syntax(&'static str),
    /// A key stands twice.
    #[error("the texts of `{0}` have a key twice")]
    Twice(&'static str),
    /// The language's tag is none.
    #[error("`{0}` is no language")]
    Tag(&'static str),
}

/// One language's texts; a clone is cheap.
#[derive(Clone)]
pub(super) struct Texts {
    bundle: Arc<FluentBundle<FluentResource>>,
    pub(super) language: Language,
}

impl Texts {
    pub(super) fn read(language: Language) -> Result<Self, CatalogueError> {
        let tag = language.tag();
        let identifier: LanguageIdentifier = tag.parse().map_err(|_| CatalogueError::Tag(tag))?;
        let resource = FluentResource::try_new(language.source().to_owned()).map_err(|_| CatalogueError::Syntax(tag))?;
        let mut bundle = FluentBundle::new_concurrent(vec![identifier]);
        // Marks around each argument would also go into attributes and titles.
        bundle.set_use_isolating(false);
        bundle.add_resource(resource).map_err(|_| CatalogueError::Twice(tag))?;
        Ok(Self { bundle: Arc::new(bundle), language })
    }

    /// The text of a key, or `None` when there is no such key.
    pub(super) fn find(&self, key: &str, arguments: &FluentArgs<'_>) -> Option<String> {
        let pattern = self.bundle.get_message(key)?.value()?;
        Some(self.bundle.format_pattern(pattern, Some(arguments), &mut Vec::new()).into_owned())
    }

    /// The texts that the script shows, without their prefix.
    pub(super) fn of_script(&self) -> Value {
        let mut arguments = FluentArgs::new();
        for name in SCRIPT_PLACEHOLDERS {
            arguments.set(name, format!("{{{name}}}"));
        }
        let texts = keys(self.language.source()).filter_map(|key| {
            let name = key.strip_prefix(SCRIPT_PREFIX)?;
            Some((name.to_owned(), Value::from(self.find(key, &arguments)?)))
        });
        Value::Object(texts.collect())
    }

    /// For each reason as the domain words it: the text in this language, and what to do about it.
    pub(super) fn of_reasons(&self) -> Value {
        let mut texts = Map::new();
        for (code, english) in reasons::coded_texts() {
            texts.insert(english.to_owned(), json!([self.reason(&code, english), self.advice(&code)]));
        }
        Value::Object(texts)
    }

    /// English needs no second spelling: the domain's own words are English.
    fn reason(&self, code: &str, english: &str) -> String {
        match self.language {
            Language::English => english.to_owned(),
            Language::German => self.find(&format!("reason-{code}"), &FluentArgs::new()).unwrap_or_else(|| english.to_owned()),
        }
    }

    fn advice(&self, code: &str) -> String {
        self.find(&format!("advice-{code}"), &FluentArgs::new()).unwrap_or_default()
    }
}

/// The keys of a catalogue, in order.
pub(super) fn keys(source: &'static str) -> impl Iterator<Item = &'static str> {
    source.lines().filter_map(|line| {
        let (key, _) = line.split_once(" =")?;
        let is_key = key.starts_with(|first: char| first.is_ascii_alphabetic())
            && key.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_'));
        is_key.then_some(key)
    })
}
