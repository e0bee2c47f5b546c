//! Amounts of money: read as strictly as the original reads them, and exact to the hundredth.
//!
//! Source: reference 5.1. An amount is what `Decimal(text).quantize(Decimal('0.01'), ROUND_DOWN)` makes of
//! a text at a precision of 28 digits. **≠** `NaN` is no number; it failed with 500 there.

use std::fmt;

use rust_decimal::Decimal;

/// Most digits of an amount, the two decimals included.
const DIGITS_MAX: i64 = 28;
/// Digits after the point.
const DECIMALS: u32 = 2;
const RADIX: i128 = 10;

/// The zeros of every script that writes numbers in tens; the nine digits that follow each are its others
/// (Unicode 14, category Nd).
const ZEROS: [u32; 66] = [
    0x30, 0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xDE6, 0xE50, 0xED0, 0xF20, 0x1040,
    0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0,
    0xA9F0, 0xAA50, 0xABF0, 0xFF10, 0x104A0, 0x10D30, 0x11066, 0x110F0, 0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0, 0x11650,
    0x116C0, 0x11730, 0x118E0, 0x11950, 0x11C50, 0x11D50, 0x11DA0, 0x16A60, 0x16AC0, 0x16B50, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC,
    0x1D7F6, 0x1E140, 0x1E2F0, 0x1E950, 0x1FBF0,
];

/// An amount in whole hundredths of a currency's unit; it may be negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Amount(i128);

/// A text is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Selected price is not valid number.")]
pub struct NotAnAmount;

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Whole units of a currency.
    #[must_use]
    pub fn from_units(units: i64) -> Self {
        Self(i128::from(units) * RADIX.pow(DECIMALS))
    }

    /// Reads an amount and rounds it to hundredths, toward zero. The work grows with the text, never with
    /// its exponent.
    ///
    /// # Errors
    ///
    /// [`NotAnAmount`] when the text is no finite number or has too many digits.
    pub fn parse(text: &str) -> Result<Self, NotAnAmount> {
        let number = Number::read(text.trim_matches(is_blank)).ok_or(NotAnAmount)?;
        number.hundredths().ok_or(NotAnAmount).map(Self)
    }

    /// Reads an amount as a payment processor and we ourselves write it: `50.00`, nothing odd.
    #[must_use]
    pub fn parse_plain(text: &str) -> Option<Self> {
        let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let amount = is_plain.then(|| Self::parse(text).ok()).flatten()?;
        let decimals = text.split_once('.').map_or("", |(_, decimals)| decimals);
        // A part of a hundredth would be lost on the way.
        decimals.bytes().skip(DECIMALS as usize).all(|byte| byte == b'0').then_some(amount)
    }

    /// The amount as the database keeps it. An amount has at most 28 digits, so it always fits.
    #[must_use]
    pub fn to_decimal(self) -> Decimal {
        Decimal::try_from_i128_with_scale(self.0, DECIMALS).unwrap_or_default()
    }

    /// Reads an amount from the database; `None` when it has more than two decimals.
    #[must_use]
    pub fn from_decimal(mut value: Decimal) -> Option<Self> {
        let exact = value;
        value.rescale(DECIMALS);
        (value == exact && value.scale() == DECIMALS).then(|| Self(value.mantissa()))
    }

    /// The amount `count` times.
    #[must_use]
    pub fn times(self, count: i32) -> Self {
        Self(self.0.saturating_mul(i128::from(count)))
    }
}

impl std::iter::Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, |sum, amount| Self(sum.0.saturating_add(amount.0)))
    }
}

impl fmt::Display for Amount {
    /// With two decimals and nothing else: `50.00`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = RADIX.pow(DECIMALS).unsigned_abs();
        let (whole, part) = (self.0.unsigned_abs() / unit, self.0.unsigned_abs() % unit);
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{whole}.{part:02}")
    }
}

/// What Python's `strip` takes away: Unicode's blanks, and the four separators among the controls.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

/// A digit of any script.
fn digit(c: char) -> Option<u8> {
    let code = u32::from(c);
    let zero = ZEROS[..ZEROS.partition_point(|zero| *zero <= code)].last()?;
    u8::try_from(code - zero).ok().filter(|value| *value < 10)
}

/// A decimal number in parts: ± `digits` × 10^`exponent`.
struct Number {
    is_negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

impl Number {
    /// `[+-] digits [. digits] [e [+-] digits]`, with digits on one side of the point at least.
    fn read(text: &str) -> Option<Self> {
        let (is_negative, text) = sign(text);
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, read_exponent(exponent)?),
            None => (text, 0),
        };
        let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
        let digits: Vec<u8> = whole.chars().chain(decimals.chars()).map(digit).collect::<Option<_>>()?;
        let places = i64::try_from(decimals.chars().count()).ok()?;
        (!digits.is_empty()).then(|| Self { is_negative, digits, exponent: exponent.saturating_sub(places) })
    }

    /// Cut off after the second decimal; `None` when that has more than 28 digits.
    fn hundredths(&self) -> Option<i128> {
        let zeros = self.digits.iter().take_while(|digit| **digit == 0).count();
        let digits = &self.digits[zeros..];
        if digits.is_empty() {
            return Some(0);
        }
        // How many digits stand before the end of the second decimal.
        let kept = i64::try_from(digits.len()).ok()?.saturating_add(self.exponent).saturating_add(i64::from(DECIMALS));
        if kept > DIGITS_MAX {
            return None;
        }
        let kept = usize::try_from(kept.max(0)).ok()?;
        let padded = digits.iter().copied().chain(std::iter::repeat(0)).take(kept);
        let value = padded.fold(0, |value: i128, digit| value * RADIX + i128::from(digit));
        Some(if self.is_negative { -value } else { value })
    }
}

