//! What is proven: whole-fleet tests against real servers.
