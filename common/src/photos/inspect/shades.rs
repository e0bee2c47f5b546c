//! How bright the points of a picture are, and whether anything can be seen on it.

use super::PhotoFault;

/// Of all points, how many in a hundred may be odd: dead pixels, a watermark, a lens cap's edge.
const ODD_POINTS_PERCENT: u32 = 1;
/// A photo whose brightest channel stays below this, of 255, shows nothing to anyone.
/// A webcam's picture at 15% of its light still reaches 35.
const BRIGHT_MIN: u8 = 16;
/// A photo whose every channel spans no more than this, of 255, is one flat colour.
const SPREAD_MAX: u8 = 8;
/// So many times clearer than it must be is a picture that needs no closer look.
const PLAINLY: u8 = 4;

/// How often each shade occurs in one channel.
#[derive(Debug, Clone)]
pub(super) struct Shades {
    counts: [u32; 256],
    total: u32,
}

impl Shades {
    pub(super) const NONE: Self = Self { counts: [0; 256], total: 0 };

    pub(super) fn add(&mut self, shade: u8) {
        if let Some(count) = self.counts.get_mut(usize::from(shade)) {
            *count += 1;
            self.total += 1;
        }
    }

    /// The least and the greatest shade, odd points left aside.
    fn range(&self) -> (u8, u8) {
        let odd = self.total * ODD_POINTS_PERCENT / 100;
        let shades = || (0_u8..=255).zip(&self.counts);
        let low = first_beyond(shades(), odd);
        let high = first_beyond(shades().rev(), odd);
        (low, high.max(low))
    }

    /// Whether the means of small pieces of the picture differ so much that its points must differ, too.
    pub(super) fn are_plain(&self) -> bool {
        let (low, high) = self.range();
        high - low > PLAINLY * SPREAD_MAX && high >= PLAINLY * BRIGHT_MIN
    }
}

/// Refuses a picture on which nothing can be seen.
pub(super) fn check_visible(channels: &[Shades; 3]) -> Result<(), PhotoFault> {
    let ranges = channels.each_ref().map(Shades::range);
    let brightest = ranges.iter().map(|(_, high)| *high).max().unwrap_or(0);
    if brightest < BRIGHT_MIN {
        return Err(PhotoFault::TooDark);
    }
    if ranges.iter().all(|(low, high)| high - low <= SPREAD_MAX) {
        return Err(PhotoFault::Blank);
    }
    Ok(())
}

fn first_beyond<'a>(shades: impl Iterator<Item = (u8, &'a u32)>, odd: u32) -> u8 {
    let mut passed = 0;
    for (shade, count) in shades {
        passed += count;
        if passed > odd {
            return shade;
        }
    }
    0
}
