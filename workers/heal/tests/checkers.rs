//! Findings of checkers on real runs: the project's own ruff, mypy, eslint and TypeScript, from their registries.

use std::path::Path;

use maestro_heal::{HealError, Healer, SandboxChoice, Settings};
use maestro_protocol::heal::{HealCompleted, Strategy, Touch, Verdict};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

type Files<'f> = &'f [(&'f str, &'f str)];

/// Heals what a checker found in a project of these files.
async fn heal(files: Files<'_>, finding: Value, more: Value) -> HealCompleted {
    let place = TempDir::new().expect("a directory");
    heal_in(place.path(), files, finding, more)
        .await
        .expect("a verdict")
}

async fn heal_in(
    place: &Path,
    files: Files<'_>,
    finding: Value,
    more: Value,
) -> Result<HealCompleted, HealError> {
    for (path, text) in files {
        let file = place.join("project").join(path);
        std::fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
        std::fs::write(file, text).expect("a file");
    }
    let tool = finding["tool"].as_str().expect("a tool");
    let kind = if matches!(tool, "mypy" | "tsc") {
        "type_error"
    } else {
        "lint_error"
    };
    let mut whole = json!({
        "project": { "repository": place.join("project") },
        "kind": kind,
        "message": finding["message"],
        "file": finding["file"],
        "line": finding["line"],
        "finding": { "tool": tool, "rule": finding["rule"] }
    });
    for (name, value) in more.as_object().expect("members") {
        whole[name] = value.clone();
    }
    let request = serde_json::from_value(whole).expect("a request");
    healer(place).heal(&request, CancellationToken::new()).await
}

fn healer(place: &Path) -> Healer {
    Healer::new(Settings {
        roots: vec![place.to_owned()],
        work: place.join("work"),
        // Environments are dear: all tests of this file share them, as workers on one machine do.
        cache: Path::new(env!("CARGO_TARGET_TMPDIR")).join("checkers"),
        sandbox: SandboxChoice::Required,
        ..Settings::default()
    })
    .expect("a healer")
}

fn added(patch: &str) -> Vec<&str> {
    lines(patch, '+')
}

fn taken(patch: &str) -> Vec<&str> {
    lines(patch, '-')
}

fn lines(patch: &str, mark: char) -> Vec<&str> {
    patch
        .lines()
        .filter(|line| line.starts_with(mark) && !line.starts_with(&mark.to_string().repeat(3)))
        .collect()
}

const RUFF: (&str, &str) = (
    "pyproject.toml",
    "[project.optional-dependencies]\ndev = [\"ruff==0.14.0\"]\n\n[tool.ruff.lint]\nselect = [\"E\", \"F\", \"UP\"]\nunfixable = [\"F541\"]\n",
);
const SHOP: (&str, &str) = (
    "shop.py",
    "import json\nfrom typing import List\n\n\ndef total(prices: List[int]) -> int:\n    print(f\"a total\")\n    return sum(prices)\n",
);
const SHOP_TEST: (&str, &str) = (
    "test_shop.py",
    "import os\nimport sys\n\nimport shop\n\n\ndef test_total():\n    assert shop.total([1, 2]) == 3\n    assert (shop.total([]) == None) is False\n",
);

fn ruff(rule: &str, file: &str, line: u32, message: &str) -> Value {
    json!({ "tool": "ruff", "rule": rule, "file": file, "line": line, "message": message })
}

#[tokio::test]
async fn ruffs_own_safe_fix_of_a_test_is_healed_and_of_the_product_proposed() {
    let healed = heal(
        &[RUFF, SHOP, SHOP_TEST],
        ruff("F401", "test_shop.py", 40, "`os` imported but unused"),
        json!({}),
    )
    .await;
    assert_eq!(healed.verdict, Verdict::Healed, "{healed:#?}");
    assert_eq!(healed.strategy, Some(Strategy::SyntaxRepair));
    assert_eq!(healed.touches, [Touch::Test]);
    assert_eq!(healed.evidence.error_class, "lint_error");
    assert_eq!(healed.evidence.reproduced, "2/2");
    assert_eq!(healed.evidence.after, "3/3");
    assert_eq!(healed.evidence.neighbours.after.passed, 1, "the tests ran");
    assert_eq!(healed.evidence.collected.after, 1);
    assert!(healed.evidence.caveats.is_empty(), "{healed:#?}");
    let patch = healed.patch.expect("a patch");
    assert_eq!(taken(&patch), ["-import os", "-import sys"]);
    assert!(healed.evidence.excerpt.contains("import os"));

    let proposed = heal(
        &[RUFF, SHOP, SHOP_TEST],
        ruff("F401", "shop.py", 1, "`json` imported but unused"),
        json!({}),
    )
    .await;
    assert_eq!(proposed.verdict, Verdict::Proposed, "{proposed:#?}");
    assert_eq!(proposed.touches, [Touch::Product]);
    assert_eq!(taken(&proposed.patch.expect("a patch")), ["-import json"]);
}

