//! A stream of gzip members or zstd frames, unpacked in the thread pool ahead of who reads it, into buffers that the caller owns
//! and gives again. One task goes on for as long as there are input, room and nobody who waits, so that the unpacking does
//! not stop each time the caller's thread is busy with what came before. node:zlib makes a new buffer for each
//! chunk, and collecting them costs as much as the inflating itself; its inflate is slower as well.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use napi::bindgen_prelude::{AsyncTask, Buffer};
use napi::{Env, Error, Status, Task};
use napi_derive::napi;

use crate::unpackers::Unpacker;

/// What `take` says when there is nothing to take.
const NOTHING_YET: i32 = 0;
const OVER: i32 = -1;

#[derive(Default)]
struct State {
    /// Not yet used up; of the first one `used` bytes are.
    inputs: VecDeque<Buffer>,
    used: usize,
    /// Bytes of those that are not used up, with the one that a task is at.
    held: usize,
    /// No more input comes.
    last: bool,
    /// Empty, in the order in which they were given and will be filled.
    outputs: VecDeque<Buffer>,
    /// Filled, with the bytes in them.
    filled: VecDeque<(Buffer, usize)>,
    /// To be dropped by the thread that they come from.
    spent: Vec<Buffer>,
    /// A task is in the pool.
    running: bool,
    /// The reader has found nothing, and waits until the task is done.
    awaited: bool,
    /// A member is over.
    ended: bool,
    /// None has begun since the last one was over, or at all.
    between: bool,
    /// The output was filled to its end: more may come without any input.
    more: bool,
    over: bool,
    failed: Option<String>,
}

impl State {
    /// An input that is used up.
    fn let_go(&mut self, input: Buffer) {
        self.used = 0;
        self.held -= input.len();
        self.spent.push(input);
    }
}

struct Shared {
    state: Mutex<State>,
    /// Of the one task that runs.
    unpacker: Mutex<Unpacker>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One stream. Input is pushed and buffers are given at any time; `run` whenever it is idle and there is some of both.
#[napi]
pub struct Expander {
    shared: Arc<Shared>,
}

#[napi]
impl Expander {
    /// Of zstd frames whose windows are at most 2^`window_log` bytes; of gzip members where that is 0.
    #[napi(constructor)]
    pub fn new(window_log: u32) -> napi::Result<Self> {
        let unpacker = match window_log {
            0 => Unpacker::gzip(),
            _ => Unpacker::zstd(window_log).map_err(fault)?,
        };
        let state = Mutex::new(State { between: true, ..State::default() });
        Ok(Expander { shared: Arc::new(Shared { state, unpacker: Mutex::new(unpacker) }) })
    }

    /// More input; it must stay as it is until it does not count in `waiting` any more.
    #[napi]
    pub fn push(&self, input: Buffer) {
        let mut state = self.shared.lock();
        state.held += input.len();
        state.inputs.push_back(input);
    }

    /// No more input comes.
    #[napi]
    pub fn end(&self) {
        self.shared.lock().last = true;
    }

    /// Bytes of the pieces of input that are not used up.
    #[napi]
    pub fn waiting(&self) -> i64 {
        let mut state = self.shared.lock();
        state.spent.clear();
        state.held as i64
    }

    /// An empty buffer; not to be touched until `take` has given it back.
    #[napi]
    pub fn give(&self, output: Buffer) {
        self.shared.lock().outputs.push_back(output);
    }

    /// The bytes in the first of the buffers that were given and not taken; 0 when it is not filled yet, -1 when everything was
    /// taken. Throws, after everything that came before it was taken, when the data is not what it should be.
    #[napi]
    pub fn take(&self) -> napi::Result<i32> {
        let mut state = self.shared.lock();
        if let Some((_, length)) = state.filled.pop_front() {
            return Ok(length as i32);
        }
        if let Some(message) = &state.failed {
            return Err(fault(message));
        }
        state.awaited = true;
        Ok(if state.over { OVER } else { NOTHING_YET })
    }

