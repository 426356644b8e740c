//! What people get to see when a program fails: one line that says what, then where, down to the cause.

use rquickjs::{CaughtError, Coerced, Ctx, Object, Value};
use std::fmt::Write;

/// How many causes are followed: a chain could be a ring.
const DEEPEST_CAUSE: usize = 8;

/// Writes a message about the program to standard error. Nothing can be done when that fails.
pub fn print(program: &str, message: &str) {
    let line = format!("{program}: {}\n", message.trim_end());
    let _ = teu_sys::file::write_all(crate::call::borrow(2), line.as_bytes());
}

/// Name, message, stack and causes of what was thrown.
pub fn describe<'js>(ctx: &Ctx<'js>, error: CaughtError<'js>) -> String {
    match error {
        CaughtError::Error(rquickjs::Error::WouldBlock) => {
            "end: the program waits for something that never comes".to_owned()
        }
        CaughtError::Error(error) => error.to_string(),
        CaughtError::Exception(exception) => describe_value(ctx, exception.into_object().into_value(), 0),
        CaughtError::Value(value) => describe_value(ctx, value, 0),
    }
}

fn describe_value<'js>(ctx: &Ctx<'js>, value: Value<'js>, depth: usize) -> String {
    let mut text = text_of(ctx, &value);
    let Some(object) = value.as_object().filter(|_| value.is_error()) else { return text };
    if let Some(stack) = string_field(object, "stack") {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{}", stack.trim_end());
    }
    match object.get::<_, Value<'js>>("cause") {
        Ok(cause) if !cause.is_undefined() && depth < DEEPEST_CAUSE => {
            let _ = write!(text, "\ncaused by {}", describe_value(ctx, cause, depth + 1));
        }
        _ => {}
    }
    text
}

/// String(value); a fixed text when even that throws.
fn text_of<'js>(ctx: &Ctx<'js>, value: &Value<'js>) -> String {
    match value.get::<Coerced<String>>() {
        Ok(text) => text.0,
        Err(_) => {
            ctx.catch();
            "(a value that cannot be shown)".to_owned()
        }
    }
}

fn string_field(object: &Object<'_>, name: &str) -> Option<String> {
    object.get::<_, Option<String>>(name).ok().flatten()
}
