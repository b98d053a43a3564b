//! Runs that are made by one process, of Node, or in one call of cargo, of Rust: what one leaves behind reaches no other, and a process that is
//! ended under them costs no verdict.

use maestro_heal::{Healer, SandboxChoice, Settings};
use maestro_protocol::heal::{HealCompleted, Strategy, Verdict};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// Heals a test of a project of these files.
async fn heal(files: &[(&str, &str)], id: &str, framework: &str, runtime: Value) -> HealCompleted {
    let place = TempDir::new().expect("a directory");
    for (path, text) in files {
        let file = place.path().join("project").join(path);
        std::fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
        std::fs::write(file, text).expect("a file");
    }
    let worker = Healer::new(Settings {
        roots: vec![place.path().to_owned()],
        work: place.path().join("work"),
        cache: place.path().join("cache"),
        sandbox: SandboxChoice::Required,
        ..Settings::default()
    })
    .expect("a worker");
    let healed = worker
        .heal(
            &serde_json::from_value(json!({
                "project": { "repository": place.path().join("project") },
                "kind": "test_failure",
                "message": "a test fails",
                "test": { "id": id, "framework": framework },
                "runtime": runtime
            }))
            .expect("a request"),
            CancellationToken::new(),
        )
        .await
        .expect("a verdict");
    let left: Vec<_> = std::fs::read_dir(place.path().join("work"))
        .expect("the work directory")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert!(left.is_empty(), "{left:?} is left");
    healed
}

fn is_stabilised(healed: &HealCompleted) {
    assert_eq!(healed.verdict, Verdict::Healed, "{healed:#?}");
    assert_eq!(healed.strategy, Some(Strategy::FlakyTestStabilization));
    assert_eq!(healed.evidence.after, "21/21");
    let teeth = healed.evidence.teeth.expect("teeth");
    assert!(teeth.caught_after > 0, "{teeth:?}");
}

const SETTINGS: &str = "'use strict';\n\nmodule.exports = { member: false };\n";
const BY_SETTING: &str = "'use strict';\nconst settings = require('./settings');\n\nexports.price = function price(amount) {\n  if (amount > 10) amount -= 2;\n  if (settings.member) amount -= 1;\n  return amount;\n};\n";

/// Two tests of which one makes the other fail, in a file that does `before` first.
async fn heal_of_node(before: &str) -> HealCompleted {
    let test = format!(
        "const fs = require('fs');\nconst test = require('node:test');\nconst assert = require('node:assert');\nconst settings = require('../settings');\nconst {{ price }} = require('..');\n\n{before}\n\ntest('strangers', () => {{\n  assert.strictEqual(price(20), 18);\n  assert.strictEqual(price(10), 10);\n}});\n\ntest('members', () => {{\n  settings.member = true;\n  assert.strictEqual(price(20), 17);\n}});\n"
    );
    heal(
        &[
            ("index.js", BY_SETTING),
            ("settings.js", SETTINGS),
            ("test/price.test.js", &test),
        ],
        "test/price.test.js::strangers",
        "node-test",
        json!({ "install": [], "command": ["node", "--test"] }),
    )
    .await
}

#[tokio::test]
async fn what_a_run_of_node_leaves_in_its_process_on_the_disk_or_running_is_gone_for_the_next() {
    let leaves = [
        "assert.ok(!globalThis.once && !process.env.ONCE && !fs.once);",
        "globalThis.once = process.env.ONCE = fs.once = Array.prototype.once = true;",
        "fs.mkdirSync('once');\nfs.mkdirSync('/tmp/once');",
        // A second one of that name could not listen.
        "const server = require('net').createServer().listen('\\0once').unref();\nserver.on('error', (error) => setImmediate(() => { throw error; }));",
        "assert.ok(!fs.readdirSync('/proc').some((pid) => /^\\d+$/.test(pid) && fs.existsSync(`/proc/${pid}/comm`) && fs.readFileSync(`/proc/${pid}/comm`, 'utf8') === 'sleep\\n'));",
        "require('child_process').spawn('sleep', ['600'], { detached: true, stdio: 'ignore' }).unref();",
    ];
    is_stabilised(&heal_of_node(&leaves.join("\n")).await);
}

#[tokio::test]
async fn a_run_of_node_that_ends_the_process_that_it_shares_has_one_of_its_own() {
    // Only where runs are made in threads does it do that.
    let kills =
        "if (!require('worker_threads').isMainThread) process.kill(process.pid, 'SIGKILL');";
    is_stabilised(&heal_of_node(kills).await);
    // And what is set for all threads of a process is the last of it.
    is_stabilised(&heal_of_node("require('v8').setFlagsFromString('--stack-size=900');").await);
}

