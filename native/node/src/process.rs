//! posix_spawn, waitpid, _exit. node:child_process forks, which copies the page tables of the whole Node process (3 ms), and loads
//! node:net first (another 4); process.exit tears V8 down (4).

use std::ffi::CString;
use std::mem::MaybeUninit;
use std::ptr;

use napi_derive::napi;

use crate::error::{Result, check, failure, retry};

/// A program that was started; the caller closes `pipes` and collects `pid` with `waitpid`.
#[napi(object)]
pub struct Spawned {
    pub pid: i32,
    /// Read ends, close-on-exec, in the order of the child's descriptors 2, 3, ...
    pub pipes: Vec<i32>,
}

/// posix_spawn(3): `program` with `arguments` (with argv[0]) and `environment` ("NAME=value"), in a session of its own, in `/`,
/// no signal blocked or ignored; stdin and stdout are /dev/null, `pipes` descriptors from 2 on are pipes to the caller.
/// Every other descriptor of this process must be close-on-exec, as Node's and ours are. A program that cannot be executed is an error here.
#[napi]
pub fn spawn_detached(
    program: String,
    arguments: Vec<String>,
    environment: Vec<String>,
    pipes: u32,
) -> Result<Spawned> {
    let program = c_string(program)?;
    let arguments = CStrings::new(arguments)?;
    let environment = CStrings::new(environment)?;
    let pipes = (0..pipes).map(|_| Pipe::new()).collect::<Result<Vec<_>>>()?;
    let plan = Plan::new(&pipes)?;
    let mut pid = 0;
    check_code(unsafe {
        libc::posix_spawn(
            &mut pid,
            program.as_ptr(),
            &plan.actions,
            &plan.attributes,
            arguments.as_ptr(),
            environment.as_ptr(),
        )
    })?;
    Ok(Spawned { pid, pipes: pipes.into_iter().map(Pipe::keep_reader).collect() })
}

/// waitpid(2) for a child of this process: whether it had ended and is collected now. Does not wait (WNOHANG).
#[napi]
pub fn try_waitpid(pid: i32) -> Result<bool> {
    let collected = retry("waitpid", || unsafe { libc::waitpid(pid, ptr::null_mut(), libc::WNOHANG) })?;
    Ok(collected == pid)
}

/// _exit(2): this process ends at once, without handlers of any kind. What must be written has been written.
#[napi]
pub fn exit_now(code: i32) {
    unsafe { libc::_exit(code) }
}

struct Pipe {
    reader: i32,
    writer: i32,
}

impl Pipe {
    fn new() -> Result<Self> {
        let mut ends = [0; 2];
        check("pipe2", unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
        Ok(Self { reader: ends[0], writer: ends[1] })
    }

    fn keep_reader(mut self) -> i32 {
        std::mem::replace(&mut self.reader, -1)
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        for fd in [self.reader, self.writer] {
            if fd >= 0 {
                unsafe { libc::close(fd) };
            }
        }
    }
}

/// What happens between fork and exec.
struct Plan {
    actions: libc::posix_spawn_file_actions_t,
    attributes: libc::posix_spawnattr_t,
}

impl Plan {
    fn new(pipes: &[Pipe]) -> Result<Self> {
        let mut actions = MaybeUninit::uninit();
        let mut attributes = MaybeUninit::uninit();
        let mut plan = unsafe {
            check_code(libc::posix_spawn_file_actions_init(actions.as_mut_ptr()))?;
            check_code(libc::posix_spawnattr_init(attributes.as_mut_ptr()))?;
            Self { actions: actions.assume_init(), attributes: attributes.assume_init() }
        };
        plan.fill(pipes)?;
        Ok(plan)
    }

    fn fill(&mut self, pipes: &[Pipe]) -> Result<()> {
        let (actions, attributes) = (&mut self.actions, &mut self.attributes);
        unsafe {
            let null = c"/dev/null".as_ptr();
            check_code(libc::posix_spawn_file_actions_addopen(actions, 0, null, libc::O_RDONLY, 0))?;
            check_code(libc::posix_spawn_file_actions_addopen(actions, 1, null, libc::O_WRONLY, 0))?;
            // A pipe's number is never below its target: 0, 1 and 2 are open in every Node process, and each pipe took two numbers.
            for (index, pipe) in pipes.iter().enumerate() {
                let target = 2 + index as i32;
                check_code(libc::posix_spawn_file_actions_adddup2(actions, pipe.writer, target))?;
            }
            check_code(libc::posix_spawn_file_actions_addchdir_np(actions, c"/".as_ptr()))?;
            // Every bit, which sigfillset does not set: glibc else makes the child ignore its two internal signals.
            let mut signals = MaybeUninit::uninit();
            ptr::write_bytes(signals.as_mut_ptr(), 0xff, 1);
            check_code(libc::posix_spawnattr_setsigdefault(attributes, signals.as_ptr()))?;
            libc::sigemptyset(signals.as_mut_ptr());
            check_code(libc::posix_spawnattr_setsigmask(attributes, signals.as_ptr()))?;
            let signals_too = libc::POSIX_SPAWN_SETSIGDEF | libc::POSIX_SPAWN_SETSIGMASK;
            let flags = signals_too as libc::c_short | libc::POSIX_SPAWN_SETSID;
            check_code(libc::posix_spawnattr_setflags(attributes, flags))
        }
    }
}

impl Drop for Plan {
    fn drop(&mut self) {
        unsafe {
            libc::posix_spawn_file_actions_destroy(&mut self.actions);
            libc::posix_spawnattr_destroy(&mut self.attributes);
        }
    }
}

/// Strings and the array of pointers to them that exec wants, with its null at the end.
struct CStrings {
    _strings: Vec<CString>,
    pointers: Vec<*mut libc::c_char>,
}

impl CStrings {
    fn new(texts: Vec<String>) -> Result<Self> {
        let strings = texts.into_iter().map(c_string).collect::<Result<Vec<_>>>()?;
        let mut pointers: Vec<_> = strings.iter().map(|text| text.as_ptr().cast_mut()).collect();
        pointers.push(ptr::null_mut());
        Ok(Self { _strings: strings, pointers })
    }

    fn as_ptr(&self) -> *const *mut libc::c_char {
        self.pointers.as_ptr()
    }
}

fn c_string(text: String) -> Result<CString> {
    CString::new(text).map_err(|_| failure("posix_spawn", libc::EINVAL))
}

/// The posix_spawn family returns the errno.
fn check_code(errno: i32) -> Result<()> {
    if errno == 0 { Ok(()) } else { Err(failure("posix_spawn", errno)) }
}
