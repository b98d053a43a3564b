//! What comes out of a test Job: from the bytes of its container's log and the way in which it ended to the messages that
//! are published of it. No Kubernetes here, and nothing asynchronous.
//!
//! A [`LogCapture`] is fed with the log as it comes, from its beginning; it keeps the two ends of it and takes out the JUnit
//! report, which `maestro-entry` put there ([`maestro_entry::block`]). [`Tested::of`] makes the messages.
//!
//! ```
//! use maestro_environment::testing::{Ending, Limits, LogCapture, TestRun, Tested};
//! # use std::time::Duration;
//! # use maestro_protocol::environment::{TestJob, TestOutcome};
//! # let test = TestJob { image: "shop".into(), command: vec!["pytest".into()], env: None,
//! #     timeout_s: None, framework: None, junit_path: None };
//! let mut capture = LogCapture::new(Limits::default());
//! capture.push(b"1 passed");
//! let run = TestRun {
//!     environment: "01J",
//!     namespace: "maestro-01j",
//!     project: None,
//!     test: &test,
//!     ending: Ending { exit_code: Some(0), reason: Some("Completed".into()), message: None },
//!     duration: Duration::from_secs(3),
//!     worker_version: None,
//! };
//! let Tested { tested, errors } = Tested::of(&run, capture.finish());
//! assert_eq!(tested.outcome, TestOutcome::Passed);
//! assert!(errors.is_empty());
//! ```

mod capture;
mod collector;
mod ending;
mod ends;
mod fit;
mod plain;
mod reason;
mod tested;
mod unpack;

pub use capture::{Captured, Limits, LogCapture};
pub(crate) use ending::DEFAULT_TIMEOUT_S;
pub use ending::Ending;
pub(crate) use plain::plain;
pub use tested::{TestRun, Tested};
pub use unpack::ReportError;
