//! When two failures are alike: what an operator reads as one line instead of forty thousand.

use sha2::{Digest, Sha256};

/// Longest message that a group keeps, in characters.
const MESSAGE_CHARS_MAX: usize = 300;
/// Length of a fingerprint, in characters.
const FINGERPRINT_CHARS: usize = 16;
/// Between the parts of what is digested; no part contains it.
const SEPARATOR: &str = "\u{1f}";

/// What failures that are alike have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Names the group: 16 hex digits.
    pub fingerprint: String,
    /// The message, with what differs from case to case replaced by `#`.
    pub message: String,
}

impl Signature {
    /// The signature of a failure of a job of `kind`: its class, the far side's code (empty: none) and what
    /// was said.
    #[must_use]
    pub fn of(kind: &str, class: &str, code: &str, error: &str) -> Self {
        let message = normalise(error);
        let digest = Sha256::digest([kind, class, code, &message].join(SEPARATOR));
        let mut fingerprint = hex::encode(digest);
        fingerprint.truncate(FINGERPRINT_CHARS);
        Self { fingerprint, message }
    }
}

/// Replaces every word that holds a digit, since such words name one case: a number, a receipt, an address.
fn normalise(error: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    let mut out = String::new();
    let mut rest = error;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| is_word(c) != is_word(first)).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        out.push_str(if is_word(first) && part.contains(|c: char| c.is_ascii_digit()) { "#" } else { part });
        rest = after;
    }
    out.chars().take(MESSAGE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(class: &str, code: &str, error: &str) -> String {
        Signature::of("submit_to_vendor", class, code, error).fingerprint
    }

    #[test]
    fn failures_that_differ_in_numbers_and_names_only_are_alike() {
        let first = "attempt 4f0f-11 on 10.0.0.7:443 after 1.5s: refused";
        let second = "attempt 9a-2 on 10.0.12.8:80 after 20.25s: refused";
        assert_eq!(fingerprint("network", "", first), fingerprint("network", "", second));
        assert_eq!(Signature::of("k", "c", "", first).message, "attempt # on #.#.#.#:# after #.#: refused");
    }

    #[test]
    fn another_class_code_kind_or_text_is_another_group() {
        let one = fingerprint("vendor_busy", "503", "busy");
        for other in [
            fingerprint("vendor_busy", "502", "busy"),
            fingerprint("vendor_refused", "503", "busy"),
            fingerprint("vendor_busy", "503", "no"),
        ] {
            assert_ne!(one, other);
        }
        assert_ne!(one, Signature::of("send_email", "vendor_busy", "503", "busy").fingerprint);
        assert_eq!(one.len(), FINGERPRINT_CHARS);
    }

    #[test]
    fn a_message_is_cut_to_what_people_read() {
        assert_eq!(Signature::of("k", "c", "", &"ü".repeat(5000)).message.chars().count(), MESSAGE_CHARS_MAX);
    }
}