#[tokio::test]
async fn a_fix_that_brings_about_another_finding_is_none() {
    let left = heal(
        &[RUFF, SHOP, SHOP_TEST],
        ruff(
            "UP006",
            "shop.py",
            5,
            "Use `list` instead of `List` for type annotation",
        ),
        json!({}),
    )
    .await;
    assert_eq!(left.verdict, Verdict::NoFix, "{left:#?}");
    assert!(
        left.reason
            .contains("the checker reports something new: shop.py: F401 `typing.List`"),
        "{}",
        left.reason
    );
    assert!(left.patch.is_none());
}

#[tokio::test]
async fn what_a_fix_brings_up_is_fixed_with_it() {
    let shop = "from typing import List\n\n\ndef total(prices: List[int]) -> int:\n    return sum(prices)\n";
    let proposed = heal(
        &[RUFF, ("shop.py", shop)],
        ruff(
            "UP006",
            "shop.py",
            4,
            "Use `list` instead of `List` for type annotation",
        ),
        json!({}),
    )
    .await;
    assert_eq!(proposed.verdict, Verdict::Proposed, "{proposed:#?}");
    let patch = proposed.patch.as_deref().expect("a patch");
    // The import that nobody needs any more went too.
    assert_eq!(added(patch), ["+def total(prices: list[int]) -> int:"]);
    assert!(
        taken(patch).contains(&"-from typing import List"),
        "{patch}"
    );
    let step = &proposed.steps[0].description;
    assert!(step.contains("--select=UP006,F401"), "{step}");
}

#[tokio::test]
async fn an_unsafe_fix_is_proposed_as_such_and_what_the_project_keeps_from_being_fixed_is_left() {
    let proposed = heal(
        &[RUFF, SHOP, SHOP_TEST],
        ruff(
            "E711",
            "test_shop.py",
            9,
            "Comparison to `None` should be `cond is None`",
        ),
        json!({}),
    )
    .await;
    assert_eq!(proposed.verdict, Verdict::Proposed, "{proposed:#?}");
    assert!(proposed.reason.contains("unsafe"), "{}", proposed.reason);
    assert!(proposed.patch.expect("a patch").contains("is None"));

    let left = heal(
        &[RUFF, SHOP, SHOP_TEST],
        ruff("F541", "shop.py", 6, "f-string without any placeholders"),
        json!({}),
    )
    .await;
    assert_eq!(left.verdict, Verdict::NoFix, "{left:#?}");
    assert!(
        left.reason
            .contains("ruff has no fix of its own for F541 in shop.py:6"),
        "{}",
        left.reason
    );
    assert!(left.patch.is_none());
}

#[tokio::test]
async fn a_fix_that_a_passing_test_does_not_survive_is_none() {
    let test = (
        "test_shop.py",
        "import shop\n\n\ndef test_total():\n    assert shop.json.dumps(shop.total([1, 2])) == '3'\n",
    );
    let left = heal(
        &[RUFF, SHOP, test],
        ruff("F401", "shop.py", 1, "`json` imported but unused"),
        json!({}),
    )
    .await;
    assert_eq!(left.verdict, Verdict::NoFix, "{left:#?}");
    assert!(
        left.reason
            .contains("test_total passed before and fails now"),
        "{}",
        left.reason
    );
    assert!(left.patch.is_none());
}

