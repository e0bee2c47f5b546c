//! Fields of a form or of an address' query.

use poem::Request;
use serde_json::{Map, Value};
use url::form_urlencoded;

/// Names with their values, in order; a name may stand there more than once.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(super) fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).map(|(name, value)| (name.into_owned(), value.trim().to_owned())).collect())
    }

    pub(super) fn of_query(request: &Request) -> Self {
        Self::parse(request.original_uri().query().unwrap_or_default().as_bytes())
    }

    /// The first of that name; empty when there is none.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Those that say something.
    pub(super) fn filled(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Only those of these names that say something.
    pub(super) fn only(&self, names: &[&str]) -> Self {
        let kept = self.filled().filter(|(name, _)| names.contains(name));
        Self(kept.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    #[must_use]
    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.to_owned(), value.into()));
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.filled().next().is_none()
    }

    /// As the query of an address.
    pub(super) fn query(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(self.filled()).finish()
    }

    /// For a template: the first value of each name.
    pub(super) fn shown(&self) -> Value {
        let mut shown = Map::new();
        for (name, value) in self.filled() {
            shown.entry(name.to_owned()).or_insert_with(|| value.into());
        }
        Value::Object(shown)
    }
}

impl From<&[(&str, &str)]> for Fields {
    fn from(pairs: &[(&str, &str)]) -> Self {
        Self(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }
}
