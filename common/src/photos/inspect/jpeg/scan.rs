//! Walks one JPEG scan block by block and refuses it unless every bit has its place.
//!
//! A cut or overwritten file sooner or later shows a code that does not exist, a coefficient
//! beyond the block, a mean beyond white, or an end too early or too late. Pixels are not made
//! here: the ordinary decoder does that afterwards, on data known to be sound, if it must be done at all.

use super::super::PhotoFault;
use super::super::gate::Gate;
use super::super::shades::Shades;
use super::frame::{Component, Frame, Part, ScanHeader, Tables};
use super::huffman::Bits;

/// Units between two looks at the clock: under a millisecond of work.
const UNITS_PER_CHECK: usize = 4096;
/// Most bits that the difference between two means may take with 8-bit samples.
const DIFFERENCE_BITS_MAX: u8 = 11;
/// Largest mean, dequantized: twice what white or black needs, for encoders that overshoot.
const MEAN_MAX: i64 = 2048;

/// The entropy-coded bytes of one scan.
#[derive(Clone, Copy)]
pub(super) struct ScanData<'a> {
    /// Everything from the end of the scan's header to the next marker that is no restart.
    pub(super) bytes: &'a [u8],
    /// Units between two restart markers; `None` if there are no restart markers.
    pub(super) restart_interval: Option<usize>,
}

/// Checks the data of one scan against its header, frame and tables.
pub(super) fn walk(
    frame: &mut Frame,
    tables: &Tables,
    header: &ScanHeader,
    data: ScanData,
    gate: &Gate,
) -> Result<(), PhotoFault> {
    let mut pass = Pass::new(frame, tables, header)?;
    let units = pass.units;
    let interval = data.restart_interval.unwrap_or(units);
    let mut rest = data.bytes;
    let mut done = 0;
    for restart in 0_u64.. {
        let (bytes, marker, after) = split_interval(rest);
        let end = units.min(done + interval);
        let mut bits = Bits::new(bytes);
        pass.restart();
        for unit in done..end {
            if unit % UNITS_PER_CHECK == 0 {
                gate.check_time()?;
            }
            pass.walk_unit(unit, &mut bits)?;
        }
        bits.finish()?;
        done = end;
        rest = after;
        match marker {
            None => break,
            Some(number) if u64::from(number) == restart % 8 && done < units => {}
            Some(_) => return Err(PhotoFault::Damaged),
        }
    }
    if done == units { Ok(()) } else { Err(PhotoFault::Damaged) }
}

/// Returns the bytes up to the next restart marker, the marker's number and what follows.
fn split_interval(bytes: &[u8]) -> (&[u8], Option<u8>, &[u8]) {
    let at = memchr::memchr_iter(0xFF, bytes).find(|at| matches!(bytes.get(at + 1), Some(0xD0..=0xD7)));
    match at.and_then(|at| bytes.split_at_checked(at)) {
        Some((before, [_, marker, after @ ..])) => (before, Some(marker & 7), after),
        _ => (bytes, None, &[]),
    }
}

/// What a scan brings of each block.
#[derive(Clone, Copy)]
enum Coding {
    Sequential,
    DcFirst,
    DcRefine,
    AcFirst,
    AcRefine,
}

struct Pass<'a> {
    components: &'a mut [Component],
    shades: &'a mut Shades,
    tables: &'a Tables,
    header: &'a ScanHeader,
    coding: Coding,
    units_wide: usize,
    units: usize,
    /// Last mean of each part, still quantized.
    means: [i64; 4],
    /// Blocks ahead that bring nothing new in this band.
    empty_blocks: u32,
}