#[tokio::test]
async fn what_the_projects_own_configuration_does_not_mind_is_not_reproduced() {
    let lenient = ("pyproject.toml", "[tool.ruff.lint]\nselect = [\"E\"]\n");
    let gone = heal(
        &[lenient, SHOP, SHOP_TEST],
        ruff("F401", "test_shop.py", 1, "`os` imported but unused"),
        json!({}),
    )
    .await;
    assert_eq!(gone.verdict, Verdict::NotReproduced, "{gone:#?}");
    let broken = (
        "pyproject.toml",
        "[tool.ruff.lint]\nselect = [\"NONSENSE\"]\n",
    );
    let left = heal(
        &[broken, SHOP, SHOP_TEST],
        ruff("F401", "test_shop.py", 1, "`os` imported but unused"),
        json!({}),
    )
    .await;
    assert_eq!(left.verdict, Verdict::NoFix, "{left:#?}");
    assert_eq!(left.evidence.error_class, "config_error");
    assert!(left.evidence.excerpt.contains("NONSENSE"), "{left:#?}");
}

#[tokio::test]
async fn a_rule_or_a_file_that_is_none_is_refused_before_anything_runs() {
    let place = TempDir::new().expect("a directory");
    for (rule, file, says) in [
        (
            "--config=x",
            "shop.py",
            "`finding.rule`: expected a rule of ruff",
        ),
        ("F401", "../../etc/passwd", "`file`: expected a path below"),
    ] {
        let refused = heal_in(place.path(), &[SHOP], ruff(rule, file, 1, "m"), json!({})).await;
        let Err(HealError::Refused(sentence)) = refused else {
            panic!("{refused:?}");
        };
        assert!(sentence.contains(says), "{sentence}");
    }
}

const ESLINT: (&str, &str) = (
    "package.json",
    r#"{"name": "shop", "scripts": {"test": "node --test"}, "devDependencies": {"eslint": "9.39.5"}}"#,
);
const ESLINT_RULES: (&str, &str) = (
    "eslint.config.js",
    "module.exports = [{ languageOptions: { sourceType: 'commonjs' }, rules: { 'no-var': 'error', eqeqeq: 'error', 'no-empty': 'error' } }];\n",
);
const INDEX: (&str, &str) = (
    "index.js",
    "'use strict';\n\nexports.isOne = (value) => value == 1;\n\nexports.quiet = (run) => {\n  try { run(); } catch {}\n};\n",
);
const INDEX_TEST: (&str, &str) = (
    "test/index.test.js",
    "'use strict';\n\nconst test = require('node:test');\nconst assert = require('node:assert');\nconst { isOne } = require('..');\n\ntest('one is one', () => {\n  var one = 1;\n  assert.ok(isOne(one));\n  assert.ok(!isOne(2));\n});\n",
);

fn eslint(rule: &str, file: &str, line: u32, message: &str) -> Value {
    json!({ "tool": "eslint", "rule": rule, "file": file, "line": line, "message": message })
}

const VAR: &str = "Unexpected var, use let or const instead.";
const EQUAL: &str = "Expected '===' and instead saw '=='.";

#[tokio::test]
async fn eslints_fix_of_one_rule_is_healed_and_its_suggestion_proposed_as_unsafe() {
    let files = [ESLINT, ESLINT_RULES, INDEX, INDEX_TEST];
    let healed = heal(
        &files,
        eslint("no-var", "test/index.test.js", 8, VAR),
        json!({}),
    )
    .await;
    assert_eq!(healed.verdict, Verdict::Healed, "{healed:#?}");
    assert_eq!(healed.evidence.neighbours.after.passed, 1, "the tests ran");
    let patch = healed.patch.expect("a patch");
    assert_eq!(added(&patch), ["+  let one = 1;"]);

    let proposed = heal(&files, eslint("eqeqeq", "index.js", 3, EQUAL), json!({})).await;
    assert_eq!(proposed.verdict, Verdict::Proposed, "{proposed:#?}");
    let step = &proposed.steps[0].description;
    assert!(step.contains("eslint's suggestion for `eqeqeq`"), "{step}");
    let patch = proposed.patch.expect("a patch");
    assert_eq!(added(&patch), ["+exports.isOne = (value) => value === 1;"]);
    assert_eq!(proposed.touches, [Touch::Product]);
}

