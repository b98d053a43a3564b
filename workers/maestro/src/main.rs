//! The maestro command.
mod config;
mod exit;
mod fault;
mod junit;
mod output;
mod patch;
fn main() {}
