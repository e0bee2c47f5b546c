//! Several coefficients at one look.
//!
//! Most coefficients take a few bits, code and number together, and where no pixels are made only the bits count and the
//! places in the block that they fill. So a table tells of the next 12 bits at once which of them are whole coefficients.

use super::huffman::Huffman;

/// Bits that one look sees.
pub(super) const LOOK_BITS: u32 = 12;

/// What any next bits of a sequential scan bring; made from the codes of one Huffman table.
pub(super) struct Runs([Run; 1 << LOOK_BITS]);

/// Whole coefficients that follow each other, up to the next that does not fit in one look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Run {
    /// Bits that they take; 0 when not even the first fits, or is of another kind.
    pub(super) bits: u8,
    /// Places in the block that they fill, zeros before them included; it may be more than the block has.
    pub(super) places: u8,
    /// Whether the block ends after them: the code that says so is among the bits.
    pub(super) is_end: bool,
}

impl Runs {
    pub(super) fn of(codes: &Huffman) -> Self {
        let mut runs = [Run::default(); 1 << LOOK_BITS];
        for (next, run) in (0_u16..).zip(&mut runs) {
            *run = Run::of(codes, next << (u16::BITS - LOOK_BITS));
        }
        Self(runs)
    }

    /// What the highest bits bring.
    #[inline]
    pub(super) fn at(&self, next: u64) -> Run {
        let place = usize::try_from(next >> (u64::BITS - LOOK_BITS)).unwrap_or_default();
        self.0.get(place).copied().unwrap_or_default()
    }
}

impl Run {
    /// What the highest bits of `next` bring. What leaves the usual way, a stretch of sixteen zeros or a code that is not
    /// allowed, comes in no run.
    fn of(codes: &Huffman, next: u16) -> Self {
        let mut run = Self::default();
        while let Some((length, symbol)) = codes.find_short(next << run.bits) {
            let (zeros, size) = (symbol >> 4, symbol & 15);
            let bits = u32::from(run.bits) + length + u32::from(size);
            let is_usual = size > 0 || zeros == 0;
            let Some(bits) = u8::try_from(bits).ok().filter(|_| is_usual && bits <= LOOK_BITS) else { break };
            run.bits = bits;
            if size == 0 {
                run.is_end = true;
                break;
            }
            run.places += zeros + 1;
        }
        run
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The codes 0 (a coefficient of one bit), 10 (the end), 110 (two zeros and a coefficient of two bits),
    /// 1110 (sixteen zeros), 11110 (three zeros, nothing after them: not allowed).
    fn runs() -> Runs {
        let mut counts = [0; 16];
        counts[..5].fill(1);
        Runs::of(&Huffman::build(&counts, &[0x01, 0x00, 0x22, 0xF0, 0x30]).unwrap())
    }

    fn run(bits: u8, places: u8, is_end: bool) -> Run {
        Run { bits, places, is_end }
    }

    #[test]
    fn a_run_is_all_whole_coefficients_and_stops_before_what_is_not_one() {
        let runs = runs();
        for (next, wanted) in [
            (0b0000_0000_0000, run(12, 6, false)),
            (0b0111_0111_0000, run(9, 4, true)),
            (0b1000_0000_0000, run(2, 0, true)),
            (0b0111_1000_0000, run(2, 1, false)),
            (0b1110_0000_0000, run(0, 0, false)),
            (0b1111_0000_0000, run(0, 0, false)),
            (0b1111_1100_0000, run(0, 0, false)),
            (0b0000_0000_0011, run(10, 5, false)),
        ] {
            assert_eq!(runs.at(next << 52), wanted, "{next:012b}");
        }
    }
}