    /// Whether a member is over and the next has not begun.
    #[napi]
    pub fn between(&self) -> bool {
        let state = self.shared.lock();
        state.ended && state.between
    }

    /// Whether a task would find something to do, and none is at it.
    #[napi]
    pub fn idle(&self) -> bool {
        let state = self.shared.lock();
        let input = state.more || state.last || !state.inputs.is_empty();
        !state.running && !state.over && state.failed.is_none() && input && !state.outputs.is_empty()
    }

    /// Unpacks in the pool until there is no input or no room, or a reader that waits has something to take.
    #[napi]
    pub fn run(&self) -> AsyncTask<Expand> {
        self.shared.lock().running = true;
        AsyncTask::new(Expand { shared: Arc::clone(&self.shared) })
    }

    /// Ends a task that runs at its next step.
    #[napi]
    pub fn close(&self) {
        self.shared.lock().over = true;
    }
}

/// One `run` on its way through the pool.
pub struct Expand {
    shared: Arc<Shared>,
}

impl Task for Expand {
    type Output = ();
    type JsValue = ();

    fn compute(&mut self) -> napi::Result<()> {
        let mut unpacker = self.shared.unpacker.lock().unwrap_or_else(PoisonError::into_inner);
        while fill_one(&self.shared, &mut unpacker) {}
        let mut state = self.shared.lock();
        state.running = false;
        state.awaited = false;
        Ok(())
    }

    fn resolve(&mut self, _env: Env, (): ()) -> napi::Result<()> {
        Ok(())
    }
}

/// Fills one output as far as the input reaches; false when the task is to end.
fn fill_one(shared: &Shared, unpacker: &mut Unpacker) -> bool {
    let Some(mut output) = shared.lock().outputs.pop_front() else { return false };
    let mut length = 0;
    let mut go_on = true;
    while go_on && length < output.len() {
        go_on = fill_more(shared, unpacker, &mut output, &mut length);
    }
    let mut state = shared.lock();
    if length > 0 {
        state.filled.push_back((output, length));
    } else {
        state.outputs.push_front(output);
    }
    go_on && !(state.awaited && !state.filled.is_empty())
}

/// One step; false when there is no more to be had now.
fn fill_more(shared: &Shared, unpacker: &mut Unpacker, output: &mut Buffer, length: &mut usize) -> bool {
    let Some((input, used)) = next_input(&mut shared.lock()) else { return false };
    let rest = input.get(used..).unwrap_or_default();
    let room = output.len() - *length;
    let result = unpacker.step(rest, &mut output[*length..]);
    let mut state = shared.lock();
    let outcome = match result {
        // Would be tried for ever.
        Ok(step) if step.consumed == 0 && step.produced == 0 && !rest.is_empty() => Err("it does not go on".to_owned()),
        other => other,
    };
    match outcome {
        Ok(step) => {
            *length += step.produced;
            state.between = step.ended;
            state.ended |= step.ended;
            state.more = !step.ended && step.produced == room;
            if used + step.consumed < input.len() {
                state.used = used + step.consumed;
                state.inputs.push_front(input);
            } else {
                state.let_go(input);
            }
            true
        }
        Err(message) => {
            state.let_go(input);
            state.failed = Some(message);
            false
        }
    }
}

/// The input to go on with, and how much of it is used; none when there is none, or when it is over.
fn next_input(state: &mut State) -> Option<(Buffer, usize)> {
    if state.over || state.failed.is_some() {
        return None;
    }
    if let Some(input) = state.inputs.pop_front() {
        return Some((input, state.used));
    }
    if state.more {
        return Some((Buffer::default(), 0));
    }
    if state.last && state.between {
        state.over = true;
    } else if state.last {
        state.failed = Some("it ends in the middle".to_owned());
    }
    None
}

fn fault(message: impl AsRef<str>) -> Error {
    Error::new(Status::InvalidArg, message.as_ref().to_owned())
}
