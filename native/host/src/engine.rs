//! Running, compiling and freezing programs: one interpreter, one program, once.
//!
//! A program is a module that exports `main`. Its body only prepares: it is run when the program is built, and the heap that comes out
//! is kept (`freeze`). A start maps that heap and calls `main`; it parses, loads and evaluates nothing.

use crate::EXIT_UNCAUGHT;
use crate::container::Container;
use crate::export;
use crate::report;
use crate::stack;
use rquickjs::allocator::Allocator;
use rquickjs::context::intrinsic;
use rquickjs::module::Evaluated;
use rquickjs::{CatchResultExt, Context, Ctx, Error, Function, Module, Runtime, Value, qjs};
use std::ffi::CStr;
use teu_sys::heap::Heap;

/// Short programs never reach it, so they never collect; the shim, which lives long, stays small enough with it.
const GC_THRESHOLD: usize = 8 << 20;

/// What is in the language for programs: all of ECMAScript but `eval`, which they never need and hostile input never gets.
type Intrinsics = (
    intrinsic::Date,
    intrinsic::RegExpCompiler,
    intrinsic::RegExp,
    intrinsic::Json,
    intrinsic::Proxy,
    intrinsic::MapSet,
    intrinsic::TypedArrays,
    intrinsic::Promise,
    intrinsic::WeakRef,
);

/// The same with the compiler.
type CompilerIntrinsics = (Intrinsics, intrinsic::Eval);

/// Version of QuickJS: "0.16.2".
pub fn version() -> &'static str {
    // SAFETY: a constant C string of the library.
    unsafe { CStr::from_ptr(qjs::JS_GetVersion()) }.to_str().unwrap_or_default()
}

/// Runs a compiled program to its end; the exit code.
///
/// # Safety
/// The bytecode must be what this build's compiler made: QuickJS believes it blindly. `Container::read` checks the build, not the
/// content; so it may only come from inside this program's image, or from a file that its user vouches for.
pub unsafe fn run_bytecode(name: &str, container: &Container<'_>) -> i32 {
    // SAFETY: as the caller says.
    in_interpreter::<Intrinsics>(name, |ctx| unsafe { Module::load(ctx, container.bytecode) })
}

/// Runs the source of a bundled module to its end; the exit code.
pub fn run_source(name: &str, source: &[u8]) -> i32 {
    in_interpreter::<CompilerIntrinsics>(name, |ctx| Module::declare(ctx, name, source))
}

/// Turns the source of a bundled module into bytecode: without its source text, with its line numbers. A message for people when it
/// cannot be compiled.
pub fn compile(name: &str, source: &[u8]) -> Result<Vec<u8>, String> {
    let options = || rquickjs::module::WriteOptions { strip_source: true, ..Default::default() };
    stack::on_own_stack(|| {
        let context = new_context::<CompilerIntrinsics>().map_err(|error| error.to_string())?;
        context.with(|ctx| {
            let written = export::declare_all(&ctx)
                .and_then(|()| Module::declare(ctx.clone(), name, source))
                .and_then(|module| module.write(options()));
            written.catch(&ctx).map_err(|error| report::describe(&ctx, error))
        })
    })
}

/// What a heap's root points to.
struct Frozen {
    context: Context,
    /// Nobody gives it back: the heap ends with the process.
    main: qjs::JSValue,
}

