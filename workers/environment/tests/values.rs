//! Whatever stands in a request's strings, it stays in its place: no value changes what is around it, or becomes anything but
//! the text that it is.

#![expect(
    clippy::unwrap_used,
    reason = "a request that is not what it should be ends the test"
)]

mod requests;

use maestro_environment::plan::{Object, Plan};
use maestro_protocol::environment::EnvironmentRequested;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use requests::{planned, request};
use serde_json::{Value, json};

/// What means something to YAML, to the template engine, to our own templates, to Kubernetes or to a shell.
const MEANINGFUL: [&str; 40] = [
    "{{ secret.name }}",
    "{{",
    "}}",
    "{% for x in app %}",
    "{# ",
    "$for",
    "$when",
    "$merge",
    "$(DATABASE_PASSWORD)",
    "$$(X)",
    "---",
    "...",
    "\n---\nkind: Pod\n",
    "\n",
    "\r\n",
    "\t",
    "- ",
    ": ",
    "key: value",
    " #",
    "\"",
    "'",
    "\\",
    "!!binary ",
    "&a ",
    "*a",
    "<<: ",
    "? ",
    "|",
    ">-",
    "[",
    "{",
    "null",
    "~",
    "true",
    "0x1f",
    "1e3",
    ".inf",
    "\u{2028}\u{feff}",
    "\u{1f600}",
];

/// Text of such parts, and of anything else.
fn text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => select(&MEANINGFUL[..]).prop_map(str::to_owned),
        1 => "[^\u{0}]{0,6}",
    ];
    vec(part, 1..5).prop_map(|parts| parts.concat())
}

/// Where a request has text that is the producer's own, in this order.
fn with(texts: &[String; 5]) -> EnvironmentRequested {
    let [variable, argument, other, tested, words] = texts;
    request(json!({
        "app": {
            "image": "shop:1", "port": 8080,
            "env": { "A": variable }, "command": ["serve", argument],
        },
        "database": "postgresql",
        "redis": true,
        "test": {
            "image": "tests:1", "command": ["run", other],
            "env": { "B": tested }, "junit_path": "/results/junit.xml",
        },
        "project": { "repository": "https://example.org/shop.git", "revision": words },
    }))
}

fn objects(plan: &Plan) -> impl Iterator<Item = &Object> {
    std::iter::once(&plan.namespace)
        .chain(&plan.guards)
        .chain(&plan.configuration)
        .chain(&plan.workloads)
        .chain(&plan.tests)
}

/// The places at which two trees differ, with what stands there.
fn differences<'a>(
    path: &str,
    one: &'a Value,
    other: &'a Value,
    found: &mut Vec<(String, &'a Value, &'a Value)>,
) {
    match (one, other) {
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => {
            for (key, value) in a {
                differences(&format!("{path}/{key}"), value, &b[key], found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (number, (value, other)) in a.iter().zip(b).enumerate() {
                differences(&format!("{path}/{number}"), value, other, found);
            }
        }
        _ if one == other => {}
        _ => found.push((path.to_owned(), one, other)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_value_stays_in_its_place_and_is_the_text_that_it_was(texts in proptest::array::uniform5(text())) {
        let plain = ["PLAIN0", "PLAIN1", "PLAIN2", "PLAIN3", "PLAIN4"].map(str::to_owned);
        let asked = with(&texts);
        let (reference, plan) = (planned(&with(&plain)).unwrap(), planned(&asked).unwrap());
        prop_assert_eq!(objects(&reference).count(), objects(&plan).count());
        let mut moved = Vec::new();
        for (one, other) in objects(&reference).zip(objects(&plan)) {
            prop_assert_eq!((&one.kind, &one.name), (&other.kind, &other.name));
            let mut found = Vec::new();
            differences("", &one.manifest, &other.manifest, &mut found);
            for (path, was, is) in found {
                // What was asked for is kept as it was, and by its hash.
                if path.ends_with("/annotations/maestro.dev/spec") {
                    let kept: Value = serde_json::from_str(is.as_str().unwrap()).unwrap();
                    prop_assert_eq!(kept, serde_json::to_value(&asked).unwrap());
                } else if !path.ends_with("/annotations/maestro.dev/spec-hash") {
                    let which = plain.iter().position(|plain| was == plain);
                    prop_assert!(which.is_some(), "{path}: {was} became {is}");
                    prop_assert_eq!(is, &Value::from(texts[which.unwrap()].as_str()), "{}", path);
                    moved.push(which.unwrap());
                }
            }
        }
        // Each has a place of its own; the project's revision is for the results alone.
        moved.sort_unstable();
        moved.dedup();
        prop_assert_eq!(moved, [0, 1, 2, 3]);
    }
}
