use super::*;
use crate::case::Installed;
use crate::failure::{Failure, Frame, Phase};
use crate::strategies::fake::{Files, Index, case};

fn failure(message: &str, code: &str, path: &str) -> Failure {
    Failure {
        test: Some("test/a.js".to_owned()),
        phase: Phase::Collection,
        exception: Some("Error".to_owned()),
        code: Some(code.to_owned()).filter(|code| !code.is_empty()),
        message: message.to_owned(),
        frames: vec![Frame {
            path: path.to_owned(),
            line: 1,
            function: String::new(),
        }],
        ..Failure::default()
    }
}

fn offered(
    failure: Failure,
    files: &[(&str, &str)],
    installed: &[(&str, &str)],
    index: &[(&str, &[&str])],
) -> Vec<Vec<String>> {
    let installed = Installed {
        node: (20, 20),
        distributions: installed
            .iter()
            .map(|(name, version)| ((*name).to_owned(), (*version).to_owned()))
            .collect(),
        ..Installed::default()
    };
    let (tree, index) = (Files::new(files), Index::new(index));
    DependencyFix
        .examine(&case(&[failure], &tree, &installed, &index))
        .into_iter()
        .map(|finding| match finding {
            Finding::Try(candidate) => candidate.runtime.install,
            other => vec![format!("{other:?}")],
        })
        .collect()
}

const MANIFEST: &str = r#"{"name": "own", "dependencies": {"needed": "^1.0.0"}, "devDependencies": {"@s/p": "^2.0.0", "other": "1", "unused": "3", "gone": "git+https://x"}}"#;

#[test]
fn what_the_manifest_asks_for_is_installed_in_its_range_with_what_else_the_tests_import() {
    let found = offered(
        failure(
            "Cannot find module '@s/p/deep'",
            "MODULE_NOT_FOUND",
            "test/a.js",
        ),
        &[
            ("package.json", MANIFEST),
            (
                "test/a.js",
                "require('@s/p/deep'); require('./b'); require('fs');\n",
            ),
            ("test/b.js", "import x from 'other';\n"),
            ("index.js", "require('unused');\n"),
        ],
        &[],
        &[],
    );
    assert_eq!(
        found,
        [
            vec!["@s/p@^2.0.0", "needed@^1.0.0", "other@1"],
            vec!["@s/p@^2.0.0"]
        ]
    );
}

#[test]
fn what_nobody_asks_for_is_a_guess_by_its_name_and_the_projects_own_name_never() {
    let index: &[(&str, &[&str])] = &[("x", &["3.1.0", "2.0.0", "1.0.0"]), ("own", &["1.0.0"])];
    let missing = |name: &str| {
        failure(
            &format!("Cannot find module '{name}'"),
            "MODULE_NOT_FOUND",
            "test/a.js",
        )
    };
    let files = [("package.json", MANIFEST)];
    assert_eq!(
        offered(missing("x"), &files, &[], index),
        [["x"], ["x@2"], ["x@1"]]
    );
    assert!(offered(missing("own"), &files, &[], index).is_empty());
    assert!(offered(missing("nowhere"), &files, &[], index).is_empty());
    assert!(offered(missing("./lib/x"), &files, &[], index).is_empty());
}

#[test]
fn a_module_of_a_newer_node_is_lacking_and_nothing_is_installed_for_it() {
    let found = offered(
        failure(
            "Cannot find module 'node:sqlite'",
            "MODULE_NOT_FOUND",
            "test/a.js",
        ),
        &[],
        &[],
        &[("sqlite", &["5.0.0"])],
    );
    assert!(found[0][0].contains("Lacking"), "{found:?}");
}

#[test]
fn a_package_that_lost_what_is_asked_of_it_is_searched_downwards_by_major() {
    let found = offered(
        failure(
            "Package subpath './v4' is not defined by \"exports\" in /c/node_modules/x/package.json",
            "ERR_PACKAGE_PATH_NOT_EXPORTED",
            "test/a.js",
        ),
        &[],
        &[("x", "3.1.0")],
        &[("x", &["3.1.0", "4.0.0", "2.9.0", "2.0.0", "1.0.0"])],
    );
    assert_eq!(found, [["x@2"], ["x@1"]]);
}

#[test]
fn the_parts_of_a_runner_are_installed_in_its_version() {
    let found = offered(
        failure(
            "Test environment jest-environment-jsdom cannot be found. Make sure",
            "",
            "test/a.js",
        ),
        &[],
        &[("jest", "29.7.0")],
        &[],
    );
    assert_eq!(found, [["jest-environment-jsdom@29"]]);
}

#[test]
fn what_the_product_was_written_against_is_offered_where_nothing_else_explains_a_failure() {
    let installed = Installed {
        distributions: vec![
            ("a".to_owned(), "2.7.2".to_owned()),
            ("b".to_owned(), "1.0.0".to_owned()),
        ],
        ..Installed::default()
    };
    let manifest = r#"{"dependencies": {"a": "^2.6.0", "b": "^1.0.0", "c": "^1.0.0"}}"#;
    let (tree, index) = (Files::new(&[("package.json", manifest)]), Index::default());
    let failed = Failure {
        exception: Some("AssertionError".to_owned()),
        code: Some("ERR_ASSERTION".to_owned()),
        ..Failure::default()
    };
    let found = DependencyFix.examine(&case(&[failed], &tree, &installed, &index));
    let [Finding::Propose(candidate, _)] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!(candidate.runtime.install, ["a@2.6.0"]);
}

#[test]
fn what_the_tests_assert_by_is_put_back_to_the_manifest_s_range_only_where_a_later_one_is_installed()
 {
    let asserted = || Failure {
        phase: Phase::Call,
        exception: Some("AssertionError".to_owned()),
        ..failure("expected 1 to equal 2", "ERR_ASSERTION", "test/a.js")
    };
    let files = |range: &str| {
        [
            (
                "package.json",
                format!(
                    r#"{{"name": "own", "devDependencies": {{"chai": "{range}", "mocha": "1"}}}}"#
                ),
            ),
            (
                "test/a.js",
                "var expect = require('chai').expect;\n".to_owned(),
            ),
        ]
    };
    let of = |range: &str, version: &str| {
        let files = files(range);
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(path, text)| (*path, text.as_str()))
            .collect();
        offered(
            asserted(),
            &files,
            &[("chai", version), ("mocha", "10.0.0")],
            &[],
        )
    };
    let found = of("~1.9.1", "4.5.0");
    assert_eq!(found.len(), 1);
    assert!(
        found[0][0].starts_with("Propose") && found[0][0].contains("chai@~1.9.1"),
        "{found:?}"
    );
    assert!(of("^4.1.0", "4.5.0").is_empty());
    assert!(of("*", "4.5.0").is_empty());
}

#[test]
fn the_last_major_of_a_range_is_known_only_where_it_ends() {
    for (range, most) in [
        ("~1.9.1", Some(1)),
        ("^2.0.0 || ^3.1", Some(3)),
        (">= 2.1.0 < 3", Some(2)),
        ("<=3.1.0", Some(3)),
        ("4.x", Some(4)),
        ("*", None),
        (">=2", None),
        ("latest", None),
    ] {
        assert_eq!(most_major(range), most, "{range}");
    }
}
