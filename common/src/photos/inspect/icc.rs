//! Decides whether a colour profile must stay with the photo.
//!
//! A profile is metadata: it can carry names, dates and descriptions. But without it, pixels
//! that are not sRGB show wrong colours. So sRGB profiles go, and others stay as they are, text
//! tags and all. Colours are never converted here.

/// Longest profile kept, in bytes. CMYK profiles of printing presses take up to 3 MB.
pub(super) const PROFILE_BYTES_MAX: usize = 4 * 1024 * 1024;

const HEADER_BYTES: usize = 128;
/// Most tags looked at; real profiles have under 40.
const TAGS_MAX: usize = 128;
/// Farthest that a primary's coordinate may lie from sRGB's. Makers round differently.
const PRIMARY_DISTANCE_MAX: f64 = 0.004;
/// Farthest that the tone curve may lie from sRGB's, halfway up.
const TONE_DISTANCE_MAX: f64 = 0.015;
/// What sRGB's tone curve makes of one half.
const TONE_AT_HALF: f64 = 0.2140;
/// sRGB's primaries as XYZ under the D50 light that profiles use.
const PRIMARIES: [([u8; 4], [f64; 3]); 3] =
    [(*b"rXYZ", [0.4361, 0.2225, 0.0139]), (*b"gXYZ", [0.3851, 0.7169, 0.0971]), (*b"bXYZ", [0.1431, 0.0606, 0.7141])];

/// How a photo's pixels are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ColourModel {
    /// One channel.
    Gray,
    /// Three channels that become red, green and blue.
    Rgb,
    /// Four inks.
    Cmyk,
}

/// Returns the profile, cut to its own length, if pixels of `model` need it; else `None`.
pub(super) fn keep_needed(profile: &[u8], model: ColourModel) -> Option<Vec<u8>> {
    let length = usize::try_from(u32_at(profile, 0)?).ok()?;
    let profile = profile.get(..length)?;
    if length > PROFILE_BYTES_MAX || profile.get(36..40)? != b"acsp" {
        return None;
    }
    let is_needed = match (model, profile.get(16..20)?) {
        (ColourModel::Gray, b"GRAY") => !has_srgb_tone(profile, *b"kTRC"),
        (ColourModel::Rgb, b"RGB ") => !is_srgb(profile),
        (ColourModel::Cmyk, b"CMYK") => true,
        _ => false,
    };
    is_needed.then(|| profile.to_vec())
}

fn is_srgb(profile: &[u8]) -> bool {
    // A table overrides primaries, so a profile that has one is judged as not sRGB.
    find_tag(profile, *b"A2B0").is_none()
        && PRIMARIES.iter().all(|(name, wanted)| has_primary(profile, *name, *wanted))
        && [*b"rTRC", *b"gTRC", *b"bTRC"].into_iter().all(|name| has_srgb_tone(profile, name))
}

fn has_primary(profile: &[u8], name: [u8; 4], wanted: [f64; 3]) -> bool {
    let Some(tag) = find_tag(profile, name) else {
        return false;
    };
    tag.starts_with(b"XYZ ")
        && [8, 12, 16]
            .iter()
            .zip(wanted)
            .all(|(at, wanted)| fixed_at(tag, *at).is_some_and(|found| (found - wanted).abs() <= PRIMARY_DISTANCE_MAX))
}

fn has_srgb_tone(profile: &[u8], name: [u8; 4]) -> bool {
    find_tag(profile, name).and_then(tone_at_half).is_some_and(|tone| (tone - TONE_AT_HALF).abs() <= TONE_DISTANCE_MAX)
}

/// What a tone curve makes of one half, or `None` if it makes no sense.
fn tone_at_half(tag: &[u8]) -> Option<f64> {
    match tag.get(..4)? {
        b"curv" => curve_at_half(tag),
        b"para" => parametric_at_half(tag),
        _ => None,
    }
}

fn curve_at_half(tag: &[u8]) -> Option<f64> {
    let count = usize::try_from(u32_at(tag, 8)?).ok()?;
    match count {
        0 => Some(0.5),
        1 => Some(0.5_f64.powf(f64::from(u16_at(tag, 12)?) / 256.0)),
        _ => {
            let middle = (count - 1).checked_div(2)?;
            let low = u16_at(tag, middle.checked_mul(2)?.checked_add(12)?)?;
            let high = u16_at(tag, (count / 2).checked_mul(2)?.checked_add(12)?)?;
            Some(f64::midpoint(f64::from(low), f64::from(high)) / 65535.0)
        }
    }
}

/// The five shapes of ICC's parametric curve, all at one half and above their linear foot.
fn parametric_at_half(tag: &[u8]) -> Option<f64> {
    let shape = u16_at(tag, 8)?;
    let gamma = fixed_at(tag, 12)?;
    if shape == 0 {
        return Some(0.5_f64.powf(gamma));
    }
    let base = fixed_at(tag, 16)? * 0.5 + fixed_at(tag, 20)?;
    let offset = match shape {
        1 | 3 => 0.0,
        2 => fixed_at(tag, 24)?,
        4 => fixed_at(tag, 32)?,
        _ => return None,
    };
    Some(base.max(0.0).powf(gamma) + offset)
}

fn find_tag(profile: &[u8], name: [u8; 4]) -> Option<&[u8]> {
    let count = usize::try_from(u32_at(profile, HEADER_BYTES)?).ok()?;
    let entry =
        profile.get(HEADER_BYTES + 4..)?.chunks_exact(12).take(count.min(TAGS_MAX)).find(|entry| entry.starts_with(&name))?;
    let start = usize::try_from(u32_at(entry, 4)?).ok()?;
    let length = usize::try_from(u32_at(entry, 8)?).ok()?;
    profile.get(start..start.checked_add(length)?)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// A signed number with 16 bits after the point.
fn fixed_at(bytes: &[u8], at: usize) -> Option<f64> {
    let raw = i32::from_be_bytes(*bytes.get(at..)?.first_chunk()?);
    Some(f64::from(raw) / 65536.0)
}
