//! Reading values, and collecting every fault before telling any.

use std::{collections::HashMap, fmt::Display, path::PathBuf, time::Duration};

use super::catalogue::{CATALOGUE, Program};

/// Where values come from.
#[derive(Debug, Clone, Default)]
pub struct Source(HashMap<String, String>);

/// Everything that is wrong with the settings, in one message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the settings are not right:\n  - {}\nEvery setting is explained by --help.", faults.join("\n  - "))]
pub struct ConfigError {
    /// One sentence a fault; none repeats a value.
    pub faults: Vec<String>,
}

impl Source {
    /// The environment, over the TOML file that `VOUCH_CONFIG` names.
    ///
    /// # Errors
    ///
    /// When the file can't be read.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn from_environment() -> Result<Self, ConfigError> {
        let mut values = HashMap::new();
        if let Some(path) = std::env::var_os("VOUCH_CONFIG") {
            values.extend(read_file(&PathBuf::from(path))?);
        }
        for setting in CATALOGUE {
            if let Ok(value) = std::env::var(setting.name) {
                values.insert(setting.name.to_owned(), value);
            }
        }
        Ok(Self(values))
    }

    /// Values from a list, for tests and for programs that start others.
    #[must_use]
    pub fn from_pairs<K: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

fn read_file(path: &PathBuf) -> Result<HashMap<String, String>, ConfigError> {
    let fault = |text: String| ConfigError { faults: vec![text] };
    let text = std::fs::read_to_string(path).map_err(|error| fault(format!("VOUCH_CONFIG can't be read: {error}")))?;
    let table: toml::Table =
        toml::from_str(&text).map_err(|_| fault("the file that VOUCH_CONFIG names is not TOML".to_owned()))?;
    let mut values = HashMap::new();
    let mut unknown = Vec::new();
    for (key, value) in table {
        let setting = CATALOGUE.iter().find(|setting| setting.name.trim_start_matches("VOUCH_").to_lowercase() == key);
        match setting {
            Some(setting) => {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                values.insert(setting.name.to_owned(), text);
            }
            None => unknown.push(format!("the file that VOUCH_CONFIG names has the unknown key `{key}`")),
        }
    }
    if unknown.is_empty() { Ok(values) } else { Err(ConfigError { faults: unknown }) }
}

/// Reads the settings of one program and collects what is wrong.
pub(super) struct Reader<'a> {
    source: &'a Source,
    program: Program,
    faults: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(source: &'a Source, program: Program) -> Self {
        Self { source, program, faults: Vec::new() }
    }

    /// The value of a setting, or its default. A required one that is missing is a fault.
    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        let setting = CATALOGUE.iter().find(|setting| setting.name == name)?;
        let given = self.source.0.get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let value = given.or_else(|| setting.default.map(str::to_owned));
        if value.is_none() && setting.is_required && setting.programs.contains(&self.program) {
            self.faults.push(format!("{name} is missing: {}", setting.meaning));
        }
        value
    }

    /// The value of a setting, parsed.
    pub(super) fn parse<T, E: Display>(&mut self, name: &'static str, parse: impl Fn(&str) -> Result<T, E>) -> Option<T> {
        let text = self.text(name)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(why) => {
                self.fault(format!("{name} is not right: {why}"));
                None
            }
        }
    }

    pub(super) fn duration(&mut self, name: &'static str, longest: Duration) -> Option<Duration> {
        self.parse(name, |text| {
            let value = humantime::parse_duration(text).map_err(|_| "it must be a time such as 10s or 1h".to_owned())?;
            let is_in_range = !value.is_zero() && value <= longest;
            is_in_range
                .then_some(value)
                .ok_or_else(|| format!("it must be over 0 and at most {}", humantime::format_duration(longest)))
        })
    }

    pub(super) fn number(&mut self, name: &'static str, range: std::ops::RangeInclusive<u32>) -> Option<u32> {
        self.parse(name, |text| {
            let value = text.parse().ok().filter(|value| range.contains(value));
            value.ok_or_else(|| format!("it must be a number from {} to {}", range.start(), range.end()))
        })
    }

    pub(super) fn switch(&mut self, name: &'static str) -> Option<bool> {
        self.parse(name, |text| match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("it must be true or false"),
        })
    }

    pub(super) fn fault(&mut self, text: String) {
        self.faults.push(text);
    }

    pub(super) fn finish<T>(self, value: Option<T>) -> Result<T, ConfigError> {
        match (value, self.faults.is_empty()) {
            (Some(value), true) => Ok(value),
            (_, false) => Err(ConfigError { faults: self.faults }),
            (None, true) => Err(ConfigError { faults: vec!["a setting is missing".to_owned()] }),
        }
    }
}
