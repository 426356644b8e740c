//! Starting another program, vfork-like: the child borrows our memory until execve, so that nothing is copied, and tells
//! execve's errno through that memory. Everything is prepared before; between clone and execve only system calls are made.

use crate::exec::StringArray;
use crate::raw::check;
use crate::signal::{self, Mask};
use crate::{Errno, Result};
use std::cell::UnsafeCell;
use std::ffi::CString;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// What is started, and how.
pub struct Spawn {
    /// Program, taken as it stands (no PATH).
    pub path: CString,
    /// All arguments, the name included.
    pub argv: Vec<CString>,
    /// The whole environment.
    pub env: Vec<CString>,
    /// Working directory, when not ours.
    pub directory: Option<CString>,
    /// `fds[i]` becomes descriptor i; -1 leaves it closed. All others are closed.
    pub fds: Vec<RawFd>,
    /// PR_SET_PDEATHSIG; 0: none.
    pub death_signal: i32,
    /// setsid(2) in the child.
    pub new_session: bool,
}

/// Why the child could not become the program.
pub struct Failure {
    /// The call that failed.
    pub call: &'static str,
    /// Its errno.
    pub errno: Errno,
}

/// What the child needs, all of it made before it exists.
struct Plan<'a> {
    spawn: &'a Spawn,
    argv: StringArray<'a>,
    env: StringArray<'a>,
    /// Where each descriptor is parked, above all targets, before it moves to its place.
    parking: UnsafeCell<Vec<RawFd>>,
    parent: i32,
    mask_to_have: Mask,
    failure: UnsafeCell<Option<Failure>>,
}

/// Starts the program with default dispositions and an empty signal mask. The child's pid and a close-on-exec pidfd.
pub fn spawn(spawn: &Spawn) -> core::result::Result<(i32, OwnedFd), Failure> {
    let plan = Plan {
        argv: StringArray::new(&spawn.argv),
        env: StringArray::new(&spawn.env),
        parking: UnsafeCell::new(vec![-1; spawn.fds.len()]),
        parent: crate::process::id(),
        mask_to_have: 0,
        failure: UnsafeCell::new(None),
        spawn,
    };
    // No signal handler of ours may run in the child while it uses our memory, so all are blocked around the clone.
    let old =
        signal::change_mask(libc::SIG_SETMASK, Mask::MAX).map_err(|errno| Failure { call: "rt_sigprocmask", errno })?;
    let cloned = clone_vfork(&plan);
    let restored = signal::change_mask(libc::SIG_SETMASK, old);
    let (pid, pidfd) = cloned.map_err(|errno| Failure { call: "clone3", errno })?;
    // SAFETY: the child has gone from our memory (it became the program or ended) before the clone returned here.
    if let Some(failure) = unsafe { (*plan.failure.get()).take() } {
        // Nobody else may reap it: it is ours and already dead.
        let _ = crate::process::wait(pid, 0);
        return Err(failure);
    }
    restored.map_err(|errno| Failure { call: "rt_sigprocmask", errno })?;
    Ok((pid, pidfd))
}

/// Room for the child: it makes few, shallow calls.
const STACK: usize = 64 << 10;

fn clone_vfork(plan: &Plan) -> Result<(i32, OwnedFd)> {
    let mut stack = vec![core::mem::MaybeUninit::<u128>::uninit(); STACK / size_of::<u128>()];
    let mut pidfd: RawFd = -1;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    // SAFETY: the child runs `child_main` on a stack of its own while we are suspended (CLONE_VFORK) and ends in execve or
    // _exit. The plan outlives it. glibc's clone() only sets up the stack and calls the kernel.
    let pid = unsafe {
        let top = stack.as_mut_ptr().add(stack.len()).cast::<libc::c_void>();
        check(libc::clone(child_main, top, flags, std::ptr::from_ref(plan).cast_mut().cast(), &raw mut pidfd))?
    };
    // SAFETY: the kernel has just made it for us (CLONE_PIDFD without a flag argument: close-on-exec).
    Ok((pid as i32, unsafe { OwnedFd::from_raw_fd(pidfd) }))
}

extern "C" fn child_main(argument: *mut libc::c_void) -> libc::c_int {
    // SAFETY: clone_vfork passes its plan, which lives until we are gone.
    let plan = unsafe { &*argument.cast::<Plan>() };
    let failure = become_program(plan);
    // SAFETY: the parent is suspended, so nobody looks at the cell now.
    unsafe { *plan.failure.get() = Some(failure) };
    crate::process::exit(127)
}

/// Comes back only with what failed.
fn become_program(plan: &Plan) -> Failure {
    match prepare(plan) {
        Err(failure) => failure,
        Ok(()) => {
            // SAFETY: path and arrays are terminated and live in the suspended parent.
            let answer =
                check(unsafe { libc::execve(plan.spawn.path.as_ptr(), plan.argv.as_ptr(), plan.env.as_ptr()) });
            Failure { call: "execve", errno: answer.err().unwrap_or(Errno::IO) }
        }
    }
}

fn prepare(plan: &Plan) -> core::result::Result<(), Failure> {
    let on = |call| move |errno| Failure { call, errno };
    let spawn = plan.spawn;
    if spawn.new_session {
        crate::process::new_session().map_err(on("setsid"))?;
    }
    if spawn.death_signal != 0 {
        // SAFETY: no memory is involved.
        check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, spawn.death_signal) }).map_err(on("prctl"))?;
        // The parent may have died before the signal was set; then nobody would ever send it. 0: the parent is not visible
        // from the child's pid namespace (unshare(CLONE_NEWPID) before this call), which says nothing.
        let parent = crate::process::parent_id();
        if parent != 0 && parent != plan.parent {
            return Err(Failure { call: "prctl", errno: Errno::SRCH });
        }
    }
    if let Some(directory) = &spawn.directory {
        crate::process::change_directory(directory).map_err(on("chdir"))?;
    }
    place_descriptors(plan).map_err(on("dup3"))?;
    signal::reset_all().map_err(on("rt_sigaction"))?;
    signal::change_mask(libc::SIG_SETMASK, plan.mask_to_have).map_err(on("rt_sigprocmask"))?;
    Ok(())
}

/// Gives each descriptor its number. All are first copied above the highest target: so no move can overwrite a source that
/// is still needed, whatever the permutation. The child has its own descriptor table (no CLONE_FILES).
fn place_descriptors(plan: &Plan) -> Result<()> {
    let count = plan.spawn.fds.len();
    // SAFETY: the parent is suspended; only the child touches the cell, and the length is fixed, so nothing allocates.
    let parking = unsafe { &mut *plan.parking.get() };
    for (place, &fd) in parking.iter_mut().zip(&plan.spawn.fds) {
        if fd >= 0 {
            // SAFETY: no memory is involved.
            *place = check(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, count as i32) })? as RawFd;
        }
    }
    for (target, &from) in parking.iter().enumerate() {
        // SAFETY: no memory is involved; the descriptor table is the child's own.
        unsafe {
            if from >= 0 {
                check(libc::dup3(from, target as i32, 0))?;
            } else {
                libc::close(target as i32);
            }
        }
    }
    crate::file::close_range(count as u32, u32::MAX, 0)
}
