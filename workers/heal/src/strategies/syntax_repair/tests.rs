use super::*;
use crate::case::Installed;
use crate::failure::Phase;
use crate::strategies::fake::{Files, Index, case, failure};

fn python2(text: &str) -> Option<String> {
    python2::repair(text).map(|repaired| repaired.text)
}

fn guesses(text: &str, line: u32) -> Vec<String> {
    one_character::repairs(text, Some(line))
        .into_iter()
        .map(|repaired| repaired.text)
        .collect()
}

#[test]
fn leftovers_of_python_2_become_python_3() {
    let before = "import os\nprint\nprint 'a', b\nprint >>f, 'c' % d,\ntry:\n    exec 'x' in g\nexcept (A, B), e:\n    raise E, 'no'\nx = 0777 + 10L\nif a <> `b`:\n    y = ur'\\d'\n";
    let after = "import os\nprint()\nprint('a', b)\nprint('c' % d, end=' ', file=f)\ntry:\n    exec('x', g)\nexcept (A, B) as e:\n    raise E('no')\nx = 0o777 + 10\nif a != repr(b):\n    y = r'\\d'\n";
    assert_eq!(python2(before).as_deref(), Some(after));
    assert_eq!(python2(after), None);
}

#[test]
fn a_name_that_became_a_keyword_gets_an_underscore_and_its_callers_too() {
    assert_eq!(
        python2("def f(async=1):\n    return asyncio.async(g(async=async))\n").as_deref(),
        Some("def f(async_=1):\n    return asyncio.ensure_future(g(async_=async_))\n")
    );
}

#[test]
fn an_unknown_escape_is_the_same_string_with_two_backslashes() {
    let before = "a = '\\d\\n' + b'\\q' + r'\\d' + f'\\w{x}\\s'\n";
    let after = "a = '\\\\d\\n' + b'\\\\q' + r'\\d' + f'\\\\w{x}\\\\s'\n";
    assert_eq!(escapes::repair(before).unwrap().text, after);
    assert!(escapes::repair(after).is_none());
}

#[test]
fn windows_line_endings_stay() {
    assert_eq!(
        python2("print 'a'\r\nx = 1\r\n").as_deref(),
        Some("print('a')\r\nx = 1\r\n")
    );
}

#[test]
fn a_missing_colon_bracket_or_quote_is_written() {
    let class = "class A(B):\n    def f(self)\n        return g(1)\n";
    assert_eq!(
        guesses(class, 2),
        ["class A(B):\n    def f(self):\n        return g(1)\n"]
    );
    assert_eq!(guesses("x = f(1\ny = 2\n", 1), ["x = f(1)\ny = 2\n"]);
    assert_eq!(guesses("x = [1, 2\ny = 2\n", 2)[0], "x = [1, 2]\ny = 2\n");
    assert_eq!(
        guesses("def f(a:\n    pass\n", 1)[0],
        "def f(a):\n    pass\n"
    );
    assert_eq!(
        guesses("self.assertEqual(a, 'b)\nx = 1\n", 1),
        ["self.assertEqual(a, 'b')\nx = 1\n"]
    );
    assert_eq!(
        guesses("x = [('a', 'b), ('c', 'd')]\n", 1),
        ["x = [('a', 'b'), ('c', 'd')]\n"]
    );
    assert_eq!(guesses("x = f(1))\n", 1), ["x = f(1)\n"]);
    assert_eq!(
        guesses("if a = 1:\n    pass\n", 1),
        ["if a == 1:\n    pass\n"]
    );
    assert_eq!(
        guesses("x = [\n    a\n    b,\n]\n", 2),
        ["x = [\n    a,\n    b,\n]\n"]
    );
}

#[test]
fn mixed_tabs_become_the_spaces_that_python_2_read() {
    let repaired = indentation::repair("if a:\n        x = 1\n\ty = 2\n", Some(3));
    assert_eq!(repaired[0].text, "if a:\n        x = 1\n        y = 2\n");
}

#[test]
fn a_line_between_two_levels_goes_to_the_nearer() {
    let repaired = indentation::repair("def f():\n    x = 1\n     y = 2\n    return x\n", Some(3));
    assert_eq!(
        repaired[0].text,
        "def f():\n    x = 1\n    y = 2\n    return x\n"
    );
}

#[test]
fn the_markers_of_a_merge_are_left_to_a_person() {
    let text = "<<<<<<< HEAD\ndef test_a():\n=======\ndef test_b():\n>>>>>>> topic\n    pass\n";
    let files = Files::new(&[("tests/test_a.py", text)]);
    let mut failed = failure(
        Some("tests/test_a.py"),
        Phase::Collection,
        "SyntaxError: invalid syntax",
        &[],
    );
    failed.text = "E     File \"/elsewhere/x/tests/test_a.py\", line 1\nE       <<<<<<< HEAD\nE       ^^\nE   SyntaxError: invalid syntax".into();
    let failures = [failed];
    let found = SyntaxRepair.examine(&case(
        &failures,
        &files,
        &Installed::default(),
        &Index::default(),
    ));
    assert!(
        matches!(found.as_slice(), [Finding::Refuse(reason)] if reason.contains("tests/test_a.py:1"))
    );
}

#[test]
fn the_section_of_pytest_in_setup_cfg_is_renamed_and_nothing_else() {
    let files = Files::new(&[(
        "setup.cfg",
        "[metadata]\nx = [pytest]\n[pytest]\naddopts = -q\n",
    )]);
    let failures = [failure(
        None,
        Phase::Configuration,
        "Failed: [pytest] section in setup.cfg files is no longer supported, change to [tool:pytest] instead.",
        &[],
    )];
    let found = SyntaxRepair.examine(&case(
        &failures,
        &files,
        &Installed::default(),
        &Index::default(),
    ));
    let [Finding::Try(candidate)] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(
        candidate.edits[0].text,
        "[metadata]\nx = [pytest]\n[tool:pytest]\naddopts = -q\n"
    );
}

#[test]
fn what_parses_is_never_touched() {
    let files = Files::new(&[("tests/test_a.py", "def test():\n    assert 1 == 2\n")]);
    let failures = [failure(
        Some("tests/test_a.py::test"),
        Phase::Call,
        "AssertionError: assert 1 == 2",
        &[("tests/test_a.py", 2)],
    )];
    assert_eq!(
        SyntaxRepair.examine(&case(
            &failures,
            &files,
            &Installed::default(),
            &Index::default()
        )),
        []
    );
}
