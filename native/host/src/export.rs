//! How a module's functions reach QuickJS: a static table per module, and one C function for all of them.

use crate::call::Call;
use crate::failure::{Failure, Outcome};
use crate::modules::MODULES;
use rquickjs::module::{Declarations, Exports, ModuleDef};
use rquickjs::{Ctx, Module, Result, Value, qjs};
use std::ffi::{CStr, c_int};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};

/// One function of a module.
pub struct Export {
    /// Its name in TypeScript.
    pub name: &'static CStr,
    /// How many arguments it declares.
    pub arity: u8,
    /// The function.
    pub run: for<'js> fn(&Call<'_, 'js>) -> Outcome<Value<'js>>,
}

/// A `sys:*` module.
pub struct SysModule {
    /// "sys:fs".
    pub name: &'static str,
    /// What it exports.
    pub exports: &'static [Export],
}

/// The table of a module: `"name" arity => function`.
macro_rules! exports {
    ($($name:literal $arity:literal => $function:path,)*) => {
        &[$($crate::export::Export {
            name: match core::ffi::CStr::from_bytes_with_nul(concat!($name, "\0").as_bytes()) {
                Ok(name) => name,
                Err(_) => panic!("a NUL in a name"),
            },
            arity: $arity,
            run: {
                fn run<'js>(call: &$crate::call::Call<'_, 'js>) -> $crate::failure::Outcome<rquickjs::Value<'js>> {
                    Ok($crate::answer::Answer::value($function(call)?, &call.ctx)?)
                }
                run
            },
        }),*]
    };
}
pub(crate) use exports;

/// Module number `INDEX` of the table. A type of its own, since QuickJS calls a module's initialiser without any data.
struct Numbered<const INDEX: usize>;

impl<const INDEX: usize> ModuleDef for Numbered<INDEX> {
    fn declare(declarations: &Declarations<'_>) -> Result<()> {
        for export in MODULES[INDEX].exports {
            declarations.declare_c_str(export.name)?;
        }
        Ok(())
    }

    fn evaluate<'js>(ctx: &Ctx<'js>, exports: &Exports<'js>) -> Result<()> {
        for (number, export) in MODULES[INDEX].exports.iter().enumerate() {
            exports.export_c_str(export.name, function(ctx, export, INDEX << 8 | number))?;
        }
        Ok(())
    }
}

fn function<'js>(ctx: &Ctx<'js>, export: &Export, magic: usize) -> Value<'js> {
    type Magic =
        unsafe extern "C" fn(*mut qjs::JSContext, qjs::JSValue, c_int, *mut qjs::JSValue, c_int) -> qjs::JSValue;
    type Plain = unsafe extern "C" fn(*mut qjs::JSContext, qjs::JSValue, c_int, *mut qjs::JSValue) -> qjs::JSValue;
    // SAFETY: QuickJS has one parameter type for all kinds of C functions and calls this one with five arguments, since it is told
    // that it is of the kind "generic_magic". The value is new and ours.
    unsafe {
        let run = core::mem::transmute::<Magic, Plain>(call_export);
        let kind = qjs::JSCFunctionEnum_JS_CFUNC_generic_magic;
        let context = ctx.as_raw().as_ptr();
        let raw =
            qjs::JS_NewCFunction2(context, Some(run), export.name.as_ptr(), export.arity.into(), kind, magic as c_int);
        Value::from_raw(ctx.clone(), raw)
    }
}

/// Set while a program is being frozen.
static CALLS_REFUSED: AtomicBool = AtomicBool::new(false);

/// Runs something during which no `sys:*` function may be called: what a program's body learnt from the kernel when it was built would
/// be wrong on every machine where it runs.
pub fn without_calls<T>(run: impl FnOnce() -> T) -> T {
    CALLS_REFUSED.store(true, Ordering::Relaxed);
    let answer = run();
    CALLS_REFUSED.store(false, Ordering::Relaxed);
    answer
}

/// What QuickJS calls; `magic` says which function is meant.
unsafe extern "C" fn call_export(
    context: *mut qjs::JSContext,
    _this: qjs::JSValue,
    argc: c_int,
    argv: *mut qjs::JSValue,
    magic: c_int,
) -> qjs::JSValue {
    // SAFETY: QuickJS passes its live context and `argc` arguments that live as long as the call.
    let (ctx, arguments) = unsafe {
        let ctx = Ctx::from_raw(NonNull::new_unchecked(context));
        let count = usize::try_from(argc).unwrap_or(0);
        (ctx, if count == 0 { &[][..] } else { core::slice::from_raw_parts(argv, count) })
    };
    let magic = magic as usize;
    let export = &MODULES[magic >> 8].exports[magic & 0xff];
    let call = Call::new(ctx, export.name.to_str().unwrap_or_default(), arguments);
    let answer = if CALLS_REFUSED.load(Ordering::Relaxed) {
        Err(Failure::Argument(format!("{}: a program may not call this before main", export.name.to_string_lossy())))
    } else {
        (export.run)(&call)
    };
    match answer {
        // SAFETY: the raw value gets a reference of its own, which QuickJS takes over.
        Ok(value) => unsafe { qjs::JS_DupValue(context, value.as_raw()) },
        Err(failure) => {
            failure.throw(&call.ctx);
            qjs::JS_MKVAL(qjs::JS_TAG_EXCEPTION, 0)
        }
    }
}

/// Makes all modules known to the context. Their functions are only made when a program imports them.
pub fn declare_all(ctx: &Ctx<'_>) -> Result<()> {
    macro_rules! declare {
        ($($index:literal)*) => {
            $(Module::declare_def::<Numbered<$index>, _>(ctx.clone(), MODULES[$index].name)?;)*
        };
    }
    const { assert!(MODULES.len() == 11) };
    declare!(0 1 2 3 4 5 6 7 8 9 10);
    Ok(())
}
