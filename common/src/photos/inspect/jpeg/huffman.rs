//! Reads Huffman codes and raw bits from a stretch of JPEG scan data.
//!
//! Our own, because no decoder at hand refuses a scan that ends early or late: they patch gray
//! over what is missing. This one only counts codes and bits; it makes no pixels.

use std::cell::OnceCell;

use super::super::PhotoFault;
use super::runs::{Run, Runs};

const LOOKUP_BITS: u32 = 9;
const CODE_BITS_MAX: usize = 16;
/// A code of 16 bits and, after it, a number of 15.
const CODE_AND_NUMBER_BITS_MAX: u32 = 31;

/// The codes of one Huffman table.
pub(super) struct Huffman {
    /// For each possible next 9 bits: code length in the high byte, symbol in the low one;
    /// 0 where the code is longer than 9 bits or does not exist.
    lookup: [u16; 1 << LOOKUP_BITS],
    /// By code length: one more than the last code, moved up to 16 bits.
    ends: [u32; CODE_BITS_MAX + 1],
    /// By code length: what to add to a code to get its symbol's place.
    shifts: [i32; CODE_BITS_MAX + 1],
    symbols: Vec<u8>,
    /// Made when a sequential scan is read by these codes; boxed, for most tables have none.
    runs: OnceCell<Box<Runs>>,
}

impl Huffman {
    /// Builds the table from how many codes there are of each length and their symbols.
    pub(super) fn build(counts: &[u8; CODE_BITS_MAX], symbols: &[u8]) -> Result<Self, PhotoFault> {
        let mut table = Self {
            lookup: [0; 1 << LOOKUP_BITS],
            ends: [0; CODE_BITS_MAX + 1],
            shifts: [0; CODE_BITS_MAX + 1],
            symbols: symbols.to_vec(),
            runs: OnceCell::new(),
        };
        let mut code: u32 = 0;
        let mut place: usize = 0;
        let lengths = (1_u32..).zip(counts);
        for ((length, count), (end, shift)) in lengths.zip(table.ends.iter_mut().zip(&mut table.shifts).skip(1)) {
            let count = usize::from(*count);
            let these = symbols.get(place..place + count).ok_or(PhotoFault::Damaged)?;
            *shift =
                i32::try_from(place).map_err(|_| PhotoFault::Damaged)? - i32::try_from(code).map_err(|_| PhotoFault::Damaged)?;
            for symbol in these {
                if code >> length != 0 {
                    return Err(PhotoFault::Damaged);
                }
                fill_lookup(&mut table.lookup, code, length, *symbol);
                code += 1;
            }
            place += count;
            *end = code << (16 - length);
            code <<= 1;
        }
        Ok(table)
    }

    /// What several codes bring at one look, if these are the codes of coefficients in a sequential scan.
    pub(super) fn runs(&self) -> &Runs {
        self.runs.get_or_init(|| Box::new(Runs::of(self)))
    }

    /// Finds the code at the start of the next 16 bits: its length in bits and its symbol.
    #[inline]
    fn find(&self, next: u16) -> Option<(u32, u8)> {
        self.find_short(next).or_else(|| self.find_long(next))
    }

    /// The same for a code that is no longer than the lookup's.
    #[inline]
    pub(super) fn find_short(&self, next: u16) -> Option<(u32, u8)> {
        let entry = *self.lookup.get(usize::from(next >> (16 - LOOKUP_BITS)))?;
        let [length, symbol] = entry.to_be_bytes();
        (length != 0).then_some((u32::from(length), symbol))
    }

    /// The same for a code that is longer than the lookup's.
    #[cold]
    fn find_long(&self, next: u16) -> Option<(u32, u8)> {
        let next = u32::from(next);
        let (length, (_, shift)) = (0_u32..)
            .zip(self.ends.iter().zip(&self.shifts))
            .skip(LOOKUP_BITS as usize + 1)
            .find(|(_, (end, _))| next < **end)?;
        let code = i32::try_from(next >> (16 - length)).ok()?;
        let place = usize::try_from(code + shift).ok()?;
        Some((length, *self.symbols.get(place)?))
    }
}

fn fill_lookup(lookup: &mut [u16], code: u32, length: u32, symbol: u8) {
    let Some(spare) = LOOKUP_BITS.checked_sub(length) else {
        return;
    };
    let first = (code << spare) as usize;
    if let Some(entries) = lookup.get_mut(first..first + (1 << spare)) {
        // The length is at most 9 here.
        entries.fill(u16::from_be_bytes([length.to_le_bytes()[0], symbol]));
    }
}

/// Hands out the bits of one restart interval and refuses to go beyond its end.
pub(super) struct Bits<'a> {
    rest: &'a [u8],
    /// Bits waiting, the next one highest; below them what `rest` starts with, or zeros.
    waiting: u64,
    waiting_count: u32,
}

impl<'a> Bits<'a> {
    /// Starts at the first bit of `interval`, which must hold no marker.
    pub(super) fn new(interval: &'a [u8]) -> Self {
        Self { rest: interval, waiting: 0, waiting_count: 0 }
    }

    /// Takes one Huffman code and returns its symbol.
    #[inline]
    pub(super) fn symbol(&mut self, table: &Huffman) -> Result<u8, PhotoFault> {
        let (length, symbol) = self.look(table)?;
        self.skip(length)?;
        Ok(symbol)
    }