/// Whether a text begins with a minus, and what follows its sign.
fn sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// An exponent; one beyond all measure is as good as infinite.
fn read_exponent(text: &str) -> Option<i64> {
    let (is_negative, digits) = sign(text);
    if digits.is_empty() {
        return None;
    }
    let value = digits
        .chars()
        .try_fold(0_i64, |value, c| digit(c).map(|digit| value.saturating_mul(10).saturating_add(i64::from(digit))));
    // Far beyond what any amount can use, and far from the ends of the type.
    let bounded = value?.min(i64::MAX / 4);
    Some(if is_negative { -bounded } else { bounded })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<String> {
        Amount::parse(text).ok().map(|amount| amount.to_string())
    }

    #[test]
    fn an_amount_is_cut_to_hundredths_toward_zero() {
        let cases = [
            ("50", "50.00"),
            ("50.999", "50.99"),
            ("-50.999", "-50.99"),
            (" 50 ", "50.00"),
            ("\u{3000}50\u{a0}", "50.00"),
            ("\u{1f}50", "50.00"),
            ("1e3", "1000.00"),
            ("1E+2", "100.00"),
            (".5", "0.50"),
            ("5.", "5.00"),
            ("+5", "5.00"),
            ("-1", "-1.00"),
            ("-0", "0.00"),
            ("0", "0.00"),
            ("-0.001", "0.00"),
            ("٥٠", "50.00"),
            ("٥٠.٩٩٩", "50.99"),
            ("५०", "50.00"),
            ("５０", "50.00"),
            ("𝟝𝟘", "50.00"),
            ("1e٢", "100.00"),
            ("1e-400", "0.00"),
            ("1e-99999999999999999999", "0.00"),
            ("0e99999999999999999999", "0.00"),
            ("5e-1", "0.50"),
            ("99e-2", "0.99"),
            ("0.0000000000000000000000000000000000050", "0.00"),
            ("000000000000000000000000000000000000050", "50.00"),
            ("1e25", "10000000000000000000000000.00"),
            ("99999999999999999999999999", "99999999999999999999999999.00"),
            ("99999999999999999999999999.999", "99999999999999999999999999.99"),
        ];
        for (text, amount) in cases {
            assert_eq!(shown(text).as_deref(), Some(amount), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_finite_number_or_too_long_is_no_amount() {
        for text in [
            "",
            " ",
            "1.a",
            "$50",
            "1,000",
            "1_000",
            "Infinity",
            "-inf",
            "NaN",
            "nan",
            "sNaN",
            "NaN12",
            "1e26",
            "100000000000000000000000000",
            "0x10",
            "--1",
            "+-1",
            "-",
            "+",
            ".",
            "e",
            "e5",
            "1e",
            "1e+",
            "1e1.5",
            "1.2.3",
            "1 000",
            "1e999999999",
            "1e99999999999999999999999",
            "²",
            "Ⅷ",
            "½",
            "1e5e5",
            "5 .0",
            "−1",
        ] {
            assert_eq!(shown(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_long_text_is_read_in_one_go() {
        assert_eq!(shown(&format!("0.{}", "3".repeat(60_000))).as_deref(), Some("0.33"));
        assert_eq!(shown(&format!("1e{}", "9".repeat(60_000))), None);
        assert_eq!(shown(&format!("{}e-60000", "1".repeat(60_002))).as_deref(), Some("11.11"));
    }

    #[test]
    fn whatever_an_amount_shows_reads_back_as_itself() {
        for hundredths in [0, 1, -1, 99, 100, 12_345, -70_001, 9_999_999_999_999_999_999_999_999_999] {
            let amount = Amount(hundredths);
            assert_eq!(Amount::parse(&amount.to_string()), Ok(amount));
            assert_eq!(Amount::from_decimal(amount.to_decimal()), Some(amount));
        }
        assert_eq!(Amount::from_decimal(Decimal::new(1_234, 3)), None);
        assert_eq!(Amount::from_decimal(Decimal::new(5, 0)), Some(Amount(500)));
    }

    #[test]
    fn a_processor_writes_amounts_plainly() {
        assert_eq!(Amount::parse_plain("50.00"), Some(Amount(5_000)));
        assert_eq!(Amount::parse_plain("50"), Some(Amount(5_000)));
        assert_eq!(Amount::parse_plain("50.5000"), Some(Amount(5_050)));
        for text in ["", "50.001", "-50", "5e1", " 50", "٥٠", ".", "50.0.0"] {
            assert_eq!(Amount::parse_plain(text), None, "{text:?}");
        }
    }
}
