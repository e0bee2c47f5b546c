//! A submission of photos: what is asked of it, in which order, and what is made of it.
//!
//! Source: reference 6.1 (the order and the texts). Unlike there, nothing at all is changed when any
//! check fails, and a photo must be a photo.

use std::fmt;

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::{
    ids::AttemptId,
    keys::{CourseKey, UsageKey},
    photo::PhotoFormat,
};

/// Largest photo, in bytes, before any encryption.
pub const PHOTO_BYTES_MAX: usize = 10 * 1024 * 1024;
/// Fewest characters of a name. Source: reference 6.2.
pub const NAME_LENGTH_MIN: usize = 2;
/// Most characters of a name. Source: reference 6.2.
pub const NAME_LENGTH_MAX: usize = 255;

/// A photo as it was sent.
#[derive(Clone, PartialEq, Eq)]
pub enum SentPhoto {
    /// A data URL with base64 (form field or JSON string).
    DataUrl(String),
    /// The bytes themselves (a binary part of a multipart form).
    Bytes(Vec<u8>),
}

impl SentPhoto {
    /// What a part of a multipart form holds: text that begins with `data:` is a data URL whatever the part is called, and
    /// what is no text is a photo. Other text is a photo where the part says that it is a file.
    #[must_use]
    pub fn of_part(bytes: Vec<u8>, is_file: bool) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) if !is_file || text.starts_with("data:") => Self::DataUrl(text),
            Ok(text) => Self::Bytes(text.into_bytes()),
            Err(not_text) => Self::Bytes(not_text.into_bytes()),
        }
    }

    /// What was sent, as it was sent.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::DataUrl(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

/// What a learner sends. An absent field is not the same as an empty one.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Submission {
    /// The photo of the face.
    pub face_image: Option<SentPhoto>,
    /// The photo of the ID.
    pub photo_id_image: Option<SentPhoto>,
    /// A new legal name.
    pub full_name: Option<String>,
    /// The course, when submitted from a checkpoint.
    pub course_key: Option<String>,
    /// The checkpoint's usage key.
    pub checkpoint: Option<String>,
}

/// What is known when a submission arrives.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// The attempt whose ID photo can be used again, if there is one. Source: reference 2.4.
    pub initial: Option<AttemptId>,
    /// The learner's name, if the learner is known.
    pub profile_name: Option<String>,
}

/// A submission that passed every check.
#[derive(Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The photo of the face: JPEG, PNG or WebP by its first bytes, not decoded yet.
    pub face: Vec<u8>,
    /// The photo of the ID, when one was sent.
    pub photo_id: Option<Vec<u8>>,
    /// The name that the vendor compares with the ID.
    pub name: String,
    /// The name that it replaces, when the learner gave a new one.
    pub former_name: Option<String>,
    /// The checkpoint that waits for the verdict.
    pub checkpoint: Option<(CourseKey, UsageKey)>,
    /// The attempt whose ID photo is used again.
    pub copy_id_photo_from: Option<AttemptId>,
}

impl fmt::Debug for Accepted {
    /// Tells neither photos nor names.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accepted").field("checkpoint", &self.checkpoint).finish_non_exhaustive()
    }
}

impl Accepted {
    /// Whether it is a re-verification inside a course: a face at a checkpoint, with an earlier ID photo.
    #[must_use]
    pub const fn is_reverification(&self) -> bool {
        self.copy_id_photo_from.is_some() && self.checkpoint.is_some()
    }
}

/// Why a submission is refused. The texts are shown to learners as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No ID photo, and none to use again.
    #[error("Photo ID image is required if the user does not have an initial verification attempt.")]
    PhotoIdRequired,
    /// No photo of the face.
    #[error("Missing required parameter face_image")]
    FaceMissing,
    /// The course key is none.
    #[error("Invalid course key")]
    InvalidCourseKey,
    /// A checkpoint without its course.
    #[error("Missing required parameter course_key")]
    CourseKeyMissing,
    /// The checkpoint is no place in a course, or none that is known.
    #[error("Invalid checkpoint location")]
    InvalidCheckpoint,
    /// Nobody knows the learner.
    #[error("No profile found for user")]
    NoProfile,
    /// The name is too short.
    #[error("Name must be at least 2 characters long.")]
    NameTooShort,
    /// The name is too long. The reference says "at least 2" here, which helps nobody.
    #[error("Name must be at most 255 characters long.")]
    NameTooLong,
    /// The name has a line break or another control character.
    #[error("Name must not contain line breaks or control characters.")]
    NameNotPrintable,
    /// A photo is no data URL, no base64, empty, or no JPEG, PNG or WebP.
    #[error("Image data is not valid.")]
    InvalidPhoto,
    /// A photo is over [`PHOTO_BYTES_MAX`].
    #[error("A photo must not be larger than 10 MiB.")]
    PhotoTooLarge,
}

