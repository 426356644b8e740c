//! One call of a `sys:*` function: its arguments, checked and turned into what the kernel wants.

use crate::failure::{Failure, Outcome};
use crate::text;
use rquickjs::{Array, Ctx, Object, Value, qjs};
use std::ffi::CString;
use std::os::fd::{BorrowedFd, RawFd};
use teu_sys::Errno;

/// 2^53 - 1: the largest whole number that a JavaScript number holds for sure.
const LARGEST: f64 = 9_007_199_254_740_991.0;

/// The arguments of one call, in the order of the contract.
pub struct Call<'a, 'js> {
    /// The interpreter.
    pub ctx: Ctx<'js>,
    name: &'static str,
    arguments: &'a [qjs::JSValue],
}

impl<'a, 'js> Call<'a, 'js> {
    /// A call of the function called `name`.
    pub fn new(ctx: Ctx<'js>, name: &'static str, arguments: &'a [qjs::JSValue]) -> Self {
        Call { ctx, name, arguments }
    }

    /// Argument number `index`, whatever it is; undefined when absent.
    pub fn value(&self, index: usize) -> Value<'js> {
        match self.arguments.get(index) {
            // SAFETY: the arguments are live values of this context during the call; the copy holds a reference of its own.
            Some(raw) => unsafe {
                Value::from_raw(self.ctx.clone(), qjs::JS_DupValue(self.ctx.as_raw().as_ptr(), *raw))
            },
            None => Value::new_undefined(self.ctx.clone()),
        }
    }

    fn place(&self, index: usize) -> Place<'static> {
        Place { function: self.name, index, field: None }
    }

    /// A whole number between `low` and `high`.
    fn number(&self, index: usize, low: f64, high: f64) -> Outcome<f64> {
        self.place(index).number(&self.value(index), low, high)
    }

    /// A signed 32-bit number: pid, signal, option.
    pub fn i32(&self, index: usize) -> Outcome<i32> {
        self.number(index, i32::MIN.into(), i32::MAX.into()).map(|number| number as i32)
    }

    /// 32 bits of flags, a mode or an id; a negative number means its two's complement, as -1 in C.
    pub fn u32(&self, index: usize) -> Outcome<u32> {
        self.number(index, i32::MIN.into(), u32::MAX.into()).map(|number| number as i64 as u32)
    }

    /// A number of 53 bits: flags, sizes.
    pub fn u64(&self, index: usize) -> Outcome<u64> {
        self.number(index, 0.0, LARGEST).map(|number| number as u64)
    }

    /// A signed number of 53 bits: offsets.
    pub fn i64(&self, index: usize) -> Outcome<i64> {
        self.number(index, -LARGEST, LARGEST).map(|number| number as i64)
    }

    /// A count of bytes to make room for, at most 1 GiB.
    pub fn count(&self, index: usize) -> Outcome<usize> {
        self.number(index, 0.0, f64::from(1u32 << 30)).map(|number| number as usize)
    }

    /// true or false.
    pub fn bool(&self, index: usize) -> Outcome<bool> {
        self.place(index).bool(&self.value(index))
    }

    /// A descriptor's number. EBADF for what cannot be one.
    pub fn raw_fd(&self, index: usize) -> Outcome<RawFd> {
        let number = self.number(index, -LARGEST, LARGEST)?;
        if (0.0..=f64::from(i32::MAX)).contains(&number) { Ok(number as RawFd) } else { Err(self.bad_fd(number)) }
    }

    /// A descriptor for the time of the call.
    pub fn fd(&self, index: usize) -> Outcome<BorrowedFd<'static>> {
        self.raw_fd(index).map(borrow)
    }

    /// A directory's descriptor, or AT_FDCWD (-100).
    pub fn dirfd(&self, index: usize) -> Outcome<BorrowedFd<'static>> {
        let number = self.number(index, -LARGEST, LARGEST)?;
        match number {
            -100.0 => Ok(borrow(libc::AT_FDCWD)),
            0.0..=2_147_483_647.0 => Ok(borrow(number as RawFd)),
            _ => Err(self.bad_fd(number)),
        }
    }

    /// A descriptor, or `None` for -1.
    pub fn optional_fd(&self, index: usize) -> Outcome<Option<BorrowedFd<'static>>> {
        if self.number(index, -LARGEST, LARGEST)? == -1.0 { Ok(None) } else { self.fd(index).map(Some) }
    }

    fn bad_fd(&self, number: f64) -> Failure {
        Failure::system(Errno::BADF, self.name, number.to_string())
    }

    /// A string for the kernel: a path or a name. A NUL in it is EINVAL, a surrogate that is no escape EILSEQ.
    pub fn path(&self, index: usize) -> Outcome<CString> {
        self.place(index).c_string(&self.value(index))
    }

    /// A string's bytes; escapes undone, NUL allowed.
    pub fn text(&self, index: usize) -> Outcome<Vec<u8>> {
        self.place(index).text(&self.value(index), false)
    }

    /// A Uint8Array's content, for the time of the call.
    pub fn bytes(&self, index: usize) -> Outcome<&'a [u8]> {
        let Some(raw) = self.arguments.get(index) else { return Err(self.place(index).expected("a Uint8Array")) };
        // SAFETY: QuickJS tells pointer and length of the array's memory, which lives as long as the arguments do; no script runs during
        // the call, so nothing can shrink or detach it.
        unsafe {
            if qjs::JS_GetTypedArrayType(*raw) != qjs::JSTypedArrayEnum_JS_TYPED_ARRAY_UINT8 as i32 {
                return Err(self.place(index).expected("a Uint8Array"));
            }
            let mut length: qjs::size_t = 0;
            let pointer = qjs::JS_GetUint8Array(self.ctx.as_raw().as_ptr(), &raw mut length, *raw);
            if length == 0 {
                return Ok(&[]);
            }
            if pointer.is_null() {
                return Err(Failure::Thrown);
            }
            Ok(core::slice::from_raw_parts(pointer, length as usize))
        }
    }

    /// A Uint8Array's content, or a string's bytes.
    pub fn data(&self, index: usize) -> Outcome<std::borrow::Cow<'a, [u8]>> {
        if self.value(index).is_string() {
            return self.text(index).map(std::borrow::Cow::Owned);
        }
        self.bytes(index).map(std::borrow::Cow::Borrowed)
    }

    /// An array of whole numbers.
    pub fn numbers<T: TryFrom<i64>>(&self, index: usize) -> Outcome<Vec<T>> {
        self.place(index).numbers(&self.value(index))
    }

    /// An array of strings.
    pub fn paths(&self, index: usize) -> Outcome<Vec<CString>> {
        self.place(index).c_strings(&self.value(index))
    }

    /// An object with named fields.
    pub fn record(&self, index: usize) -> Outcome<Fields<'js>> {
        self.place(index).record(self.value(index))
    }
}

