//! Writes `docs/metrics.md` again, from the table: `make metrics-docs`.

use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    std::fs::write(page, maestro_telemetry::document())
}
