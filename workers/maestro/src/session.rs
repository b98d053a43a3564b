//! What a command works with: what is in force, and where it writes.

use crate::config::Settings;
use crate::output::Output;

/// What a command works with.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) settings: Settings,
    pub(crate) output: Output,
}