/// Checks a submission, in the reference's order.
///
/// # Errors
///
/// The first [`Refusal`] that applies; tell it to the caller and change nothing.
pub fn check(submission: Submission, facts: &Facts) -> Result<Accepted, Refusal> {
    if submission.photo_id_image.is_none() && facts.initial.is_none() {
        return Err(Refusal::PhotoIdRequired);
    }
    let face = submission.face_image.ok_or(Refusal::FaceMissing)?;
    let course = match submission.course_key.as_deref() {
        Some(text) => Some(CourseKey::parse(text).ok_or(Refusal::InvalidCourseKey)?),
        None => None,
    };
    let checkpoint = check_checkpoint(submission.checkpoint.as_deref(), course)?;
    let (name, former_name) = check_name(submission.full_name.as_deref(), facts.profile_name.as_deref())?;
    let face = decode(face)?;
    let photo_id = submission.photo_id_image.map(decode).transpose()?;
    let copy_id_photo_from = if photo_id.is_some() { None } else { facts.initial };
    Ok(Accepted { face, photo_id, name, former_name, checkpoint, copy_id_photo_from })
}

fn check_checkpoint(text: Option<&str>, course: Option<CourseKey>) -> Result<Option<(CourseKey, UsageKey)>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    let course = course.ok_or(Refusal::CourseKeyMissing)?;
    let usage = UsageKey::parse(text).ok_or(Refusal::InvalidCheckpoint)?;
    Ok(Some((course, usage)))
}

/// The name to freeze, and the one it replaces if it is new.
fn check_name(sent: Option<&str>, profile: Option<&str>) -> Result<(String, Option<String>), Refusal> {
    let profile = profile.ok_or(Refusal::NoProfile)?;
    let Some(sent) = sent else { return Ok((profile.to_owned(), None)) };
    let name = sent.trim();
    match name.chars().count() {
        0..NAME_LENGTH_MIN => return Err(Refusal::NameTooShort),
        NAME_LENGTH_MIN..=NAME_LENGTH_MAX => {}
        _ => return Err(Refusal::NameTooLong),
    }
    if name.chars().any(char::is_control) {
        return Err(Refusal::NameNotPrintable);
    }
    Ok((name.to_owned(), (name != profile).then(|| profile.to_owned())))
}

fn decode(photo: SentPhoto) -> Result<Vec<u8>, Refusal> {
    let bytes = match photo {
        SentPhoto::Bytes(bytes) => bytes,
        SentPhoto::DataUrl(text) => decode_data_url(&text)?,
    };
    if bytes.len() > PHOTO_BYTES_MAX {
        return Err(Refusal::PhotoTooLarge);
    }
    PhotoFormat::sniff(&bytes).ok_or(Refusal::InvalidPhoto)?;
    Ok(bytes)
}

