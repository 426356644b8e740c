//! Many new files written from one flat plan, in the thread pool or on the caller's thread: most files of a layer are small,
//! and a call from JavaScript for each costs as much as the kernel's work. The plan says everything; nothing is decided here.

use std::ffi::{CStr, CString};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use napi::bindgen_prelude::{AsyncTask, Buffer, Float64Array};
use napi::{Env, Task};
use napi_derive::napi;

use crate::data::fill;
use crate::error::{Result, check, failure, retry};
use crate::hash::{Hasher, State as Digest};

/// Numbers in the plan for each record: dirfd, flags, mode, uid, gid, seconds, nanoseconds, and offset and length of name and data.
pub const FIELDS: usize = 11;
/// The record makes the file; without it the data is appended to the one that the record before left open.
pub const BEGIN: u32 = 1;
/// The record is the file's last: owner, mode and time are set, and it is closed.
pub const END: u32 = 2;
/// The name is in the data instead of the names: an archive has both.
pub const NAME_IN_DATA: u32 = 4;

/// How far a plan was carried out.
#[napi(object, object_from_js = false)]
#[derive(Clone, Default)]
pub struct Written {
    /// Records that were carried out; fewer than there are when one failed.
    pub done: u32,
    /// Of the record that failed: the errno's name and "call: what went wrong". Empty when none did.
    pub code: String,
    pub message: String,
}

#[derive(Default)]
struct State {
    /// The file that the last record left open.
    open: Option<OpenFile>,
    /// A plan is in the pool, begun or not.
    under_way: bool,
    written: Written,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    idle: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn when_idle(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        while state.under_way {
            state = self.idle.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state
    }
}

/// Writes files by plan, one plan at a time, and keeps the last file open between plans when it is not whole.
#[napi]
#[derive(Default)]
pub struct FileWriter {
    shared: Arc<Shared>,
}

#[napi]
impl FileWriter {
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Carries out `count` records in the pool. The arrays, and the descriptors in the plan, are the
    /// pool's until the promise is settled or `wait` has returned. It stops at the first record that fails.
    /// With a hasher it takes `hashed` first: the bytes that were just unpacked are in the processor's cache only once.
    #[napi]
    pub fn start(
        &self,
        plan: Float64Array,
        names: Buffer,
        data: Buffer,
        count: u32,
        hasher: Option<&Hasher>,
        hashed: Option<Buffer>,
    ) -> Result<AsyncTask<WriteFiles>> {
        let mut state = self.shared.lock();
        if state.under_way {
            return Err(failure("write files", libc::EBUSY));
        }
        state.under_way = true;
        let shared = Arc::clone(&self.shared);
        let hash = hasher.map(Hasher::shared).zip(hashed);
        Ok(AsyncTask::new(WriteFiles { shared, plan, names, data, count, hash }))
    }

    /// Waits on this thread for what is in the pool, and says how far that came.
    #[napi]
    pub fn wait(&self) -> Written {
        self.shared.when_idle().written.clone()
    }

    /// As `start`, on this thread, when what is in the pool is done.
    #[napi]
    pub fn run(&self, plan: &[f64], names: &[u8], data: &[u8], count: u32) -> Written {
        let mut state = self.shared.when_idle();
        let records = Records { plan, names, data };
        carry_out(&mut state, &records, count)
    }

    /// Waits, and closes the file that was left open.
    #[napi]
    pub fn close(&self) {
        self.shared.when_idle().open = None;
    }
}

/// One plan on its way through the pool.
pub struct WriteFiles {
    shared: Arc<Shared>,
    plan: Float64Array,
    names: Buffer,
    data: Buffer,
    count: u32,
    hash: Option<(Arc<Mutex<Digest>>, Buffer)>,
}

impl Task for WriteFiles {
    type Output = Written;
    type JsValue = Written;

    fn compute(&mut self) -> napi::Result<Written> {
        let mut state = self.shared.lock();
        if let Some((digest, bytes)) = &self.hash {
            digest.lock().unwrap_or_else(PoisonError::into_inner).update(bytes);
        }
        let records = Records { plan: &self.plan, names: &self.names, data: &self.data };
        let written = carry_out(&mut state, &records, self.count);
        state.under_way = false;
        self.shared.idle.notify_all();
        Ok(written)
    }

    fn resolve(&mut self, _env: Env, output: Written) -> napi::Result<Written> {
        Ok(output)
    }
}

struct Records<'a> {
    plan: &'a [f64],
    names: &'a [u8],
    data: &'a [u8],
}

/// One record, its numbers taken as what they are.
struct Record<'a> {
    dirfd: i32,
    flags: u32,
    attributes: Attributes,
    name: &'a [u8],
    data: &'a [u8],
}

