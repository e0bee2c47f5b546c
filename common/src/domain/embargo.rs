//! Country rules: whether a learner may take a restricted course from where they are. Source: reference 4.10.
//!
//! The country of the address counts first, then that of the profile. A country that nobody can name is let
//! in, as in the reference: a wrong guess must not cost a learner the course.

/// A course's rules.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CountryRules {
    /// Which message a blocked learner sees.
    pub message_key: String,
    /// Only these countries, unless empty.
    pub whitelist: Vec<String>,
    /// Not these countries.
    pub blacklist: Vec<String>,
}

impl CountryRules {
    /// Whether a learner is kept out. Countries are ISO codes in upper case; `None` is not known.
    #[must_use]
    pub fn block(&self, address_country: Option<&str>, profile_country: Option<&str>) -> bool {
        [address_country, profile_country].into_iter().flatten().any(|country| !self.allow(country))
    }

    fn allow(&self, country: &str) -> bool {
        if !is_country(country) {
            return true;
        }
        let is_on = |list: &[String]| list.iter().any(|listed| listed == country);
        (self.whitelist.is_empty() || is_on(&self.whitelist)) && !is_on(&self.blacklist)
    }
}

/// Where a blocked learner is sent.
#[must_use]
pub fn blocked_path(message_key: &str) -> String {
    let key = if message_key.is_empty() { "default" } else { message_key };
    format!(
        "/embargo/blocked-message/enrollment/{}/",
        percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC)
    )
}

/// The codes of ISO 3166-1, in a row.
const COUNTRIES: &str = "ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZCACCCDCFCGCHCICKCLCMCNCOCRCUCVCWCXCYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGMGNGPGQGRGSGTGUGWGYHKHMHNHRHTHUIDIEILIMINIOIQIRISITJEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLTLULVLYMAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNENFNGNINLNONPNRNUNZOMPAPEPFPGPHPKPLPMPNPRPSPTPWPYQARERORSRURWSASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTFTGTHTJTKTLTMTNTOTRTTTVTWTZUAUGUMUSUYUZVAVCVEVGVIVNVUWFWSYEYTZAZMZW";

fn is_country(code: &str) -> bool {
    COUNTRIES.as_bytes().chunks(2).any(|known| known == code.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(whitelist: &[&str], blacklist: &[&str]) -> CountryRules {
        let list = |codes: &[&str]| codes.iter().map(|&code| code.to_owned()).collect();
        CountryRules { message_key: "embargo".to_owned(), whitelist: list(whitelist), blacklist: list(blacklist) }
    }

    #[test]
    fn the_249_countries_of_the_standard_are_known() {
        assert_eq!(COUNTRIES.len(), 2 * 249);
        assert!(is_country("IR") && is_country("AT") && !is_country("XX") && !is_country("") && !is_country("DA"));
    }

    #[test]
    fn a_learner_is_kept_out_by_address_or_profile() {
        let rules = rules(&[], &["IR", "SY"]);
        assert!(rules.block(Some("IR"), Some("AT")));
        assert!(rules.block(Some("AT"), Some("SY")));
        assert!(!rules.block(Some("AT"), Some("DE")));
    }

    #[test]
    fn a_whitelist_keeps_out_all_others_but_a_blacklisted_country_on_it_too() {
        let rules = rules(&["AT", "DE"], &["DE"]);
        assert!(!rules.block(Some("AT"), None));
        assert!(rules.block(Some("FR"), None));
        assert!(rules.block(Some("DE"), None));
    }

    #[test]
    fn a_country_that_nobody_can_name_is_let_in() {
        let rules = rules(&["AT"], &[]);
        for unknown in [None, Some(""), Some("XX"), Some("A1")] {
            assert!(!rules.block(unknown, unknown));
        }
    }

    #[test]
    fn a_blocked_learner_is_sent_to_the_courses_message() {
        assert_eq!(blocked_path("embargo"), "/embargo/blocked-message/enrollment/embargo/");
        assert_eq!(blocked_path(""), "/embargo/blocked-message/enrollment/default/");
        assert_eq!(blocked_path("../x"), "/embargo/blocked-message/enrollment/%2E%2E%2Fx/");
    }
}
