//! What a vendor does with a photo: download it, decrypt it, decode it, under limits.

use std::error::Error;
use std::io::Cursor;
use std::time::Duration;

use image::{ImageReader, Limits};
use vouch_common::domain::photo::PhotoKind;
use vouch_common::vendor::sealed::key::DataKey;
use vouch_common::vendor::sealed::photo::{Binding, OpenPhotoError, open_photo};
use vouch_common::vendor::software_secure::cipher::{DecryptPhotoError, PhotoKey, decrypt_photo};

use super::journal::PhotoFacts;

/// Longest download of one photo.
pub const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(20);
/// Most bytes of one encrypted photo: base64 of 24 MiB.
pub const STORED_BYTES_MAX: usize = 32 << 20;

const SIDE_PIXELS_MAX: u32 = 16_384;
const DECODE_BYTES_MAX: u64 = 512 << 20;

/// What opens a stored photo.
pub(super) enum Lock {
    /// Its key, in the format `software-secure`.
    SoftwareSecure(PhotoKey),
    /// Its key in the format `sealed`, and what the photo must be bound to.
    Sealed {
        /// The key.
        key: DataKey,
        /// The receipt.
        receipt: String,
        /// Which photo it is.
        kind: PhotoKind,
    },
}

impl Lock {
    fn open(&self, stored: &[u8]) -> Result<Vec<u8>, PhotoError> {
        match self {
            Self::SoftwareSecure(key) => decrypt_photo(stored, key).map_err(|cause| PhotoError::Decrypt { cause }),
            Self::Sealed { key, receipt, kind } => {
                open_photo(stored, Binding { receipt, kind: *kind }, key).map_err(|cause| PhotoError::Open { cause })
            }
        }
    }
}

/// Downloads the encrypted photo; redirects are not followed, because a signed address has no reason for them.
///
/// # Errors
/// [`PhotoError`] if there is no answer in time, no 200, or too much of it.
pub(super) async fn download(client: &reqwest::Client, address: &str) -> Result<Vec<u8>, PhotoError> {
    let failed = |cause: reqwest::Error| PhotoError::Download { cause: cause.without_url() };
    let mut response = client.get(address).timeout(DOWNLOAD_TIMEOUT).send().await.map_err(failed)?;
    if response.status() != reqwest::StatusCode::OK {
        return Err(PhotoError::Status { status: response.status().as_u16() });
    }
    let mut stored = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if stored.len() + chunk.len() > STORED_BYTES_MAX {
            return Err(PhotoError::TooLong);
        }
        stored.extend_from_slice(&chunk);
    }
    Ok(stored)
}

/// Decrypts and decodes a photo; this takes the processor for a while and belongs on a blocking thread.
///
/// # Errors
/// [`PhotoError`] if the key is wrong or the content is no picture.
pub(super) fn open(stored: &[u8], lock: &Lock) -> Result<PhotoFacts, PhotoError> {
    let plain = lock.open(stored)?;
    let decode = |cause| PhotoError::Decode { cause };
    let mut reader =
        ImageReader::new(Cursor::new(&plain)).with_guessed_format().map_err(|cause| decode(image::ImageError::IoError(cause)))?;
    let format = reader.format().ok_or(PhotoError::UnknownFormat)?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE_PIXELS_MAX);
    limits.max_image_height = Some(SIDE_PIXELS_MAX);
    limits.max_alloc = Some(DECODE_BYTES_MAX);
    reader.limits(limits);
    let picture = reader.decode().map_err(decode)?;
    Ok(PhotoFacts {
        bytes: plain.len(),
        width: picture.width(),
        height: picture.height(),
        media_type: format.to_mime_type().to_owned(),
    })
}

/// Why a photo was not accepted; the texts hold neither address nor content.
#[derive(Debug, thiserror::Error)]
pub enum PhotoError {
    /// The address did not answer, or broke off.
    #[error("could not download the photo")]
    Download {
        /// What the HTTP client says, without the address.
        #[source]
        cause: reqwest::Error,
    },
    /// The address answered with another status than 200.
    #[error("the photo's address answered with status {status}")]
    Status {
        /// The status.
        status: u16,
    },
    /// The photo has more than [`STORED_BYTES_MAX`] bytes.
    #[error("the photo is too long")]
    TooLong,
    /// The photo does not open with its key.
    #[error("could not decrypt the photo")]
    Decrypt {
        /// What the cipher says.
        #[source]
        cause: DecryptPhotoError,
    },
    /// The sealed photo does not open as what it should be.
    #[error("could not open the photo")]
    Open {
        /// What the cipher says.
        #[source]
        cause: OpenPhotoError,
    },
    /// The first bytes are those of no known picture format.
    #[error("the photo has no known format")]
    UnknownFormat,
    /// The picture is damaged or too large.
    #[error("could not decode the photo")]
    Decode {
        /// What the decoder says.
        #[source]
        cause: image::ImageError,
    },
}

/// Writes an error with all its causes in one line.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use vouch_common::vendor::software_secure::cipher::{PhotoKey, encrypt_photo};

    use super::{Lock, PhotoError, chain, open};

    const FACE: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/photos/good/face.jpg"));
    const BOMB: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/photos/bad/bomb.png"));
    const TRUNCATED: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/photos/bad/truncated.jpg"));

    fn key() -> PhotoKey {
        PhotoKey::parse_bytes(&[7; 32]).unwrap()
    }

    fn lock() -> Lock {
        Lock::SoftwareSecure(key())
    }

    #[test]
    fn a_face_opens_to_its_size_and_shape() {
        let facts = open(encrypt_photo(FACE, &key()).as_bytes(), &lock()).unwrap();

        assert_eq!(facts.bytes, FACE.len());
        assert_eq!(facts.media_type, "image/jpeg");
        assert!(facts.width > 100 && facts.height > 100);
    }

    #[test]
    fn the_wrong_key_and_what_is_no_picture_are_refused() {
        let other = PhotoKey::parse_bytes(&[8; 32]).unwrap();

        assert!(open(encrypt_photo(FACE, &other).as_bytes(), &lock()).is_err());
        let text = open(encrypt_photo(b"no picture at all", &key()).as_bytes(), &lock());
        assert!(matches!(text, Err(PhotoError::UnknownFormat)));
        let cut = open(encrypt_photo(&FACE[..200], &key()).as_bytes(), &lock());
        assert!(matches!(cut, Err(PhotoError::Decode { .. })));
        let _ = open(encrypt_photo(TRUNCATED, &key()).as_bytes(), &lock());
    }

    #[test]
    fn a_decompression_bomb_is_refused_within_limits() {
        let error = open(encrypt_photo(BOMB, &key()).as_bytes(), &lock()).unwrap_err();

        assert!(matches!(error, PhotoError::Decode { .. }));
        assert!(chain(&error).starts_with("could not decode the photo: "));
    }
}