struct Attributes {
    mode: u32,
    uid: u32,
    gid: u32,
    time: libc::timespec,
}

impl<'a> Records<'a> {
    /// None when the plan points outside of its arrays.
    fn get(&self, index: u32) -> Option<Record<'a>> {
        let start = index as usize * FIELDS;
        let [dirfd, flags, mode, uid, gid, seconds, rest, name_at, name_length, data_at, data_length] =
            *self.plan.get(start..start + FIELDS)?.first_chunk::<FIELDS>()?;
        Some(Record {
            dirfd: dirfd as i32,
            flags: flags as u32,
            attributes: Attributes {
                mode: mode as u32,
                uid: uid as u32,
                gid: gid as u32,
                time: libc::timespec { tv_sec: seconds as i64, tv_nsec: rest as i64 },
            },
            name: piece(if flags as u32 & NAME_IN_DATA == 0 { self.names } else { self.data }, name_at, name_length)?,
            data: piece(self.data, data_at, data_length)?,
        })
    }
}

fn piece(all: &[u8], at: f64, length: f64) -> Option<&[u8]> {
    let at = at as usize;
    all.get(at..at.checked_add(length as usize)?)
}

fn carry_out(state: &mut State, records: &Records<'_>, count: u32) -> Written {
    let mut written = Written::default();
    for index in 0..count {
        let result = match records.get(index) {
            Some(record) => record.write(&mut state.open),
            None => Err(failure("write files", libc::EINVAL)),
        };
        if let Err(error) = result {
            written.code = error.status.0.to_owned();
            written.message = error.reason.to_string();
            break;
        }
        written.done += 1;
    }
    state.written = written.clone();
    written
}

impl Record<'_> {
    fn write(&self, open: &mut Option<OpenFile>) -> Result<()> {
        if self.flags & BEGIN != 0 {
            *open = None;
            *open = Some(OpenFile::create(self.dirfd, self.name, self.attributes.mode)?);
        }
        let file = open.as_ref().ok_or_else(|| failure("write", libc::EBADF))?;
        fill(file.fd, self.data)?;
        if self.flags & END == 0 {
            return Ok(());
        }
        self.attributes.set(file.fd)?;
        open.take().map_or(Ok(()), OpenFile::close)
    }
}

/// A descriptor with an owner.
struct OpenFile {
    fd: i32,
}

impl OpenFile {
    /// A new file (O_EXCL, so a symlink is never followed), one component below `dirfd`.
    fn create(dirfd: i32, name: &[u8], mode: u32) -> Result<Self> {
        // A single component is all that a plan has; a path would be walked through symlinks.
        if name.contains(&b'/') {
            return Err(failure("openat", libc::EINVAL));
        }
        let name = CString::new(name).map_err(|_| failure("openat", libc::EINVAL))?;
        let fd = open_new(dirfd, &name, first_mode(mode))?;
        Ok(OpenFile { fd })
    }

    fn close(self) -> Result<()> {
        let fd = self.fd;
        std::mem::forget(self);
        check("close", unsafe { libc::close(fd) })?;
        Ok(())
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        unsafe { libc::close(self.fd) };
    }
}

fn open_new(dirfd: i32, name: &CStr, mode: u32) -> Result<i32> {
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_CLOEXEC | libc::O_NOFOLLOW;
    retry("openat", || unsafe { libc::openat(dirfd, name.as_ptr(), flags, mode) })
}

/// The mode to make a file with. The final one where that gives the group, whichever it is until the owner is set, no more than
/// everybody: most files then need no fchmod, which costs as much as making them. Else nobody else's.
fn first_mode(mode: u32) -> u32 {
    let (group, other) = ((mode >> 3) & 7, mode & 7);
    if mode & 0o7000 == 0 && group & !other == 0 { mode } else { 0o600 }
}

impl Attributes {
    /// Owner before mode: chown clears the setuid and setgid bits. What is right already is left alone: a look costs less.
    fn set(&self, fd: i32) -> Result<()> {
        let mut found = std::mem::MaybeUninit::<libc::stat>::uninit();
        check("fstat", unsafe { libc::fstat(fd, found.as_mut_ptr()) })?;
        let found = unsafe { found.assume_init() };
        if found.st_uid != self.uid || found.st_gid != self.gid {
            check("fchown", unsafe { libc::fchown(fd, self.uid, self.gid) })?;
        }
        if found.st_mode & 0o7777 != self.mode {
            check("fchmod", unsafe { libc::fchmod(fd, self.mode) })?;
        }
        check("futimens", unsafe { libc::futimens(fd, [self.time, self.time].as_ptr()) })?;
        Ok(())
    }
}
