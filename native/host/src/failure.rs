//! What a `sys:*` function throws: a SysError (packages/sys/src/sys-error.ts), or a TypeError for an argument of the wrong type.

use crate::text;
use rquickjs::{Ctx, Exception, Object, Value};
use std::os::fd::{AsRawFd, BorrowedFd};
use teu_sys::{Errno, errno};

/// Why a function did not do what it was asked.
#[derive(Debug)]
pub enum Failure {
    /// The kernel said no (or would have).
    System {
        /// What it said.
        errno: Errno,
        /// To which call.
        call: &'static str,
        /// About what.
        subject: Vec<u8>,
        /// Bytes written before, for `write`.
        written: Option<usize>,
    },
    /// An argument has the wrong type or is out of its range: a mistake in the program.
    Argument(String),
    /// QuickJS has thrown already.
    Thrown,
}

/// What each function answers with.
pub type Outcome<T> = Result<T, Failure>;

impl From<rquickjs::Error> for Failure {
    fn from(error: rquickjs::Error) -> Self {
        match error {
            rquickjs::Error::Exception => Failure::Thrown,
            other => Failure::Argument(other.to_string()),
        }
    }
}

/// What a call was about. Only turned into text when it failed.
pub trait Subject {
    /// As SysError shows it.
    fn text(self) -> Vec<u8>;
}

impl Subject for &[u8] {
    fn text(self) -> Vec<u8> {
        self.to_vec()
    }
}

impl Subject for &str {
    fn text(self) -> Vec<u8> {
        self.into()
    }
}

impl Subject for String {
    fn text(self) -> Vec<u8> {
        self.into_bytes()
    }
}

impl Subject for Vec<u8> {
    fn text(self) -> Vec<u8> {
        self
    }
}

/// A pid, a uid, a signal, an option.
impl Subject for i32 {
    fn text(self) -> Vec<u8> {
        self.to_string().into_bytes()
    }
}

/// The same without sign.
impl Subject for u32 {
    fn text(self) -> Vec<u8> {
        self.to_string().into_bytes()
    }
}

/// An open file: all that is known of it is its number.
impl Subject for BorrowedFd<'_> {
    fn text(self) -> Vec<u8> {
        format!("fd {}", self.as_raw_fd()).into_bytes()
    }
}

/// Says which call failed, and about what.
pub trait On<T> {
    /// With a subject: a path, a name, a number.
    fn on(self, call: &'static str, subject: impl Subject) -> Outcome<T>;
    /// Without one.
    fn on_call(self, call: &'static str) -> Outcome<T>;
}

impl<T> On<T> for teu_sys::Result<T> {
    fn on(self, call: &'static str, subject: impl Subject) -> Outcome<T> {
        self.map_err(|errno| Failure::system(errno, call, subject))
    }

    fn on_call(self, call: &'static str) -> Outcome<T> {
        self.on(call, "")
    }
}

impl Failure {
    /// A failure that the host found itself, before asking the kernel.
    pub fn system(errno: Errno, call: &'static str, subject: impl Subject) -> Self {
        Failure::System { errno, call, subject: subject.text(), written: None }
    }

    /// Leaves the exception with QuickJS.
    pub fn throw(self, ctx: &Ctx<'_>) {
        let thrown = match self {
            Failure::Thrown => return,
            Failure::Argument(message) => Exception::throw_type(ctx, &message),
            Failure::System { errno, call, subject, written } => {
                match system_error(ctx, errno, call, &subject, written) {
                    Ok(error) => ctx.throw(error),
                    // Out of memory while making the error: that has been thrown instead.
                    Err(error) => error,
                }
            }
        };
        debug_assert!(matches!(thrown, rquickjs::Error::Exception));
    }
}

fn system_error<'js>(
    ctx: &Ctx<'js>,
    errno: Errno,
    call: &'static str,
    subject: &[u8],
    written: Option<usize>,
) -> rquickjs::Result<Value<'js>> {
    let name = errno::name(errno);
    let message = match subject {
        [] => format!("{call}: {name}"),
        _ => format!("{call} {}: {name}", text::quote(subject)),
    };
    // Thrown and caught again: that is how QuickJS fills in `stack`.
    let thrown = Exception::throw_message(ctx, &message);
    let caught = if matches!(thrown, rquickjs::Error::Exception) { ctx.catch() } else { return Err(thrown) };
    let error = Object::from_value(caught)?;
    error.set("name", "SysError")?;
    error.set("errno", &*name)?;
    error.set("call", call)?;
    error.set("subject", crate::answer::string(ctx, subject)?)?;
    if let Some(written) = written {
        error.set("written", written as f64)?;
    }
    Ok(error.into_value())
}
