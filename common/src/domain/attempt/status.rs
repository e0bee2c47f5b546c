//! Where an attempt stands.

use std::fmt;

/// The states of an attempt. Source: reference 2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// Received and safe; the photos are not checked yet.
    Created,
    /// The photos are checked and encrypted for the vendor.
    Ready,
    /// The vendor has it.
    Submitted,
    /// A try to reach the vendor failed, or the vendor had a fault of its own; another try follows.
    MustRetry,
    /// The learner is who they say.
    Approved,
    /// Refused, with reasons.
    Denied,
}

impl Status {
    /// Every state.
    pub const ALL: [Self; 6] = [Self::Created, Self::Ready, Self::Submitted, Self::MustRetry, Self::Approved, Self::Denied];

    /// The state's name in SQL, the API, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Ready => "ready",
            Self::Submitted => "submitted",
            Self::MustRetry => "must_retry",
            Self::Approved => "approved",
            Self::Denied => "denied",
        }
    }

    /// Reads a state's name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether the verdict has fallen.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Approved | Self::Denied)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
