//! On what the figures were measured: without that they mean nothing.

use std::process::Command;
use std::{fs, thread};

use serde::Serialize;

use crate::store::Store;

/// The machine and its software.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// The processor's model.
    pub cpu: String,
    /// How many cores this process may use.
    pub cores: usize,
    /// Kernel name and release.
    pub kernel: String,
    /// Version of the private redis-server.
    pub redis: String,
    /// The compiler on the path, which is the one that built this under `make bench`.
    pub rustc: String,
}

impl Machine {
    /// Looks around; what cannot be found out is "unknown".
    pub fn look() -> anyhow::Result<Self> {
        let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name"));
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let rustc = Command::new("rustc").arg("--version").output();
        let rustc = rustc.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        Ok(Self {
            cpu: known(cpu.map_or("", |model| model.trim_start_matches([' ', '\t', ':']))),
            cores: thread::available_parallelism().map_or(1, Into::into),
            kernel: known(&format!("Linux {}", release.trim())),
            redis: Store::start(false)?.version()?,
            rustc: known(rustc.as_deref().unwrap_or("")),
        })
    }
}

fn known(text: &str) -> String {
    if text.is_empty() { "unknown" } else { text }.to_owned()
}