impl<'a> Pass<'a> {
    fn new(frame: &'a mut Frame, tables: &'a Tables, header: &'a ScanHeader) -> Result<Self, PhotoFault> {
        let coding = match (frame.is_progressive, header.first, header.high) {
            (false, _, _) => Coding::Sequential,
            (true, 0, 0) => Coding::DcFirst,
            (true, 0, _) => Coding::DcRefine,
            (true, _, 0) => Coding::AcFirst,
            (true, _, _) => Coding::AcRefine,
        };
        for part in &header.parts {
            let component = (frame.components.get_mut(part.component)).ok_or(PhotoFault::Damaged)?;
            let is_first = matches!(coding, Coding::Sequential | Coding::DcFirst);
            // The first coefficients come once, and before anything that builds on them.
            if component.is_seen == is_first {
                return Err(PhotoFault::Damaged);
            }
            component.is_seen = true;
        }
        let (units_wide, units_high) = match header.parts.as_slice() {
            [part] => frame.components.get(part.component).map(|c| (c.blocks_wide, c.blocks_high)).ok_or(PhotoFault::Damaged)?,
            _ => (frame.units_wide, frame.units_high),
        };
        Ok(Self {
            components: &mut frame.components,
            shades: &mut frame.shades,
            tables,
            header,
            coding,
            units_wide,
            units: units_wide * units_high,
            means: [0; 4],
            empty_blocks: 0,
        })
    }

    fn restart(&mut self) {
        self.means = [0; 4];
        self.empty_blocks = 0;
    }

    fn walk_unit(&mut self, unit: usize, bits: &mut Bits) -> Result<(), PhotoFault> {
        let (row, column) = (unit / self.units_wide, unit % self.units_wide);
        let header = self.header;
        if let [part] = header.parts.as_slice() {
            return self.walk_block(part, 0, (row, column), bits);
        }
        for (place, part) in header.parts.iter().enumerate() {
            let component = (self.components.get(part.component)).ok_or(PhotoFault::Damaged)?;
            let (across, down) = (component.across, component.down);
            for y in 0..down {
                for x in 0..across {
                    let at = (row * down + y, column * across + x);
                    self.walk_block(part, place, at, bits)?;
                }
            }
        }
        Ok(())
    }

    fn walk_block(
        &mut self,
        part: &Part,
        place: usize,
        (row, column): (usize, usize),
        bits: &mut Bits,
    ) -> Result<(), PhotoFault> {
        match self.coding {
            Coding::Sequential => {
                self.walk_mean(part, place, bits)?;
                self.walk_sequential(part, bits)
            }
            Coding::DcFirst => self.walk_mean(part, place, bits),
            Coding::DcRefine => bits.number(1).map(drop),
            Coding::AcFirst | Coding::AcRefine => {
                let component = (self.components.get_mut(part.component)).ok_or(PhotoFault::Damaged)?;
                let at = row * component.stride + column;
                let slot = component.nonzero.get_mut(at).ok_or(PhotoFault::Damaged)?;
                let mut block = *slot;
                // Taken out and put back, because the walk below borrows the whole pass.
                if matches!(self.coding, Coding::AcFirst) {
                    self.walk_first(part, &mut block, bits)?;
                } else {
                    self.walk_refinement(part, &mut block, bits)?;
                }
                if let Some(slot) = (self.components.get_mut(part.component)).and_then(|component| component.nonzero.get_mut(at))
                {
                    *slot = block;
                }
                Ok(())
            }
        }
    }

    fn walk_mean(&mut self, part: &Part, place: usize, bits: &mut Bits) -> Result<(), PhotoFault> {
        let (length, number) = bits.symbol_and_number(self.tables.dc(part.dc)?)?;
        if length > DIFFERENCE_BITS_MAX {
            return Err(PhotoFault::Damaged);
        }
        let number = i64::from(number);
        // Numbers in the lower half stand for negative differences.
        let is_negative = length > 0 && number < 1 << (length - 1);
        let difference = if is_negative { number - (1 << length) + 1 } else { number };
        let component = (self.components.get(part.component)).ok_or(PhotoFault::Damaged)?;
        let step = i64::from(self.tables.dc_step(component.quantizer)?);
        let low = match self.coding {
            Coding::Sequential => 0,
            _ => self.header.low,
        };
        let mean = self.means.get_mut(place).ok_or(PhotoFault::Damaged)?;
        *mean += difference;
        let light = (*mean << low) * step;
        if light.abs() > MEAN_MAX + (step << low) {
            return Err(PhotoFault::Damaged);
        }
        if part.component == 0 {
            self.shades.add(shade(light));
        }
        Ok(())
    }

