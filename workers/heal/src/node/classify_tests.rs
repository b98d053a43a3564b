use super::*;
use crate::case::Installed;
use crate::failure::Compared;
use crate::strategies::fake::{Files, Index, case};

fn frame(path: &str, line: u32, function: &str) -> Frame {
    Frame {
        path: path.to_owned(),
        line,
        function: function.to_owned(),
    }
}

fn diagnosis(failure: Failure, files: &[(&str, &str)]) -> Diagnosis {
    let (tree, installed, index) = (Files::new(files), Installed::default(), Index::default());
    diagnose(&case(&[failure], &tree, &installed, &index)).unwrap()
}

#[test]
fn a_failed_assertion_is_refused_with_both_values_and_the_products_line() {
    let failure = Failure {
        test: Some("test/a.test.js::adds".to_owned()),
        phase: Phase::Call,
        exception: Some("AssertionError".to_owned()),
        code: Some("ERR_ASSERTION".to_owned()),
        message: "Expected values to be strictly equal:\n\n2 !== 3\n".to_owned(),
        frames: vec![frame("test/a.test.js", 3, "TestContext.<anonymous>")],
        compared: Some(Compared {
            actual: "2".to_owned(),
            expected: "3".to_owned(),
            by: String::new(),
        }),
        ..Failure::default()
    };
    let files = [
        (
            "lib/add.js",
            "'use strict';\n\nfunction add(a, b) {\n  return a - b;\n}\n",
        ),
        (
            "test/a.test.js",
            "const add = require('../lib/add');\ntest('adds', () => {\n  assert.strictEqual(add(1, 2), 3);\n});\n",
        ),
    ];
    let diagnosis = diagnosis(failure, &files);
    assert_eq!(diagnosis.class, ErrorClass::AssertionFailure);
    let Leaning::Refuse(reason) = diagnosis.leaning else {
        panic!("{diagnosis:?}");
    };
    for part in [
        "test/a.test.js:3",
        "expected 3, there is 2",
        "`add` (lib/add.js:3)",
    ] {
        assert!(reason.contains(part), "{part} in {reason}");
    }
}

#[test]
fn a_file_of_the_projects_own_that_is_gone_is_a_persons_matter() {
    let failure = Failure {
        test: Some("test/a.test.js".to_owned()),
        phase: Phase::Collection,
        exception: Some("Error".to_owned()),
        code: Some("MODULE_NOT_FOUND".to_owned()),
        message: "Cannot find module '../lib/add'\nRequire stack:\n- test/a.test.js".to_owned(),
        ..Failure::default()
    };
    let diagnosis = diagnosis(failure, &[]);
    assert!(
        matches!(diagnosis.leaning, Leaning::Refuse(_)),
        "{diagnosis:?}"
    );
}

#[test]
fn an_exception_of_the_product_is_refused_and_a_package_that_is_missing_is_not() {
    let failure = |exception: &str, code: Option<&str>, message: &str| Failure {
        test: Some("test/a.js::t".to_owned()),
        exception: Some(exception.to_owned()),
        code: code.map(str::to_owned),
        message: message.to_owned(),
        frames: vec![frame("test/a.js", 3, ""), frame("lib/a.js", 7, "parse")],
        ..Failure::default()
    };
    let thrown = diagnosis(failure("RangeError", None, "Invalid array length"), &[]);
    let Leaning::Refuse(reason) = thrown.leaning else {
        panic!("{thrown:?}");
    };
    assert!(reason.contains("lib/a.js:7 (`parse`)"), "{reason}");
    let missing = diagnosis(
        failure(
            "Error",
            Some("MODULE_NOT_FOUND"),
            "Cannot find module 'express'",
        ),
        &[],
    );
    assert_eq!(missing.leaning, Leaning::Heal);
    assert_eq!(missing.class, ErrorClass::DependencyError);
}

#[test]
fn a_count_of_checks_that_is_wrong_is_an_assertion_wherever_it_arose() {
    let failure = Failure {
        test: Some("test/a.js::t".to_owned()),
        exception: Some("Error".to_owned()),
        code: Some("ERR_TEST_FAILURE".to_owned()),
        message: "plan expected 4 assertions but received 8".to_owned(),
        ..Failure::default()
    };
    let diagnosis = diagnosis(failure, &[]);
    assert_eq!(diagnosis.class, ErrorClass::AssertionFailure);
    assert!(
        matches!(diagnosis.leaning, Leaning::Refuse(_)),
        "{diagnosis:?}"
    );
}
