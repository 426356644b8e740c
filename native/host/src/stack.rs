//! A stack of our own for the interpreter. The main stack's size follows RLIMIT_STACK, which a runtime lowers for its container
//! while it is still running, and beyond which the process would be killed instead of throwing an error.

use std::ptr;

/// Address space; memory is only used as deep as the program goes.
const SIZE: usize = 1 << 20;
/// What is below the interpreter's own limit, for the C and Rust functions that it calls last.
const RESERVE: usize = 256 << 10;
/// The interpreter throws "stack overflow" beyond this.
pub const INTERPRETER_LIMIT: usize = SIZE - RESERVE;
/// Never accessible: runs into SIGSEGV what would run into other memory.
const GUARD: usize = 64 << 10;

/// Calls `run` on a new stack, and comes back to this one with its answer.
pub fn on_own_stack<F: FnOnce() -> T, T>(run: F) -> T {
    let Some(top) = new_stack() else {
        // No memory for a stack: the one that we are on will have to do.
        return run();
    };
    let mut job = Job { run: Some(run), answer: None };
    // SAFETY: `top` is the end of a fresh, writable, 16-byte aligned mapping that is never unmapped (the program ends
    // soon after), and `job` lives until the call comes back.
    unsafe { switch(top, trampoline::<F, T>, (&raw mut job).cast()) };
    match job.answer {
        Some(answer) => answer,
        None => std::process::abort(),
    }
}

struct Job<F, T> {
    run: Option<F>,
    answer: Option<T>,
}

extern "C" fn trampoline<F: FnOnce() -> T, T>(job: *mut u8) {
    // SAFETY: `on_own_stack` passes its job, with these types.
    let job = unsafe { &mut *job.cast::<Job<F, T>>() };
    job.answer = job.run.take().map(|run| run());
}

fn new_stack() -> Option<*mut u8> {
    // SAFETY: a new private mapping; the guard is its lowest part, since the stack grows down.
    unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_STACK;
        let base = libc::mmap(ptr::null_mut(), GUARD + SIZE, libc::PROT_NONE, flags, -1, 0);
        if base == libc::MAP_FAILED {
            return None;
        }
        let usable = base.cast::<u8>().add(GUARD);
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        (libc::mprotect(usable.cast(), SIZE, protection) == 0).then(|| usable.add(SIZE))
    }
}

/// # Safety
/// `top` must be the 16-byte aligned end of writable memory that is large enough for `run`, which must not unwind.
#[cfg(target_arch = "x86_64")]
unsafe fn switch(top: *mut u8, run: extern "C" fn(*mut u8), argument: *mut u8) {
    // SAFETY: r12 is kept by the callee and declared as changed here, so the old stack pointer survives in it.
    unsafe {
        core::arch::asm!(
            "mov r12, rsp",
            "mov rsp, {top}",
            "call {run}",
            "mov rsp, r12",
            top = in(reg) top,
            run = in(reg) run,
            in("rdi") argument,
            out("r12") _,
            clobber_abi("C"),
        );
    }
}

/// # Safety
/// As above.
#[cfg(target_arch = "aarch64")]
unsafe fn switch(top: *mut u8, run: extern "C" fn(*mut u8), argument: *mut u8) {
    // SAFETY: x20 is kept by the callee and declared as changed here, so the old stack pointer survives in it.
    unsafe {
        core::arch::asm!(
            "mov x20, sp",
            "mov sp, {top}",
            "blr {run}",
            "mov sp, x20",
            top = in(reg) top,
            run = in(reg) run,
            in("x0") argument,
            out("x20") _,
            clobber_abi("C"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_own_stack_gives_the_answer_back() {
        let here = 7u8;
        let there = on_own_stack(|| {
            let there = 0u8;
            (&raw const there).addr()
        });
        assert!(there.abs_diff((&raw const here).addr()) > SIZE / 2);
        assert_eq!(on_own_stack(|| "answer".to_owned()), "answer");
    }
}
