//! From Rust's answers to JavaScript values.

use crate::text;
use rquickjs::{Array, Ctx, Object, Result, Value, qjs};
use std::os::fd::{IntoRawFd, OwnedFd};

/// What a `sys:*` function may answer.
pub trait Answer {
    /// The value as JavaScript sees it.
    fn value<'js>(self, ctx: &Ctx<'js>) -> Result<Value<'js>>;
}

/// A string of bytes from the kernel; what is not UTF-8 is escaped.
pub struct Text(pub Vec<u8>);

/// Bytes: a Uint8Array.
pub struct Bytes(pub Vec<u8>);

/// A bigint.
pub struct Big(pub i64);

/// null when absent.
pub struct Nullable<T>(pub Option<T>);

/// An object literal: names and values in order.
pub struct Record<const N: usize>(pub [(&'static str, Field); N]);

/// One value of a `Record`.
pub enum Field {
    /// A number.
    Number(f64),
    /// A bigint.
    Big(i64),
    /// A bool.
    Bool(bool),
    /// A string.
    Text(Vec<u8>),
    /// Bytes.
    Bytes(Vec<u8>),
    /// An array of numbers.
    Numbers(Vec<f64>),
    /// An array of strings.
    Texts(Vec<Vec<u8>>),
}

/// A string value.
pub fn string<'js>(ctx: &Ctx<'js>, bytes: &[u8]) -> Result<Value<'js>> {
    let context = ctx.as_raw().as_ptr();
    // SAFETY: pointer and length are those of a live slice; the value is new and owned by `own`.
    unsafe {
        let raw = if bytes.is_ascii() || str::from_utf8(bytes).is_ok() {
            qjs::JS_NewStringLen(context, bytes.as_ptr().cast(), bytes.len() as qjs::size_t)
        } else {
            let units = text::to_utf16(bytes);
            qjs::JS_NewStringUTF16(context, units.as_ptr(), units.len() as qjs::size_t)
        };
        own(ctx, raw)
    }
}

/// A Uint8Array value.
pub fn bytes<'js>(ctx: &Ctx<'js>, bytes: &[u8]) -> Result<Value<'js>> {
    // SAFETY: pointer and length are those of a live slice, which is copied; the value is new and owned by `own`.
    unsafe {
        let raw = qjs::JS_NewUint8ArrayCopy(ctx.as_raw().as_ptr(), bytes.as_ptr(), bytes.len() as qjs::size_t);
        own(ctx, raw)
    }
}

/// # Safety
/// `raw` must be a value that the caller owns, or the exception marker with an exception waiting.
unsafe fn own<'js>(ctx: &Ctx<'js>, raw: qjs::JSValue) -> Result<Value<'js>> {
    // SAFETY: as the caller says.
    let value = unsafe { Value::from_raw(ctx.clone(), raw) };
    if value.is_exception() { Err(rquickjs::Error::Exception) } else { Ok(value) }
}

impl Answer for () {
    fn value<'js>(self, ctx: &Ctx<'js>) -> Result<Value<'js>> {
        Ok(Value::new_undefined(ctx.clone()))
    }
}

impl Answer for bool {
    fn value<'js>(self, ctx: &Ctx<'js>) -> Result<Value<'js>> {
        Ok(Value::new_bool(ctx.clone(), self))
    }
}

impl Answer for i32 {
    fn value<'js>(self, ctx: &Ctx<'js>) -> Result<Value<'js>> {
        Ok(Value::new_int(ctx.clone(), self))
    }
}

impl Answer for f64 {
    fn value<'js>(self, ctx: &Ctx<'js>) -> Result<Value<'js>> {
        Ok(Value::new_number(ctx.clone(), self))
    }
}

impl Answer for u32 {
    fn value<'js>(self, ctx: &Ctx<'js>) -> Result<Value<'js>> {
        f64::from(self).value(ctx)
    }
}

/// The number; the caller in TypeScript owns it from here on.
impl Answer for OwnedFd {
    fn value<'js>(self, ctx: &Ctx<'js>) -> Result<Value<'js>> {
        self.into_raw_fd().value(ctx)
    }
}

impl Answer for (OwnedFd, OwnedFd) {
    fn value<'js>(self, ctx: &Ctx<'js>) -> Result<Value<'js>> {
        let pair = Array::new(ctx.clone())?;
        pair.set(0, self.0.into_raw_fd())?;
        pair.set(1, self.1.into_raw_fd())?;
        Ok(pair.into_value())
    }
}

impl Answer for Text {
    fn value<'js>(self, ctx: &Ctx<'js>) -> Result<Value<'js>> {
        string(ctx, &self.0)
    }
}

impl Answer for Bytes {
    fn value<'js>(self, ctx: &Ctx<'js>) -> Result<Value<'js>> {
        bytes(ctx, &self.0)
    }
}

impl Answer for Big {
    fn value<'js>(self, ctx: &Ctx<'js>) -> Result<Value<'js>> {
        Value::new_big_int(ctx.clone(), self.0)
    }
}

impl<T: Answer> Answer for Nullable<T> {
    fn value<'js>(self, ctx: &Ctx<'js>) -> Result<Value<'js>> {
        match self.0 {
            Some(answer) => answer.value(ctx),
            None => Ok(Value::new_null(ctx.clone())),
        }
    }
}

impl<T: Answer> Answer for Vec<T> {
    fn value<'js>(self, ctx: &Ctx<'js>) -> Result<Value<'js>> {
        let array = Array::new(ctx.clone())?;
        for (index, item) in self.into_iter().enumerate() {
            array.set(index, item.value(ctx)?)?;
        }
        Ok(array.into_value())
    }
}

impl<const N: usize> Answer for Record<N> {
    fn value<'js>(self, ctx: &Ctx<'js>) -> Result<Value<'js>> {
        let object = Object::new(ctx.clone())?;
        for (name, field) in self.0 {
            object.set(name, field.value(ctx)?)?;
        }
        Ok(object.into_value())
    }
}

impl Answer for Field {
    fn value<'js>(self, ctx: &Ctx<'js>) -> Result<Value<'js>> {
        match self {
            Field::Number(number) => number.value(ctx),
            Field::Big(number) => Big(number).value(ctx),
            Field::Bool(yes) => yes.value(ctx),
            Field::Text(text) => string(ctx, &text),
            Field::Bytes(content) => bytes(ctx, &content),
            Field::Numbers(numbers) => numbers.value(ctx),
            Field::Texts(texts) => texts.into_iter().map(Text).collect::<Vec<_>>().value(ctx),
        }
    }
}