/// Evaluates a compiled program in a heap of its own, up to where `main` would be called, and answers with that heap's content, to be
/// thawed by this very program file. A message for people when it cannot be done.
///
/// # Safety
/// As for `run_bytecode`. `teu_sys::heap::begin` must have been called, and nothing may use the heap afterwards.
pub unsafe fn freeze(container: &Container<'_>) -> Result<&'static [u8], String> {
    let root = stack::on_own_stack(|| {
        let context = new_frozen_context::<Intrinsics>().map_err(|error| error.to_string())?;
        let main = export::without_calls(|| {
            context.with(|ctx| {
                // SAFETY: as the caller says. The raw value gets a reference of its own.
                let main = unsafe {
                    run_module(&ctx, |ctx| Module::load(ctx, container.bytecode)).map(|module| {
                        module
                            .get::<_, Function<'_>>("main")
                            .map(|main| qjs::JS_DupValue(ctx.as_raw().as_ptr(), main.as_raw()))
                    })
                };
                main.and_then(|main| main).catch(&ctx).map_err(|error| report::describe(&ctx, error))
            })
        })?;
        context.runtime().run_gc();
        context.with(|ctx| {
            // SAFETY: nothing runs in this context, and nobody frees it.
            if unsafe { JS_FreezeHeap(ctx.as_raw().as_ptr()) } == 0 { Ok(()) } else { Err("no memory".to_owned()) }
        })?;
        Ok::<_, String>(Box::into_raw(Box::new(Frozen { context, main })).expose_provenance())
    })?;
    // SAFETY: as the caller says.
    Ok(unsafe { teu_sys::heap::freeze(root) })
}

unsafe extern "C" {
    /// native/quickjs/freeze.c
    fn JS_FreezeHeap(context: *mut qjs::JSContext) -> i32;
}

/// Runs a program whose heap has been thawed, with this root, to its end; the exit code.
///
/// # Safety
/// The root must be what `teu_sys::heap::thaw` answered with, for a heap of `freeze`.
pub unsafe fn run_frozen(name: &str, root: usize) -> i32 {
    ignore_broken_pipes(name);
    stack::on_own_stack(|| {
        // SAFETY: as the caller says; the heap stays until the process ends.
        let frozen = unsafe { &*core::ptr::with_exposed_provenance::<Frozen>(root) };
        frozen.context.with(|ctx| {
            // SAFETY: the interpreter belongs to this context. The main function gets a reference of its own.
            let main = unsafe {
                qjs::JS_UpdateStackTop(qjs::JS_GetRuntime(ctx.as_raw().as_ptr()));
                Function::from_value(Value::from_raw(ctx.clone(), qjs::JS_DupValue(ctx.as_raw().as_ptr(), frozen.main)))
            };
            exit_code(name, &ctx, main.and_then(|main| call_main(&ctx, &main)))
        })
    })
}

fn new_frozen_context<I: rquickjs::context::Intrinsic>() -> rquickjs::Result<Context> {
    in_runtime::<I>(Runtime::new_with_alloc(FrozenHeap)?)
}

/// The interpreter's part of the heap that is frozen; the other part is Rust's.
struct FrozenHeap;

// SAFETY: blocks are aligned to 16, and their sizes are what they are.
unsafe impl Allocator for FrozenHeap {
    fn alloc(&mut self, size: usize) -> *mut u8 {
        Heap::allocate(size)
    }

    fn calloc(&mut self, count: usize, size: usize) -> *mut u8 {
        let Some(size) = count.checked_mul(size) else { return core::ptr::null_mut() };
        let block = Heap::allocate(size);
        if !block.is_null() {
            // SAFETY: it has that size.
            unsafe { block.write_bytes(0, size) };
        }
        block
    }

    unsafe fn dealloc(&mut self, block: *mut u8) {
        // SAFETY: the interpreter gives back what it was given.
        unsafe { Heap::release(block) }
    }

    unsafe fn realloc(&mut self, block: *mut u8, size: usize) -> *mut u8 {
        if block.is_null() {
            return Heap::allocate(size);
        }
        if size == 0 {
            // SAFETY: as above.
            unsafe { Heap::release(block) };
            return core::ptr::null_mut();
        }
        // SAFETY: as above.
        unsafe { Heap::reallocate(block, size) }
    }

    unsafe fn usable_size(block: *mut u8) -> usize {
        // SAFETY: as above.
        unsafe { Heap::usable_size(block) }
    }
}

fn new_context<I: rquickjs::context::Intrinsic>() -> rquickjs::Result<Context> {
    in_runtime::<I>(Runtime::new()?)
}

fn in_runtime<I: rquickjs::context::Intrinsic>(runtime: Runtime) -> rquickjs::Result<Context> {
    runtime.set_gc_threshold(GC_THRESHOLD);
    runtime.set_max_stack_size(stack::INTERPRETER_LIMIT);
    Context::custom::<I>(&runtime)
}

fn in_interpreter<I: rquickjs::context::Intrinsic>(
    name: &str,
    load: impl for<'js> FnOnce(Ctx<'js>) -> rquickjs::Result<Module<'js>>,
) -> i32 {
    ignore_broken_pipes(name);
    stack::on_own_stack(|| {
        let context = match new_context::<I>() {
            Ok(context) => context,
            Err(error) => {
                report::print(name, &error.to_string());
                return EXIT_UNCAUGHT;
            }
        };
        let code = context.with(|ctx| {
            let ended = run_module(&ctx, load).and_then(|module| match module.get::<_, Option<Function<'_>>>("main") {
                Ok(Some(main)) => call_main(&ctx, &main),
                _ => Ok(0),
            });
            exit_code(name, &ctx, ended)
        });
        // The process ends now: giving thousands of objects back one by one would only take time.
        core::mem::forget(context);
        code
    })
}

/// Whoever reads from a program may go away; that is EPIPE for the program, not its death. Undone by spawn and execveat.
fn ignore_broken_pipes(name: &str) {
    if let Err(errno) = teu_sys::signal::ignore(libc::SIGPIPE) {
        report::print(name, &format!("cannot ignore SIGPIPE: {}", teu_sys::errno::name(errno)));
    }
}

fn exit_code<'js>(name: &str, ctx: &Ctx<'js>, ended: rquickjs::Result<i32>) -> i32 {
    ended.catch(ctx).unwrap_or_else(|error| {
        report::print(name, &format!("uncaught {}", report::describe(ctx, error)));
        EXIT_UNCAUGHT
    })
}

/// Evaluates the module, then all that it has put off. An error that comes late counts as much as one that comes at once.
fn run_module<'js>(
    ctx: &Ctx<'js>,
    load: impl FnOnce(Ctx<'js>) -> rquickjs::Result<Module<'js>>,
) -> rquickjs::Result<Module<'js, Evaluated>> {
    export::declare_all(ctx)?;
    let (module, evaluated) = load(ctx.clone())?.eval()?;
    while ctx.execute_pending_job() {}
    match evaluated.result::<()>() {
        Some(result) => result.map(|()| module),
        None => Err(Error::WouldBlock),
    }
}

/// Calls `main`, then what it has put off; its answer is the exit code, 0 when it has none.
fn call_main<'js>(ctx: &Ctx<'js>, main: &Function<'js>) -> rquickjs::Result<i32> {
    let code: Option<i32> = main.call(())?;
    while ctx.execute_pending_job() {}
    Ok(code.unwrap_or(0))
}
