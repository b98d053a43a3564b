//! Reports one failing test to Maestro. Needs the crates redis (feature `streams`) and `serde_json`.
#![allow(clippy::print_stdout, reason = "the entry's id is what it is run for")]

use redis::TypedCommands;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let test = "tests/test_cart.py::test_total";
    let report = serde_json::json!({
        "project": { "repository": "https://git.example/shop/cart.git", "revision": "4f1c2aa" },
        "kind": "test_failure",
        "message": "ImportError: cannot import name 'Mapping' from 'collections'",
        "test": { "id": test, "framework": "pytest" },
        "runtime": { "python": "3.11", "install": ["pytest"] },
    });
    let fields = [
        ("type", "maestro.error.reported.v1".to_owned()),
        ("source", "//ci.example/cart".to_owned()),
        // With an id, a repeated run of this job reports nothing twice.
        ("id", format!("4f1c2aa/{test}")),
        ("data", report.to_string()),
    ];
    let url = std::env::var("REDIS_URL").unwrap_or_else(|_| "redis://127.0.0.1:6379".to_owned());
    let entry =
        redis::Client::open(url)?
            .get_connection()?
            .xadd("automation:errors", "*", &fields)?;
    println!("{}", entry.unwrap_or_default());
    Ok(())
}
