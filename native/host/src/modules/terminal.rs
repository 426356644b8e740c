//! sys:terminal

use crate::export::{Export, exports};

pub const EXPORTS: &[Export] = exports! {};
