//! Reads Huffman codes and raw bits from a stretch of JPEG scan data.
//!
//! Our own, because no decoder at hand refuses a scan that ends early or late: they patch gray
//! over what is missing. This one only counts codes and bits; it makes no pixels.

use super::super::PhotoFault;

const LOOKUP_BITS: u32 = 9;
const CODE_BITS_MAX: usize = 16;

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
}

impl Huffman {
    /// Builds the table from how many codes there are of each length and their symbols.
    pub(super) fn build(counts: &[u8; CODE_BITS_MAX], symbols: &[u8]) -> Result<Self, PhotoFault> {
        let mut table = Self {
            lookup: [0; 1 << LOOKUP_BITS],
            ends: [0; CODE_BITS_MAX + 1],
            shifts: [0; CODE_BITS_MAX + 1],
            symbols: symbols.to_vec(),
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

    /// Finds the code at the start of the next 16 bits: its length in bits and its symbol.
    fn find(&self, next: u16) -> Option<(u32, u8)> {
        let entry = *self.lookup.get(usize::from(next >> (16 - LOOKUP_BITS)))?;
        let [length, symbol] = entry.to_be_bytes();
        if length != 0 {
            return Some((u32::from(length), symbol));
        }
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
    /// Bits waiting, the next one highest; zeros below them.
    waiting: u64,
    waiting_count: u32,
}

impl<'a> Bits<'a> {
    /// Starts at the first bit of `interval`, which must hold no marker.
    pub(super) fn new(interval: &'a [u8]) -> Self {
        Self { rest: interval, waiting: 0, waiting_count: 0 }
    }

    /// Takes one Huffman code and returns its symbol.
    pub(super) fn symbol(&mut self, table: &Huffman) -> Result<u8, PhotoFault> {
        if self.waiting_count < 16 {
            self.fill();
        }
        let next = u16::try_from(self.waiting >> 48).map_err(|_| PhotoFault::Damaged)?;
        let (length, symbol) = table.find(next).ok_or(PhotoFault::Damaged)?;
        self.skip(length)?;
        Ok(symbol)
    }

    /// Takes `count` bits, 0 to 16, as a number.
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

    fn skip(&mut self, count: u32) -> Result<(), PhotoFault> {
        self.waiting_count = self.waiting_count.checked_sub(count).ok_or(PhotoFault::Damaged)?;
        self.waiting <<= count;
        Ok(())
    }

    fn fill(&mut self) {
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
