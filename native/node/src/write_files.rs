//! Many new files written from one flat plan, in the thread pool or on the caller's thread: most files of a layer are small,
//! and a call from JavaScript for each costs as much as the kernel's work. The plan says everything; nothing is decided here.
//! A second thread of the pool that has nothing else to do helps with a plan (shared_plan.rs).

use std::ffi::{CStr, CString};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use napi::bindgen_prelude::{AsyncTask, Buffer, Float64Array};
use napi::{Env, Task};
use napi_derive::napi;

use crate::data::fill;
use crate::error::{Result, check, failure, retry};
use crate::hash::Hasher;
use crate::shared_plan::{Failure, Hashed, SharedPlan};

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
    /// The plan that is in the pool, begun or not.
    under_way: Option<Arc<SharedPlan>>,
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
        while state.under_way.is_some() {
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
    /// pool's until the promise is settled or `wait` has returned. Nothing is begun once a record has failed; with help, some of those
    /// behind it may be done by then.
    /// With a hasher it takes `hashed` as well: the bytes that were just unpacked are in the processor's cache only once. Beside them, with a
    /// second hasher, another one's `also_hashed`.
    #[napi]
    pub fn start(
        &self,
        plan: Float64Array,
        names: Buffer,
        data: Buffer,
        count: u32,
        hasher: Option<&Hasher>,
        hashed: Option<Buffer>,
        second: Option<&Hasher>,
        also_hashed: Option<Buffer>,
    ) -> Result<AsyncTask<WriteFiles>> {
        let mut state = self.shared.lock();
        if state.under_way.is_some() {
            return Err(failure("write files", libc::EBUSY));
        }
        let hash = [hasher.map(Hasher::shared).zip(hashed), second.map(Hasher::shared).zip(also_hashed)];
        if let [Some((one, _)), Some((two, _))] = &hash
            && Arc::ptr_eq(one, two)
        {
            // Its lock cannot be taken twice.
            return Err(failure("write files", libc::EINVAL));
        }
        let hashed = hash.iter().flatten();
        let hashed = hashed.map(|(digest, bytes)| Hashed { digest: Arc::clone(digest), bytes: &bytes[..] }).collect();
        // The task has the arrays for as long as the plan is open.
        let shared_plan = Arc::new(unsafe { SharedPlan::new(&plan, &names, &data, count, hashed) });
        state.under_way = Some(Arc::clone(&shared_plan));
        let shared = Arc::clone(&self.shared);
        Ok(AsyncTask::new(WriteFiles {
            shared,
            shared_plan,
            _plan: plan,
            _bytes: (names, data, hash.map(|one| one.map(|(_, bytes)| bytes))),
        }))
    }

    /// Helps with what `start` has begun, in another thread of the pool, as soon as one is free; nothing is left for it by then, mostly.
    #[napi]
    pub fn help(&self) -> AsyncTask<Help> {
        AsyncTask::new(Help { shared_plan: self.shared.lock().under_way.clone() })
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
        let shared_plan = unsafe { SharedPlan::new(plan, names, data, count, Vec::new()) };
        carry_out(&mut state, &shared_plan)
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
    shared_plan: Arc<SharedPlan>,
    /// What the plan points into.
    _plan: Float64Array,
    _bytes: (Buffer, Buffer, [Option<Buffer>; 2]),
}

impl Task for WriteFiles {
    type Output = Written;
    type JsValue = Written;

    fn compute(&mut self) -> napi::Result<Written> {
        let mut state = self.shared.lock();
        let written = carry_out(&mut state, &self.shared_plan);
        state.under_way = None;
        self.shared.idle.notify_all();
        Ok(written)
    }

    fn resolve(&mut self, _env: Env, output: Written) -> napi::Result<Written> {
        Ok(output)
    }
}

/// Help on its way through the pool.
pub struct Help {
    shared_plan: Option<Arc<SharedPlan>>,
}

impl Task for Help {
    type Output = ();
    type JsValue = ();

    fn compute(&mut self) -> napi::Result<()> {
        if let Some(plan) = &self.shared_plan {
            plan.help();
        }
        Ok(())
    }

    fn resolve(&mut self, _env: Env, (): ()) -> napi::Result<()> {
        Ok(())
    }
}

fn carry_out(state: &mut State, plan: &SharedPlan) -> Written {
    let written = match plan.carry_out(&mut state.open) {
        Ok(done) => Written { done, ..Written::default() },
        Err(Failure { index, error }) => {
            Written { done: index, code: error.status.0.to_owned(), message: error.reason.to_string() }
        }
    };
    state.written = written.clone();
    written
}

/// One record, its numbers taken as what they are.
pub struct Record<'a> {
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

/// The arrays of a plan.
#[derive(Clone, Copy)]
pub struct Records<'a> {
    pub plan: &'a [f64],
    pub names: &'a [u8],
    pub data: &'a [u8],
}

impl<'a> Records<'a> {
    /// The flags of a record; none for one outside of the plan.
    pub fn flags(&self, index: u32) -> u32 {
        self.plan.get(index as usize * FIELDS + 1).map_or(0, |flags| *flags as u32)
    }

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

    /// Carries out a record; `open` is the file that the one before it has left open.
    pub fn write(&self, index: u32, open: &mut Option<OpenFile>) -> Result<()> {
        self.get(index).ok_or_else(|| failure("write files", libc::EINVAL))?.write(open)
    }
}

fn piece(all: &[u8], at: f64, length: f64) -> Option<&[u8]> {
    let at = at as usize;
    all.get(at..at.checked_add(length as usize)?)
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
pub struct OpenFile {
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