/// A descriptor that the script names by number. It may be closed already: then the kernel says EBADF, which is the answer
/// that the script is to have.
pub fn borrow(fd: RawFd) -> BorrowedFd<'static> {
    debug_assert_ne!(fd, -1);
    // SAFETY: never -1. Not known to be open, but nothing in this process relies on that: descriptors are the script's.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

/// Where a value stands, for error messages.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    function: &'static str,
    index: usize,
    field: Option<&'a str>,
}

impl Place<'_> {
    fn expected(&self, what: &str) -> Failure {
        let field = self.field.map(|field| format!(", field \"{field}\"")).unwrap_or_default();
        Failure::Argument(format!("{}: argument {}{field} must be {what}", self.function, self.index + 1))
    }

    fn number(&self, value: &Value<'_>, low: f64, high: f64) -> Outcome<f64> {
        match value.as_number() {
            Some(number) if number.fract() == 0.0 && (low..=high).contains(&number) => Ok(number),
            _ => Err(self.expected(&format!("a whole number from {low} to {high}"))),
        }
    }

    fn bool(&self, value: &Value<'_>) -> Outcome<bool> {
        value.as_bool().ok_or_else(|| self.expected("true or false"))
    }

    fn text(&self, value: &Value<'_>, strict: bool) -> Outcome<Vec<u8>> {
        if !value.is_string() {
            return Err(self.expected("a string"));
        }
        let context = value.ctx().as_raw().as_ptr();
        let mut length: qjs::size_t = 0;
        // SAFETY: the value is a live string; QuickJS gives its encoded form, which is copied and then given back.
        let bytes = unsafe {
            let pointer = qjs::JS_ToCStringLen2(context, &raw mut length, value.as_raw(), false);
            if pointer.is_null() {
                return Err(Failure::Thrown);
            }
            let bytes = text::to_bytes(core::slice::from_raw_parts(pointer.cast(), length as usize), strict);
            qjs::JS_FreeCString(context, pointer);
            bytes
        };
        bytes.ok_or_else(|| Failure::system(Errno::ILSEQ, self.function, "(unpaired surrogate)"))
    }

    fn c_string(&self, value: &Value<'_>) -> Outcome<CString> {
        let bytes = self.text(value, true)?;
        CString::new(bytes).map_err(|error| Failure::system(Errno::INVAL, self.function, error.into_vec()))
    }

    fn array<'js>(&self, value: &Value<'js>, what: &str) -> Outcome<Array<'js>> {
        value.as_array().cloned().ok_or_else(|| self.expected(what))
    }

    fn numbers<T: TryFrom<i64>>(&self, value: &Value<'_>) -> Outcome<Vec<T>> {
        let what = "an array of whole numbers in range";
        let items = self.array(value, what)?;
        items
            .iter::<Value<'_>>()
            .map(|item| {
                let number = self.number(&item?, -LARGEST, LARGEST).map_err(|_| self.expected(what))?;
                T::try_from(number as i64).map_err(|_| self.expected(what))
            })
            .collect()
    }

    fn c_strings(&self, value: &Value<'_>) -> Outcome<Vec<CString>> {
        let items = self.array(value, "an array of strings")?;
        items.iter::<Value<'_>>().map(|item| self.c_string(&item?)).collect()
    }

    fn record<'js>(&self, value: Value<'js>) -> Outcome<Fields<'js>> {
        match Object::from_value(value) {
            Ok(object) => Ok(Fields { object, function: self.function, index: self.index }),
            Err(_) => Err(self.expected("an object")),
        }
    }
}

