//! SHA-256 and SHA-512, a chunk per call or one of each of two streams, in the thread pool or on the caller's thread. node:crypto can do
//! the latter only, one stream at a time, and takes ten milliseconds to load.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use napi::bindgen_prelude::{AsyncTask, Buffer};
use napi::{Env, Task};
use napi_derive::napi;
use sha2::{Digest, Sha512};

use crate::error::{Error, Result, failure, retry};
use crate::read_buffer::ReadBuffer;
use crate::sha256::{self, Sha256};

/// Read at once from a file: stays in the processor's cache between the copy and the hash.
const PIECE: usize = 128 << 10;

/// A digest being computed.
#[derive(Clone)]
pub enum State {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl State {
    pub fn update(&mut self, data: &[u8]) {
        match self {
            State::Sha256(state) => state.update(data),
            State::Sha512(state) => state.update(data),
        }
    }

    fn digest(&self) -> Vec<u8> {
        match self {
            State::Sha256(state) => state.digest().to_vec(),
            State::Sha512(state) => state.clone().finalize().to_vec(),
        }
    }
}

/// Takes `data` into one and `other` into the other, at once where both are of the kind for which that is quicker.
pub fn update_two(one: &mut State, data: &[u8], two: &mut State, other: &[u8]) {
    if let (State::Sha256(first), State::Sha256(second)) = (&mut *one, &mut *two) {
        return sha256::update_two(first, data, second, other);
    }
    one.update(data);
    two.update(other);
}

/// One digest being computed. The lock is never waited for: the caller has one call at a time under way.
#[napi]
pub struct Hasher {
    state: Arc<Mutex<State>>,
}

impl Hasher {
    /// For another task of the pool that hashes.
    pub fn shared(&self) -> Arc<Mutex<State>> {
        Arc::clone(&self.state)
    }
}

#[napi]
impl Hasher {
    /// `bits` is 256 or 512, of SHA-2.
    #[napi(constructor)]
    pub fn new(bits: u32) -> Result<Self> {
        let state = match bits {
            256 => State::Sha256(Sha256::new()),
            512 => State::Sha512(Sha512::new()),
            _ => return Err(failure("sha2", libc::EINVAL)),
        };
        Ok(Hasher { state: Arc::new(Mutex::new(state)) })
    }

    /// Takes `data` on the caller's thread.
    #[napi]
    pub fn take(&self, data: &[u8]) {
        locked(&self.state).update(data);
    }

    /// Takes `data` in the thread pool; it must stay as it is until the promise is settled.
    #[napi]
    pub fn update(&self, data: Buffer) -> AsyncTask<HashStep> {
        AsyncTask::new(HashStep { state: Arc::clone(&self.state), data })
    }

    /// Takes `length` bytes of a file from `offset` on, in the thread pool, or what there is of them: says how many. The
    /// descriptor stays open until the promise is settled.
    #[napi]
    pub fn update_from_file(&self, fd: i32, offset: i64, length: i64) -> AsyncTask<HashFile> {
        AsyncTask::new(HashFile { state: Arc::clone(&self.state), file: FilePart::new(fd, offset, length) })
    }

    /// As `update` of this and of another one, at once.
    #[napi]
    pub fn update_two(&self, data: Buffer, two: &Hasher, other: Buffer) -> Result<AsyncTask<HashTwoSteps>> {
        Ok(AsyncTask::new(HashTwoSteps { states: self.pair(two)?, data, other }))
    }

    /// As `update_from_file` of this and of another one, at once. One that cannot be read does not stop the other.
    #[napi(ts_args_type = "fd: number, offset: number, length: number, two: Hasher, otherFd: number, otherOffset: number, otherLength: number")]
    pub fn update_two_from_files(
        &self,
        fd: i32,
        offset: i64,
        length: i64,
        two: &Hasher,
        other_fd: i32,
        other_offset: i64,
        other_length: i64,
    ) -> Result<AsyncTask<HashTwoFiles>> {
        let files = [FilePart::new(fd, offset, length), FilePart::new(other_fd, other_offset, other_length)];
        Ok(AsyncTask::new(HashTwoFiles { states: self.pair(two)?, files }))
    }

    fn pair(&self, two: &Hasher) -> Result<[Arc<Mutex<State>>; 2]> {
        // Its lock cannot be taken twice, and which bytes would come first?
        if Arc::ptr_eq(&self.state, &two.state) {
            return Err(failure("sha2", libc::EINVAL));
        }
        Ok([Arc::clone(&self.state), Arc::clone(&two.state)])
    }

