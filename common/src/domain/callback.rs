//! The vendor's results.

/// What a result says. Source: reference 7.1 (exact, case-sensitive).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VerdictKind {
    /// Face and ID match.
    Pass,
    /// They do not, or can't be compared.
    Fail,
    /// The vendor had a fault of its own.
    SystemFail,
}

impl VerdictKind {
    /// Every known result.
    pub const ALL: [Self; 3] = [Self::Pass, Self::Fail, Self::SystemFail];

    /// The result as the vendor spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::SystemFail => "SYSTEM FAIL",
        }
    }

    /// Reads a result.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}