#[tokio::test]
async fn a_failure_of_shared_runs_alone_is_none() {
    let test = "const test = require('node:test');\nconst assert = require('node:assert');\nconst { price } = require('..');\n\ntest('a price', () => {\n  assert.ok(require('worker_threads').isMainThread);\n  assert.strictEqual(price(20), 18;\n  assert.strictEqual(price(10), 10);\n});\n";
    let healed = heal(
        &[
            ("index.js", BY_SETTING),
            ("settings.js", SETTINGS),
            ("test/price.test.js", test),
        ],
        "test/price.test.js",
        "node-test",
        json!({ "install": [], "command": ["node", "--test"] }),
    )
    .await;
    assert_eq!(healed.verdict, Verdict::Healed, "{healed:#?}");
    assert_eq!(healed.evidence.after, "3/3");
}

#[tokio::test]
async fn a_defect_that_makes_a_thread_endless_is_ended_and_counts_as_noticed() {
    let product = "'use strict';\n\nexports.sum = function sum(most) {\n  let sum = 0;\n  for (let at = 0; at < most; at += 1) {\n    sum += at;\n  }\n  return sum;\n};\n";
    let test = "const test = require('node:test');\nconst assert = require('node:assert');\nconst { sum } = require('..');\n\ntest('a sum', () => {\n  assert.strictEqual(sum(4), 6;\n  assert.strictEqual(sum(0), 0);\n});\n";
    let healed = heal(
        &[("index.js", product), ("test/sum.test.js", test)],
        "test/sum.test.js",
        "node-test",
        json!({ "install": [], "command": ["node", "--test"] }),
    )
    .await;
    assert_eq!(healed.verdict, Verdict::Healed, "{healed:#?}");
    let teeth = healed.evidence.teeth.expect("teeth");
    assert!(teeth.planted >= 3, "{healed:#?}");
    assert_eq!(teeth.caught_after, teeth.planted, "{healed:#?}");
    let spent = healed.timing_ms.teeth.expect("the teeth's time");
    assert!(spent < 30_000, "{spent} ms");
}

const BY_VARIABLE: &str = "pub fn price(mut amount: u32) -> u32 {\n    if amount > 10 {\n        amount -= 2;\n    }\n    if std::env::var(\"SHOP_MEMBER\").is_ok() {\n        amount -= 1;\n    }\n    amount\n}\n";

/// Two tests of which one makes the other fail; the victim does `before` first.
async fn heal_of_rust(before: &str) -> HealCompleted {
    let test = format!(
        "use shop::price;\n\n#[test]\nfn members() {{\n    std::env::set_var(\"SHOP_MEMBER\", \"1\");\n    assert_eq!(price(20), 17);\n}}\n\n#[test]\nfn strangers() {{\n    once();\n    assert_eq!(price(20), 18);\n    assert_eq!(price(10), 10);\n}}\n\nfn once() {{\n{before}\n}}\n"
    );
    heal(
        &[
            (
                "Cargo.toml",
                "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
            ),
            ("src/lib.rs", BY_VARIABLE),
            ("tests/price.rs", &test),
        ],
        "strangers",
        "cargo",
        json!({}),
    )
    .await
}

#[tokio::test]
async fn what_an_order_of_rust_leaves_on_the_disk_or_running_is_gone_for_the_next() {
    // The harness runs it in rounds too, within one process.
    let leaves = "    static ONCE: std::sync::Once = std::sync::Once::new();\n    if std::env::var(\"MAESTRO_ORDER\").is_err() { return; }\n    ONCE.call_once(|| {\n        std::fs::create_dir(\"once\").unwrap();\n        std::fs::remove_file(\"src/lib.rs\").unwrap();\n        std::fs::create_dir(\"/tmp/once\").unwrap();\n        let runs = std::fs::read_dir(\"/proc\").unwrap().flatten().any(|of| std::fs::read_to_string(of.path().join(\"comm\")).is_ok_and(|name| name == \"sleep\\n\"));\n        assert!(!runs);\n        std::process::Command::new(\"setsid\").args([\"sleep\", \"600\"]).spawn().unwrap();\n    });";
    is_stabilised(&heal_of_rust(leaves).await);
}

#[tokio::test]
async fn a_call_of_cargo_that_is_ended_between_its_orders_is_made_again_for_each_of_them() {
    // Only where several orders are run is the tree kept for them.
    let kills = "    let records = std::env::var(\"MAESTRO_CARGO_RECORDS\").unwrap_or_default();\n    if std::path::Path::new(&records).join(\"whole\").exists() {\n        let stat = std::fs::read_to_string(format!(\"/proc/{}/stat\", std::os::unix::process::parent_id())).unwrap();\n        let above = stat.rsplit(')').next().unwrap().split_whitespace().nth(1).unwrap().to_owned();\n        std::process::Command::new(\"sh\").args([\"-c\", &format!(\"kill -9 {above}\")]).status().unwrap();\n        std::thread::sleep(std::time::Duration::from_secs(600));\n    }";
    is_stabilised(&heal_of_rust(kills).await);
}