    /// The digest of what was taken so far, in hexadecimal.
    #[napi]
    pub fn digest(&self) -> String {
        let state = locked(&self.state);
        state.digest().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// One `update` on its way through the pool.
pub struct HashStep {
    state: Arc<Mutex<State>>,
    data: Buffer,
}

impl Task for HashStep {
    type Output = ();
    type JsValue = ();

    fn compute(&mut self) -> napi::Result<()> {
        locked(&self.state).update(&self.data);
        Ok(())
    }

    fn resolve(&mut self, _env: Env, (): ()) -> napi::Result<()> {
        Ok(())
    }
}

/// One `update_two` on its way through the pool.
pub struct HashTwoSteps {
    states: [Arc<Mutex<State>>; 2],
    data: Buffer,
    other: Buffer,
}

impl Task for HashTwoSteps {
    type Output = ();
    type JsValue = ();

    fn compute(&mut self) -> napi::Result<()> {
        let [mut one, mut two] = self.states.each_ref().map(locked);
        update_two(&mut one, &self.data, &mut two, &self.other);
        Ok(())
    }

    fn resolve(&mut self, _env: Env, (): ()) -> napi::Result<()> {
        Ok(())
    }
}

/// A part of a file, from which pieces are taken.
struct FilePart {
    fd: i32,
    offset: i64,
    /// What is left.
    length: i64,
    /// Bytes that were read.
    done: i64,
    failure: Option<Error>,
}

impl FilePart {
    fn new(fd: i32, offset: i64, length: i64) -> Self {
        FilePart { fd, offset, length, done: 0, failure: None }
    }

    /// A piece of what is left: empty, with nothing left, at the end of the file and when it cannot be read.
    fn read<'a>(&mut self, piece: &'a mut [u8]) -> &'a [u8] {
        let want = piece.len().min(self.length.max(0) as usize);
        let at = self.offset + self.done;
        let read = retry("pread", || unsafe { libc::pread(self.fd, piece.as_mut_ptr().cast(), want, at) } as i64);
        let read = read.unwrap_or_else(|error| {
            self.failure = Some(error);
            0
        });
        self.done += read;
        self.length = if read == 0 { 0 } else { self.length - read };
        &piece[..read as usize]
    }

    /// Hashes all that is left.
    fn hash(&mut self, state: &mut State, piece: &mut [u8]) {
        while self.length > 0 {
            state.update(self.read(piece));
        }
    }
}

/// One `update_from_file` on its way through the pool.
pub struct HashFile {
    state: Arc<Mutex<State>>,
    file: FilePart,
}

impl Task for HashFile {
    type Output = i64;
    type JsValue = i64;

    fn compute(&mut self) -> napi::Result<i64> {
        self.file.hash(&mut locked(&self.state), ReadBuffer::new(PIECE).bytes());
        match self.file.failure.take() {
            None => Ok(self.file.done),
            Some(Error { reason, .. }) => Err(napi::Error::new(napi::Status::GenericFailure, reason)),
        }
    }

    fn resolve(&mut self, _env: Env, output: i64) -> napi::Result<i64> {
        Ok(output)
    }
}

/// What became of one of two files.
#[napi(object)]
pub struct HashedPart {
    pub bytes: i64,
    /// Empty when nothing failed.
    pub message: String,
}

/// One `update_two_from_files` on its way through the pool.
pub struct HashTwoFiles {
    states: [Arc<Mutex<State>>; 2],
    files: [FilePart; 2],
}

impl Task for HashTwoFiles {
    type Output = ();
    type JsValue = Vec<HashedPart>;

    fn compute(&mut self) -> napi::Result<()> {
        let [mut one, mut two] = self.states.each_ref().map(locked);
        let [file, other] = &mut self.files;
        let (mut piece, mut other_piece) = (ReadBuffer::new(PIECE), ReadBuffer::new(PIECE));
        let (piece, other_piece) = (piece.bytes(), other_piece.bytes());
        while file.length > 0 && other.length > 0 {
            update_two(&mut one, file.read(piece), &mut two, other.read(other_piece));
        }
        file.hash(&mut one, piece);
        other.hash(&mut two, other_piece);
        Ok(())
    }

    fn resolve(&mut self, _env: Env, (): ()) -> napi::Result<Vec<HashedPart>> {
        let told = |file: &mut FilePart| HashedPart {
            bytes: file.done,
            message: file.failure.take().map_or(String::new(), |error| error.reason),
        };
        Ok(self.files.iter_mut().map(told).collect())
    }
}

pub fn locked(state: &Arc<Mutex<State>>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