/// Standard base64, with or without its padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// `data:image/…;base64,` and then base64, in which blanks and line breaks do not count.
fn decode_data_url(text: &str) -> Result<Vec<u8>, Refusal> {
    let (head, data) = text.split_once(',').ok_or(Refusal::InvalidPhoto)?;
    let head = head.trim_start().to_ascii_lowercase();
    if !head.starts_with("data:image/") || !head.ends_with(";base64") {
        return Err(Refusal::InvalidPhoto);
    }
    // What a second comma cuts off was never part of the photo.
    let data = data.split(',').next().unwrap_or_default();
    let dense = || -> Vec<u8> { data.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect() };
    BASE64.decode(data).or_else(|_| BASE64.decode(dense())).map_err(|_| Refusal::InvalidPhoto)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The shortest bytes that look like a JPEG.
    const JPEG: &[u8] = &[0xFF, 0xD8, 0xFF, 0xE0, 0, 16, b'J', b'F', b'I', b'F', 0, 1, 1, 0, 0, 1, 0, 1, 0, 0];

    #[expect(clippy::unnecessary_wraps, reason = "it fills optional fields")]
    fn url(bytes: &[u8]) -> Option<SentPhoto> {
        let text = base64::engine::general_purpose::STANDARD.encode(bytes);
        Some(SentPhoto::DataUrl(format!("data:image/jpeg;base64,{text}")))
    }

    fn facts() -> Facts {
        Facts { initial: Some(AttemptId(4)), profile_name: Some("Sofia Marek".to_owned()) }
    }

    fn both() -> Submission {
        Submission { face_image: url(JPEG), photo_id_image: url(JPEG), ..Submission::default() }
    }

    fn refusal(submission: Submission, facts: &Facts) -> Option<Refusal> {
        check(submission, facts).err()
    }

    #[test]
    fn the_checks_come_in_the_references_order() {
        // Everything is wrong at once; mending the first fault brings up the next.
        let text = |text: &str| Some(text.to_owned());
        let bad_photo = || Some(SentPhoto::DataUrl("no comma".to_owned()));
        let mut it = Submission { full_name: text("x"), course_key: text("?"), checkpoint: text("?"), ..Submission::default() };
        let nobody = Facts::default();
        assert_eq!(refusal(it.clone(), &nobody), Some(Refusal::PhotoIdRequired));
        it.photo_id_image = bad_photo();
        assert_eq!(refusal(it.clone(), &nobody), Some(Refusal::FaceMissing));
        it.face_image = bad_photo();
        assert_eq!(refusal(it.clone(), &nobody), Some(Refusal::InvalidCourseKey));
        it.course_key = None;
        assert_eq!(refusal(it.clone(), &nobody), Some(Refusal::CourseKeyMissing));
        it.course_key = text("course-v1:edX+DemoX+Fall");
        assert_eq!(refusal(it.clone(), &nobody), Some(Refusal::InvalidCheckpoint));
        it.checkpoint = text("i4x://edX/DemoX/edx-reverification-block/midterm");
        assert_eq!(refusal(it.clone(), &nobody), Some(Refusal::NoProfile));
        assert_eq!(refusal(it.clone(), &facts()), Some(Refusal::NameTooShort));
        it.full_name = text(" Ḟüḷḷ Ṅäṁë ");
        assert_eq!(refusal(it.clone(), &facts()), Some(Refusal::InvalidPhoto));
        it.face_image = url(JPEG);
        assert_eq!(refusal(it.clone(), &facts()), Some(Refusal::InvalidPhoto));
        it.photo_id_image = url(JPEG);
        let accepted = check(it, &facts()).expect("nothing is left to refuse");
        assert_eq!(accepted.name, "Ḟüḷḷ Ṅäṁë");
        assert_eq!(accepted.former_name.as_deref(), Some("Sofia Marek"));
        assert!(accepted.checkpoint.is_some());
    }

    #[test]
    fn a_fresh_id_photo_wins_over_the_earlier_one() {
        let fresh = check(both(), &facts()).expect("accepted");
        assert_eq!(fresh.copy_id_photo_from, None);
        let face_only = check(Submission { photo_id_image: None, ..both() }, &facts()).expect("accepted");
        assert_eq!(face_only.copy_id_photo_from, Some(AttemptId(4)));
        assert!(face_only.photo_id.is_none());
    }

    #[test]
    fn a_name_has_2_to_255_printable_characters() {
        let with = |name: &str| refusal(Submission { full_name: Some(name.to_owned()), ..both() }, &facts());
        assert_eq!(with(""), Some(Refusal::NameTooShort));
        assert_eq!(with("  x  "), Some(Refusal::NameTooShort));
        assert_eq!(with("ab"), None);
        assert_eq!(with(&"ä".repeat(255)), None);
        assert_eq!(with(&"ä".repeat(256)), Some(Refusal::NameTooLong));
        assert_eq!(with("Sofia\r\nBcc: x"), Some(Refusal::NameNotPrintable));
    }

    #[test]
    fn a_name_that_is_not_new_changes_nothing() {
        let same = Submission { full_name: Some(" Sofia Marek ".to_owned()), ..both() };
        assert_eq!(check(same, &facts()).expect("accepted").former_name, None);
    }

    #[test]
    fn a_photo_is_a_data_url_with_base64_of_a_picture() {
        let with = |url: &str| refusal(Submission { face_image: Some(SentPhoto::DataUrl(url.to_owned())), ..both() }, &facts());
        let good = base64::engine::general_purpose::STANDARD.encode(JPEG);
        assert_eq!(with(&format!("data:image/png;base64,{good}")), None, "the bytes decide, not the label");
        assert_eq!(with(&format!("data:image/jpeg;base64,{}", good.trim_end_matches('='))), None);
        assert_eq!(with(&format!("data:image/jpeg;base64,{good},tail")), None);
        let (head, tail) = good.split_at(8);
        assert_eq!(with(&format!("data:image/jpeg;base64,{head}\r\n {tail}")), None);
        for bad in [
            "",
            "x",
            "data:image/jpeg;base64,",
            "data:image/jpeg;base64,a",
            "data:image/jpeg;base64,!!!!",
            "data:image/jpeg;base64,AAAA",
            "data:image/jpeg,AAAA",
            "abcd,1234",
            "data:image/jpeg;base64,ÄÖÜ",
            &format!("data:text/html;base64,{good}"),
        ] {
            assert_eq!(with(bad), Some(Refusal::InvalidPhoto), "{bad:?}");
        }
    }

    #[test]
    fn a_photo_of_ten_mebibytes_is_the_largest() {
        let mut bytes = JPEG.to_vec();
        bytes.resize(PHOTO_BYTES_MAX, 0);
        let with = |bytes| refusal(Submission { face_image: Some(SentPhoto::Bytes(bytes)), ..both() }, &facts());
        assert_eq!(with(bytes.clone()), None);
        bytes.push(0);
        assert_eq!(with(bytes), Some(Refusal::PhotoTooLarge));
    }
}