    /// Takes one Huffman code and the number after it, whose length is the lower half of the code's symbol; returns
    /// symbol and number.
    #[inline]
    pub(super) fn symbol_and_number(&mut self, table: &Huffman) -> Result<(u8, u32), PhotoFault> {
        let (length, symbol) = self.look(table)?;
        let number_length = u32::from(symbol & 15);
        let number = (self.waiting << length).checked_shr(64 - number_length).unwrap_or(0);
        self.skip(length + number_length)?;
        Ok((symbol, u32::try_from(number).map_err(|_| PhotoFault::Damaged)?))
    }

    /// Takes as many coefficients as one look shows; `None`, and nothing is taken, when it shows none or more than
    /// `room` places.
    #[inline]
    pub(super) fn run(&mut self, runs: &Runs, room: u8) -> Option<Run> {
        if self.waiting_count < CODE_AND_NUMBER_BITS_MAX {
            self.fill();
        }
        let run = runs.at(self.waiting);
        if run.bits == 0 || run.places > room {
            return None;
        }
        self.skip(u32::from(run.bits)).ok().map(|()| run)
    }

    /// The next code's length and symbol; nothing is taken, and a number after the code waits, too.
    #[inline]
    fn look(&mut self, table: &Huffman) -> Result<(u32, u8), PhotoFault> {
        if self.waiting_count < CODE_AND_NUMBER_BITS_MAX {
            self.fill();
        }
        let next = u16::try_from(self.waiting >> 48).map_err(|_| PhotoFault::Damaged)?;
        table.find(next).ok_or(PhotoFault::Damaged)
    }

    /// Takes `count` bits, 0 to 16, as a number.
    #[inline]
    pub(super) fn number(&mut self, count: u8) -> Result<u32, PhotoFault> {
        let count = u32::from(count);
        if count == 0 {
            return Ok(0);
        }
        if self.waiting_count < count {
            self.fill();
        }
        let number = self.waiting.checked_shr(64 - count).unwrap_or(0);
        self.skip(count)?;
        u32::try_from(number).map_err(|_| PhotoFault::Damaged)
    }

    /// Refuses if whole bytes are left: the interval must end where its last block ends.
    pub(super) fn finish(&self) -> Result<(), PhotoFault> {
        if self.rest.is_empty() && self.waiting_count < 8 { Ok(()) } else { Err(PhotoFault::Damaged) }
    }

    #[inline]
    fn skip(&mut self, count: u32) -> Result<(), PhotoFault> {
        self.waiting_count = self.waiting_count.checked_sub(count).ok_or(PhotoFault::Damaged)?;
        self.waiting <<= count;
        Ok(())
    }

    /// Lets more than 56 bits wait, or all that are left.
    fn fill(&mut self) {
        if let Some(next) = self.rest.first_chunk() {
            let next = u64::from_be_bytes(*next);
            if !has_marker_byte(next) {
                let taken = (u64::BITS - self.waiting_count) / 8;
                self.waiting |= next.checked_shr(self.waiting_count).unwrap_or(0);
                self.waiting_count += 8 * taken;
                self.rest = self.rest.get(taken as usize..).unwrap_or_default();
                return;
            }
        }
        self.fill_by_byte();
    }

    fn fill_by_byte(&mut self) {
        while self.waiting_count <= 56 {
            let (byte, rest) = match self.rest {
                // A data byte of FF is followed by a stuffed zero.
                [0xFF, 0x00, rest @ ..] => (0xFF, rest),
                [byte, rest @ ..] => (*byte, rest),
                [] => return,
            };
            self.rest = rest;
            self.waiting |= u64::from(byte) << (56 - self.waiting_count);
            self.waiting_count += 8;
        }
    }
}

/// Whether one of the eight bytes is FF, so that a stuffed zero may follow.
#[inline]
const fn has_marker_byte(bytes: u64) -> bool {
    const ONES: u64 = u64::MAX / 0xFF;
    // The usual trick finds a byte of zero, which is one of FF turned over.
    let bytes = !bytes;
    bytes.wrapping_sub(ONES) & !bytes & (ONES << 7) != 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bits_come_in_their_order_however_many_are_stuffed(
            bytes in prop::collection::vec(prop_oneof![4 => any::<u8>(), 1 => Just(0xFF)], 0..80),
            lengths in prop::collection::vec(1_u8..=16, 0..80),
        ) {
            let stuffed: Vec<u8> =
                bytes.iter().flat_map(|byte| if *byte == 0xFF { vec![0xFF, 0] } else { vec![*byte] }).collect();
            let mut left: Vec<u32> =
                bytes.iter().flat_map(|byte| (0..8).rev().map(move |place| u32::from(byte >> place & 1))).collect();
            let mut bits = Bits::new(&stuffed);
            for length in lengths {
                if usize::from(length) > left.len() {
                    prop_assert!(bits.number(length).is_err());
                    return Ok(());
                }
                let wanted = left.drain(..usize::from(length)).fold(0, |number, bit| number * 2 + bit);
                prop_assert_eq!(bits.number(length).ok(), Some(wanted));
            }
            prop_assert_eq!(bits.finish().is_ok(), left.len() < 8);
        }
    }
}
