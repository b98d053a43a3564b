//! Tests of Node on real runs, in small projects whose runner is Node's own, so that nothing is installed. Those of jest
//! and vitest are cases of the corpus, since they come from a registry.

use std::path::Path;

use maestro_heal::{Healer, SandboxChoice, Settings};
use maestro_protocol::heal::{HealCompleted, Strategy, Verdict};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// Heals what the members of `request` say in a project of these files.
async fn heal(files: &[(&str, &str)], request: Value) -> HealCompleted {
    let place = TempDir::new().expect("a directory");
    lay(place.path(), files);
    healed_in(place.path(), request).await
}

fn lay(place: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let file = place.join("project").join(path);
        std::fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
        std::fs::write(file, text).expect("a file");
    }
}

async fn healed_in(place: &Path, request: Value) -> HealCompleted {
    let mut whole = json!({
        "project": { "repository": place.join("project") },
        "kind": "test_failure",
        "message": "a test fails",
        "runtime": { "install": [], "command": ["node", "--test"] }
    });
    for (name, value) in request.as_object().expect("members") {
        whole[name] = value.clone();
    }
    healer(place)
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

fn named(id: &str) -> Value {
    json!({ "test": { "id": id, "framework": "node-test" } })
}

const PRODUCT: &str = "'use strict';\n\nexports.price = function price(amount, member) {\n  if (amount > 10) {\n    amount = amount - 2;\n  }\n  if (member) amount -= 1;\n  return amount;\n};\n\nexports.unused = (a) => a + 1;\n";

fn test(body: &str) -> String {
    format!(
        "const test = require('node:test');\nconst assert = require('node:assert');\nconst {{ price }} = require('..');\n\n{body}"
    )
}

#[tokio::test]
async fn a_bracket_that_is_missing_is_put_in_and_the_healed_test_still_bites() {
    let broken = test(
        "test('a price', () => {\n  assert.strictEqual(price(20, true), 17;\n  assert.strictEqual(price(10, false), 10);\n});\n",
    );
    let healed = heal(
        &[("index.js", PRODUCT), ("test/price.test.js", &broken)],
        named("test/price.test.js"),
    )
    .await;
    assert_eq!(healed.verdict, Verdict::Healed, "{healed:#?}");
    assert_eq!(healed.strategy, Some(Strategy::SyntaxRepair));
    let patch = healed.patch.expect("a patch");
    assert!(
        patch.contains("+  assert.strictEqual(price(20, true), 17);"),
        "{patch}"
    );
    let teeth = healed.evidence.teeth.expect("teeth");
    assert!(teeth.planted >= 2, "{teeth:?}");
    assert_eq!(
        teeth.caught_after, teeth.planted,
        "{:?}",
        healed.evidence.caveats
    );
}

#[tokio::test]
async fn a_test_that_catches_nothing_is_proposed_and_says_so() {
    let toothless = test("test('a price', () => {\n  price(20, true);\n  assert.ok(true;\n});\n");
    let healed = heal(
        &[("index.js", PRODUCT), ("test/price.test.js", &toothless)],
        named("test/price.test.js"),
    )
    .await;
    assert_eq!(healed.verdict, Verdict::Proposed, "{healed:#?}");
    assert!(healed.reason.contains("catches none"), "{}", healed.reason);
}

#[tokio::test]
async fn a_broken_product_is_refused_with_the_assertion_both_values_and_its_line() {
    let broken = PRODUCT.replace("amount - 2", "amount - 3");
    let whole = test(
        "test('prices', async (t) => {\n  await t.test('of members', () => {\n    assert.strictEqual(price(20, true), 17);\n  });\n});\n",
    );
    for request in [
        named("test/price.test.js::prices > of members"),
        named("of members"),
        json!({}),
    ] {
        let refused = heal(
            &[("index.js", &broken), ("test/price.test.js", &whole)],
            request,
        )
        .await;
        assert_eq!(refused.verdict, Verdict::Refused, "{refused:#?}");
        assert_eq!(refused.patch, None);
        assert_eq!(refused.evidence.error_class, "assertion_failure");
        for part in [
            "test/price.test.js:7",
            "expected 17, there is 16",
            "index.js:3",
        ] {
            assert!(
                refused.reason.contains(part),
                "{part} in {}",
                refused.reason
            );
        }
    }
}

#[tokio::test]
async fn an_exception_of_the_product_and_a_promise_that_never_settles_are_refused() {
    let throws = PRODUCT.replace("  return amount;", "  return amount.value.length;");
    let whole = test("test('a price', () => {\n  assert.strictEqual(price(1), 1);\n});\n");
    let refused = heal(
        &[("index.js", &throws), ("test/price.test.js", &whole)],
        named("test/price.test.js"),
    )
    .await;
    assert_eq!(refused.verdict, Verdict::Refused, "{refused:#?}");
    assert!(refused.reason.contains("index.js:8"), "{}", refused.reason);
    let never = "exports.price = () => new Promise(() => {});\n";
    let waits = test(
        "test('a price', { timeout: 200 }, async () => {\n  setInterval(() => {}, 1000).unref();\n  const keep = setTimeout(() => {}, 2000);\n  assert.strictEqual(await price(1), 1);\n  clearTimeout(keep);\n});\n",
    );
    let refused = heal(
        &[("index.js", never), ("test/price.test.js", &waits)],
        named("test/price.test.js"),
    )
    .await;
    assert_eq!(refused.verdict, Verdict::Refused, "{refused:#?}");
}

#[tokio::test]
async fn a_file_of_its_own_that_the_project_lost_is_refused_and_a_product_syntax_is_a_persons() {
    let refused = heal(
        &[("test/price.test.js", "require('../lib/price');\n")],
        named("test/price.test.js"),
    )
    .await;
    assert_eq!(refused.verdict, Verdict::Refused, "{refused:#?}");
    assert!(
        refused.reason.contains("`../lib/price`"),
        "{}",
        refused.reason
    );
    let broken = PRODUCT.replace("return amount;\n};", "return amount;\n;");
    let whole = test("test('a price', () => {\n  assert.strictEqual(price(1), 1);\n});\n");
    let proposed = heal(
        &[("index.js", &broken), ("test/price.test.js", &whole)],
        named("test/price.test.js"),
    )
    .await;
    assert_ne!(proposed.verdict, Verdict::Healed, "{proposed:#?}");
}

#[tokio::test]
async fn what_passes_is_not_reproduced_whichever_way_it_is_run() {
    let whole = test("test('a price', () => {\n  assert.strictEqual(price(1), 1);\n});\n");
    let manifest = r#"{"name": "shop", "scripts": {"test": "node --test test/*.test.js"}}"#;
    for command in [
        json!(["npm", "test"]),
        json!(["node", "test/price.test.js"]),
    ] {
        let green = heal(
            &[
                ("package.json", manifest),
                ("index.js", PRODUCT),
                ("test/price.test.js", &whole),
            ],
            json!({ "runtime": { "install": [], "command": command } }),
        )
        .await;
        assert_eq!(green.verdict, Verdict::NotReproduced, "{green:#?}");
    }
}

#[tokio::test]
async fn a_hostile_project_gains_nothing_by_its_manifest_its_npmrc_or_its_tests() {
    let place = TempDir::new().expect("a directory");
    let outside = place.path().join("outside");
    std::fs::create_dir(&outside).expect("a directory");
    std::fs::write(outside.join("secret"), "token").expect("a file");
    let mark = outside.join("ran").display().to_string();
    let touch = format!("node -e \"require('fs').writeFileSync('{mark}','')\"");
    let manifest = json!({
        "name": "hostile",
        "scripts": { "preinstall": touch, "postinstall": touch, "prepare": touch, "pretest": touch, "test": "node --test" },
        "dependencies": { "secret": "file:../outside" },
        "workspaces": ["../outside"]
    });
    let tests = format!(
        "const test = require('node:test');\nconst assert = require('node:assert');\nconst fs = require('fs');\nconst net = require('net');\n\ntest('the host is out of reach', async () => {{\n  assert.throws(() => fs.readFileSync('{0}/secret'));\n  assert.throws(() => fs.writeFileSync('{0}/ran', ''));\n  assert.throws(() => fs.readFileSync('/root/.bashrc'));\n  assert.throws(() => fs.writeFileSync('node_modules/x.js', ''));\n  assert.ok(!('CARGO_HOME' in process.env) && !('SECRET_OF_HOST' in process.env));\n  const reached = await new Promise((done) => {{\n    const socket = net.connect(53, '192.0.2.1');\n    socket.on('connect', () => done(true));\n    socket.on('error', () => done(false));\n  }});\n  assert.strictEqual(reached, false);\n}});\n",
        outside.display()
    );
    lay(
        place.path(),
        &[
            ("package.json", &manifest.to_string()),
            (
                ".npmrc",
                "ignore-scripts=false\nnode-options=--require=/evil.js\nscript-shell=/bin/sh\n",
            ),
            ("test/host.test.js", &tests),
        ],
    );
    std::os::unix::fs::symlink("/", place.path().join("project/node_modules")).expect("a link");
    let answer = healed_in(
        place.path(),
        json!({ "runtime": { "install": ["."], "command": ["npm", "test"] } }),
    )
    .await;
    assert_eq!(answer.verdict, Verdict::NotReproduced, "{answer:#?}");
    assert!(!outside.join("ran").exists(), "a script of the project ran");
}

#[tokio::test]
async fn what_is_no_package_by_name_is_not_installed_and_a_node_that_is_not_here_is_said_so() {
    let place = TempDir::new().expect("a directory");
    lay(place.path(), &[("test/a.test.js", "")]);
    let asked = |runtime: Value| {
        let request = json!({
            "project": { "repository": place.path().join("project") },
            "kind": "test_failure",
            "message": "a test fails",
            "runtime": runtime
        });
        let healer = healer(place.path());
        async move {
            let request = serde_json::from_value(request).expect("a request");
            healer
                .heal(&request, CancellationToken::new())
                .await
                .expect_err("no verdict")
                .to_string()
        }
    };
    let command = json!(["node", "--test"]);
    for bad in [
        "--global",
        "../outside",
        "git+https://example.org/x.git",
        "x@file:/etc",
    ] {
        let error = asked(json!({ "install": [bad], "command": command })).await;
        assert!(error.contains("is not a requirement"), "{error}");
    }
    let error = asked(json!({ "node": "99", "install": [], "command": command })).await;
    assert!(error.contains("ask for Node 99, and there is "), "{error}");
}

const SETTINGS: &str = "'use strict';\n\nmodule.exports = { member: false };\n";
const BY_SETTING: &str = "'use strict';\nconst settings = require('./settings');\n\nexports.price = function price(amount) {\n  if (amount > 10) amount -= 2;\n  if (settings.member) amount -= 1;\n  return amount;\n};\n";
const POLLUTED: &str = "const test = require('node:test');\nconst assert = require('node:assert');\nconst settings = require('../settings');\nconst { price } = require('..');\n\ntest('strangers', () => {\n  assert.strictEqual(price(20), 18);\n  assert.strictEqual(price(10), 10);\n});\n\ntest('members', () => {\n  settings.member = true;\n  assert.strictEqual(price(20), 17);\n});\n";

#[tokio::test]
async fn a_test_that_fails_only_behind_another_is_found_in_other_orders_and_proven_by_twenty() {
    let healed = heal(
        &[
            ("index.js", BY_SETTING),
            ("settings.js", SETTINGS),
            ("test/price.test.js", POLLUTED),
        ],
        named("test/price.test.js::strangers"),
    )
    .await;
    assert_eq!(healed.verdict, Verdict::Healed, "{healed:#?}");
    assert_eq!(healed.strategy, Some(Strategy::FlakyTestStabilization));
    assert_eq!(healed.evidence.after, "21/21");
    assert!(
        healed.evidence.caveats[0].contains("fails after test/price.test.js::members"),
        "{:?}",
        healed.evidence.caveats
    );
    let patch = healed.patch.expect("a patch");
    assert!(patch.contains("+test.afterEach(() => {"), "{patch}");
    for word in ["skip", "retry", "only", "todo"] {
        assert!(!patch.contains(word), "{patch}");
    }
    let teeth = healed.evidence.teeth.expect("teeth");
    assert_eq!(teeth.caught_after, teeth.planted);
}

#[tokio::test]
async fn a_product_that_remembers_what_it_was_asked_before_is_refused_with_the_test_that_shows_it()
{
    let remembers = "'use strict';\nlet known;\n\nexports.price = (amount) => {\n  known ??= amount - 2;\n  return known;\n};\n";
    let test = test(
        "test('one', () => {\n  assert.strictEqual(price(20), 18);\n});\n\ntest('another', () => {\n  assert.strictEqual(price(30), 28);\n});\n",
    );
    let refused = heal(
        &[("index.js", remembers), ("test/price.test.js", &test)],
        named("test/price.test.js::another"),
    )
    .await;
    assert_eq!(refused.verdict, Verdict::Refused, "{refused:#?}");
    assert_eq!(refused.patch, None);
    assert!(
        refused
            .reason
            .contains("fails after test/price.test.js::one"),
        "{}",
        refused.reason
    );
}
