//! An order: which track is bought, for how much, and how an order moves.
//!
//! Source: reference 5.1. **≠** a SKU of another course is never sold here, credit is not sold here, and
//! the currency is the track's.

use chrono::{DateTime, Utc};

use super::{
    course::CourseMode,
    price::{Amount, NotAnAmount},
};

/// Tracks of professional education: their price is fixed.
const PROFESSIONAL: [&str; 2] = ["professional", "no-id-professional"];
/// The track of credit, which its providers sell.
const CREDIT: &str = "credit";
/// The track whose learners go on to show their identity.
const VERIFIED: &str = "verified";

/// What a learner asks to buy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked<'a> {
    /// What they are ready to pay, and how much that is.
    pub amount: Amount,
    /// The shop's product, if they named one.
    pub sku: Option<&'a str>,
}

/// What is sold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sale {
    /// The track.
    pub mode: CourseMode,
    /// Its price for this learner.
    pub amount: Amount,
    /// The learner named a product that this course does not sell; it was passed over.
    pub is_sku_unknown: bool,
    /// How many tracks could have been meant; the first is sold.
    pub candidates: usize,
}

/// Why nothing is sold. Clients compare the texts. Source: reference 5.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The amount is no number.
    #[error(transparent)]
    NotAnAmount(#[from] NotAnAmount),
    /// The course sells nothing at this time.
    #[error("This course doesn't support paid certificates")]
    NothingForSale,
    /// The amount is too small.
    #[error("No selected price or selected price is below minimum.")]
    BelowMinimum,
}

/// What a learner is ready to pay: what they posted, even if empty; else what the page before remembered;
/// else nothing. Source: reference 5.1, step 1.
///
/// # Errors
///
/// [`Refusal::NotAnAmount`].
pub fn amount_of(posted: Option<&str>, remembered: Option<&str>) -> Result<Amount, Refusal> {
    let Some(text) = posted.or(remembered) else { return Ok(Amount::ZERO) };
    Ok(Amount::parse(text)?)
}

/// What a learner is to pay for a track as far as it is known before they order: what they chose on the page before, where
/// an order at that amount would be taken, else the track's price.
#[must_use]
pub fn amount_to_pay(mode: &CourseMode, remembered: Option<&str>) -> Amount {
    let price = Amount::from_units(mode.min_price);
    let chosen = remembered.and_then(|text| Amount::parse(text).ok());
    chosen.filter(|chosen| *chosen >= price && !has_fixed_price(mode)).unwrap_or(price)
}

fn has_fixed_price(mode: &CourseMode) -> bool {
    PROFESSIONAL.contains(&mode.slug.as_str())
}

/// Decides what is sold from a course's tracks, which come in its order. Source: reference 5.1, steps 2 to 5.
///
/// # Errors
///
/// [`Refusal`]; tell it to the learner and change nothing.
pub fn decide(asked: Asked<'_>, modes: &[CourseMode], now: DateTime<Utc>) -> Result<Sale, Refusal> {
    let for_sale: Vec<&CourseMode> = modes.iter().filter(|mode| is_for_sale(mode, now)).collect();
    let sku = asked.sku.filter(|sku| !sku.is_empty());
    let named = sku.and_then(|sku| for_sale.iter().find(|mode| mode.sku.as_deref() == Some(sku)));
    let mode = named.or(for_sale.first()).copied().ok_or(Refusal::NothingForSale)?;
    let price = Amount::from_units(mode.min_price);
    let amount = if has_fixed_price(mode) { price } else { asked.amount };
    if amount < price {
        return Err(Refusal::BelowMinimum);
    }
    let candidates = if named.is_some() { 1 } else { for_sale.len() };
    Ok(Sale { mode: mode.clone(), amount, is_sku_unknown: sku.is_some() && named.is_none(), candidates })
}

/// Not expired, not free, and no credit.
fn is_for_sale(mode: &CourseMode, now: DateTime<Utc>) -> bool {
    mode.min_price > 0 && mode.slug != CREDIT && mode.expires_at.is_none_or(|end| end >= now)
}

/// Where an order stands. Source: reference 5.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderStatus {
    /// It is put together.
    Cart,
    /// The learner is on the payment page.
    Paying,
    /// It is paid.
    Purchased,
    /// The money went back.
    Refunded,
    /// A cart that was given up.
    DefunctCart,
    /// A payment that was given up.
    DefunctPaying,
}

