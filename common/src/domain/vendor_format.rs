//! The wire formats in which Vouch speaks with the vendor, by their names in settings and records.

/// A wire format. A deployment has one; each attempt and each callback says in which it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VendorFormat {
    /// What Open edX sends and expects.
    SoftwareSecure,
    /// Authenticated photos and Standard Webhooks; see docs/vendors.md.
    Sealed,
}

impl VendorFormat {
    /// Every format.
    pub const ALL: [Self; 2] = [Self::SoftwareSecure, Self::Sealed];

    /// The name in settings and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SoftwareSecure => "software-secure",
            Self::Sealed => "sealed",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == text)
    }
}
