//! Signatures of receipts (Ed25519), so that whoever holds one can prove that it is ours and was not changed.

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use zeroize::Zeroizing;

/// Bytes of a key's seed.
const SEED_BYTES: usize = 32;

/// A key that signs receipts. It never prints.
pub struct ReceiptKey(Ed25519KeyPair);

/// A key's setting can't be read. The text does not repeat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must be base64 of 32 random bytes, as `openssl rand -base64 32` prints")]
pub struct ReceiptKeyFault;

/// A receipt's text with what proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// What was signed.
    pub receipt: String,
    /// The signature, in base64.
    pub signature: String,
    /// The key that proves it, in base64.
    pub public_key: String,
}

impl ReceiptKey {
    /// Reads a seed of 32 bytes in base64.
    ///
    /// # Errors
    ///
    /// [`ReceiptKeyFault`]; mend the setting.
    pub fn parse(text: &str) -> Result<Self, ReceiptKeyFault> {
        let seed = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| ReceiptKeyFault)?);
        if seed.len() != SEED_BYTES || seed.iter().all(|byte| *byte == 0) {
            return Err(ReceiptKeyFault);
        }
        Ed25519KeyPair::from_seed_unchecked(&seed).map(Self).map_err(|_| ReceiptKeyFault)
    }

    /// Signs a receipt.
    #[must_use]
    pub fn sign(&self, receipt: String) -> Signed {
        let signature = STANDARD.encode(self.0.sign(receipt.as_bytes()));
        Signed { receipt, signature, public_key: STANDARD.encode(self.0.public_key()) }
    }
}

impl std::fmt::Debug for ReceiptKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReceiptKey(***)")
    }
}

impl Signed {
    /// Whether the signature is that of this text, by this public key in base64.
    #[must_use]
    pub fn is_proved_by(&self, public_key: &str) -> bool {
        let (Ok(key), Ok(signature)) = (STANDARD.decode(public_key.trim()), STANDARD.decode(&self.signature)) else {
            return false;
        };
        UnparsedPublicKey::new(&ED25519, key).verify(self.receipt.as_bytes(), &signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> ReceiptKey {
        ReceiptKey::parse(&STANDARD.encode([byte; 32])).unwrap()
    }

    #[test]
    fn a_signature_holds_for_its_text_and_its_key_and_for_no_other() {
        let signed = key(1).sign("a receipt".to_owned());
        assert!(signed.is_proved_by(&signed.public_key));
        assert!(!signed.is_proved_by(&key(2).sign(String::new()).public_key));
        assert!(!Signed { receipt: "a receipt.".to_owned(), ..signed.clone() }.is_proved_by(&signed.public_key));
        assert!(!Signed { signature: String::new(), ..signed.clone() }.is_proved_by(&signed.public_key));
        assert!(!signed.is_proved_by("no key"));
    }

    #[test]
    fn a_seed_is_32_bytes_in_base64_and_never_prints() {
        for bad in ["", "AAAA", "no base64!", &STANDARD.encode([0; 32]), &STANDARD.encode([1; 33])] {
            assert!(ReceiptKey::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(format!("{:?}", key(7)), "ReceiptKey(***)");
    }
}
