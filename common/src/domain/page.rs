//! Pages of a list: where one ends and the next begins.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};

/// Most entries of a page.
pub const LIMIT_MAX: i64 = 200;
/// Entries of a page when nobody says otherwise.
pub const LIMIT_DEFAULT: i64 = 50;

/// The key of an entry in a list that is ordered by a time and a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The time (UTC).
    pub at: DateTime<Utc>,
    /// The number.
    pub id: i64,
}

impl Key {
    /// Greater than the key of any entry: where a list that shows the newest first begins.
    pub const LAST: Self = Self { at: DateTime::from_timestamp(253_402_300_799, 0).expect("the year 9999"), id: i64::MAX };
    /// Smaller than the key of any entry.
    pub const FIRST: Self = Self { at: DateTime::UNIX_EPOCH, id: 0 };

    /// Greater than the key of any entry of before `at`, and of no other.
    #[must_use]
    pub const fn before(at: DateTime<Utc>) -> Self {
        Self { at, id: 0 }
    }

    /// The key as others carry it: they may not look inside.
    #[must_use]
    pub fn to_cursor(self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}.{}", self.at.timestamp_micros(), self.id))
    }

    /// Reads what [`Key::to_cursor`] wrote.
    #[must_use]
    pub fn parse(cursor: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        let (at, id) = text.split_once('.')?;
        let key = Self { at: DateTime::from_timestamp_micros(at.parse().ok()?)?, id: id.parse().ok()? };
        (Self::FIRST <= key && key <= Self::LAST).then_some(key)
    }
}

/// Which page is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// The last entry of the page before; `None`: the first page.
    pub after: Option<Key>,
    /// Most entries.
    pub limit: i64,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paged<T> {
    /// The entries.
    pub items: Vec<T>,
    /// Where the next page begins; `None`: there is none.
    pub next: Option<Key>,
}

impl<T> Paged<T> {
    /// The page of at most `limit` of `found`, which holds one more if there is another page.
    pub fn cut(found: Vec<T>, limit: i64, key: impl Fn(&T) -> Key) -> Self {
        Self::sift(found, (limit, limit + 1), key, |_| true)
    }

    /// The page of at most `limit` of those candidates that fit; at most `looked_at` were asked for. When they run
    /// out before the page is full and there may be more, the page is short and the next one goes on behind them.
    pub fn sift(found: Vec<T>, (limit, looked_at): (i64, i64), key: impl Fn(&T) -> Key, fits: impl Fn(&T) -> bool) -> Self {
        let [limit, looked_at] = [limit, looked_at].map(|count| usize::try_from(count).unwrap_or(0));
        let end = if found.len() < looked_at { None } else { found.last().map(&key) };
        let mut items: Vec<T> = found.into_iter().filter(fits).take(limit + 1).collect();
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next = if has_more { items.last().map(key) } else { end };
        Self { items, next }
    }

    /// The page with each entry made into another.
    pub fn map<U>(self, make: impl FnMut(T) -> U) -> Paged<U> {
        Paged { items: self.items.into_iter().map(make).collect(), next: self.next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_back_from_its_cursor() {
        let key = Key { at: DateTime::from_timestamp_micros(1_764_000_000_123_456).unwrap(), id: 42 };
        for key in [key, Key::FIRST, Key::LAST] {
            assert_eq!(Key::parse(&key.to_cursor()), Some(key));
        }
    }

    #[test]
    fn what_is_no_cursor_is_none() {
        let broken = ["", "x", "1.1", "%%%", "MS4x=", &URL_SAFE_NO_PAD.encode("1"), &URL_SAFE_NO_PAD.encode("a.b")];
        for cursor in broken {
            assert_eq!(Key::parse(cursor), None, "{cursor}");
        }
        assert_eq!(Key::parse(&URL_SAFE_NO_PAD.encode("-5.1")), None);
        assert_eq!(Key::parse(&URL_SAFE_NO_PAD.encode(format!("{}.1", i64::MAX))), None);
    }

    #[test]
    fn a_page_has_a_next_one_only_when_more_was_found() {
        let key = |id: &i64| Key { at: DateTime::UNIX_EPOCH, id: *id };
        let page = Paged::cut(vec![3, 2, 1], 2, key);
        assert_eq!((page.items, page.next.map(|key| key.id)), (vec![3, 2], Some(2)));
        assert_eq!(Paged::cut(vec![3, 2], 2, key).next, None);
    }

    #[test]
    fn a_page_of_which_few_candidates_fit_is_short_and_the_next_goes_on_behind_them() {
        let key = |id: &i64| Key { at: DateTime::UNIX_EPOCH, id: *id };
        let page = |found: &[i64]| {
            let page = Paged::sift(found.to_vec(), (2, 4), key, |id| id % 2 == 0);
            (page.items, page.next.map(|key| key.id))
        };
        assert_eq!(page(&[9, 8, 7, 5]), (vec![8], Some(5)));
        assert_eq!(page(&[9, 7, 5, 3]), (vec![], Some(3)));
        assert_eq!(page(&[8, 6, 4, 3]), (vec![8, 6], Some(6)));
        assert_eq!(page(&[9, 8, 7]), (vec![8], None));
    }
}
