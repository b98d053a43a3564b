//! What checkers find goes in, in each format, and a verdict comes out: the whole path through real worker processes, with the
//! real ruff, mypy, eslint and TypeScript.

use maestro_tests::{Entry, Fleet, Project};
use serde_json::{Value, json};

const PYPROJECT: &str = "[project.optional-dependencies]\ndev = [\"ruff==0.14.0\", \"mypy==1.18.2\"]\n\n[tool.ruff.lint]\nselect = [\"E\", \"F\"]\n";
const SHOP: &str =
    "def total(prices: list[int]) -> int:\n    return sum(prices)\n\n\ntotal([\"3\"])\n";
const SHOP_TEST: &str = "import os\n\n\ndef test_sum():\n    assert sum([1, 2]) == 3\n    assert (sum([]) == None) is False\n";
const PACKAGE: &str =
    r#"{"name": "shop", "devDependencies": {"eslint": "9.39.5", "typescript": "5.9.3"}}"#;
const ESLINT: &str = "module.exports = [{ languageOptions: { sourceType: 'commonjs' }, rules: { 'no-var': 'error' } }];\n";
const TSCONFIG: &str = r#"{"compilerOptions": {"strict": true, "types": []}, "include": ["src"]}"#;

const SARIF: &str = r#"{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "ruff", "version": "0.14.0"}}, "results": [
    {"ruleId": "F401", "level": "error", "message": {"text": "`os` imported but unused"},
     "locations": [{"physicalLocation": {"artifactLocation": {"uri": "test_shop.py"}, "region": {"startLine": 1, "startColumn": 8}}}]},
    {"ruleId": "F401", "level": "error", "message": {"text": "`sys` imported but unused"}, "suppressions": [{"kind": "inSource"}]}]}]}"#;
const RUFF: &str = r#"[{"code": "E711", "message": "Comparison to `None` should be `cond is None`", "filename": "test_shop.py",
    "location": {"row": 6, "column": 24}, "end_location": {"row": 6, "column": 28}, "fix": null, "noqa_row": 6, "cell": null}]"#;
const MYPY_LINE: &str = r#"{"file": "shop.py", "line": 5, "column": 7, "message": "List item 0 has incompatible type \"str\"; expected \"int\"", "hint": null, "code": "list-item", "severity": "error"}"#;
const ESLINT_JSON: &str = r#"[{"filePath": "test/a.test.js", "messages": [{"ruleId": "no-var", "severity": 2, "message": "Unexpected var, use let or const instead.", "line": 1, "column": 1}], "suppressedMessages": []}]"#;
const TSC: &str =
    "src/price.ts(1,14): error TS2322: Type 'string' is not assignable to type 'number'.\n";
const CARGO: &str = r#"{"reason": "compiler-message", "message": {"message": "mismatched types", "code": {"code": "E0308"}, "level": "error", "spans": [{"file_name": "src/lib.rs", "line_start": 2, "column_start": 44, "is_primary": true, "label": "expected `i32`, found `&str`"}]}}"#;

/// A project with something to find for each checker.
fn shop(fleet: &Fleet) -> Project {
    Project::new(fleet.directory(), "shop")
        .file("pyproject.toml", PYPROJECT)
        .file("shop.py", SHOP)
        .file("test_shop.py", SHOP_TEST)
        .file("package.json", PACKAGE)
        .file("eslint.config.js", ESLINT)
        .file("tsconfig.json", TSCONFIG)
        .file("test/a.test.js", "var one = 1;\nmodule.exports = one;\n")
        .file("src/price.ts", "export const price: number = '3';\n")
}

fn data(entry: &Entry) -> Value {
    serde_json::from_str(&entry["data"]).expect("JSON")
}

#[test]
fn every_format_of_findings_is_published_triaged_and_comes_to_a_verdict() {
    let fleet = Fleet::start();
    let project = shop(&fleet);
    let root = project.root().display().to_string();
    let triage = fleet.worker("triage", &[]);
    let heal = fleet.worker("heal", &[]);
    let mut seen = 0;
    let mut answered = |name: &str, report: &str, results: usize| -> Vec<Entry> {
        let file = fleet.directory().join(name);
        std::fs::write(&file, report).expect("a report");
        let file = file.display().to_string();
        let published = fleet.ok(&["publish", "--findings", &file, "--repository", &root], "");
        assert_eq!(published.lines().count(), 1, "{name}: {published}");
        seen += results;
        let all = fleet.await_entries("automation:results", seen, &[&triage, &heal]);
        all[seen - results..].to_vec()
    };
    for (name, report, rule, verdict, says) in [
        ("ruff.sarif", SARIF, "F401", "healed", "ruff check --fix"),
        ("ruff.json", RUFF, "E711", "proposed", "unsafe"),
        (
            "mypy.jsonl",
            MYPY_LINE,
            "list-item",
            "refused",
            "`int` is wanted",
        ),
        (
            "eslint.json",
            ESLINT_JSON,
            "no-var",
            "healed",
            "eslint --fix",
        ),
        ("tsc.txt", TSC, "TS2322", "refused", "`number` is wanted"),
    ] {
        let results = answered(name, report, 2);
        let triaged = data(&results[0]);
        assert_eq!(triaged["decision"], "heal", "{name}: {triaged}");
        assert_eq!(triaged["finding"]["rule"], rule);
        let completed = data(&results[1]);
        assert_eq!(completed["verdict"], verdict, "{name}: {completed:#}");
        assert_eq!(completed["finding"]["rule"], rule);
        let reason = completed["reason"].as_str().expect("a reason");
        assert!(reason.contains(says), "{name}: {reason}");
        let offered = matches!(verdict, "healed" | "proposed");
        assert_eq!(completed.get("patch").is_some(), offered, "{completed:#}");
        let shown = fleet.ok(&["show", &results[1]["id"]], "");
        assert!(shown.contains(&format!(" {rule} in ")), "{shown}");
    }
    let results = answered("cargo.jsonl", CARGO, 1);
    let triaged = data(&results[0]);
    assert_eq!(triaged["kind"], "build_error");
    assert_eq!(triaged["decision"], "not_healable");
    assert_eq!(triaged["finding"]["tool"], json!("rustc"));
    assert!(fleet.dead("automation:errors").is_empty());
    assert!(fleet.dead("automation:heal").is_empty());
}

#[test]
fn a_healed_finding_is_applied_and_the_checker_is_content() {
    let fleet = Fleet::start();
    let project = shop(&fleet);
    let root = project.root().display().to_string();
    let triage = fleet.worker("triage", &[]);
    let heal = fleet.worker("heal", &[]);
    let report = fleet.directory().join("ruff.sarif");
    std::fs::write(&report, SARIF).expect("a report");
    let report = report.display().to_string();
    fleet.ok(&["publish", "--sarif", &report, "--repository", &root], "");
    let results = fleet.await_entries("automation:results", 2, &[&triage, &heal]);
    fleet.ok(&["apply", &results[1]["id"], "--into", &root], "");
    let text = std::fs::read_to_string(project.root().join("test_shop.py")).expect("a file");
    assert!(!text.contains("import os"), "{text}");
    // What is published again is the same message; and the finding is gone.
    fleet.ok(
        &[
            "publish",
            "--sarif",
            &report,
            "--repository",
            &root,
            "--run",
            "2",
        ],
        "",
    );
    let results = fleet.await_entries("automation:results", 4, &[&triage, &heal]);
    // Whoever applies a repair has accepted it.
    assert_eq!(data(&results[2])["judgement"], "approved");
    assert_eq!(data(&results[3])["decision"], "repeat");
}
