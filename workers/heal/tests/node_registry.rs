//! Tests of Node whose packages come from the real registry: what is installed where nothing is said, and each runner's
//! own results.

use std::path::Path;

use maestro_heal::{Healer, SandboxChoice, Settings};
use maestro_protocol::heal::{HealCompleted, Verdict};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

async fn heal(files: &[(&str, &str)], request: Value) -> HealCompleted {
    let place = TempDir::new().expect("a directory");
    for (path, text) in files {
        let file = place.path().join("project").join(path);
        std::fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
        std::fs::write(file, text).expect("a file");
    }
    let mut whole = json!({
        "project": { "repository": place.path().join("project") },
        "kind": "test_failure",
        "message": "a test fails"
    });
    for (name, value) in request.as_object().expect("members") {
        whole[name] = value.clone();
    }
    healer(place.path())
        .heal(
            &serde_json::from_value(whole).expect("a request"),
            CancellationToken::new(),
        )
        .await
        .expect("a verdict")
}

fn healer(place: &Path) -> Healer {
    Healer::new(Settings {
        roots: vec![place.to_owned()],
        work: place.join("work"),
        cache: place.join("cache"),
        sandbox: SandboxChoice::Required,
        ..Settings::default()
    })
    .expect("a healer")
}

const MANIFEST: &str = r#"{"name": "span", "scripts": {"test": "node --test"}, "dependencies": {"ms": "^2.1.0"}, "devDependencies": {"escape-html": "^1.0.3"}}"#;
const SPAN: &str = "'use strict';\nconst ms = require('ms');\n\nexports.span = (count) => ms(`${count}m`) / 1000;\n";
const SPAN_TEST: &str = "const test = require('node:test');\nconst assert = require('node:assert');\nconst escape = require('escape-html');\nconst { span } = require('..');\n\ntest('a span is in seconds', () => {\n  assert.strictEqual(escape(String(span(2))), '120');\n});\n";

#[tokio::test]
async fn where_nothing_is_said_the_manifest_is_installed_and_a_missing_module_is_looked_for_without_what_developers_need()
 {
    let files = [
        ("package.json", MANIFEST),
        ("index.js", SPAN),
        ("test/span.test.js", SPAN_TEST),
    ];
    let test = json!({ "id": "test/span.test.js", "framework": "node-test" });
    let green = heal(&files, json!({ "test": test })).await;
    assert_eq!(green.verdict, Verdict::NotReproduced, "{green:#?}");
    let message = "Error: Cannot find module 'escape-html'";
    let healed = heal(&files, json!({ "test": test, "message": message })).await;
    assert_eq!(healed.verdict, Verdict::Healed, "{healed:#?}");
    let changes = healed.runtime_changes.expect("changes of the environment");
    assert_eq!(changes.install, ["escape-html@^1.0.3"]);
}

const SUM: &str =
    "export function sum(items) {\n  return items.reduce((all, item) => all - item, 0);\n}\n";

#[tokio::test]
async fn vitest_says_both_values_of_a_broken_product() {
    let test = "import { expect, test } from 'vitest';\nimport { sum } from '../lib/sum';\n\ntest('a sum', () => {\n  expect(sum([1, 2])).toBe(3);\n});\n";
    let refused = heal(
        &[
            ("package.json", r#"{"name": "sum", "type": "module"}"#),
            ("lib/sum.ts", &SUM.replace("items)", "items: number[])")),
            ("test/sum.test.ts", test),
        ],
        json!({
            "test": { "id": "test/sum.test.ts > a sum", "framework": "vitest" },
            "runtime": { "install": ["vitest@3"], "command": ["npx", "vitest", "run"] }
        }),
    )
    .await;
    assert_eq!(refused.verdict, Verdict::Refused, "{refused:#?}");
    for part in [
        "test/sum.test.ts:5",
        "expected 3, there is -3",
        "lib/sum.ts:1",
    ] {
        assert!(
            refused.reason.contains(part),
            "{part} in {}",
            refused.reason
        );
    }
}

#[tokio::test]
async fn mocha_says_both_values_of_a_broken_product() {
    let test = "const assert = require('assert');\nconst { sum } = require('../lib/sum');\n\ndescribe('sums', () => {\n  it('adds', () => {\n    assert.strictEqual(sum([1, 2]), 3);\n  });\n});\n";
    let product = "exports.sum = (items) => items.length;\n";
    let refused = heal(
        &[("lib/sum.js", product), ("test/sum.js", test)],
        json!({ "runtime": { "install": ["mocha@10"], "command": ["npx", "mocha", "test/sum.js"] } }),
    )
    .await;
    assert_eq!(refused.verdict, Verdict::Refused, "{refused:#?}");
    assert!(
        refused.reason.contains("expected 3, there is 2"),
        "{}",
        refused.reason
    );
}

#[tokio::test]
async fn what_a_test_of_jest_leaves_in_nodes_own_modules_is_gone_for_the_next_run() {
    let rates =
        "'use strict';\n\nexports.rate = (currency) => ({ EUR: 100, CHF: 104 })[currency];\n";
    let report = "'use strict';\nconst rates = require('./rates');\n\nexports.convert = function convert(amount, currency) {\n  if (amount === 0) return 0;\n  return Math.floor((amount * rates.rate(currency)) / 100);\n};\n";
    // jest gives each file modules of its own, but for Node's.
    let test = "const fs = require('fs');\nconst rates = require('./rates');\nconst { convert } = require('./report');\n\nif (fs.once) throw new Error('somebody was here');\nfs.once = true;\n\nit('with a stub', () => {\n  jest.spyOn(rates, 'rate').mockReturnValue(200);\n  expect(convert(10, 'EUR')).toBe(20);\n});\n\nit('at the real rate', () => {\n  expect(convert(100, 'CHF')).toBe(104);\n  expect(convert(0, 'EUR')).toBe(0);\n});\n";
    let healed = heal(
        &[
            ("package.json", r#"{"name": "report"}"#),
            ("rates.js", rates),
            ("report.js", report),
            ("report.test.js", test),
        ],
        json!({
            "test": { "id": "report.test.js::at the real rate", "framework": "jest" },
            "runtime": { "install": ["jest@29"], "command": ["npx", "jest"] }
        }),
    )
    .await;
    assert_eq!(healed.verdict, Verdict::Healed, "{healed:#?}");
    assert_eq!(healed.evidence.after, "21/21");
}
