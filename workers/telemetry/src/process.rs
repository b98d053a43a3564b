//! The process itself, from the kernel's own tables (`proc(5)`).

use std::fs;

use metrics::gauge;

/// Sets what the process uses now. What the kernel does not tell is left out.
pub(crate) fn measure() {
    if let Some(kib) = resident_kib() {
        gauge!("maestro_resident_bytes").set(f64::from(kib) * 1024.0);
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        let open = u32::try_from(open.count()).unwrap_or(u32::MAX);
        gauge!("maestro_open_files").set(f64::from(open));
    }
}

fn resident_kib() -> Option<u32> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}
