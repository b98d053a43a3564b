//! What is emitted, what is described and what is documented are the same.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use maestro_telemetry::{CATALOGUE, document};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_page_of_the_metrics_is_what_the_table_says() {
    let page = fs::read_to_string(root().join("docs/metrics.md")).expect("docs/metrics.md");
    assert!(
        page == document(),
        "docs/metrics.md is not what the table says: run `make metrics-docs`"
    );
}

#[test]
fn every_metric_that_the_sources_emit_is_described_and_every_described_one_is_emitted() {
    let mut emitted = BTreeMap::new();
    for room in ["streams/src", "workers"] {
        read(&root().join(room), &mut emitted);
    }
    let described: BTreeMap<String, &str> = CATALOGUE
        .iter()
        .map(|metric| (metric.name.to_owned(), metric.kind.word()))
        .collect();
    assert_eq!(emitted, described);
}

/// Every `counter!("name"…`, `gauge!("name"…` and `histogram!("name"…` of the Rust files below, tests excepted.
fn read(directory: &Path, emitted: &mut BTreeMap<String, &'static str>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() && name != "tests" && name != "target" {
            read(&path, emitted);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = fs::read_to_string(&path).expect("UTF-8");
            for kind in ["counter", "gauge", "histogram"] {
                find(&text, kind, &path, emitted);
            }
        }
    }
}

fn find(text: &str, kind: &'static str, path: &Path, emitted: &mut BTreeMap<String, &'static str>) {
    let call = format!("{kind}!(");
    for (at, _) in text.match_indices(&call) {
        let before = text[..at].chars().next_back();
        // `describe_counter!` takes its names from the table.
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let name = text[at + call.len()..].trim_start();
        let name = name
            .strip_prefix('"')
            .and_then(|rest| rest.split('"').next());
        let name = name.unwrap_or_else(|| {
            panic!(
                "{}: the name of a metric stands in its macro, or no test can find it",
                path.display()
            )
        });
        emitted.insert(name.to_owned(), kind);
    }
}
