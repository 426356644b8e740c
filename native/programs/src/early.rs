//! The first instructions of the process, before the C library's: runs the program again from an image that nobody can write when its
//! command wants that (CVE-2019-5736; the reason and the second-best way are in `teu_sys::image`). The C library's own start asks the
//! processor for its caches with instructions that a virtual machine must emulate, a quarter of a millisecond; done here, that is
//! paid once and not twice.
//!
//! Nothing is relocated yet and there is no thread-local storage, hence the rules of this file: no calls but the system's, no
//! pointers in constants, and reads that the compiler cannot turn into a call of memcmp or strlen. Whatever does not work is left
//! to `main`, which tries again with all means and reports errors.

use core::sync::atomic::{AtomicBool, AtomicI32, Ordering};

static SEALED: AtomicBool = AtomicBool::new(false);
static IMAGE: AtomicI32 = AtomicI32::new(-1);

/// Have the first instructions already found that nobody can write to this process's image?
pub fn is_sealed() -> bool {
    SEALED.load(Ordering::Relaxed)
}

/// The image's descriptor, when the first instructions have opened it; the first caller closes it.
pub fn take_image() -> Option<i32> {
    let fd = IMAGE.swap(-1, Ordering::Relaxed);
    (fd >= 0).then_some(fd)
}

#[cfg(target_arch = "x86_64")]
mod entry {
    use super::{IMAGE, Ordering, SEALED};
    use crate::index;

    // The kernel passes argc, argv and the environment on the stack, and rdx must reach the C library as it is.
    core::arch::global_asm!(
        ".globl teu_entry",
        ".type teu_entry, @function",
        "teu_entry:",
        "mov rdi, rsp",
        "push rdx",
        "sub rsp, 8",
        "call {early}",
        "add rsp, 8",
        "pop rdx",
        "jmp _start",
        early = sym early,
    );

    const RDONLY_CLOEXEC: usize = libc::O_CLOEXEC as usize;
    const ST_RDONLY: u64 = 1;
    const F_GET_SEALS: usize = 1034;
    const ALL_SEALS: isize = 1 | 2 | 4 | 8;
    const OPEN_TREE_CLONE: usize = 1;
    const AT_EMPTY_PATH: usize = libc::AT_EMPTY_PATH as usize;
    /// MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID.
    const READ_ONLY: u64 = 1 | 2;

    /// struct statfs, of which only the flags matter.
    #[repr(C)]
    struct FileSystem {
        before: [u64; 10],
        flags: u64,
        spare: [u64; 4],
    }

    unsafe extern "C" fn early(stack: *const usize) {
        // SAFETY: the kernel puts argc, then argv with its NULL, then the environment with its NULL there.
        unsafe {
            let argc = stack.read();
            let argv = stack.add(1).cast::<*const u8>();
            if argc < 2 {
                return;
            }
            let Some(program) = index::find(index::base_name(argv.read())) else { return };
            if !program.wants_seal(argc, argv) {
                return;
            }
            let image = call(libc::SYS_open, [c"/proc/self/exe".as_ptr() as usize, RDONLY_CLOEXEC, 0, 0, 0]);
            if image < 0 {
                return;
            }
            if is_sealed(image) {
                SEALED.store(true, Ordering::Relaxed);
            } else {
                run_sealed(image, argv, argv.add(argc + 1));
            }
            IMAGE.store(image as i32, Ordering::Relaxed);
        }
    }

    /// Comes back only when it cannot be done in this way.
    ///
    /// # Safety
    /// `argv` and `env` must be NULL-terminated arrays of C strings.
    unsafe fn run_sealed(image: isize, argv: *const *const u8, env: *const *const u8) {
        let empty = c"".as_ptr() as usize;
        let attributes = [READ_ONLY, 0, 0, 0u64];
        // SAFETY: all pointers are to live memory of the size that the calls expect.
        unsafe {
            let flags = OPEN_TREE_CLONE | RDONLY_CLOEXEC | AT_EMPTY_PATH;
            let tree = call(libc::SYS_open_tree, [image as usize, empty, flags, 0, 0]);
            if tree < 0 {
                return;
            }
            let place = (&raw const attributes) as usize;
            let size = size_of_val(&attributes);
            let changed = call(libc::SYS_mount_setattr, [tree as usize, empty, AT_EMPTY_PATH, place, size]);
            if changed == 0 && is_sealed(tree) {
                call(libc::SYS_execveat, [tree as usize, empty, argv as usize, env as usize, AT_EMPTY_PATH]);
            }
            call(libc::SYS_close, [tree as usize, 0, 0, 0, 0]);
        }
    }

    /// Is it on a read-only mount, or a sealed memfd?
    ///
    /// # Safety
    /// None of its own: it makes system calls.
    unsafe fn is_sealed(fd: isize) -> bool {
        let mut found = FileSystem { before: [0; 10], flags: 0, spare: [0; 4] };
        // SAFETY: the struct has the size of the kernel's.
        unsafe {
            if call(libc::SYS_fstatfs, [fd as usize, (&raw mut found) as usize, 0, 0, 0]) != 0 {
                return false;
            }
            let _ = (&raw const found.before, &raw const found.spare);
            if (&raw const found.flags).read_volatile() & ST_RDONLY != 0 {
                return true;
            }
            let seals = call(libc::SYS_fcntl, [fd as usize, F_GET_SEALS, 0, 0, 0]);
            seals > 0 && seals & ALL_SEALS == ALL_SEALS
        }
    }

    /// # Safety
    /// As for the system call.
    unsafe fn call(number: i64, arguments: [usize; 5]) -> isize {
        let answer: isize;
        // SAFETY: as the caller says; the kernel changes rcx and r11 and what the arguments point to.
        unsafe {
            core::arch::asm!(
                "syscall",
                inlateout("rax") number as isize => answer,
                in("rdi") arguments[0],
                in("rsi") arguments[1],
                in("rdx") arguments[2],
                in("r10") arguments[3],
                in("r8") arguments[4],
                lateout("rcx") _,
                lateout("r11") _,
                options(nostack),
            );
        }
        answer
    }
}
