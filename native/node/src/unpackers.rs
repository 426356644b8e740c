//! gzip members and zstd frames, one after the other, as one engine that fills memory piece by piece.

use zlib_rs::{Inflate, InflateFlush, Status as Progress};
use zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, get_error_name};

/// What zlib calls the largest window, and its way to say "a gzip header".
const GZIP_WINDOW: u8 = 16 + 15;

/// What one step did.
pub struct Step {
    /// Bytes of the input that were used.
    pub consumed: usize,
    /// Bytes of the output that were filled.
    pub produced: usize,
    /// A member (a frame) is over and whole, and the next has not begun.
    pub ended: bool,
}

/// One stream of members or frames.
pub enum Unpacker {
    Gzip(Inflate),
    /// The context keeps its memory from frame to frame.
    Zstd(DCtx<'static>),
}

impl Unpacker {
    pub fn gzip() -> Self {
        Unpacker::Gzip(Inflate::new(true, GZIP_WINDOW))
    }

    /// Windows beyond 2^`window_log` bytes are refused.
    pub fn zstd(window_log: u32) -> Result<Self, String> {
        let mut context = DCtx::try_create().ok_or("no memory")?;
        context.set_parameter(DParameter::WindowLogMax(window_log)).map_err(get_error_name)?;
        Ok(Unpacker::Zstd(context))
    }

    /// Goes on until the input is used up, the output full, or a member (a frame) over.
    pub fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, String> {
        match self {
            Unpacker::Gzip(state) => {
                let step = inflate(state, input, output)?;
                if step.ended {
                    *self = Self::gzip();
                }
                Ok(step)
            }
            Unpacker::Zstd(context) => unzstd(context, input, output),
        }
    }
}

fn inflate(state: &mut Inflate, input: &[u8], output: &mut [u8]) -> Result<Step, String> {
    let (in_before, out_before) = (state.total_in(), state.total_out());
    let ended = match state.decompress(input, output, InflateFlush::NoFlush) {
        Ok(Progress::StreamEnd) => true,
        // No room or no input: the caller sees that nothing moved.
        Ok(_) => false,
        Err(error) => return Err(state.error_message().unwrap_or(error.as_str()).to_owned()),
    };
    let consumed = (state.total_in() - in_before) as usize;
    let produced = (state.total_out() - out_before) as usize;
    Ok(Step { consumed, produced, ended })
}

fn unzstd(context: &mut DCtx<'_>, input: &[u8], output: &mut [u8]) -> Result<Step, String> {
    let room = output.len();
    let mut input = InBuffer::around(input);
    let mut output = OutBuffer::around(output);
    loop {
        let (read, written) = (input.pos, output.pos());
        let hint = context.decompress_stream(&mut output, &mut input).map_err(get_error_name)?;
        let moved = input.pos > read || output.pos() > written;
        // 0: a frame is over and all of it is in the output.
        let ended = hint == 0;
        if ended || output.pos() == room || !moved {
            return Ok(Step { consumed: input.pos, produced: output.pos(), ended });
        }
    }
}
