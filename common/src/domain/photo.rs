//! What a photo is, in which formats it may come, and why one is refused.
//!
//! The words live here, in the domain, because the vendor's callback, our own refusals and the
//! learner's page must speak of photos with the same few kinds and faults.
//! Looking at bytes beyond the first dozen is not done here: see `photos::inspect`.

/// Which of the two photos of an attempt one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhotoKind {
    /// The learner's face.
    Face,
    /// The learner's identity document.
    PhotoId,
}

impl PhotoKind {
    /// Every kind, in the order in which the learner takes them.
    pub const ALL: [Self; 2] = [Self::Face, Self::PhotoId];

    /// Returns the kind's stored name, which is also the first part of its object key.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Face => "face",
            Self::PhotoId => "photo_id",
        }
    }
}

/// A picture format that we accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhotoFormat {
    /// JPEG, baseline or progressive, with Huffman coding.
    Jpeg,
    /// PNG without animation.
    Png,
    /// WebP, lossy or lossless, without animation.
    Webp,
}

impl PhotoFormat {
    /// Every format that we accept.
    pub const ALL: [Self; 3] = [Self::Jpeg, Self::Png, Self::Webp];

    /// Tells the format from the first bytes (12 are enough), or `None` if it is none of ours.
    ///
    /// This says what the bytes claim to be, not that they are a whole picture.
    #[must_use]
    pub fn sniff(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(&[0xFF, 0xD8, 0xFF]) {
            Some(Self::Jpeg)
        } else if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            Some(Self::Png)
        } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
            Some(Self::Webp)
        } else {
            None
        }
    }

    /// Returns the format's media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Webp => "image/webp",
        }
    }
}

/// Why a photo was refused before it went to the vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PhotoFault {
    /// The bytes are no picture in a format that we accept.
    #[error("not a photo in a known format")]
    NotAPhoto,
    /// The picture is cut short, contradicts itself or cannot be decoded.
    #[error("photo is damaged")]
    Damaged,
    /// The shortest side has too few pixels.
    #[error("photo has too few pixels")]
    TooSmall,
    /// The picture has too many pixels, or would take too much memory to decode.
    #[error("photo has too many pixels")]
    TooLarge,
    /// The picture is black or nearly so.
    #[error("photo is too dark")]
    TooDark,
    /// The picture is one flat colour.
    #[error("photo shows one flat colour")]
    Blank,
    /// The file is an animation.
    #[error("photo is animated")]
    Animated,
    /// The picture could not be decoded in the time allowed.
    #[error("photo took too long to decode")]
    TookTooLong,
}

impl PhotoFault {
    /// Every fault.
    pub const ALL: [Self; 8] = [
        Self::NotAPhoto,
        Self::Damaged,
        Self::TooSmall,
        Self::TooLarge,
        Self::TooDark,
        Self::Blank,
        Self::Animated,
        Self::TookTooLong,
    ];

    /// Returns the reason as the vendor's error JSON would word it.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NotAPhoto => "Not an image",
            Self::Damaged => "Image damaged",
            Self::TooSmall => "Image too small",
            Self::TooLarge => "Image too large",
            Self::TooDark => "Image too dark",
            Self::Blank => "Image blank",
            Self::Animated => "Image animated",
            Self::TookTooLong => "Image too complex",
        }
    }

    /// Returns the key under which the vendor's error JSON lists reasons about a photo of `kind`.
    #[must_use]
    pub const fn category(kind: PhotoKind) -> &'static str {
        match kind {
            PhotoKind::Face => "userPhotoReasons",
            PhotoKind::PhotoId => "photoIdReasons",
        }
    }

    /// Returns one or two sentences that tell the learner what is wrong and what to do.
    #[must_use]
    pub const fn text(self, kind: PhotoKind) -> &'static str {
        match kind {
            PhotoKind::Face => self.text_face(),
            PhotoKind::PhotoId => self.text_photo_id(),
        }
    }

    const fn text_face(self) -> &'static str {
        match self {
            Self::NotAPhoto => {
                "The photo of your face is not a picture that we can open. Take it again, or choose a JPEG, PNG or WebP file."
            }
            Self::Damaged => "The photo of your face arrived damaged. Take it again.",
            Self::TooSmall => {
                "The photo of your face is too small to compare. Take it again with a better camera or from nearer."
            }
            Self::TooLarge => {
                "The photo of your face is too large. Take it again with a lower resolution, at most 40 megapixels."
            }
            Self::TooDark => "The photo of your face is too dark. Take it again where there is more light.",
            Self::Blank => {
                "The photo of your face shows nothing but one colour. Check that nothing covers the camera, and take it again."
            }
            Self::Animated => "The photo of your face is an animation. Take it again as a still picture.",
            Self::TookTooLong => {
                "The photo of your face could not be opened in good time. Take it again with a lower resolution."
            }
        }
    }

    const fn text_photo_id(self) -> &'static str {
        match self {
            Self::NotAPhoto => {
                "Your ID photo is not a picture that we can open. Take it again, or choose a JPEG, PNG or WebP file."
            }
            Self::Damaged => "Your ID photo arrived damaged. Take it again.",
            Self::TooSmall => "Your ID photo is too small to read. Take it again with a better camera or from nearer.",
            Self::TooLarge => "Your ID photo is too large. Take it again with a lower resolution, at most 40 megapixels.",
            Self::TooDark => "Your ID photo is too dark to read. Take it again where there is more light.",
            Self::Blank => "Your ID photo shows nothing but one colour. Check that nothing covers the camera, and take it again.",
            Self::Animated => "Your ID photo is an animation. Take it again as a still picture.",
            Self::TookTooLong => "Your ID photo could not be opened in good time. Take it again with a lower resolution.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_a_reason_of_its_own_and_a_sentence_for_each_kind() {
        for (index, fault) in PhotoFault::ALL.iter().enumerate() {
            for other in PhotoFault::ALL.iter().skip(index + 1) {
                assert_ne!(fault.reason(), other.reason());
            }
            for kind in PhotoKind::ALL {
                assert!(fault.text(kind).ends_with('.'));
            }
            assert_ne!(fault.text(PhotoKind::Face), fault.text(PhotoKind::PhotoId));
        }
    }

    #[test]
    fn formats_are_told_by_their_first_bytes() {
        assert_eq!(PhotoFormat::sniff(&[0xFF, 0xD8, 0xFF, 0xE0]), Some(PhotoFormat::Jpeg));
        assert_eq!(PhotoFormat::sniff(b"\x89PNG\r\n\x1a\n"), Some(PhotoFormat::Png));
        assert_eq!(PhotoFormat::sniff(b"RIFF\0\0\0\0WEBPVP8 "), Some(PhotoFormat::Webp));
        for other in [&b""[..], b"GIF89a", b"RIFF\0\0\0\0WAVE", b"\xFF\xD8", b"<svg>"] {
            assert_eq!(PhotoFormat::sniff(other), None);
        }
    }
}
