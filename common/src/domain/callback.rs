//! The vendor's results.

use super::vendor_format::VendorFormat;

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

    /// The result as `software-secure` spells it; also its name in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::SystemFail => "SYSTEM FAIL",
        }
    }

    /// The result as the vendor spells it in a wire format.
    #[must_use]
    pub const fn spelling(self, format: VendorFormat) -> &'static str {
        match (format, self) {
            (VendorFormat::SoftwareSecure, kind) => kind.as_str(),
            (VendorFormat::Sealed, Self::Pass) => "approved",
            (VendorFormat::Sealed, Self::Fail) => "denied",
            (VendorFormat::Sealed, Self::SystemFail) => "retry",
        }
    }

    /// Reads a result as a wire format spells it.
    #[must_use]
    pub fn parse(format: VendorFormat, text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.spelling(format) == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_known_in_the_spelling_of_its_own_format_only() {
        for kind in VerdictKind::ALL {
            for format in VendorFormat::ALL {
                for other in VendorFormat::ALL {
                    let expected = (format == other).then_some(kind);
                    assert_eq!(VerdictKind::parse(other, kind.spelling(format)), expected);
                }
            }
        }
    }
}
