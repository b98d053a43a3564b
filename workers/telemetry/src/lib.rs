//! What the fleet measures, and how it gets out: no worker has a port to be asked at, so what is measured is pushed.
//! [`CATALOGUE`] describes every metric, [`Telemetry`] is what a process has of it all, [`Target`] says where it goes;
//! [`Traces`] does the same with spans; [`queues`] writes down what stands in Redis, which one replica exports for the whole fleet.

mod catalogue;
mod credentials;
mod document;
mod exposition;
mod log_limit;
mod names;
mod process;
mod pusher;
pub mod queues;
mod recorder;
mod sink;
mod spans;
mod target;
mod telemetry;

pub use catalogue::{CATALOGUE, Kind, LABELS, Label, Metric, Unit, metric};
pub use credentials::Credentials;
pub use document::document;
pub use exposition::undescribed;
pub use log_limit::LogLimit;
pub use names::of_this_process as instance;
pub use sink::PushError;
pub use spans::{TraceSettings, Traces};
pub use target::{Address, InvalidTarget, Target};
pub use telemetry::{Settings, SetupError, Telemetry};
