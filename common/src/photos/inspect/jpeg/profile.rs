//! Puts a colour profile together from JPEG segments and takes it apart again.
//!
//! A segment holds at most 64 KB, so a profile may be spread over several, each with its number
//! and their count. Whether the profile is needed is for `icc` to say.

use super::super::icc::PROFILE_BYTES_MAX;

const PREFIX: &[u8] = b"ICC_PROFILE\0";
const MARKER: u8 = 0xE2;
/// What fits a segment after its length, the prefix, the number and the count.
const PIECE_BYTES_MAX: usize = 65_535 - 2 - 12 - 2;

/// The pieces of a profile seen so far.
#[derive(Default)]
pub(super) struct Pieces<'a> {
    /// Count, number and content, as each segment said; at most 255.
    seen: Vec<(u8, u8, &'a [u8])>,
}

impl<'a> Pieces<'a> {
    /// Takes an APP2 segment if it is a piece of a profile.
    pub(super) fn take(&mut self, payload: &'a [u8]) {
        if let Some([number, count, content @ ..]) = payload.strip_prefix(PREFIX)
            && self.seen.len() < 255
        {
            self.seen.push((*count, *number, content));
        }
    }

    /// Returns the whole profile, or `None` if there is none or its pieces do not fit.
    pub(super) fn join(mut self) -> Option<Vec<u8>> {
        self.seen.sort_by_key(|(_, number, _)| *number);
        let count = usize::from(self.seen.first()?.0);
        let is_sound = count == self.seen.len()
            && (1_usize..)
                .zip(&self.seen)
                .all(|(wanted, (of, number, _))| usize::from(*of) == count && usize::from(*number) == wanted);
        let length: usize = self.seen.iter().map(|(_, _, content)| content.len()).sum();
        if !is_sound || length > PROFILE_BYTES_MAX {
            return None;
        }
        Some(self.seen.iter().flat_map(|(_, _, content)| *content).copied().collect())
    }
}

/// Appends the profile as segments of our own making.
pub(super) fn write(profile: &[u8], out: &mut Vec<u8>) {
    let pieces = profile.chunks(PIECE_BYTES_MAX);
    let Ok(count) = u8::try_from(pieces.len()) else {
        return;
    };
    for (number, piece) in (1..=count).zip(pieces) {
        let Ok(length) = u16::try_from(piece.len() + PREFIX.len() + 4) else {
            return;
        };
        out.extend([0xFF, MARKER]);
        out.extend(length.to_be_bytes());
        out.extend(PREFIX);
        out.extend([number, count]);
        out.extend(piece);
    }
}
