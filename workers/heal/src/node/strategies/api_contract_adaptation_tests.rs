use super::*;
use crate::case::Installed;
use crate::failure::{Frame, Phase};
use crate::strategies::fake::{Files, Index, case};

fn ported(exception: &str, message: &str, path: &str, text: &str) -> Option<String> {
    let failure = Failure {
        test: Some("test/any.js::t".to_owned()),
        phase: Phase::Call,
        exception: Some(exception.to_owned()),
        message: message.to_owned(),
        frames: vec![Frame {
            path: path.to_owned(),
            line: 1,
            function: String::new(),
        }],
        ..Failure::default()
    };
    let installed = Installed {
        node: (24, 1),
        distributions: vec![("vitest".to_owned(), "3.0.0".to_owned())],
        ..Installed::default()
    };
    let (tree, index) = (Files::new(&[(path, text)]), Index::default());
    let found = ApiContractAdaptation.examine(&case(&[failure], &tree, &installed, &index));
    found.into_iter().find_map(|finding| match finding {
        Finding::Try(candidate) => Some(candidate.edits[0].text.clone()),
        _ => None,
    })
}

#[test]
fn a_removed_function_of_node_becomes_what_means_the_same() {
    let text = "const util = require('node:util');\nif (!util.isArray(a.b) && util.isNullOrUndefined(f())) { x(util.isString(y)); }\n";
    assert_eq!(
        ported(
            "TypeError",
            "util.isArray is not a function",
            "test/a.js",
            text
        )
        .unwrap(),
        "const util = require('node:util');\nif (!Array.isArray(a.b) && (f() == null)) { x((typeof y === 'string')); }\n"
    );
}

#[test]
fn a_name_that_was_taken_out_of_a_module_is_left_out() {
    let text = "import { isArray, inspect } from 'util';\nexport default isArray([]);\n";
    assert_eq!(
        ported(
            "SyntaxError",
            "The requested module 'util' does not provide an export named 'isArray'",
            "test/a.mjs",
            text
        )
        .unwrap(),
        "import { inspect } from 'util';\nexport default Array.isArray([]);\n"
    );
}

#[test]
fn matchers_go_by_their_names_and_everything_that_one_release_removed_goes_at_once() {
    let text = "expect(f).not.toBeCalled();\nexpect(f)\n  .toBeCalledTimes(2);\nawait expect(p).rejects.toThrowError('x');\nother.toBeCalled();\n";
    assert_eq!(
        ported(
            "TypeError",
            "expect(...).not.toBeCalled is not a function",
            "a.test.js",
            text
        )
        .unwrap(),
        "expect(f).not.toHaveBeenCalled();\nexpect(f)\n  .toHaveBeenCalledTimes(2);\nawait expect(p).rejects.toThrow('x');\nother.toBeCalled();\n"
    );
}

#[test]
fn a_part_that_became_a_name_of_its_package_is_taken_from_there() {
    let text = "const uuid = require('uuid/v4');\nconst id = uuid();\n";
    let message =
        "Package subpath './v4' is not defined by \"exports\" in /c/node_modules/uuid/package.json";
    assert_eq!(
        ported("Error", message, "a.js", text).unwrap(),
        "const uuid = require('uuid').v4;\nconst id = uuid();\n"
    );
    assert_eq!(
        ported("Error", message, "a.mjs", "import uuid from 'uuid/v4';\n").unwrap(),
        "import { v4 as uuid } from 'uuid';\n"
    );
}

#[test]
fn a_product_that_lost_a_function_of_the_same_name_is_no_matter_of_a_rule() {
    let text = "const util = require('./util');\nutil.isArray(a);\n";
    assert_eq!(
        ported("TypeError", "util.isArray is not a function", "a.js", text),
        None
    );
    let own = "const _ = require('./lodash');\n_.pluck(a);\n";
    assert_eq!(
        ported("TypeError", "_.pluck is not a function", "a.js", own),
        None
    );
}

#[test]
fn a_test_with_a_promise_gives_up_its_callback_only_where_that_comes_last() {
    let message =
        "Test functions cannot both take a 'done' callback and return something. Either use";
    let text = "it('a', async (done) => {\n  expect(await f()).toBe(1);\n  done();\n});\n";
    assert_eq!(
        ported("Error", message, "a.test.js", text).unwrap(),
        "it('a', async () => {\n  expect(await f()).toBe(1);\n});\n"
    );
    let inner = "it('a', async (done) => {\n  on('x', () => done());\n});\n";
    assert_eq!(ported("Error", message, "a.test.js", inner), None);
}

#[test]
fn a_module_gets_what_only_scripts_have_and_what_vitest_gives_to_who_asks() {
    let text = "import a from './a.js';\nconst b = require('./b.cjs');\n";
    assert_eq!(
        ported(
            "ReferenceError",
            "require is not defined in ES module scope, you can use import instead",
            "a.mjs",
            text
        )
        .unwrap(),
        format!(
            "import {{ createRequire }} from 'node:module';\nconst require = createRequire(import.meta.url);\n{text}"
        )
    );
    let globals = "describe('a', () => { it('b', () => { expect(1).toBe(1); }); });\n";
    assert_eq!(
        ported(
            "ReferenceError",
            "describe is not defined",
            "a.test.ts",
            globals
        )
        .unwrap(),
        format!("import {{ describe, expect, it }} from 'vitest';\n{globals}")
    );
}

#[test]
fn the_options_of_a_test_come_second() {
    let text = "test('a', () => { f(); }, { timeout: 10 });\n";
    assert_eq!(
        ported("TypeError", "Signature \"test(name, fn, { ... })\" was deprecated in Vitest 3 and removed in Vitest 4. Please, provide options as a second argument instead.", "a.test.js", text).unwrap(),
        "test('a', { timeout: 10 }, () => { f(); });\n"
    );
}

#[test]
fn a_name_that_a_test_lost_is_imported_again_and_one_that_a_product_lost_is_not() {
    let text = "const test = require('node:test');\ntest('a', () => assert.ok(1));\n";
    assert_eq!(
        ported("ReferenceError", "assert is not defined", "test/a.js", text).unwrap(),
        format!("const assert = require('node:assert');\n{text}")
    );
    let product = "exports.f = () => path.join('a');\n";
    assert_eq!(
        ported("ReferenceError", "path is not defined", "lib/a.js", product),
        None
    );
    assert_eq!(
        ported("ReferenceError", "total is not defined", "test/a.js", text),
        None
    );
}

#[test]
fn a_title_that_is_no_text_is_written_as_one() {
    assert_eq!(
        ported(
            "TypeError",
            "Test argument \"title\" should be a string. Received type \"number\"",
            "test/a.js",
            "[1, 2].forEach(function (n) {\n  it(n, check(n));\n  it('t' + n, check(n));\n});\n"
        )
        .unwrap(),
        "[1, 2].forEach(function (n) {\n  it(String(n), check(n));\n  it('t' + n, check(n));\n});\n"
    );
}
