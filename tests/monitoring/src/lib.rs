//! A real Pushgateway and a real Prometheus for tests, on loopback ports that the system chooses.
//!
//! Both are programs of Debian's packages `prometheus-pushgateway` and `prometheus`. They end with the value that stands for them.

mod collector;
mod get;
mod program;
mod prometheus;
mod pushgateway;

pub use collector::{Collector, Request};
pub use get::{Answer, get};
pub use program::{PATIENCE, until};
pub use prometheus::{Alert, Prometheus, Sample, Series};
pub use pushgateway::Pushgateway;
