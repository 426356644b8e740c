//! zstd frames, one after the other, decompressed into buffers that the caller owns and uses again, in the thread pool, for
//! the same reason as `inflate.rs`. Skippable frames are skipped.

use std::sync::{Arc, Mutex, PoisonError};

use napi::bindgen_prelude::{AsyncTask, Buffer};
use napi::{Env, Error, Status, Task};
use napi_derive::napi;
use zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, get_error_name};

use crate::inflate::Inflated;

/// The state of one stream: the context keeps its memory from frame to frame.
struct State {
    context: DCtx<'static>,
    /// The last frame is over, and the next one has not begun.
    between: bool,
}

/// One stream of frames. The lock is never waited for: the caller has one step at a time under way.
#[napi]
pub struct Unzstd {
    state: Arc<Mutex<State>>,
}

#[napi]
impl Unzstd {
    /// Windows beyond 2^`window_log` bytes are refused.
    #[napi(constructor)]
    pub fn new(window_log: u32) -> napi::Result<Self> {
        let mut context = DCtx::try_create().ok_or_else(|| fault("no memory"))?;
        context.set_parameter(DParameter::WindowLogMax(window_log)).map_err(failed)?;
        Ok(Unzstd { state: Arc::new(Mutex::new(State { context, between: true })) })
    }

    /// Decompresses `input` until it is used up or `output` is full, in the thread pool; `ended` says whether it stands
    /// between two frames. Both are the step's alone until the promise is settled. Rejects when the data is no zstd.
    #[napi]
    pub fn step(&self, input: Buffer, output: Buffer) -> AsyncTask<UnzstdStep> {
        AsyncTask::new(UnzstdStep { state: Arc::clone(&self.state), input, output })
    }
}

/// One `step` on its way through the pool.
pub struct UnzstdStep {
    state: Arc<Mutex<State>>,
    input: Buffer,
    output: Buffer,
}

impl Task for UnzstdStep {
    type Output = Inflated;
    type JsValue = Inflated;

    fn compute(&mut self) -> napi::Result<Inflated> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut input = InBuffer::around(&self.input);
        let room = self.output.len();
        let mut output = OutBuffer::around(&mut self.output[..]);
        loop {
            let (read, written) = (input.pos, output.pos());
            if read == input.src.len() && state.between {
                break;
            }
            let hint = state.context.decompress_stream(&mut output, &mut input).map_err(failed)?;
            // 0: a frame is over and all of it is in the output.
            state.between = hint == 0;
            let moved = input.pos > read || output.pos() > written;
            if output.pos() == room || !moved {
                break;
            }
        }
        Ok(Inflated {
            consumed: input.pos as u32,
            produced: output.pos() as u32,
            ended: state.between,
        })
    }

    fn resolve(&mut self, _env: Env, output: Inflated) -> napi::Result<Inflated> {
        Ok(output)
    }
}

fn failed(code: usize) -> Error {
    fault(get_error_name(code))
}

fn fault(message: &str) -> Error {
    Error::new(Status::InvalidArg, message.to_owned())
}
