use super::*;
use crate::case::Installed;
use crate::strategies::fake::{Files, Index, case, failure};

fn offered_on(installed: &Installed, files: &[(&str, &str)], said: &str) -> Vec<(String, String)> {
    let files = Files::new(files);
    let index = Index::default();
    let failures = [failure(
        Some("tests/test_a.py::test"),
        Phase::Call,
        said,
        &[("tests/test_a.py", 5)],
    )];
    AssertionUpdate
        .examine(&case(&failures, &files, installed, &index))
        .into_iter()
        .filter_map(|finding| match finding {
            Finding::Propose(mut candidate, evidence) => {
                Some((candidate.edits.pop()?.text, evidence))
            }
            other => panic!("only proposed: {other:?}"),
        })
        .collect()
}

/// What is offered on Python 3.13.
fn offered(files: &[(&str, &str)], said: &str) -> Vec<(String, String)> {
    let installed = Installed {
        python: (3, 13),
        ..Installed::default()
    };
    offered_on(&installed, files, said)
}

#[test]
fn a_heading_that_the_standard_library_renamed_is_followed_whether_it_is_shown_or_not() {
    let test = "import app\n\n\ndef test():\n    assert 'optional arguments:' in app.usage()\n";
    for said in [
        "AssertionError: assert 'optional arguments:' in 'usage: x\\n\\noptions:\\n'",
        "AssertionError: assert False",
    ] {
        let found = offered(&[("tests/test_a.py", test)], said);
        let [(repaired, evidence)] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert!(
            repaired.contains("assert 'options:' in app.usage()"),
            "{repaired}"
        );
        assert!(evidence.contains("python 3.10"), "{evidence}");
    }
    let old = Installed {
        python: (3, 9),
        ..Installed::default()
    };
    assert_eq!(
        offered_on(
            &old,
            &[("tests/test_a.py", test)],
            "AssertionError: assert False"
        ),
        [],
        "3.9 still says it the old way"
    );
}

#[test]
fn messages_of_the_interpreter_are_followed_with_the_names_in_them() {
    for (expected, said, repaired) in [
        (
            "\"can't set attribute\"",
            "AssertionError: assert \"property 'x' of 'A' object has no setter\" == \"can't set attribute\"",
            "\"property 'x' of 'A' object has no setter\"",
        ),
        (
            "\"__init__() got an unexpected keyword argument 'x'\"",
            "AssertionError: assert \"A.__init__() got an unexpected keyword argument 'x'\" == \"__init__() got an unexpected keyword argument 'x'\"",
            "\"A.__init__() got an unexpected keyword argument 'x'\"",
        ),
        (
            "'Object of type \\'date\\' is not JSON serializable'",
            "AssertionError: assert False",
            "",
        ),
        (
            "\"[ValueError('x',)]\"",
            "AssertionError: assert \"[ValueError('x')]\" == \"[ValueError('x',)]\"",
            "\"[ValueError('x')]\"",
        ),
        (
            "r\"__init__\\(\\) missing\"",
            "AssertionError: Regex pattern did not match.\n Regex: '__init__\\\\(\\\\) missing'\n Input: \"A.__init__() missing 1 required\"",
            "r\"A\\.__init__\\(\\) missing\"",
        ),
    ] {
        let test = format!("import app\n\n\ndef test():\n    assert app.text() == {expected}\n");
        let found = offered(&[("tests/test_a.py", &test)], said);
        assert_eq!(
            found
                .iter()
                .any(|(text, _)| text.ends_with(&format!("== {repaired}\n"))),
            !repaired.is_empty(),
            "{expected}: {found:?}"
        );
    }
}

#[test]
fn a_representation_of_a_library_is_followed_from_the_version_that_changed_it() {
    let test = "import app\n\n\ndef test():\n    assert repr(app.row()) == '[1.5, 2.5]'\n";
    let said = "AssertionError: assert '[np.float64(1.5), np.float64(2.5)]' == '[1.5, 2.5]'";
    let with = |version: &str| Installed {
        python: (3, 12),
        distributions: vec![("numpy".to_owned(), version.to_owned())],
        ..Installed::default()
    };
    let found = offered_on(&with("2.1.0"), &[("tests/test_a.py", test)], said);
    assert!(
        found
            .iter()
            .any(|(repaired, _)| repaired.contains("np.float64(1.5)")),
        "{found:?}"
    );
    assert_eq!(
        offered_on(&with("1.26.4"), &[("tests/test_a.py", test)], said),
        []
    );
}

#[test]
fn a_text_that_the_product_writes_itself_is_not_the_librarys() {
    let test = "import app\n\n\ndef test():\n    assert 'optional arguments:' in app.usage()\n";
    let product = "def usage():\n    return 'options:'\n";
    assert_eq!(
        offered(
            &[("tests/test_a.py", test), ("app.py", product)],
            "AssertionError: assert False"
        ),
        []
    );
}

const TEST: &str =
    "import app\n\n\ndef test():\n    assert app.check(0) == 'the amount is not valid here'\n";
const PRODUCT: &str = "def check(amount):\n    return 'the amount must be positive here'\n";
const SAID: &str =
    "AssertionError: assert 'the amount must be positive here' == 'the amount is not valid here'";