impl OrderStatus {
    /// Every status.
    const ALL: [Self; 6] = [Self::Cart, Self::Paying, Self::Purchased, Self::Refunded, Self::DefunctCart, Self::DefunctPaying];

    /// The status as the database and clients write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cart => "cart",
            Self::Paying => "paying",
            Self::Purchased => "purchased",
            Self::Refunded => "refunded",
            Self::DefunctCart => "defunct-cart",
            Self::DefunctPaying => "defunct-paying",
        }
    }

    /// Reads a status.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether there is a receipt.
    #[must_use]
    pub const fn has_receipt(self) -> bool {
        matches!(self, Self::Purchased | Self::Refunded)
    }

    /// Whether it was paid for, now or before.
    #[must_use]
    pub const fn is_paid(self) -> bool {
        self.has_receipt()
    }
}

/// Whether an order of these tracks leads on to the learner's identity: a single verified certificate.
/// Source: reference 5.4.
#[must_use]
pub fn leads_to_verification(modes: &[&str]) -> bool {
    modes == [VERIFIED]
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_464_782_400, 0).expect("a time")
    }

    fn mode(slug: &str, min_price: i64) -> CourseMode {
        let text = slug.to_owned();
        CourseMode { display_name: text.clone(), slug: text, min_price, currency: "usd".to_owned(), sku: None, expires_at: None }
    }

    fn sold(units: i64, modes: &[CourseMode]) -> Result<(String, String), Refusal> {
        let sale = decide(Asked { amount: Amount::from_units(units), sku: None }, modes, now())?;
        Ok((sale.mode.slug, sale.amount.to_string()))
    }

    fn pair(slug: &str, amount: &str) -> (String, String) {
        (slug.to_owned(), amount.to_owned())
    }

    #[test]
    fn the_first_track_that_costs_something_and_is_open_is_sold() {
        let ended = CourseMode { expires_at: Some(now() - TimeDelta::seconds(1)), ..mode("honor", 10) };
        let modes = [mode("audit", 0), mode("credit", 5), ended.clone(), mode("verified", 100), mode("other", 1)];
        assert_eq!(sold(100, &modes), Ok(pair("verified", "100.00")));
        assert_eq!(sold(99, &modes), Err(Refusal::BelowMinimum));
        assert_eq!(sold(100, &[mode("audit", 0), mode("credit", 5), ended]), Err(Refusal::NothingForSale));
        assert_eq!(sold(100, &[]), Err(Refusal::NothingForSale));
        let ends_now = CourseMode { expires_at: Some(now()), ..mode("verified", 10) };
        assert_eq!(sold(10, &[ends_now]), Ok(pair("verified", "10.00")));
    }

    #[test]
    fn professional_education_has_a_fixed_price() {
        assert_eq!(sold(0, &[mode("professional", 10)]), Ok(pair("professional", "10.00")));
        assert_eq!(
            sold(500, &[mode("no-id-professional", 10), mode("professional", 20)]),
            Ok(pair("no-id-professional", "10.00"))
        );
    }

    #[test]
    fn a_product_counts_only_in_its_own_course() {
        let named = CourseMode { sku: Some("B".to_owned()), ..mode("honor", 20) };
        let modes = [mode("verified", 10), named];
        let asked = |sku| decide(Asked { amount: Amount::from_units(20), sku }, &modes, now()).expect("a sale");
        assert_eq!(asked(Some("B")).mode.slug, "honor");
        assert!(!asked(Some("B")).is_sku_unknown);
        assert_eq!(asked(Some("elsewhere")).mode.slug, "verified");
        assert!(asked(Some("elsewhere")).is_sku_unknown);
        assert_eq!((asked(Some("")).is_sku_unknown, asked(None).candidates), (false, 2));
    }

    #[test]
    fn what_was_posted_counts_before_what_was_remembered() {
        let shown = |posted, remembered| amount_of(posted, remembered).map(|amount| amount.to_string());
        assert_eq!(shown(Some("5"), Some("7")).as_deref(), Ok("5.00"));
        assert_eq!(shown(None, Some("7")).as_deref(), Ok("7.00"));
        assert_eq!(shown(None, None).as_deref(), Ok("0.00"));
        assert_eq!(
            shown(Some(""), Some("7")).map_err(|refusal| refusal.to_string()),
            Err("Selected price is not valid number.".to_owned())
        );
    }
}
