//! Sealing: AES-256-GCM under a fresh key, which a master key wraps. Receipt and kind are bound in, so
//! that one learner's sealed photo can't be put in another's place.
//!
//! The sealed form is `VSP1`, the length of the master key's id (1 byte) and the id, the wrapping's nonce
//! (12), the wrapped key (48), the photo's nonce (12), and the photo with its tag.

use aes_gcm::aead::{Aead, Payload};
use bytes::Bytes;
use zeroize::Zeroizing;

use super::keys::{CannotOpen, KEY_BYTES, MasterKeys, NONCE_BYTES, WrappedKey, cipher};
use crate::{domain::ids::ReceiptId, ids::random_bytes};

const MAGIC: &[u8; 4] = b"VSP1";
const WRAPPED_BYTES: usize = KEY_BYTES + 16;

/// What is sealed, besides the bytes: bound in, and needed to open.
#[derive(Debug, Clone, Copy)]
pub struct SealContext<'a> {
    /// Whose.
    pub receipt: &'a str,
    /// What: `face`, `photo_id` or `callback`.
    pub kind: &'a str,
}

impl SealContext<'_> {
    fn to_bytes(self) -> Vec<u8> {
        format!("vouch/{}/{}", self.receipt, self.kind).into_bytes()
    }
}

