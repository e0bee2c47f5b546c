//! Amounts.

use proptest::prelude::*;
use vouch_common::domain::price::Amount;

/// An amount of so many hundredths, by way of its text.
fn amount(hundredths: i128) -> Amount {
    let sign = if hundredths < 0 { "-" } else { "" };
    let (whole, part) = (hundredths.unsigned_abs() / 100, hundredths.unsigned_abs() % 100);
    Amount::parse(&format!("{sign}{whole}.{part:02}")).unwrap()
}

/// Amounts have 28 digits at most.
const MOST: i128 = 10_i128.pow(28) - 1;

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_amount_is_the_same_after_text_and_after_the_database(hundredths in -MOST..=MOST) {
        let amount = amount(hundredths);
        prop_assert_eq!(Amount::parse(&amount.to_string()), Ok(amount));
        prop_assert_eq!(Amount::from_decimal(amount.to_decimal()), Some(amount));
        prop_assert_eq!(Amount::parse_plain(&amount.to_string()), (hundredths >= 0).then_some(amount));
    }

    #[test]
    fn more_decimals_are_cut_toward_zero_and_never_rounded_up(hundredths in -1_000_000_i128..1_000_000, more in "[0-9]{1,12}") {
        let text = format!("{}{more}", amount(hundredths));
        // What lies between -0.01 and 0 has lost its sign with its digits.
        prop_assume!(hundredths != 0);
        prop_assert_eq!(Amount::parse(&text), Ok(amount(hundredths)));
        let is_exact = more.bytes().all(|digit| digit == b'0');
        prop_assert_eq!(Amount::parse_plain(&text), (hundredths >= 0 && is_exact).then_some(amount(hundredths)));
    }

    #[test]
    fn an_exponent_moves_the_point(units in 0_i64..1_000_000, zeros in 0_u32..9) {
        let expected = Amount::from_units(units * 10_i64.pow(zeros));
        prop_assert_eq!(Amount::parse(&format!("{units}e{zeros}")), Ok(expected));
        prop_assert_eq!(Amount::parse(&format!("{}e-{zeros}", i128::from(units) * 10_i128.pow(zeros))), Ok(Amount::from_units(units)));
    }

    #[test]
    fn sums_and_multiples_agree_whatever_the_order(parts in prop::collection::vec(-1_000_000_i128..1_000_000, 0..20), count in 0_i32..50) {
        let sum: Amount = parts.iter().map(|part| amount(*part)).sum();
        let backwards: Amount = parts.iter().rev().map(|part| amount(*part)).sum();
        prop_assert_eq!(sum, backwards);
        prop_assert_eq!(sum, amount(parts.iter().sum()));
        prop_assert_eq!((0..count).map(|_| sum).sum::<Amount>(), sum.times(count));
    }

    #[test]
    fn amounts_stand_in_the_order_of_their_values(left in -MOST..=MOST, right in -MOST..=MOST) {
        prop_assert_eq!(amount(left).cmp(&amount(right)), left.cmp(&right));
    }
}
