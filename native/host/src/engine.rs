//! Running and compiling programs: one interpreter, one program, once.

use crate::EXIT_UNCAUGHT;
use crate::container::Container;
use crate::export;
use crate::report;
use crate::stack;
use rquickjs::context::intrinsic;
use rquickjs::{CatchResultExt, Context, Ctx, Error, Module, Runtime, qjs};
use std::ffi::CStr;

/// Short programs never reach it, so they never collect; the shim, which lives long, stays small enough with it.
const GC_THRESHOLD: usize = 8 << 20;

/// Every program uses at least this much heap, and this much for each byte of its bytecode (measured: 200 KiB and 4.5).
const BASE_HEAP: usize = 160 << 10;
const HEAP_PER_BYTECODE: usize = 4;

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
    teu_sys::heap::populate(BASE_HEAP + container.bytecode.len() * HEAP_PER_BYTECODE);
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

fn new_context<I: rquickjs::context::Intrinsic>() -> rquickjs::Result<Context> {
    let runtime = Runtime::new()?;
    runtime.set_gc_threshold(GC_THRESHOLD);
    runtime.set_max_stack_size(stack::INTERPRETER_LIMIT);
    Context::custom::<I>(&runtime)
}

fn in_interpreter<I: rquickjs::context::Intrinsic>(
    name: &str,
    load: impl for<'js> FnOnce(Ctx<'js>) -> rquickjs::Result<Module<'js>>,
) -> i32 {
    // Whoever reads from a program may go away; that is EPIPE for the program, not its death. Undone by spawn and execveat.
    if let Err(errno) = teu_sys::signal::ignore(libc::SIGPIPE) {
        report::print(name, &format!("cannot ignore SIGPIPE: {}", teu_sys::errno::name(errno)));
    }
    stack::on_own_stack(|| {
        let context = match new_context::<I>() {
            Ok(context) => context,
            Err(error) => {
                report::print(name, &error.to_string());
                return EXIT_UNCAUGHT;
            }
        };
        let code = context.with(|ctx| match run_module(&ctx, load).catch(&ctx) {
            Ok(()) => 0,
            Err(error) => {
                report::print(name, &format!("uncaught {}", report::describe(&ctx, error)));
                EXIT_UNCAUGHT
            }
        });
        // The process ends now: giving thousands of objects back one by one would only take time.
        core::mem::forget(context);
        code
    })
}

/// Evaluates the module, then all that it has put off. An error that comes late counts as much as one that comes at once.
fn run_module<'js>(
    ctx: &Ctx<'js>,
    load: impl FnOnce(Ctx<'js>) -> rquickjs::Result<Module<'js>>,
) -> rquickjs::Result<()> {
    export::declare_all(ctx)?;
    let (_module, evaluated) = load(ctx.clone())?.eval()?;
    while ctx.execute_pending_job() {}
    match evaluated.result::<()>() {
        Some(result) => result,
        None => Err(Error::WouldBlock),
    }
}
