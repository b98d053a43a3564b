//! What the runtime promises, against a real redis-server: each test starts its own.

mod cluster;
mod commit;
mod endpoint;
mod lag;
mod lanes;
mod lease;
mod net;
mod nodes;
mod operator;
mod order;
mod outage;
mod progress;
mod projection;
mod rate;
mod registry;
mod retry;
mod rig;
mod sentinel;
mod set_back;
mod shutdown;
mod tally;
mod tls;
mod twice;
mod watched;
