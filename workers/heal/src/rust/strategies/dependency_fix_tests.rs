use super::*;
use crate::case::Installed;
use crate::failure::{Compiled, Frame, Phase, Span};
use crate::strategies::fake::{Files, Index, case};

fn refused(path: &str, code: &str, message: &str, label: &str) -> Failure {
    Failure {
        phase: Phase::Collection,
        code: Some(code.to_owned()),
        message: message.to_owned(),
        frames: vec![Frame {
            path: path.to_owned(),
            line: 1,
            function: String::new(),
        }],
        compiled: Some(Compiled {
            spans: vec![Span {
                path: path.to_owned(),
                label: label.to_owned(),
                ..Span::default()
            }],
            ..Compiled::default()
        }),
        ..Failure::default()
    }
}

fn unlinked(path: &str, name: &str) -> Failure {
    let label = format!("use of unresolved module or unlinked crate `{name}`");
    refused(
        path,
        "E0432",
        &format!("unresolved import `{name}`"),
        &label,
    )
}

fn found(failures: &[Failure], manifest: &str) -> Vec<Finding> {
    let tree = Files::new(&[
        ("Cargo.toml", manifest),
        ("src/lib.rs", "use itoa::Buffer;\n"),
        ("tests/a.rs", "use itoa::Buffer;\n"),
    ]);
    let installed = Installed {
        distributions: vec![("heck".to_owned(), "0.5.0".to_owned())],
        ..Installed::default()
    };
    let index = Index::new(&[
        ("itoa", &["1.0.15", "1.0.14", "0.4.8"]),
        ("heck", &["0.5.0", "0.4.1", "0.3.3"]),
        ("shop", &["9.0.0"]),
    ]);
    DependencyFix.examine(&case(failures, &tree, &installed, &index))
}

const MANIFEST: &str = "[package]\nname = \"shop\"\n\n[dependencies]\nheck = \"0.5\"\n";

fn tried(findings: &[Finding]) -> Vec<&str> {
    findings
        .iter()
        .map(|finding| match finding {
            Finding::Try(candidate) => candidate.edits[0].text.as_str(),
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn a_crate_that_a_test_uses_goes_among_what_is_there_for_tests_newest_first() {
    let findings = found(&[unlinked("tests/a.rs", "itoa")], MANIFEST);
    let texts = tried(&findings);
    assert!(
        texts[0].ends_with("\n\n[dev-dependencies]\nitoa = \"1.0.15\"\n"),
        "{}",
        texts[0]
    );
    assert!(texts[1].ends_with("itoa = \"0.4.8\"\n"));
    assert_eq!(texts.len(), 2);
}

#[test]
fn a_crate_that_the_product_uses_is_a_persons_and_the_projects_own_name_is_never_fetched() {
    let both = [
        unlinked("tests/a.rs", "itoa"),
        unlinked("src/lib.rs", "itoa"),
    ];
    let findings = found(&both, MANIFEST);
    let Finding::Propose(candidate, _) = &findings[0] else {
        panic!("{findings:?}");
    };
    assert!(
        candidate.edits[0]
            .text
            .contains("[dependencies]\nheck = \"0.5\"\nitoa = \"1.0.15\"\n")
    );
    assert!(found(&[unlinked("tests/a.rs", "shop")], MANIFEST).is_empty());
    assert!(found(&[unlinked("tests/a.rs", "nobody_has_it")], MANIFEST).is_empty());
}

#[test]
fn a_feature_that_a_test_needs_is_turned_on_for_tests_alone() {
    let mut gated = refused(
        "tests/a.rs",
        "E0433",
        "failed to resolve: could not find `title` in `heck`",
        "could not find `title` in `heck`",
    );
    let label = "the item is gated behind the `unicode` feature".to_owned();
    if let Some(compiled) = &mut gated.compiled {
        compiled.spans.push(Span {
            label,
            ..Span::default()
        });
    }
    let findings = found(&[gated], MANIFEST);
    assert!(
        tried(&findings)[0].ends_with(
            "[dev-dependencies]\nheck = { version = \"0.5\", features = [\"unicode\"] }\n"
        )
    );
}

#[test]
fn a_requirement_that_nothing_meets_becomes_the_newest_there_is() {
    let manifest = "[package]\nname = \"shop\"\n[dev-dependencies]\nitoa = \"99\"\n";
    let failure = Failure {
        phase: Phase::Configuration,
        text: "error: failed to select a version for the requirement `itoa = \"^99\"`".to_owned(),
        ..Failure::default()
    };
    let findings = found(&[failure], manifest);
    assert!(tried(&findings)[0].contains("itoa = \"1.0.15\""));
}

#[test]
fn an_older_version_is_offered_only_of_what_tests_alone_use() {
    let gone = refused(
        "tests/a.rs",
        "E0432",
        "unresolved import `heck::SnekCase`",
        "no `SnekCase` in the root",
    );
    assert!(found(std::slice::from_ref(&gone), MANIFEST).is_empty());
    let findings = found(&[gone], &MANIFEST.replace("[dep", "[dev-dep"));
    assert!(tried(&findings)[0].contains("heck = \"0.4.1\""));
}