    fn walk_sequential(&self, part: &Part, bits: &mut Bits) -> Result<(), PhotoFault> {
        let table = self.tables.ac(part.ac)?;
        let runs = table.runs();
        let mut at: u8 = 1;
        while at < 64 {
            // After the last place comes another block, so that a run must leave one free.
            if let Some(run) = bits.run(runs, 63 - at) {
                if run.is_end {
                    return Ok(());
                }
                at += run.places;
                continue;
            }
            let (symbol, _) = bits.symbol_and_number(table)?;
            let (zeros, length) = (symbol >> 4, symbol & 15);
            match (zeros, length) {
                (0, 0) => return Ok(()),
                (15, 0) => at += 16,
                (_, 0) => return Err(PhotoFault::Damaged),
                _ => {
                    at += zeros;
                    if at > 63 {
                        return Err(PhotoFault::Damaged);
                    }
                    at += 1;
                }
            }
        }
        Ok(())
    }

    fn walk_first(&mut self, part: &Part, block: &mut u64, bits: &mut Bits) -> Result<(), PhotoFault> {
        if self.empty_blocks > 0 {
            self.empty_blocks -= 1;
            return Ok(());
        }
        let table = self.tables.ac(part.ac)?;
        let mut at = self.header.first;
        while at <= self.header.last {
            let (symbol, _) = bits.symbol_and_number(table)?;
            let (zeros, length) = (symbol >> 4, symbol & 15);
            match (zeros, length) {
                (15, 0) => at += 16,
                (_, 0) => {
                    // This block is the first of the empty ones.
                    self.empty_blocks = (1 << zeros) - 1 + bits.number(zeros)?;
                    return Ok(());
                }
                _ => {
                    at += zeros;
                    if at > self.header.last {
                        return Err(PhotoFault::Damaged);
                    }
                    *block |= 1 << at;
                    at += 1;
                }
            }
        }
        Ok(())
    }

    fn walk_refinement(&mut self, part: &Part, block: &mut u64, bits: &mut Bits) -> Result<(), PhotoFault> {
        let last = self.header.last;
        let mut at = self.header.first;
        if self.empty_blocks == 0 {
            let table = self.tables.ac(part.ac)?;
            while at <= last {
                let symbol = bits.symbol(table)?;
                let (zeros, length) = (symbol >> 4, symbol & 15);
                match (zeros, length) {
                    (_, 1) => {
                        bits.number(1)?;
                        at = refine(*block, (at, last), Some(zeros), bits)?;
                        if at > last {
                            return Err(PhotoFault::Damaged);
                        }
                        *block |= 1 << at;
                    }
                    (15, 0) => at = refine(*block, (at, last), Some(15), bits)?,
                    (_, 0) => {
                        self.empty_blocks = (1 << zeros) + bits.number(zeros)?;
                        break;
                    }
                    _ => return Err(PhotoFault::Damaged),
                }
                at += 1;
            }
        }
        if self.empty_blocks > 0 {
            refine(*block, (at, last), None, bits)?;
            self.empty_blocks -= 1;
        }
        Ok(())
    }
}

/// The shade, 0 to 255, of a block whose dequantized mean is `light`.
fn shade(light: i64) -> u8 {
    u8::try_from((light / 8 + 128).clamp(0, 255)).unwrap_or(u8::MAX)
}

/// Takes one bit for each coefficient already known, from the band's first to its last.
///
/// Stops at the zero after `zeros` skipped ones, or goes to the end if `None`. Returns the place
/// where it stopped, one past the last at the end.
fn refine(block: u64, (first, last): (u8, u8), zeros: Option<u8>, bits: &mut Bits) -> Result<u8, PhotoFault> {
    let mut left = zeros;
    let mut at = first;
    while at <= last {
        if block & (1 << at) != 0 {
            bits.number(1)?;
        } else if let Some(count) = left {
            if count == 0 {
                return Ok(at);
            }
            left = Some(count - 1);
        }
        at += 1;
    }
    Ok(at)
}
