//! The languages of the pages, and which of them a learner wants.

/// A language that every text exists in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    /// English: shown to whoever asks for none of the others.
    English,
    /// German.
    German,
}

impl Language {
    /// Every language, English first.
    pub(super) const ALL: [Self; 2] = [Self::English, Self::German];

    /// The language's tag, as the attribute `lang` has it.
    pub(super) const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// The language's name in itself.
    pub(super) const fn own_name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::German => "Deutsch",
        }
    }

    /// Which way its lines run, as the attribute `dir` has it.
    pub(super) const fn direction(self) -> &'static str {
        match self {
            Self::English | Self::German => "ltr",
        }
    }

    /// What stands between whole and fraction of an amount.
    pub(super) const fn decimal_mark(self) -> &'static str {
        match self {
            Self::English => ".",
            Self::German => ",",
        }
    }

    /// Its texts.
    pub(super) const fn source(self) -> &'static str {
        match self {
            Self::English => {
                concat!(
                    include_str!("../../pages/locales/en/pages.ftl"),
                    "\n",
                    include_str!("../../pages/locales/en/reasons.ftl")
                )
            }
            Self::German => {
                concat!(
                    include_str!("../../pages/locales/de/pages.ftl"),
                    "\n",
                    include_str!("../../pages/locales/de/reasons.ftl")
                )
            }
        }
    }

    /// The language of a tag such as `de`, `de-AT` or `DE_at`.
    pub(super) fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.trim().split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(primary))
    }

    /// The first wish of an `Accept-Language` that we can fulfil, by weight and then by order.
    pub(super) fn of_wishes(header: &str) -> Option<Self> {
        let mut best: Option<(f32, Self)> = None;
        for wish in header.split(',').take(WISHES_MAX) {
            let mut parts = wish.split(';');
            let Some(language) = parts.next().and_then(Self::of_tag) else { continue };
            let weight = parts.find_map(|part| part.trim().strip_prefix("q=")?.parse().ok()).unwrap_or(1.0);
            if weight > 0.0 && best.is_none_or(|(heaviest, _)| weight > heaviest) {
                best = Some((weight, language));
            }
        }
        best.map(|(_, language)| language)
    }
}

/// How many wishes are looked at: more than any browser sends.
const WISHES_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heaviest_wish_that_we_can_fulfil_wins() {
        for (header, wanted) in [
            ("de", Some(Language::German)),
            ("de-AT,en;q=0.5", Some(Language::German)),
            ("fr,en;q=0.4,de;q=0.7", Some(Language::German)),
            ("en-GB,de", Some(Language::English)),
            ("de;q=0,en;q=0.1", Some(Language::English)),
            ("fr, it", None),
            ("", None),
            ("*", None),
        ] {
            assert_eq!(Language::of_wishes(header), wanted, "{header}");
        }
    }
}
