//! The audit trail: every message, result and dead letter that stands in the streams, as rows.
//!
//! [`Row`] is one of them. [`Trail`] reads them from the streams, oldest first; [`Writer`] writes them as JSON lines or CSV; and [`Sink`]
//! appends the results to PostgreSQL, each once, as they come.

mod export;
mod row;
mod sink;
mod trail;

pub use export::{Form, Writer};
pub use row::{Part, Row};
pub use sink::{Appender, GROUP, InvalidUrl, Postgres, STREAMS, Sink};
pub use trail::{Selection, Trail};