#[tokio::test]
async fn a_suggestion_that_a_test_contradicts_and_one_that_silences_the_rule_are_none() {
    let relies = INDEX_TEST.1.replace("isOne(one)", "isOne('1')");
    let files = [
        ESLINT,
        ESLINT_RULES,
        INDEX,
        ("test/index.test.js", relies.as_str()),
    ];
    let left = heal(&files, eslint("eqeqeq", "index.js", 3, EQUAL), json!({})).await;
    assert_eq!(left.verdict, Verdict::NoFix, "{left:#?}");
    assert!(
        left.reason.contains("passed before and fails now"),
        "{}",
        left.reason
    );

    // eslint suggests a comment in the empty block. That is its own repair, and no directive; a person looks at it.
    let proposed = heal(
        &files,
        eslint("no-empty", "index.js", 6, "Empty block statement."),
        json!({}),
    )
    .await;
    assert_eq!(proposed.verdict, Verdict::Proposed, "{proposed:#?}");
    assert!(!proposed.patch.expect("a patch").contains("eslint-disable"));
}

const MYPY: (&str, &str) = ("mypy.ini", "[mypy]\nstrict = True\n");

fn mypy(rule: &str, file: &str, line: u32, message: &str) -> Value {
    json!({ "tool": "mypy", "rule": rule, "file": file, "line": line, "message": message })
}

#[tokio::test]
async fn stubs_that_mypy_names_are_installed_in_the_version_of_what_they_describe() {
    let fetch = (
        "shop/fetch.py",
        "import requests\n\n\ndef status(url: str) -> int:\n    return requests.get(url).status_code\n",
    );
    let wrong = (
        "shop/fetch.py",
        "import requests\n\n\ndef status(url: str) -> str:\n    answer: str = requests.get(url).status_code\n    return answer\n",
    );
    let with = json!({ "runtime": { "install": ["requests==2.31.0", "mypy==1.18.2"] } });
    let finding = mypy(
        "import-untyped",
        "shop/fetch.py",
        1,
        "Library stubs not installed for \"requests\"",
    );
    let package = ("shop/__init__.py", "");
    let place = TempDir::new().expect("a directory");
    let healed = heal_in(
        place.path(),
        &[MYPY, package, fetch],
        finding.clone(),
        with.clone(),
    )
    .await
    .expect("a verdict");
    assert_eq!(healed.verdict, Verdict::Healed, "{healed:#?}");
    assert_eq!(healed.strategy, Some(Strategy::DependencyFix));
    assert_eq!(healed.touches, [Touch::Environment]);
    let changes = healed.runtime_changes.expect("changes");
    assert_eq!(changes.install, ["types-requests==2.31.*"]);
    assert!(healed.patch.is_none());
    assert!(
        healed
            .evidence
            .caveats
            .iter()
            .any(|caveat| caveat.contains("no test speaks")),
        "{:?}",
        healed.evidence.caveats
    );

    // What the stubs bring to light is no repair's business.
    let left = heal_in(place.path(), &[MYPY, package, wrong], finding, with)
        .await
        .expect("a verdict");
    assert_eq!(left.verdict, Verdict::NoFix, "{left:#?}");
    assert!(left.reason.contains("something new"), "{}", left.reason);
}

#[tokio::test]
async fn a_type_error_of_the_product_is_refused_with_both_types_its_line_and_its_symbol() {
    let cart = (
        "shop/cart.py",
        "def total(prices: list[int]) -> int:\n    return str(sum(prices))\n\n\ndef pay(amount: int) -> None:\n    print(amount)\n\n\npay(\"3\")\n",
    );
    let place = TempDir::new().expect("a directory");
    for (finding, parts) in [
        (
            mypy(
                "return-value",
                "shop/cart.py",
                2,
                "Incompatible return value type (got \"str\", expected \"int\")",
            ),
            ["shop/cart.py:2", "`total`", "`str`", "`int`"],
        ),
        (
            mypy(
                "arg-type",
                "shop/cart.py",
                9,
                "Argument 1 to \"pay\" has incompatible type \"str\"; expected \"int\"",
            ),
            ["shop/cart.py:9", "`pay`", "`str`", "`int`"],
        ),
    ] {
        let refused = heal_in(
            place.path(),
            &[MYPY, ("shop/__init__.py", ""), cart],
            finding,
            json!({ "runtime": { "install": ["mypy==1.18.2"] } }),
        )
        .await
        .expect("a verdict");
        assert_eq!(refused.verdict, Verdict::Refused, "{refused:#?}");
        assert_eq!(refused.evidence.error_class, "type_error");
        assert!(refused.patch.is_none());
        for part in parts {
            assert!(
                refused.reason.contains(part),
                "{part} in {}",
                refused.reason
            );
        }
    }
}

