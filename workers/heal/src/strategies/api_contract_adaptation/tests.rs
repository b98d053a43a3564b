use super::*;
use crate::case::Installed;
use crate::failure::Phase;
use crate::rules;
use crate::strategies::fake::{self, Files, Index, case};

fn failure(line: &str) -> Failure {
    let (exception, message) = line.split_once(": ").unwrap_or(("", line));
    Failure {
        test: None,
        phase: Phase::Collection,
        exception: (!exception.is_empty()).then(|| exception.to_owned()),
        message: message.to_owned(),
        frames: Vec::new(),
        text: String::new(),
        ..Failure::default()
    }
}

#[test]
fn every_rule_does_what_its_example_says_and_only_once() {
    let mut wrong = Vec::new();
    for rule in rules::api() {
        let example = rule.example.as_ref().unwrap();
        let (about, said) = subject(&failure(&example.failure));
        if !trigger::calls(rule, &about, &said) {
            wrong.push(format!("{}: not called for by {:?}", rule.id, about));
            continue;
        }
        match port_for(&example.before, &about, &said) {
            None => wrong.push(format!("{}: not ported", rule.id)),
            Some(text) if text != example.after => wrong.push(format!("{}: got\n{text}", rule.id)),
            Some(text) => {
                if Source::parse(text.as_str()).unwrap().broken() > 0 {
                    wrong.push(format!("{}: does not parse", rule.id));
                }
                // What is changed only where it failed does not fail so again.
                if !rule.here_only
                    && let Some(again) = port_for(&text, &about, &said)
                {
                    wrong.push(format!("{}: twice gives\n{again}", rule.id));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n---\n"));
}

/// The candidates for a project of these files.
fn candidates(files: &[(&str, &str)], failed: Failure) -> Vec<Candidate> {
    let files = Files::new(files);
    let (installed, index) = (Installed::default(), Index::default());
    let failures = [failed];
    let mut found: Vec<Candidate> = ApiContractAdaptation
        .examine(&case(&failures, &files, &installed, &index))
        .into_iter()
        .filter_map(|finding| match finding {
            Finding::Try(candidate) => Some(candidate),
            Finding::Propose(..) | Finding::Refuse(_) | Finding::Lacking(_) => None,
        })
        .collect();
    found.sort_by_key(|candidate| candidate.rank);
    found
}

fn paths(candidate: &Candidate) -> Vec<&str> {
    candidate
        .edits
        .iter()
        .map(|edit| edit.path.as_str())
        .collect()
}

const GONE: &str = "AttributeError: module 'collections' has no attribute 'Mapping'";
const USES: &str = "import collections\nx = collections.Mapping\n";

#[test]
fn a_test_that_fails_by_itself_is_ported_alone_before_the_whole_project_is() {
    let files = [
        ("tests/test_a.py", USES),
        ("pkg/core.py", USES),
        ("pkg/other.py", "x = 1\n"),
    ];
    let failed = fake::failure(
        Some("tests/test_a.py::test"),
        Phase::Call,
        GONE,
        &[("tests/test_a.py", 2)],
    );
    let found = candidates(&files, failed);
    assert_eq!(
        found.iter().map(paths).collect::<Vec<_>>(),
        [
            vec!["tests/test_a.py"],
            vec!["pkg/core.py", "tests/test_a.py"]
        ]
    );
}

#[test]
fn a_product_that_fails_is_ported_with_its_tests() {
    let files = [("tests/test_a.py", USES), ("pkg/core.py", USES)];
    let failed = fake::failure(
        Some("tests/test_a.py::test"),
        Phase::Call,
        GONE,
        &[("tests/test_a.py", 2), ("pkg/core.py", 2)],
    );
    assert_eq!(
        candidates(&files, failed)
            .iter()
            .map(paths)
            .collect::<Vec<_>>(),
        [["pkg/core.py", "tests/test_a.py"]]
    );
}

#[test]
fn what_the_file_provides_for_itself_is_left_alone() {
    let guarded = "try:\n    from collections.abc import Mapping\nexcept ImportError:\n    from collections import Mapping\n";
    let files = [
        ("tests/test_a.py", USES),
        ("pkg/compat.py", guarded),
        ("build/lib/pkg/core.py", USES),
    ];
    let failed = fake::failure(
        Some("tests/test_a.py::test"),
        Phase::Call,
        GONE,
        &[("tests/test_a.py", 2)],
    );
    assert_eq!(
        candidates(&files, failed)
            .iter()
            .map(paths)
            .collect::<Vec<_>>(),
        [["tests/test_a.py"]]
    );
}

#[test]
fn an_assertion_never_has_a_candidate_whatever_the_file_uses() {
    let files = [("tests/test_a.py", USES)];
    for line in [
        "AssertionError: module 'collections' has no attribute 'Mapping'",
        "Failed: DID NOT RAISE AttributeError",
        "assert 1 == 2",
    ] {
        let failed = fake::failure(
            Some("tests/test_a.py::test"),
            Phase::Call,
            line,
            &[("tests/test_a.py", 2)],
        );
        assert_eq!(candidates(&files, failed), [], "{line}");
    }
}

#[test]
fn a_setup_that_is_no_longer_called_is_renamed_only_where_it_binds_what_is_missing() {
    let suite = "class TestA:\n    def setup(self):\n        self.x = 1\n\n    def test(self):\n        assert self.x\n";
    let failed = |name: &str| {
        let line = format!("AttributeError: 'TestA' object has no attribute '{name}'");
        fake::failure(
            Some("tests/test_a.py::TestA::test"),
            Phase::Call,
            &line,
            &[("tests/test_a.py", 6)],
        )
    };
    let found = candidates(&[("tests/test_a.py", suite)], failed("x"));
    assert!(found[0].edits[0].text.contains("def setup_method(self):"));
    assert_eq!(candidates(&[("tests/test_a.py", suite)], failed("y")), []);
}

#[test]
fn a_method_that_a_class_of_the_project_defines_itself_keeps_its_name() {
    let own = "class Base:\n    def assertItemsEqual(self, a, b):\n        pass\n";
    let files = [
        ("tests/base.py", own),
        ("tests/test_a.py", "self.assertItemsEqual(a, b)\n"),
    ];
    let failed = fake::failure(
        Some("tests/test_a.py::test"),
        Phase::Call,
        "AttributeError: 'A' object has no attribute 'assertItemsEqual'",
        &[("tests/test_a.py", 1)],
    );
    assert_eq!(candidates(&files, failed), []);
}

#[test]
fn a_module_that_is_gone_is_only_ported_where_everything_used_of_it_is_known() {
    let line = "ModuleNotFoundError: No module named 'nose'";
    let failed = || {
        fake::failure(
            Some("tests/test_a.py"),
            Phase::Collection,
            line,
            &[("tests/test_a.py", 1)],
        )
    };
    assert_eq!(
        candidates(
            &[(
                "tests/test_a.py",
                "from nose.tools import assert_raises, raises\n"
            )],
            failed()
        ),
        []
    );
    let found = candidates(
        &[(
            "tests/test_a.py",
            "from nose.tools import assert_raises\r\nx = 1\r\n",
        )],
        failed(),
    );
    assert_eq!(
        found[0].edits[0].text,
        "from pytest import raises as assert_raises\r\nx = 1\r\n"
    );
}

#[test]
fn a_port_only_touches_the_lines_that_it_concerns() {
    let text = "# coding: utf-8\nimport os ,  collections  # both\n\n\ndef f( a ):\n\treturn isinstance( a , collections.Mapping )   # Ünï\n\nx = 'collections.Mapping'\n";
    let failed = fake::failure(
        Some("tests/test_a.py"),
        Phase::Call,
        GONE,
        &[("tests/test_a.py", 6)],
    );
    let found = candidates(&[("tests/test_a.py", text)], failed);
    let expected = text
        .replace(",  collections ", ",  collections.abc ")
        .replace("( a , collections.", "( a , collections.abc.");
    assert_eq!(found[0].edits[0].text, expected);
}

#[test]
fn a_port_installs_what_its_new_form_needs_and_nothing_for_rules_that_it_did_not_use() {
    let line = "ModuleNotFoundError: No module named 'distutils'";
    let failed = || {
        fake::failure(
            Some("tests/test_a.py"),
            Phase::Collection,
            line,
            &[("tests/test_a.py", 1)],
        )
    };
    let version = candidates(
        &[(
            "tests/test_a.py",
            "from distutils.version import LooseVersion\n",
        )],
        failed(),
    );
    assert_eq!(version[0].runtime.install, ["packaging"]);
    let spawn = candidates(
        &[(
            "tests/test_a.py",
            "from distutils.spawn import find_executable\n",
        )],
        failed(),
    );
    assert_eq!(spawn[0].runtime.install, [] as [&str; 0]);
}

#[test]
fn a_method_that_is_passed_on_becomes_the_function_that_its_calls_become() {
    let (about, said) = subject(&failure(
        "AttributeError: 'HTMLParser' object has no attribute 'unescape'",
    ));
    let ported = |text: &str| port_for(text, &about, &said);
    assert_eq!(
        ported("import html.parser\nf = html.parser.HTMLParser().unescape\n").unwrap(),
        "import html.parser\nf = html.unescape\n"
    );
    assert_eq!(ported("import html\np.unescape = f\n"), None);

    // Not only the line that failed, where the class stands beside it.
    let files = [
        (
            "a.py",
            "import sys\nif sys.version_info >= (3, 4):\n    import html.parser\n    f = html.parser.HTMLParser().unescape\n",
        ),
        (
            "b.py",
            "import html.parser\nf = html.parser.HTMLParser().unescape\n",
        ),
    ];
    let found = candidates(
        &files,
        fake::failure(
            Some("tests/test_a.py"),
            Phase::Collection,
            "AttributeError: 'HTMLParser' object has no attribute 'unescape'",
            &[("a.py", 4)],
        ),
    );
    assert_eq!(paths(&found[0]), ["a.py", "b.py"]);
}

#[test]
fn a_fixture_that_is_itself_under_test_is_called_as_the_function_that_it_was() {
    let (about, said) = subject(&failure(
        "Failed: Fixture \"recorder\" called directly. Fixtures are not meant to be called directly",
    ));
    let ported = |text: &str| port_for(text, &about, &said);
    assert_eq!(
        ported("from shop import fixtures\ndef test_a():\n    fixtures.recorder(request)\n")
            .unwrap(),
        "from shop import fixtures\ndef test_a():\n    fixtures.recorder.__wrapped__(request)\n"
    );
    assert_eq!(
        ported("from shop import fixtures\nfixtures.other(1)\n"),
        None
    );
}

#[test]
fn a_fixture_that_another_calls_under_a_condition_is_set_up_only_there() {
    let text = "import pytest\n\n\n@pytest.fixture\ndef fast():\n    return switch('fast')\n\n\n@pytest.fixture\ndef slow():\n    return switch('slow')\n\n\n@pytest.fixture(params=['fast', 'slow'])\ndef either(request):\n    try:\n        if request.param == 'fast':\n            return fast()\n        return slow()\n    except ImportError:\n        pytest.skip()\n";
    let failed = fake::failure(
        Some("tests/test_a.py::test[fast]"),
        Phase::Setup,
        "Failed: Fixture \"fast\" called directly. Fixtures are not meant to be called directly,",
        &[("tests/conftest.py", 17)],
    );
    let found = candidates(&[("tests/conftest.py", text)], failed);
    let expected = text
        .replace("return fast()", "return request.getfixturevalue(\"fast\")")
        .replace("return slow()", "return request.getfixturevalue(\"slow\")");
    assert_eq!(found[0].edits[0].text, expected);
}

#[test]
fn a_call_is_ported_whose_failure_the_product_quotes_in_an_error_of_its_own() {
    let text = "def load(text):\n    try:\n        import yaml\n        try:\n            return yaml.load(text)\n        except Exception as error:\n            raise LoadError('cannot load, got: %s' % error)\n    except ImportError:\n        raise LoadError('no yaml')\n";
    let mut failed = fake::failure(
        Some("tests/test_a.py::test"),
        Phase::Call,
        "app.LoadError: cannot load, got: load() missing 1 required positional argument: 'Loader'",
        &[("tests/test_a.py", 4), ("app.py", 7)],
    );
    failed.text = "app.py:5: in load\n    return yaml.load(text)\nE   TypeError: load() missing 1 required positional argument: 'Loader'\n\nDuring handling of the above exception, another exception occurred:\n".to_owned();
    let found = candidates(&[("app.py", text)], failed);
    assert!(
        found[0].edits[0]
            .text
            .contains("yaml.load(text, Loader=yaml.FullLoader)")
    );
}
