//! Reading values, and collecting every fault before telling any.

use std::{collections::HashMap, fmt::Display, path::PathBuf, time::Duration};

use super::catalogue::{CATALOGUE, Program};

/// Where values come from.
#[derive(Debug, Clone, Default)]
pub struct Source {
    values: HashMap<String, String>,
    /// What is wrong with the file, told with what is wrong with the values.
    faults: Vec<String>,
}

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
        let mut source =
            std::env::var_os("VOUCH_CONFIG").map(|path| read_file(&PathBuf::from(path))).transpose()?.unwrap_or_default();
        for setting in CATALOGUE {
            if let Ok(value) = std::env::var(setting.name) {
                source.values.insert(setting.name.to_owned(), value);
            }
        }
        Ok(source)
    }

    /// Values from a list, for tests and for programs that start others.
    #[must_use]
    pub fn from_pairs<K: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        let values = pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { values, faults: Vec::new() }
    }
}

fn read_file(path: &PathBuf) -> Result<Source, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| ConfigError { faults: vec![format!("VOUCH_CONFIG can't be read: {error}")] })?;
    read_toml(&text)
}

fn read_toml(text: &str) -> Result<Source, ConfigError> {
    let broken = |_| ConfigError { faults: vec!["the file that VOUCH_CONFIG names is not TOML".to_owned()] };
    let table: toml::Table = toml::from_str(text).map_err(broken)?;
    let mut source = Source::default();
    for (key, value) in table {
        let setting = CATALOGUE.iter().find(|setting| setting.name.trim_start_matches("VOUCH_").to_lowercase() == key);
        match (setting, as_text(&value)) {
            (Some(setting), Some(text)) => {
                source.values.insert(setting.name.to_owned(), text);
            }
            (Some(_), None) => source.faults.push(format!(
                "the file that VOUCH_CONFIG names has under `{key}` what is neither a value nor a list of texts without commas"
            )),
            (None, _) => source.faults.push(format!("the file that VOUCH_CONFIG names has the unknown key `{key}`")),
        }
    }
    Ok(source)
}

/// A value as the environment would have it; a list of texts has commas there.
fn as_text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(_) | toml::Value::Float(_) | toml::Value::Boolean(_) | toml::Value::Datetime(_) => {
            Some(value.to_string())
        }
        toml::Value::Array(items) => {
            let texts: Option<Vec<&str>> = items.iter().map(|item| item.as_str().filter(|text| !text.contains(','))).collect();
            Some(texts?.join(","))
        }
        toml::Value::Table(_) => None,
    }
}

/// Reads the settings of one program and collects what is wrong.
pub(super) struct Reader<'a> {
    source: &'a Source,
    program: Program,
    faults: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(source: &'a Source, program: Program) -> Self {
        Self { source, program, faults: source.faults.clone() }
    }

    /// The value of a setting, or its default. A required one that is missing is a fault.
    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        let setting = CATALOGUE.iter().find(|setting| setting.name == name)?;
        let given = self.source.values.get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_texts_is_one_value_with_commas() {
        let text = "vendor_secret_keys = [\"new\", \"old\"]\ndays_good_for = 30\nembargo = true\n";
        let source = read_toml(text).unwrap();
        assert!(source.faults.is_empty());
        let values =
            ["VOUCH_VENDOR_SECRET_KEYS", "VOUCH_DAYS_GOOD_FOR", "VOUCH_EMBARGO"].map(|name| source.values[name].as_str());
        assert_eq!(values, ["new,old", "30", "true"]);
    }

    #[test]
    fn what_is_wrong_with_the_file_is_told_with_what_is_wrong_with_the_values() {
        let text =
            "colour = 1\nlogin_url = { a = 1 }\nvendor_secret_keys = [[\"a\"]]\nmaster_keys = [\"a,b\"]\nembargo = \"maybe\"\n";
        let source = read_toml(text).unwrap();
        let mut reader = Reader::new(&source, Program::Api);
        let value = reader.switch("VOUCH_EMBARGO");
        let told = reader.finish(value).unwrap_err().to_string();
        for fault in ["unknown key `colour`", "`login_url`", "`vendor_secret_keys`", "`master_keys`", "VOUCH_EMBARGO"] {
            assert!(told.contains(fault), "{fault}: {told}");
        }
        assert!(!told.contains("maybe") && !told.contains("a,b"), "{told}");
    }
}