#[tokio::test]
async fn a_name_that_moved_is_ported_by_the_table_of_the_standard_library() {
    let old = (
        "test_shop.py",
        "from collections import Mapping\n\n\ndef test_mapping() -> None:\n    assert issubclass(dict, Mapping)\n",
    );
    let healed = heal(
        &[MYPY, old],
        mypy(
            "attr-defined",
            "test_shop.py",
            1,
            "Module \"collections\" has no attribute \"Mapping\"",
        ),
        json!({ "runtime": { "install": ["mypy==1.18.2", "pytest"] } }),
    )
    .await;
    assert_eq!(healed.verdict, Verdict::Healed, "{healed:#?}");
    assert_eq!(healed.strategy, Some(Strategy::ApiContractAdaptation));
    let patch = healed.patch.expect("a patch");
    assert_eq!(added(&patch), ["+from collections.abc import Mapping"]);
}

const TYPESCRIPT: &str = r#"{"name": "shop", "devDependencies": {"typescript": "5.9.3"}}"#;
const TSCONFIG: (&str, &str) = (
    "tsconfig.json",
    r#"{"compilerOptions": {"strict": true, "module": "commonjs", "skipLibCheck": true}}"#,
);

fn tsc(rule: &str, line: u32, message: &str) -> Value {
    json!({ "tool": "tsc", "rule": rule, "file": "src/shop.ts", "line": line, "message": message })
}

#[tokio::test]
async fn types_that_typescript_names_are_installed_and_nothing_is_configured() {
    let files = [
        ("package.json", TYPESCRIPT),
        TSCONFIG,
        (
            "src/shop.ts",
            "export const home: string | undefined = process.env.HOME;\n",
        ),
    ];
    let message = "Cannot find name 'process'. Do you need to install type definitions for node? Try `npm i --save-dev @types/node`.";
    let healed = heal(&files, tsc("TS2580", 1, message), json!({})).await;
    assert_eq!(healed.verdict, Verdict::Healed, "{healed:#?}");
    assert_eq!(healed.strategy, Some(Strategy::DependencyFix));
    let install = healed.runtime_changes.expect("changes").install;
    assert!(install[0].starts_with("@types/node@"), "{install:?}");
    assert!(healed.patch.is_none());

    let declared = r#"{"name": "shop", "dependencies": {"escape-html": "1.0.3"}, "devDependencies": {"typescript": "5.9.3"}}"#;
    let files = [
        ("package.json", declared),
        TSCONFIG,
        (
            "src/shop.ts",
            "import escape = require('escape-html');\n\nexport const safe = (text: string): string => escape(text);\n",
        ),
    ];
    let healed = heal(
        &files,
        tsc(
            "TS7016",
            1,
            "Could not find a declaration file for module 'escape-html'.",
        ),
        json!({}),
    )
    .await;
    assert_eq!(healed.verdict, Verdict::Healed, "{healed:#?}");
    let install = healed.runtime_changes.expect("changes").install;
    assert_eq!(install, ["@types/escape-html@1"]);
}

#[tokio::test]
async fn a_type_error_of_typescript_is_refused_with_both_types_its_line_and_its_symbol() {
    let files = [
        ("package.json", TYPESCRIPT),
        TSCONFIG,
        (
            "src/shop.ts",
            "export const price: number = '3';\n\nexport const pay = (amount: number): number => amount;\n\npay('3');\n",
        ),
    ];
    for (finding, parts) in [
        (
            tsc(
                "TS2322",
                1,
                "Type 'string' is not assignable to type 'number'.",
            ),
            ["src/shop.ts:1", "`price`", "`string`", "`number`"],
        ),
        (
            tsc(
                "TS2345",
                5,
                "Argument of type 'string' is not assignable to parameter of type 'number'.",
            ),
            ["src/shop.ts:5", "TS2345", "`string`", "`number`"],
        ),
    ] {
        let refused = heal(&files, finding, json!({})).await;
        assert_eq!(refused.verdict, Verdict::Refused, "{refused:#?}");
        for part in parts {
            assert!(
                refused.reason.contains(part),
                "{part} in {}",
                refused.reason
            );
        }
    }
}
