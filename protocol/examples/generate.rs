//! Writes the published documents, `protocol/schemas/` and `protocol/asyncapi.json`, from the types:
//! `cargo run -p maestro-protocol --example generate`.

use std::fs;
use std::path::Path;

use serde_json::Value;

fn main() -> std::io::Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (name, schema) in maestro_protocol::schemas() {
        write(&here.join("schemas").join(format!("{name}.json")), &schema)?;
    }
    write(&here.join("asyncapi.json"), &maestro_protocol::asyncapi())
}

fn write(path: &Path, document: &Value) -> std::io::Result<()> {
    fs::write(path, format!("{document:#}\n"))
}
