//! Ephemeral environments on Kubernetes: one message becomes one isolated namespace with the whole stack, and
//! nothing outlives its time.

pub mod testing;
