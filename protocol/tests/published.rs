//! What is published is what the types say.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use maestro_protocol::{asyncapi, schemas};
use serde_json::Value;

const HINT: &str = "rewrite it with `cargo run -p maestro-protocol --example generate`";

fn read(path: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let text = fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; {HINT}", path.display()));
    serde_json::from_str(&text).expect("a published document is JSON")
}

#[test]
fn the_committed_schemas_are_those_of_the_types() {
    for (name, schema) in schemas() {
        assert!(
            read(&format!("schemas/{name}.json")) == schema,
            "schemas/{name}.json is out of date; {HINT}"
        );
    }
    let committed: BTreeSet<String> =
        fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
    let generated = schemas().map(|(name, _)| format!("{name}.json")).collect();
    assert_eq!(committed, generated);
}

#[test]
fn every_schema_is_a_valid_schema() {
    for (name, schema) in schemas() {
        if let Err(error) = jsonschema::draft202012::meta::validate(&schema) {
            panic!("{name}: {error}");
        }
    }
}

#[test]
fn the_committed_asyncapi_document_is_that_of_the_types() {
    assert!(
        read("asyncapi.json") == asyncapi(),
        "asyncapi.json is out of date; {HINT}"
    );
}

#[test]
fn the_asyncapi_document_is_valid_by_asyncapis_own_schema() {
    let validator = jsonschema::validator_for(&read("tests/data/asyncapi-3.0.0.json")).unwrap();
    let mut document = asyncapi();
    let errors: Vec<String> = validator
        .iter_errors(&document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
    // And it would have noticed.
    document["operations"]["receive-automation-errors"]["action"] = "take".into();
    assert!(!validator.is_valid(&document));
}

#[test]
fn every_reference_in_the_asyncapi_document_leads_somewhere() {
    fn visit(root: &Value, value: &Value, seen: &mut usize) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    let pointer = reference.strip_prefix('#').expect("a local reference");
                    assert!(root.pointer(pointer).is_some(), "{reference}");
                    *seen += 1;
                }
                members.values().for_each(|value| visit(root, value, seen));
            }
            Value::Array(items) => items.iter().for_each(|value| visit(root, value, seen)),
            _ => {}
        }
    }
    let document = asyncapi();
    let mut seen = 0;
    visit(&document, &document, &mut seen);
    assert!(seen > 60, "only {seen} references");
}
