//! Bytes that nobody may read by accident: keys, access keys, passwords.
//!
//! Why here: every crate carries secrets through settings, and one type keeps them out of logs. What not: it neither
//! loads secrets nor compares them; comparing is the business of who knows the protocol.

use std::fmt;

use zeroize::Zeroizing;

/// Secret bytes that never print and that are wiped from memory when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes ownership of the bytes of a `String`, `Vec<u8>` or slice.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// Gives the bytes to the one place that needs them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Tells whether there are no bytes at all, which no protocol accepts as a secret.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn a_secret_gives_its_bytes_but_never_prints_them() {
        let secret = Secret::new(String::from("hunter2"));

        assert_eq!(secret.expose(), b"hunter2");
        assert_eq!(format!("{secret:?}"), "Secret(***)");
        assert!(!secret.is_empty());
    }
}