/// The fields of an object argument.
pub struct Fields<'js> {
    object: Object<'js>,
    function: &'static str,
    index: usize,
}

impl<'js> Fields<'js> {
    fn place<'a>(&self, name: &'a str) -> Place<'a> {
        Place { function: self.function, index: self.index, field: Some(name) }
    }

    /// The field's value; undefined when absent.
    pub fn value(&self, name: &str) -> Outcome<Value<'js>> {
        Ok(self.object.get(name)?)
    }

    /// Is the field there?
    pub fn has(&self, name: &str) -> Outcome<bool> {
        Ok(!self.value(name)?.is_undefined())
    }

    /// A whole number that fits `T`.
    pub fn number<T: TryFrom<i64>>(&self, name: &str) -> Outcome<T> {
        let place = self.place(name);
        let number = place.number(&self.value(name)?, -LARGEST, LARGEST)?;
        T::try_from(number as i64).map_err(|_| place.expected("a number in range"))
    }

    /// The same, with a value for when the field is absent.
    pub fn number_or<T: TryFrom<i64>>(&self, name: &str, absent: T) -> Outcome<T> {
        if self.has(name)? { self.number(name) } else { Ok(absent) }
    }

    /// true or false; false when absent.
    pub fn flag(&self, name: &str) -> Outcome<bool> {
        if self.has(name)? { self.place(name).bool(&self.value(name)?) } else { Ok(false) }
    }

    /// A bigint of 64 bits without sign.
    pub fn big(&self, name: &str) -> Outcome<u64> {
        let value = self.value(name)?;
        if !value.is_big_int() {
            return Err(self.place(name).expected("a bigint"));
        }
        let mut number = 0;
        // SAFETY: the value is a live bigint; one number is written.
        if unsafe { qjs::JS_ToBigUint64(value.ctx().as_raw().as_ptr(), &raw mut number, value.as_raw()) } < 0 {
            return Err(Failure::Thrown);
        }
        Ok(number)
    }

    /// A string for the kernel.
    pub fn path(&self, name: &str) -> Outcome<CString> {
        self.place(name).c_string(&self.value(name)?)
    }

    /// An array of strings.
    pub fn paths(&self, name: &str) -> Outcome<Vec<CString>> {
        self.place(name).c_strings(&self.value(name)?)
    }

    /// An array of whole numbers.
    pub fn numbers<T: TryFrom<i64>>(&self, name: &str) -> Outcome<Vec<T>> {
        self.place(name).numbers(&self.value(name)?)
    }

    /// An array of objects.
    pub fn records(&self, name: &str) -> Outcome<Vec<Fields<'js>>> {
        let place = self.place(name);
        let items = place.array(&self.value(name)?, "an array of objects")?;
        items.iter::<Value<'js>>().map(|item| place.record(item?)).collect()
    }
}
