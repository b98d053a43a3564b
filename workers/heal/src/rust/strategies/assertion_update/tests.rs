use super::*;
use crate::case::Installed;
use crate::failure::{Compared, Frame};
use crate::rust::panics::ASSERTION;
use crate::strategies::fake::{Files, Index, case};

const CHANGELOG: &str = "# Changelog\n\n- Guests: \"You are welcome in our house\" in place of \"You are tolerated in our house\".\n";
const PRODUCT: &str = "pub fn greet() -> String {\n    \"You are welcome in our house\".to_owned()\n}\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn greets() {\n        assert_eq!(super::greet(), \"You are tolerated in our house\");\n    }\n}\n";
const OLD: &str = "You are tolerated in our house";
const NEW: &str = "You are welcome in our house";

/// What is offered, where an assertion fails at this place of a project.
fn offered(
    files: &[(&str, &str)],
    place: (&str, u32),
    compared: Compared,
    text: &str,
) -> Vec<Edit> {
    let (tree, index, installed) = (Files::new(files), Index::default(), Installed::default());
    let failure = Failure {
        test: Some("tests::greets".to_owned()),
        exception: Some(ASSERTION.to_owned()),
        message: "assertion".to_owned(),
        frames: vec![Frame {
            path: place.0.to_owned(),
            line: place.1,
            function: String::new(),
        }],
        compared: Some(compared),
        text: text.to_owned(),
        ..Failure::default()
    };
    AssertionUpdate
        .examine(&case(&[failure], &tree, &installed, &index))
        .into_iter()
        .map(|finding| match finding {
            Finding::Propose(mut candidate, why) => {
                assert!(why.contains("CHANGELOG.md tells of"), "{why}");
                candidate.edits.pop().unwrap()
            }
            other => panic!("only proposed: {other:?}"),
        })
        .collect()
}

fn compared(actual: &str, expected: &str, by: &str) -> Compared {
    Compared {
        actual: actual.to_owned(),
        expected: expected.to_owned(),
        by: by.to_owned(),
    }
}

#[test]
fn a_text_that_the_changelog_tells_of_is_proposed_whichever_side_has_it() {
    let files = [("src/lib.rs", PRODUCT), ("CHANGELOG.md", CHANGELOG)];
    let quoted = |text: &str| format!("Ok(\"{text}\")");
    for (left, right) in [(NEW, OLD), (OLD, NEW)] {
        let sides = compared(&quoted(left), &quoted(right), "left == right");
        let found = offered(&files, ("src/lib.rs", 9), sides, "");
        assert_eq!(found.len(), 1, "{left}");
        assert_eq!(found[0].text, PRODUCT.replace(OLD, NEW));
    }
}

#[test]
fn without_evidence_and_for_what_is_no_wording_nothing_is_offered() {
    let sides = || {
        compared(
            &format!("\"{NEW}\""),
            &format!("\"{OLD}\""),
            "left == right",
        )
    };
    let place = ("src/lib.rs", 9);
    assert_eq!(offered(&[("src/lib.rs", PRODUCT)], place, sides(), ""), []);
    let files = [("src/lib.rs", PRODUCT), ("CHANGELOG.md", CHANGELOG)];
    for (left, right) in [
        ("3", "4"),
        ("[\"a\", \"b\"]", "[\"a\"]"),
        (
            "Err(\"You are welcome in our house\")",
            "Ok(\"You are tolerated in our house\")",
        ),
    ] {
        assert_eq!(
            offered(&files, place, compared(left, right, "left == right"), ""),
            [],
            "{left}"
        );
    }
    // The product still says the old text: it was not replaced.
    let both = PRODUCT.replace("pub fn", &format!("// {OLD}\npub fn"));
    let files = [("src/lib.rs", both.as_str()), ("CHANGELOG.md", CHANGELOG)];
    assert_eq!(offered(&files, ("src/lib.rs", 10), sides(), ""), []);
}

#[test]
fn one_line_of_a_file_of_insta_changes_and_its_head_stays() {
    let file = format!("---\nsource: src/lib.rs\nexpression: \"{OLD}\"\n---\n{OLD}\nann\n");
    let files = [
        ("src/lib.rs", PRODUCT),
        ("CHANGELOG.md", CHANGELOG),
        ("src/snapshots/own__tests__greets.snap", file.as_str()),
    ];
    let text = "Snapshot file: src/snapshots/own__tests__greets.snap\nSnapshot: greets\n";
    let found = offered(
        &files,
        ("src/lib.rs", 9),
        compared(NEW, OLD, SNAPSHOT),
        text,
    );
    assert_eq!(
        found,
        [Edit {
            path: "src/snapshots/own__tests__greets.snap".to_owned(),
            text: format!("---\nsource: src/lib.rs\nexpression: \"{OLD}\"\n---\n{NEW}\nann\n"),
        }]
    );
}

#[test]
fn of_an_inline_snapshot_only_what_stands_behind_the_at_changes() {
    for literal in [
        "@r\"\n    LINE\n    ann\n    \"",
        "@\"LINE\"",
        "@r#\"LINE\"#",
    ] {
        let test = format!(
            "#[test]\nfn greets() {{\n    let noise = \"{OLD}\";\n    insta::assert_snapshot!(own::greet(), {literal});\n}}\n",
        );
        let test = test.replace("LINE", OLD);
        let files = [
            ("src/lib.rs", PRODUCT),
            ("CHANGELOG.md", CHANGELOG),
            ("tests/greet.rs", test.as_str()),
        ];
        let found = offered(
            &files,
            ("tests/greet.rs", 4),
            compared(NEW, OLD, SNAPSHOT),
            "Snapshot: greets\n",
        );
        assert_eq!(found.len(), 1, "{literal}");
        let (head, tail) = test.split_once("insta").unwrap();
        assert_eq!(
            found[0].text,
            format!("{head}insta{}", tail.replace(OLD, NEW))
        );
    }
}
