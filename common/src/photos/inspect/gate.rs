//! The limits of one inspection: what may be decoded, how much memory, until when.
//!
//! Every stage asks the gate before it allocates and while it works, so that no picture decides
//! by itself what it costs. The gate only refuses; it reads no picture.

use std::io::{self, BufRead, Cursor, Read, Seek, SeekFrom};
use std::time::{Duration, Instant};

use crate::domain::photo::PhotoFault;

/// Bytes that a decoder gets before the clock is looked at again.
///
/// Deflate grows data at most about 1,000 times, so this is at most 16 MB of pixels: some 20 ms.
const READ_BYTES_MAX: usize = 16 * 1024;

/// What one photo may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most pixels that a photo may have, width times height.
    pub pixels_max: u64,
    /// Most memory, in bytes, that decoding may take by the estimate made from the header.
    pub memory_bytes_max: u64,
    /// Fewest pixels that the shortest side may have.
    pub side_pixels_min: u32,
    /// Longest time that an inspection may take. It is looked at between stages and while
    /// reading, so an inspection may run over by a fraction of a second.
    pub time_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pixels_max: 40_000_000,
            memory_bytes_max: 256 * 1024 * 1024,
            side_pixels_min: 100,
            time_max: Duration::from_secs(10),
        }
    }
}

/// The limits together with the moment at which this inspection must be over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gate<'a> {
    limits: &'a Limits,
    /// `None` if the limit lies beyond what the clock can count.
    deadline: Option<Instant>,
}

impl<'a> Gate<'a> {
    /// Starts the time of one inspection.
    pub(super) fn open(limits: &'a Limits) -> Self {
        Self { limits, deadline: Instant::now().checked_add(limits.time_max) }
    }

    /// Refuses if the time is over.
    pub(super) fn check_time(&self) -> Result<(), PhotoFault> {
        if self.is_over() { Err(PhotoFault::TookTooLong) } else { Ok(()) }
    }

    /// Refuses a size, in pixels, that the header claims.
    pub(super) fn check_size(&self, width: u32, height: u32) -> Result<(), PhotoFault> {
        if width == 0 || height == 0 {
            return Err(PhotoFault::Damaged);
        }
        if u64::from(width) * u64::from(height) > self.limits.pixels_max {
            return Err(PhotoFault::TooLarge);
        }
        if width.min(height) < self.limits.side_pixels_min {
            return Err(PhotoFault::TooSmall);
        }
        Ok(())
    }

    /// Refuses work that would hold more than the allowed memory at one time.
    pub(super) fn check_memory(&self, bytes: u64) -> Result<(), PhotoFault> {
        if bytes > self.limits.memory_bytes_max { Err(PhotoFault::TooLarge) } else { Ok(()) }
    }

    /// Returns the most memory, in bytes, that a decoder may be given.
    pub(super) fn memory_bytes_max(&self) -> u64 {
        self.limits.memory_bytes_max
    }

    fn is_over(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

/// A reader that hands out small pieces and fails once the time is over.
pub(super) struct TimedReader<'a> {
    inner: Cursor<&'a [u8]>,
    gate: Gate<'a>,
}

impl<'a> TimedReader<'a> {
    /// Reads `bytes` until the gate's time is over.
    pub(super) fn new(bytes: &'a [u8], gate: Gate<'a>) -> Self {
        Self { inner: Cursor::new(bytes), gate }
    }

    fn check(&self) -> io::Result<()> {
        if self.gate.is_over() { Err(io::Error::from(io::ErrorKind::TimedOut)) } else { Ok(()) }
    }
}

impl Read for TimedReader<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.check()?;
        let length = out.len().min(READ_BYTES_MAX);
        match out.get_mut(..length) {
            Some(piece) => self.inner.read(piece),
            None => Ok(0),
        }
    }
}

impl BufRead for TimedReader<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.check()?;
        let rest = self.inner.fill_buf()?;
        Ok(rest.get(..READ_BYTES_MAX).unwrap_or(rest))
    }

    fn consume(&mut self, amount: usize) {
        self.inner.consume(amount);
    }
}

impl Seek for TimedReader<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}
