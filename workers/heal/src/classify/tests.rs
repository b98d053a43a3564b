use super::*;
use crate::strategies::fake::{Files, Index, case, failure};

fn diagnosis(files: &[(&str, &str)], failed: Failure) -> Diagnosis {
    let files = Files::new(files);
    let (installed, index) = (
        Installed {
            python: (3, 11),
            ..Installed::default()
        },
        Index::default(),
    );
    let failures = [failed];
    diagnose(&case(&failures, &files, &installed, &index)).unwrap()
}

#[test]
fn a_failed_assertion_leans_to_a_refusal_that_names_test_values_and_product() {
    let files = [
        (
            "tests/test_a.py",
            "def test():\n    assert total([1]) == 2\n",
        ),
        ("pkg/core.py", "import os\ndef total(x):\n    return 1\n"),
    ];
    let found = diagnosis(
        &files,
        failure(
            Some("tests/test_a.py::test"),
            Phase::Call,
            "AssertionError: assert 1 == 2",
            &[("tests/test_a.py", 2)],
        ),
    );
    assert_eq!(
        (found.class, found.site),
        (ErrorClass::AssertionFailure, Site::Test)
    );
    let Leaning::Refuse(reason) = found.leaning else {
        panic!()
    };
    for part in [
        "tests/test_a.py:2",
        "assert 1 == 2",
        "pkg/core.py:2",
        "`total`",
    ] {
        assert!(reason.contains(part), "{reason}");
    }
}

#[test]
fn an_exception_that_did_not_come_is_an_assertion() {
    let found = diagnosis(
        &[],
        failure(
            Some("tests/test_a.py::test"),
            Phase::Call,
            "Failed: DID NOT RAISE E",
            &[("tests/test_a.py", 2)],
        ),
    );
    assert_eq!(found.class, ErrorClass::AssertionFailure);
}

#[test]
fn an_exception_out_of_the_product_leans_to_a_refusal() {
    let found = diagnosis(
        &[],
        failure(
            Some("tests/test_a.py::test"),
            Phase::Call,
            "ValueError: no",
            &[("tests/test_a.py", 2), ("pkg/core.py", 7)],
        ),
    );
    assert_eq!(
        (found.class, found.site),
        (ErrorClass::RuntimeError, Site::Product)
    );
    assert!(matches!(found.leaning, Leaning::Refuse(reason) if reason.contains("pkg/core.py:7")));
}

#[test]
fn what_the_machine_lacks_is_open_and_what_the_interpreter_lacks_is_refused() {
    let locale = diagnosis(
        &[],
        failure(
            Some("t.py::t"),
            Phase::Call,
            "locale.Error: unsupported locale setting",
            &[("tests/t.py", 1)],
        ),
    );
    assert_eq!(
        (locale.class, locale.site, locale.leaning),
        (
            ErrorClass::EnvironmentError,
            Site::Environment,
            Leaning::Open
        )
    );
    let dbm = diagnosis(
        &[],
        failure(
            Some("t.py::t"),
            Phase::Call,
            "ModuleNotFoundError: No module named '_dbm'",
            &[],
        ),
    );
    assert!(matches!(dbm.leaning, Leaning::Refuse(_)));
}

#[test]
fn classes_and_sites_follow_what_the_failure_is_about() {
    let of = |phase, line: &str, frames: &[(&str, u32)]| {
        let found = diagnosis(&[], failure(None, phase, line, frames));
        (found.class, found.site)
    };
    assert_eq!(
        of(
            Phase::Collection,
            "AttributeError: module 'collections' has no attribute 'Mapping'",
            &[("tests/test_a.py", 1), ("pkg/a.py", 1)]
        ),
        (ErrorClass::ImportError, Site::Product)
    );
    assert_eq!(
        of(
            Phase::Call,
            "AttributeError: module 'collections' has no attribute 'Mapping'",
            &[("pkg/a.py", 1)]
        ),
        (ErrorClass::AttributeError, Site::Product)
    );
    assert_eq!(
        of(
            Phase::Collection,
            "ModuleNotFoundError: No module named 'cgi'",
            &[("pkg/a.py", 1)]
        )
        .0,
        ErrorClass::ImportError
    );
    assert_eq!(
        of(
            Phase::Collection,
            "ModuleNotFoundError: No module named 'nose'",
            &[("tests/test_a.py", 1)]
        )
        .0,
        ErrorClass::DependencyError
    );
    assert_eq!(
        of(
            Phase::Configuration,
            "Failed: [pytest] section in setup.cfg files is no longer supported",
            &[]
        ),
        (ErrorClass::ConfigError, Site::Config)
    );
    assert_eq!(
        of(
            Phase::Collection,
            "DeprecationWarning: datetime.datetime.utcfromtimestamp() is deprecated",
            &[("pkg/a.py", 1)]
        ),
        (ErrorClass::DeprecationError, Site::Product)
    );
    assert_eq!(
        of(
            Phase::Call,
            "ImportError: cannot import name 'a' from 'b' (/x)",
            &[("pkg/a.py", 1), ("/v/lib/site-packages/b/c.py", 1)]
        )
        .1,
        Site::Dependency
    );
}

#[test]
fn a_name_that_the_project_itself_lost_leans_to_a_refusal() {
    let files = [("src/pkg/core.py", "x = 1\n")];
    let failed = failure(
        Some("tests/test_a.py"),
        Phase::Collection,
        "ImportError: cannot import name 'y' from 'pkg.core' (src/pkg/core.py)",
        &[("tests/test_a.py", 1)],
    );
    assert!(
        matches!(diagnosis(&files, failed).leaning, Leaning::Refuse(reason) if reason.contains("src/pkg/core.py"))
    );
}
