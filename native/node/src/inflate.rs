//! One gzip member inflated into buffers that the caller owns and uses again, in the thread pool. node:zlib makes a new
//! buffer for each chunk, and collecting them costs as much as the inflating itself; its inflate is slower as well.

use std::sync::{Arc, Mutex, PoisonError};

use napi::bindgen_prelude::{AsyncTask, Buffer};
use napi::{Env, Error, Status, Task};
use napi_derive::napi;
use zlib_rs::{Inflate, InflateFlush, Status as Progress};

/// What zlib calls the largest window, and its way to say "a gzip header".
const GZIP_WINDOW: u8 = 16 + 15;

/// What one step did.
#[napi(object, object_from_js = false)]
pub struct Inflated {
    /// Bytes of the input that were used.
    pub consumed: u32,
    /// Bytes of the output that were filled.
    pub produced: u32,
    /// The member is over, its checksum and length were right; the rest of the input is not its own.
    pub ended: bool,
}

/// The state of one member. The lock is never waited for: the caller has one step at a time under way.
#[napi]
pub struct Inflater {
    state: Arc<Mutex<Inflate>>,
}

#[napi]
impl Inflater {
    #[napi(constructor)]
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Inflater { state: Arc::new(Mutex::new(Inflate::new(true, GZIP_WINDOW))) }
    }

    /// Inflates `input` until it is used up, `output` is full or the member is over, in the thread pool. Both are the
    /// step's alone until the promise is settled. Rejects when the data is no gzip.
    #[napi]
    pub fn step(&self, input: Buffer, output: Buffer) -> AsyncTask<InflateStep> {
        AsyncTask::new(InflateStep { state: Arc::clone(&self.state), input, output })
    }
}

/// One `step` on its way through the pool.
pub struct InflateStep {
    state: Arc<Mutex<Inflate>>,
    input: Buffer,
    output: Buffer,
}

impl Task for InflateStep {
    type Output = Inflated;
    type JsValue = Inflated;

    fn compute(&mut self) -> napi::Result<Inflated> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (in_before, out_before) = (state.total_in(), state.total_out());
        let status = state.decompress(&self.input, &mut self.output, InflateFlush::NoFlush);
        let ended = match status {
            Ok(Progress::StreamEnd) => true,
            // No room or no input: the caller sees that nothing moved.
            Ok(_) => false,
            Err(error) => {
                let message = state.error_message().unwrap_or(error.as_str());
                return Err(Error::new(Status::InvalidArg, message.to_owned()));
            }
        };
        Ok(Inflated {
            consumed: (state.total_in() - in_before) as u32,
            produced: (state.total_out() - out_before) as u32,
            ended,
        })
    }

    fn resolve(&mut self, _env: Env, output: Inflated) -> napi::Result<Inflated> {
        Ok(output)
    }
}
