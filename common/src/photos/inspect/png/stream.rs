//! Checks that a PNG's pixel stream is whole.
//!
//! The decoder behind us forgives a stream that goes on after the picture; here a secret or a
//! bomb could ride along. No pixels are kept: inflated bytes are only counted.

use flate2::{Decompress, FlushDecompress, Status};

use super::super::PhotoFault;
use super::super::gate::Gate;

/// Bytes inflated between two looks at the clock.
const PIECE_BYTES: usize = 64 * 1024;

/// Inflates the pixels only to count them: all must be there, and nothing behind them.
pub(super) struct PixelStream {
    inflater: Decompress,
    wanted: u64,
    /// Whether the stream has ended where it should.
    pub(super) is_whole: bool,
    piece: Vec<u8>,
}

impl PixelStream {
    /// Expects a stream that inflates to `wanted` bytes.
    pub(super) fn new(wanted: u64) -> Self {
        Self { inflater: Decompress::new(true), wanted, is_whole: false, piece: vec![0; PIECE_BYTES] }
    }

    /// Takes the next part of the stream.
    pub(super) fn feed(&mut self, mut input: &[u8], gate: &Gate) -> Result<(), PhotoFault> {
        loop {
            gate.check_time()?;
            if self.is_whole {
                // Whatever follows the stream's end is no part of the picture.
                return if input.is_empty() { Ok(()) } else { Err(PhotoFault::Damaged) };
            }
            let (in_before, out_before) = (self.inflater.total_in(), self.inflater.total_out());
            let status =
                self.inflater.decompress(input, &mut self.piece, FlushDecompress::None).map_err(|_| PhotoFault::Damaged)?;
            let used = usize::try_from(self.inflater.total_in() - in_before).unwrap_or(usize::MAX);
            input = input.get(used..).ok_or(PhotoFault::Damaged)?;
            let total = self.inflater.total_out();
            let is_ended = status == Status::StreamEnd;
            if total > self.wanted || (is_ended && total < self.wanted) {
                return Err(PhotoFault::Damaged);
            }
            self.is_whole = is_ended;
            let is_idle = used == 0 && total == out_before;
            match (is_ended, is_idle, input.is_empty()) {
                (false, true, true) => return Ok(()),
                (false, true, false) => return Err(PhotoFault::Damaged),
                _ => {}
            }
        }
    }
}