/// The context of a receipt's photo or callback.
pub fn with_context<T>(receipt: ReceiptId, kind: &str, run: impl FnOnce(SealContext<'_>) -> T) -> T {
    run(SealContext { receipt: &receipt.to_string(), kind })
}

/// Seals bytes.
///
/// # Errors
///
/// [`CannotOpen`] when the cipher refuses, which it does only for absurd lengths.
pub fn seal(keys: &MasterKeys, context: SealContext<'_>, plain: &[u8]) -> Result<Bytes, CannotOpen> {
    let bound = context.to_bytes();
    let key = Zeroizing::new(random_bytes::<KEY_BYTES>());
    let wrapped = keys.wrap(&key, &bound)?;
    let nonce = random_bytes::<NONCE_BYTES>();
    let sealed = cipher(key.as_slice())?.encrypt(&nonce.into(), Payload { msg: plain, aad: &bound }).map_err(|_| CannotOpen)?;
    Ok([head(&wrapped)?.as_slice(), &nonce, &sealed].concat().into())
}

/// Seals anew under the newest master key what an older one sealed: only the wrapped key is another then. `None`: the newest
/// sealed it.
///
/// # Errors
///
/// As [`open`], but for bytes of the photo that were changed: they are not looked at.
pub fn rewrap(keys: &MasterKeys, context: SealContext<'_>, sealed: &[u8]) -> Result<Option<Bytes>, CannotOpen> {
    let bound = context.to_bytes();
    let (wrapped, rest) = split(sealed)?;
    if wrapped.master == keys.newest() {
        return Ok(None);
    }
    let key = keys.unwrap(&wrapped, &bound)?;
    let anew = keys.wrap(&key, &bound)?;
    Ok(Some([head(&anew)?.as_slice(), rest].concat().into()))
}

/// The id of the master key under which bytes are sealed; `None` when they are not sealed at all.
#[must_use]
pub fn master_of(sealed: &[u8]) -> Option<String> {
    split(sealed).ok().map(|(wrapped, _)| wrapped.master)
}

fn head(wrapped: &WrappedKey) -> Result<Vec<u8>, CannotOpen> {
    let id_length = u8::try_from(wrapped.master.len()).map_err(|_| CannotOpen)?;
    let parts: [&[u8]; 5] = [MAGIC, &[id_length], wrapped.master.as_bytes(), &wrapped.nonce, &wrapped.bytes];
    Ok(parts.concat())
}

/// Opens sealed bytes.
///
/// # Errors
///
/// [`CannotOpen`] when they are not what was sealed for this context with a key that is still there.
pub fn open(keys: &MasterKeys, context: SealContext<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CannotOpen> {
    let bound = context.to_bytes();
    let (wrapped, rest) = split(sealed)?;
    let mut rest = Reader(rest);
    let key = keys.unwrap(&wrapped, &bound)?;
    let nonce: [u8; NONCE_BYTES] = rest.take(NONCE_BYTES)?.try_into().map_err(|_| CannotOpen)?;
    let plain = cipher(key.as_slice())?.decrypt(&nonce.into(), Payload { msg: rest.0, aad: &bound }).map_err(|_| CannotOpen)?;
    Ok(Zeroizing::new(plain))
}

/// The wrapped key, and what comes after it.
fn split(sealed: &[u8]) -> Result<(WrappedKey, &[u8]), CannotOpen> {
    let mut rest = Reader(sealed);
    if rest.take(MAGIC.len())? != MAGIC {
        return Err(CannotOpen);
    }
    let id_length = usize::from(*rest.take(1)?.first().ok_or(CannotOpen)?);
    let master = String::from_utf8(rest.take(id_length)?.to_vec()).map_err(|_| CannotOpen)?;
    let nonce = rest.take(NONCE_BYTES)?.try_into().map_err(|_| CannotOpen)?;
    let bytes = rest.take(WRAPPED_BYTES)?.to_vec();
    Ok((WrappedKey { master, nonce, bytes }, rest.0))
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], CannotOpen> {
        let (head, tail) = self.0.split_at_checked(count).ok_or(CannotOpen)?;
        self.0 = tail;
        Ok(head)
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::STANDARD};

    use super::*;

    const CONTEXT: SealContext<'static> = SealContext { receipt: "r1", kind: "face" };

    fn keys(entries: &[(&str, u8)]) -> MasterKeys {
        let text: Vec<String> = entries.iter().map(|(id, byte)| format!("{id}:{}", STANDARD.encode([*byte; 32]))).collect();
        MasterKeys::parse(&text.join(",")).expect("well-formed keys")
    }

    #[test]
    fn what_is_sealed_opens_again_also_after_the_current_key_changed() {
        let sealed = seal(&keys(&[("a", 1)]), CONTEXT, b"a face").expect("seals");
        let rotated = keys(&[("b", 2), ("a", 1)]);
        assert_eq!(open(&rotated, CONTEXT, &sealed).expect("opens").as_slice(), b"a face");
    }

    #[test]
    fn what_is_sealed_anew_opens_without_the_former_key_and_for_its_own_context_alone() {
        let sealed = seal(&keys(&[("a", 1)]), CONTEXT, b"a face").expect("seals");
        let rotated = keys(&[("new", 2), ("a", 1)]);
        let anew = rewrap(&rotated, CONTEXT, &sealed).expect("opens").expect("is sealed under another");
        assert_eq!((master_of(&sealed).as_deref(), master_of(&anew).as_deref()), (Some("a"), Some("new")));
        assert_eq!(open(&keys(&[("new", 2)]), CONTEXT, &anew).expect("opens").as_slice(), b"a face");
        assert!(open(&keys(&[("a", 1)]), CONTEXT, &anew).is_err());
        assert_eq!(rewrap(&rotated, CONTEXT, &anew).expect("reads"), None);
        assert!(rewrap(&rotated, SealContext { receipt: "r2", ..CONTEXT }, &sealed).is_err());
        assert!(rewrap(&keys(&[("new", 2)]), CONTEXT, &sealed).is_err());
        assert_eq!(master_of(b"a face"), None);
    }

    #[test]
    fn nothing_opens_with_another_receipt_kind_or_key() {
        let sealed = seal(&keys(&[("a", 1)]), CONTEXT, b"a face").expect("seals");
        for context in [SealContext { receipt: "r2", ..CONTEXT }, SealContext { kind: "photo_id", ..CONTEXT }] {
            assert!(open(&keys(&[("a", 1)]), context, &sealed).is_err());
        }
        assert!(open(&keys(&[("a", 2)]), CONTEXT, &sealed).is_err());
        assert!(open(&keys(&[("b", 1)]), CONTEXT, &sealed).is_err());
    }

    #[test]
    fn a_flipped_bit_or_a_missing_byte_anywhere_is_noticed() {
        let sealed = seal(&keys(&[("a", 1)]), CONTEXT, b"a face").expect("seals").to_vec();
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(open(&keys(&[("a", 1)]), CONTEXT, &changed).is_err(), "bit in byte {place}");
            assert!(open(&keys(&[("a", 1)]), CONTEXT, &sealed[..place]).is_err(), "cut at {place}");
        }
    }

    #[test]
    fn the_sealed_form_does_not_show_the_plain_bytes_and_never_repeats() {
        let keys = keys(&[("a", 1)]);
        let one = seal(&keys, CONTEXT, b"a face that nobody may see").expect("seals");
        let two = seal(&keys, CONTEXT, b"a face that nobody may see").expect("seals");
        assert_ne!(one, two);
        assert!(!one.windows(6).any(|window| window == b"a face"));
    }

    #[test]
    fn a_list_of_master_keys_tells_which_entry_is_wrong_and_never_repeats_it() {
        use super::super::keys::MasterKeysFault::{Empty, Malformed, Twice};
        let good = format!("a:{}", STANDARD.encode([7; 32]));
        assert_eq!(MasterKeys::parse("").err(), Some(Empty));
        assert_eq!(MasterKeys::parse(&format!("{good},secret")).err(), Some(Malformed(2)));
        assert_eq!(MasterKeys::parse(&format!("{good},{good}")).err(), Some(Twice(2)));
        assert_eq!(MasterKeys::parse("a:AAAA").err(), Some(Malformed(1)));
        assert!(!format!("{:?}", MasterKeys::parse(&good)).contains("BwcH"));
    }
}
