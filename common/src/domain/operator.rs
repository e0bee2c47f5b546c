//! What an operator asks for: by whom, and why. Nothing is done by hand without a reason.

/// Longest reason, in characters.
pub const REASON_CHARS_MAX: usize = 500;

/// What operators do, as the audit names it.
pub const ACTIONS: [&str; 14] = [
    "attempt.retry",
    "attempt.approve",
    "attempt.deny",
    "job.retry",
    "job.drop",
    "retries.start",
    "retries.cancel",
    "queue.pause",
    "queue.resume",
    "queue.limit",
    "breaker.force",
    "user.verify",
    "user.erase",
    "keys.rewrap",
];

/// Who asks, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The name of the key that was used.
    pub actor: String,
    /// Why, for whoever asks later.
    pub reason: String,
}

impl Order {
    /// An order of `actor`, if the reason says something; blanks around it are dropped.
    ///
    /// # Errors
    ///
    /// [`NoReason`] when it is blank, too long, or holds control characters.
    pub fn new(actor: impl Into<String>, reason: &str) -> Result<Self, NoReason> {
        let reason = reason.trim();
        let is_sound = !reason.is_empty() && reason.chars().count() <= REASON_CHARS_MAX && !reason.contains(char::is_control);
        if is_sound { Ok(Self { actor: actor.into(), reason: reason.to_owned() }) } else { Err(NoReason) }
    }
}

/// A reason is missing or can't be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Say why: `reason` must be a line of 1 to {REASON_CHARS_MAX} characters. Nothing was changed.")]
pub struct NoReason;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_has_a_reason_of_one_line() {
        assert_eq!(Order::new("ops", " vendor is back ").map(|order| order.reason), Ok("vendor is back".to_owned()));
        for bad in ["", "  ", "a\nb", &"x".repeat(REASON_CHARS_MAX + 1)] {
            assert_eq!(Order::new("ops", bad), Err(NoReason));
        }
    }
}