#[test]
fn a_message_that_the_changelog_says_was_changed_is_followed() {
    let changes =
        "1.2\n---\n- The message `is not valid` of `check` says `must be positive` now.\n";
    let found = offered(
        &[
            ("tests/test_a.py", TEST),
            ("app.py", PRODUCT),
            ("CHANGES.rst", changes),
        ],
        SAID,
    );
    let [(repaired, evidence)] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert!(
        repaired.contains("== 'the amount must be positive here'"),
        "{repaired}"
    );
    assert!(evidence.contains("CHANGES.rst"), "{evidence}");
}

#[test]
fn a_message_of_which_nothing_says_that_it_was_changed_on_purpose_is_left() {
    for changes in [
        "",
        "1.2\n---\n- Amounts must be positive.\n",
        "1.2\n---\n- Fixed a typo.\n",
    ] {
        let found = offered(
            &[
                ("tests/test_a.py", TEST),
                ("app.py", PRODUCT),
                ("CHANGES.rst", changes),
            ],
            SAID,
        );
        assert_eq!(found, [], "{changes}");
    }
}

#[test]
fn a_changelog_does_not_speak_for_a_product_that_still_says_both() {
    let both = format!("{PRODUCT}\n\ndef other():\n    return 'the amount is not valid here'\n");
    let changes = "- The message `is not valid` says `must be positive` now.\n";
    let found = offered(
        &[
            ("tests/test_a.py", TEST),
            ("app.py", &both),
            ("CHANGES.rst", changes),
        ],
        SAID,
    );
    assert_eq!(
        found,
        [],
        "the product may have taken the wrong one of the two"
    );
}

#[test]
fn numbers_and_what_is_no_text_are_never_followed() {
    let changes = "- The total is now 4 items, not 3 items; [1, 2] is now [2, 1].\n";
    for (expected, said) in [
        (
            "'total: 3 items'",
            "AssertionError: assert 'total: 4 items' == 'total: 3 items'",
        ),
        ("3", "AssertionError: assert 4 == 3"),
        ("[1, 2]", "AssertionError: assert [2, 1] == [1, 2]"),
        ("'a, b'", "AssertionError: assert 'b, a' == 'a, b'"),
    ] {
        let test = format!("import app\n\n\ndef test():\n    assert app.total() == {expected}\n");
        let files = [
            ("tests/test_a.py", test.as_str()),
            ("app.py", "def total():\n    return 'total: 4 items'\n"),
            ("CHANGES.rst", changes),
        ];
        assert_eq!(offered(&files, said), [], "{expected}");
    }
}

#[test]
fn a_text_that_only_the_installed_dependency_has_is_followed_and_one_that_it_still_has_is_not() {
    let site = tempfile::tempdir().unwrap();
    let write = |text: &str| std::fs::write(site.path().join("greeter.py"), text).unwrap();
    let test = "import greeter\n\n\ndef test():\n    assert greeter.text(1) == 'sorry: unknown command given'\n";
    let said = "AssertionError: assert 'sorry: unrecognized subcommand given' == 'sorry: unknown command given'";
    let found = |product: &str| {
        let installed = Installed {
            python: (3, 12),
            site_packages: site.path().to_owned(),
            ..Installed::default()
        };
        offered_on(
            &installed,
            &[("tests/test_a.py", test), ("app.py", product)],
            said,
        )
    };
    write("def text(x):\n    return f'sorry: unrecognized subcommand {x}'\n");
    assert!(
        matches!(found("").as_slice(), [(repaired, evidence)] if repaired.contains("'sorry: unrecognized subcommand given'") && evidence.contains("`greeter`")),
    );
    assert_eq!(
        found("A = 'unknown command'\n"),
        [],
        "the product says one of the two itself"
    );
    write("A = 'unrecognized subcommand'\nB = 'unknown command'\n");
    assert_eq!(found(""), [], "the dependency still says both");
}

#[test]
fn the_entry_of_the_failing_test_in_a_snapshot_is_followed_and_no_other() {
    let snapshots = "# serializer version: 1\n# name: test\n  '''\n  usage: x\n  \n  optional arguments:\n  '''\n# ---\n# name: test_other\n  '''\n  optional arguments:\n  '''\n# ---\n";
    let test = "import app\n\n\ndef test(snapshot):\n    assert app.usage() == snapshot\n";
    let found = offered(
        &[
            ("tests/test_a.py", test),
            ("tests/__snapshots__/test_a.ambr", snapshots),
        ],
        "AssertionError: assert [+ received] == [- snapshot]\n    '''\n    usage: x\n\n  - optional arguments:\n  + options:\n    '''",
    );
    let [(repaired, _)] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert!(
        repaired.contains("  usage: x\n  \n  options:\n"),
        "{repaired}"
    );
    assert_eq!(repaired.matches("optional arguments:").count(), 1);
}

#[test]
fn every_wording_of_the_table_is_one_and_its_older_forms_differ_from_it() {
    assert!(wordings::table().len() >= 25);
    for (wording, compiled) in wordings::table() {
        assert!(!wording.was.is_empty(), "{}", wording.id);
        for was in &wording.was {
            let groups = compiled.captures_len();
            for number in 1..10 {
                assert!(
                    !was.contains(&format!("${number}")) || number < groups,
                    "{}: {was}",
                    wording.id
                );
            }
        }
    }
}
