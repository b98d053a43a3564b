use super::*;
use crate::case::Installed;
use crate::conditions::Conditions;
use crate::strategies::fake::{Files, Index, case};
use crate::unsteady::Unsteady;

/// What is offered for a test that fails after `polluter`, as the text of the test file; or the reason of a refusal.
fn offered(files: &[(&str, &str)], cause: Cause) -> Vec<Result<String, String>> {
    let (tree, index) = (Files::new(files), Index::default());
    let unsteady = Unsteady {
        victim: "test/a.test.js::victim".to_owned(),
        failing: Conditions::default(),
        cause,
        lines: std::collections::BTreeMap::new(),
    };
    let installed = Installed::default();
    let mut seen = case(&[], &tree, &installed, &index);
    seen.unsteady = Some(&unsteady);
    FlakyTestStabilization
        .examine(&seen)
        .into_iter()
        .map(|finding| match finding {
            Finding::Try(candidate) => Ok(candidate.edits[0].text.clone()),
            Finding::Refuse(reason) => Err(reason),
            other => panic!("{other:?}"),
        })
        .collect()
}

fn left(test: &str) -> Vec<Left> {
    vec![Left {
        test: format!("test/a.test.js::{test}"),
        passed: true,
        changes: Vec::new(),
    }]
}

fn polluted(text: &str) -> Vec<Result<String, String>> {
    offered(
        &[
            (
                "config.js",
                "exports.codes = new Map([['a', 1]]);\nexports.debug = false;\n",
            ),
            ("test/a.test.js", text),
        ],
        Cause::Polluted(left("polluter")),
    )
}

const HEAD: &str = "const test = require('node:test');\nconst config = require('../config');\n\n";

#[test]
fn a_variable_of_the_environment_is_taken_away_again_where_it_was_not_there() {
    let text = format!("{HEAD}test('polluter', () => {{\n  process.env.APP_HOME = '/x';\n}});\n");
    let found = polluted(&text);
    let healed = found[0].as_ref().unwrap();
    assert!(
        healed.contains("let appHomeBefore;\ntest.beforeEach(() => {\n  appHomeBefore = process.env.APP_HOME;\n});\ntest.afterEach(() => {\n  if (appHomeBefore === undefined) delete process.env.APP_HOME;\n  else process.env.APP_HOME = appHomeBefore;\n});\n\ntest('polluter'"),
        "{healed}"
    );
}

#[test]
fn a_property_and_what_is_in_a_map_of_the_product_are_given_back_where_the_test_itself_changes_them()
 {
    let text = format!(
        "{HEAD}test('polluter', () => {{\n  config.debug = true;\n  config.codes.set('b', 2);\n}});\n"
    );
    let found = polluted(&text);
    assert_eq!(found.len(), 3, "each alone, then both: {found:?}");
    assert!(
        found[0]
            .as_ref()
            .unwrap()
            .contains("Object.defineProperty(config, 'debug', debugBefore)")
    );
    assert!(found[1].as_ref().unwrap().contains("config.codes.clear();"));
}

#[test]
fn what_a_test_declares_itself_outlives_nothing_and_what_the_product_keeps_is_a_persons() {
    let text = format!(
        "{HEAD}test('polluter', () => {{\n  const config = {{}};\n  config.debug = true;\n  const list = [];\n  list.push(1);\n}});\n"
    );
    let found = polluted(&text);
    assert!(
        found[0]
            .as_ref()
            .unwrap_err()
            .contains("the product that keeps"),
        "{found:?}"
    );
}

#[test]
fn hooks_are_imported_where_the_runners_names_are() {
    let text = "import { expect, test, vi } from 'vitest';\n\ntest('polluter', () => {\n  vi.useFakeTimers();\n  process.chdir('/tmp');\n});\n";
    let found = polluted(text);
    let both = found[2].as_ref().unwrap();
    assert!(
        both.starts_with("import { expect, test, vi, beforeEach, afterEach } from 'vitest';"),
        "{both}"
    );
    assert!(
        both.contains("process.chdir(directoryBefore);\n  vi.useRealTimers();"),
        "{both}"
    );
    let alone = found[0].as_ref().unwrap();
    assert!(
        alone.starts_with("import { expect, test, vi, afterEach } from 'vitest';"),
        "{alone}"
    );
}

#[test]
fn a_test_sets_up_by_itself_what_another_of_its_file_left_to_it() {
    let text = format!(
        "{HEAD}const stock = {{}};\n\ntest('filling', () => {{\n  stock.nut = 5;\n  assert.equal(stock.nut, 5);\n}});\n\ntest('victim', () => {{\n  assert.equal(take(stock), 2);\n}});\n"
    );
    let found = offered(&[("test/a.test.js", &text)], Cause::Unset(left("filling")));
    assert!(
        found[0]
            .as_ref()
            .unwrap()
            .contains("test('victim', () => {\n  stock.nut = 5;\n  assert.equal(take"),
        "{found:?}"
    );
    let of_product = text.replace("stock.nut = 5", "config.debug = true");
    let found = offered(
        &[("test/a.test.js", &of_product)],
        Cause::Unset(left("filling")),
    );
    assert!(found[0].is_err(), "{found:?}");
}
