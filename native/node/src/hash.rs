//! SHA-256 and SHA-512, a chunk per call, in the thread pool or on the caller's thread. node:crypto can do the latter only, and takes
//! ten milliseconds to load.

use std::sync::{Arc, Mutex, PoisonError};

use napi::bindgen_prelude::{AsyncTask, Buffer};
use napi::{Env, Task};
use napi_derive::napi;
use sha2::{Digest, Sha256, Sha512};

use crate::error::{Result, failure, retry};

/// Read at once from a file: stays in the processor's cache between the copy and the hash.
const PIECE: usize = 256 << 10;

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
            State::Sha256(state) => state.clone().finalize().to_vec(),
            State::Sha512(state) => state.clone().finalize().to_vec(),
        }
    }
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
        self.state.lock().unwrap_or_else(PoisonError::into_inner).update(data);
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
        AsyncTask::new(HashFile { state: Arc::clone(&self.state), fd, offset, length })
    }

    /// The digest of what was taken so far, in hexadecimal.
    #[napi]
    pub fn digest(&self) -> String {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
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
        self.state.lock().unwrap_or_else(PoisonError::into_inner).update(&self.data);
        Ok(())
    }

    fn resolve(&mut self, _env: Env, (): ()) -> napi::Result<()> {
        Ok(())
    }
}

/// One `update_from_file` on its way through the pool.
pub struct HashFile {
    state: Arc<Mutex<State>>,
    fd: i32,
    offset: i64,
    length: i64,
}

impl HashFile {
    fn hash(&self) -> Result<i64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut piece = vec![0u8; PIECE.min(self.length.max(0) as usize)];
        let mut done = 0;
        while done < self.length {
            let want = piece.len().min((self.length - done) as usize);
            let at = self.offset + done;
            let read = retry("pread", || unsafe {
                libc::pread(self.fd, piece.as_mut_ptr().cast(), want, at)
            } as i64)?;
            if read == 0 {
                break;
            }
            state.update(&piece[..read as usize]);
            done += read;
        }
        Ok(done)
    }
}

impl Task for HashFile {
    type Output = i64;
    type JsValue = i64;

    fn compute(&mut self) -> napi::Result<i64> {
        self.hash().map_err(|error| napi::Error::new(napi::Status::GenericFailure, error.reason.to_string()))
    }

    fn resolve(&mut self, _env: Env, output: i64) -> napi::Result<i64> {
        Ok(output)
    }
}
