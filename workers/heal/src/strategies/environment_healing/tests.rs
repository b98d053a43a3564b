use std::collections::BTreeMap;

use super::*;
use crate::case::Installed;
use crate::failure::{Failure, Phase};
use crate::strategies::fake::{Files, Index, case, failure};

/// What a strategy answers, in short.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Variables(Vec<(String, String)>),
    Text(String),
    Proposed,
    Refused(String),
    Lacking(String),
    Other(String),
}

fn answers(files: &[(&str, &str)], failed: Failure) -> Vec<Answer> {
    let files = Files::new(files);
    let installed = Installed {
        python: (3, 11),
        ..Installed::default()
    };
    let index = Index::default();
    let failures = [failed];
    EnvironmentHealing
        .examine(&case(&failures, &files, &installed, &index))
        .into_iter()
        .map(|finding| match finding {
            Finding::Try(candidate) if !candidate.runtime.variables.is_empty() => {
                Answer::Variables(candidate.runtime.variables.into_iter().collect())
            }
            Finding::Try(mut candidate) => match candidate.edits.pop() {
                Some(edit) => Answer::Text(edit.text),
                None => Answer::Other(candidate.description),
            },
            Finding::Propose(..) => Answer::Proposed,
            Finding::Refuse(reason) => Answer::Refused(reason),
            Finding::Lacking(reason) => Answer::Lacking(reason),
        })
        .collect()
}

#[test]
fn an_interpreter_that_nothing_asks_for_is_a_last_resort_that_a_person_judges() {
    let classifier = "'Programming Language :: Python :: 3.9'";
    let files = Files::new(&[("setup.py", classifier)]);
    let installed = Installed {
        python: (3, 11),
        interpreters: vec![(3, 9), (3, 10), (3, 11)],
        ..Installed::default()
    };
    let index = Index::default();
    let failures = [failed("AssertionError: 1 != 2", &[])];
    let case = case(&failures, &files, &installed, &index);
    assert_eq!(EnvironmentHealing.examine(&case), []);
    let last = EnvironmentHealing.last_resort(&case);
    let [Finding::Propose(candidate, _)] = last.as_slice() else {
        panic!("{last:?}");
    };
    assert_eq!(candidate.runtime.python.as_deref(), Some("3.9"));
}

/// A failure in a test whose frames are these, each with its function.
fn failed(line: &str, frames: &[(&str, u32, &str)]) -> Failure {
    let places: Vec<(&str, u32)> = frames
        .iter()
        .map(|(path, line, _)| (*path, *line))
        .collect();
    let mut failed = failure(Some("tests/test_a.py::test"), Phase::Call, line, &places);
    for (frame, (.., function)) in failed.frames.iter_mut().zip(frames) {
        (*function).clone_into(&mut frame.function);
    }
    failed
}

fn no_variable(name: &str, asker: (&str, u32)) -> Failure {
    failed(
        &format!("KeyError: '{name}'"),
        &[
            ("tests/test_a.py", 5, "test"),
            (asker.0, asker.1, "f"),
            ("<frozen os>", 679, "__getitem__"),
        ],
    )
    .without_inner_own()
}

trait WithoutInnerOwn {
    fn without_inner_own(self) -> Self;
}

impl WithoutInnerOwn for Failure {
    /// Python's own frames have absolute paths, or names in angle brackets.
    fn without_inner_own(mut self) -> Self {
        for frame in &mut self.frames {
            if frame.path.starts_with('<') {
                frame.path = "/usr/lib/python3.11/os.py".to_owned();
            }
        }
        self
    }
}

const PRODUCT: &str = "import os\n\n\ndef mode():\n    return os.environ['APP_MODE']\n";
const TEST: &str = "import app\n\n\ndef test():\n    assert app.mode() == 'test'\n";

#[test]
fn a_variable_that_the_runner_sets_is_set() {
    let files = [
        ("app.py", PRODUCT),
        ("tests/test_a.py", TEST),
        ("tox.ini", "[testenv]\nsetenv =\n    APP_MODE = test\n"),
    ];
    assert_eq!(
        answers(&files, no_variable("APP_MODE", ("app.py", 5))),
        [Answer::Variables(vec![("APP_MODE".into(), "test".into())])]
    );
}

#[test]
fn a_variable_that_only_a_document_names_is_proposed_for_the_product_and_set_for_a_test() {
    let files = [
        ("app.py", PRODUCT),
        ("tests/test_a.py", TEST),
        (".env.example", "APP_MODE=test\n"),
    ];
    assert_eq!(
        answers(&files, no_variable("APP_MODE", ("app.py", 5))),
        [Answer::Proposed],
        "the product may have lost a default"
    );
    assert_eq!(
        answers(&files, no_variable("APP_MODE", ("tests/test_a.py", 5))),
        [Answer::Variables(vec![("APP_MODE".into(), "test".into())])]
    );
}

#[test]
fn a_variable_of_which_nothing_is_known_is_named_and_not_made_up() {
    let files = [("app.py", PRODUCT), ("tests/test_a.py", TEST)];
    let found = answers(&files, no_variable("APP_MODE", ("app.py", 5)));
    assert!(
        matches!(found.as_slice(), [Answer::Lacking(reason)] if reason.contains("`APP_MODE`") && reason.contains("app.py:5")),
        "{found:?}"
    );
}

#[test]
fn a_secret_is_never_set_even_where_the_project_names_a_value() {
    let files = [
        ("app.py", PRODUCT),
        ("tests/test_a.py", TEST),
        ("tox.ini", "[testenv]\nsetenv =\n    API_TOKEN = abc\n"),
    ];
    let found = answers(&files, no_variable("API_TOKEN", ("app.py", 5)));
    assert!(
        matches!(found.as_slice(), [Answer::Lacking(reason)] if reason.contains("secret")),
        "{found:?}"
    );
}

#[test]
fn a_name_that_the_product_has_wrong_is_refused() {
    let files = [
        ("app.py", PRODUCT),
        ("tests/test_a.py", TEST),
        ("tox.ini", "[testenv]\nsetenv =\n    APP_MODE = test\n"),
    ];
    let found = answers(&files, no_variable("APP_MDOE", ("app.py", 5)));
    assert!(
        matches!(found.as_slice(), [Answer::Refused(reason)] if reason.contains("`APP_MODE`")),
        "{found:?}"
    );
}

#[test]
fn a_variable_that_the_test_sets_and_the_product_does_not_find_is_refused() {
    let test = "import app\n\n\ndef test(monkeypatch):\n    monkeypatch.setenv('APP_MODE', 'x')\n    assert app.mode() == 'x'\n";
    let found = answers(
        &[("app.py", PRODUCT), ("tests/test_a.py", test)],
        no_variable("APP_MODE", ("app.py", 5)),
    );
    assert!(
        matches!(found.as_slice(), [Answer::Refused(reason)] if reason.contains("sets `APP_MODE` itself")),
        "{found:?}"
    );
}

#[test]
fn a_test_that_reads_what_its_neighbours_set_sets_it_for_itself() {
    let test = "import os\n\n\ndef test(tmp_path):\n    assert os.environ['APP_MODE'] == 'x'\n\n\ndef test_b(monkeypatch):\n    monkeypatch.setenv('APP_MODE', 'x')\n";
    let found = answers(
        &[("tests/test_a.py", test)],
        no_variable("APP_MODE", ("tests/test_a.py", 5)),
    );
    let [Answer::Text(repaired)] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert!(
        repaired.contains(
            "def test(tmp_path, monkeypatch):\n    monkeypatch.setenv(\"APP_MODE\", \"x\")\n"
        ),
        "{repaired}"
    );
}

#[test]
fn a_test_that_asserts_what_the_runner_sets_gets_it_unless_the_product_was_to_set_it() {
    let test = "import os\nimport app\n\n\ndef test():\n    app.setup()\n    assert os.environ.get('APP_MODE') == 'test'\n";
    let tox = ("tox.ini", "[testenv]\nsetenv =\n    APP_MODE = test\n");
    let fails = || {
        failed(
            "AssertionError: assert None == 'test'",
            &[("tests/test_a.py", 7, "test")],
        )
    };
    assert_eq!(
        answers(&[("tests/test_a.py", test), tox], fails()),
        [Answer::Variables(vec![("APP_MODE".into(), "test".into())])]
    );
    let product = (
        "app.py",
        "import os\ndef setup():\n    if False:\n        os.environ['APP_MODE'] = 'test'\n",
    );
    assert_eq!(
        answers(&[("tests/test_a.py", test), tox, product], fails()),
        []
    );
}

#[test]
fn what_steers_the_runner_is_not_set_for_an_assertion() {
    let test = "import os\n\n\ndef test():\n    assert os.environ.get('PYTHONOPTIMIZE') == '1'\n";
    let files = [
        ("tests/test_a.py", test),
        ("tox.ini", "[testenv]\nsetenv =\n    PYTHONOPTIMIZE = 1\n"),
    ];
    let fails = failed(
        "AssertionError: assert None == '1'",
        &[("tests/test_a.py", 5, "test")],
    );
    assert_eq!(answers(&files, fails), []);
}

#[test]
fn a_time_zone_that_the_runner_sets_is_only_proposed() {
    let test = "import datetime\n\n\ndef test():\n    assert f() == '12:00'\n";
    let files = [
        ("tests/test_a.py", test),
        ("tox.ini", "[testenv]\nsetenv = TZ=Europe/Berlin\n"),
    ];
    let fails = failed(
        "AssertionError: assert '11:00' == '12:00'",
        &[("tests/test_a.py", 5, "test")],
    );
    assert_eq!(answers(&files, fails.clone()), [Answer::Proposed]);
    assert_eq!(answers(&files[..1], fails), []);
}

const WRITES: &str = "import json\n\n\ndef test():\n    with open('out/a/result.json', 'w') as file:\n        json.dump({}, file)\n";

fn no_directory(place: (&str, u32, &str)) -> Failure {
    failed(
        "FileNotFoundError: [Errno 2] No such file or directory: 'out/a/result.json'",
        &[place],
    )
}

#[test]
fn a_test_makes_the_directory_that_it_writes_to() {
    let found = answers(
        &[("tests/test_a.py", WRITES)],
        no_directory(("tests/test_a.py", 5, "test")),
    );
    let [Answer::Text(repaired)] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!(
        repaired,
        "import os\nimport json\n\n\ndef test():\n    os.makedirs(os.path.dirname('out/a/result.json'), exist_ok=True)\n    with open('out/a/result.json', 'w') as file:\n        json.dump({}, file)\n"
    );
}

#[test]
fn a_directory_that_the_product_may_have_had_to_make_is_refused() {
    let test = "import json\nimport app\n\n\ndef test():\n    app.prepare('out')\n    with open('out/a/result.json', 'w') as file:\n        json.dump({}, file)\n";
    let files = [
        ("tests/test_a.py", test),
        ("app.py", "def prepare(path):\n    pass\n"),
    ];
    let found = answers(&files, no_directory(("tests/test_a.py", 7, "test")));
    assert!(
        matches!(found.as_slice(), [Answer::Refused(reason)] if reason.contains("`app.prepare`")),
        "{found:?}"
    );
    // The same through a fixture.
    let test = "import pytest\nimport app\n\n\n@pytest.fixture\ndef out():\n    app.prepare('out')\n\n\ndef test(out):\n    open('out/a/result.json', 'w').close()\n";
    let found = answers(
        &[("tests/test_a.py", test), files[1]],
        no_directory(("tests/test_a.py", 11, "test")),
    );
    assert!(
        matches!(found.as_slice(), [Answer::Refused(_)]),
        "{found:?}"
    );
}

#[test]
fn a_product_that_writes_to_a_directory_which_is_not_there_is_not_helped() {
    let files = [
        (
            "tests/test_a.py",
            "import app\n\n\ndef test():\n    app.save('out/a/result.json')\n",
        ),
        ("app.py", "def save(path):\n    open(path, 'w').close()\n"),
    ];
    let found = answers(&files, no_directory(("app.py", 2, "save")));
    assert_eq!(found, []);
}

#[test]
fn a_file_that_is_read_and_is_not_there_is_no_missing_directory() {
    let test = WRITES.replace("'w'", "'r'");
    let found = answers(
        &[("tests/test_a.py", &test)],
        no_directory(("tests/test_a.py", 5, "test")),
    );
    assert_eq!(found, []);
}

#[test]
fn nothing_is_made_outside_of_the_project() {
    let found = answers(
        &[("tests/test_a.py", WRITES)],
        failed(
            "FileNotFoundError: [Errno 2] No such file or directory: '/data/result.json'",
            &[("tests/test_a.py", 5, "test")],
        ),
    );
    assert!(
        matches!(found.as_slice(), [Answer::Lacking(_)]),
        "{found:?}"
    );
}

#[test]
fn a_home_that_cannot_be_written_is_replaced_for_the_test_alone() {
    let files = [
        (
            "tests/test_a.py",
            "import app\n\n\ndef test():\n    app.save()\n",
        ),
        (
            "app.py",
            "from pathlib import Path\ndef save():\n    (Path.home() / '.app').mkdir()\n",
        ),
    ];
    let denied = failed(
        "PermissionError: [Errno 13] Permission denied: '/nonexistent/.app'",
        &[("tests/test_a.py", 5, "test"), ("app.py", 3, "save")],
    );
    let found = answers(&files, denied.clone());
    let [Answer::Text(repaired)] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert!(
        repaired.contains(
            "def test(monkeypatch, tmp_path):\n    monkeypatch.setenv(\"HOME\", str(tmp_path))\n"
        ),
        "{repaired}"
    );
    // A product that writes somewhere of its own choice is not helped.
    let elsewhere = [
        files[0],
        (
            "app.py",
            "def save():\n    open('/nonexistent/.app', 'w')\n",
        ),
    ];
    assert_eq!(answers(&elsewhere, denied), []);
}

const SERVES: &str = "import socketserver\n\nPORT = 8765\n\n\ndef test():\n    server = socketserver.TCPServer(('localhost', PORT), None)\n";

fn in_use(place: (&str, u32, &str)) -> Failure {
    failed("OSError: [Errno 98] Address already in use", &[place])
}

#[test]
fn a_fixed_port_of_the_test_gives_way_to_a_free_one() {
    let found = answers(
        &[("tests/test_a.py", SERVES)],
        in_use(("tests/test_a.py", 7, "test")),
    );
    let [Answer::Text(repaired)] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert!(
        repaired.contains("def _free_port():\n    with socket.socket() as probe:\n")
            && repaired.contains("PORT = _free_port()\n"),
        "{repaired}"
    );
}

#[test]
fn a_port_that_the_product_may_hold_is_refused() {
    for (product, place) in [
        ("PORT = 8765\n", ("tests/test_a.py", 7, "test")),
        ("def serve(port):\n    bind(port)\n", ("app.py", 2, "serve")),
    ] {
        let found = answers(
            &[("tests/test_a.py", SERVES), ("app.py", product)],
            in_use(place),
        );
        assert!(
            matches!(found.as_slice(), [Answer::Refused(_)]),
            "{found:?}"
        );
    }
    let test = SERVES
        .replace("def test():\n", "def test():\n    app.serve(PORT)\n")
        .replace("import socketserver", "import socketserver\nimport app");
    let found = answers(
        &[
            ("tests/test_a.py", &test),
            ("app.py", "def serve(port):\n    bind(port)\n"),
        ],
        in_use(("tests/test_a.py", 9, "test")),
    );
    assert!(
        matches!(found.as_slice(), [Answer::Refused(_)]),
        "{found:?}"
    );
}

#[test]
fn a_program_of_the_tests_is_made_executable_and_one_of_the_product_is_not() {
    let test =
        "import subprocess\n\n\ndef test():\n    subprocess.run(['tests/bin/tool'], check=True)\n";
    let denied = |program: &str| {
        failed(
            &format!("PermissionError: [Errno 13] Permission denied: '{program}'"),
            &[
                ("tests/test_a.py", 5, "test"),
                ("/usr/lib/python3.11/subprocess.py", 1900, "_execute_child"),
            ],
        )
    };
    let files = [
        ("tests/test_a.py", test),
        ("tests/bin/tool", "#!/bin/sh\n"),
        ("bin/tool", "#!/bin/sh\n"),
    ];
    let found = answers(&files, denied("./tests/bin/tool"));
    let [Answer::Text(repaired)] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert!(
        repaired.contains("    os.chmod(os.path.join(os.path.dirname(__file__), \"bin/tool\"), 0o755)\n    subprocess.run"),
        "{repaired}"
    );
    let found = answers(&files, denied("bin/tool"));
    assert!(
        matches!(found.as_slice(), [Answer::Refused(_)]),
        "{found:?}"
    );
}

#[test]
fn a_locale_of_no_country_in_particular_gives_way_to_the_one_that_every_host_has() {
    let test =
        "import locale\n\n\ndef test():\n    locale.setlocale(locale.LC_ALL, 'en_US.UTF-8')\n";
    let fails = || {
        failed(
            "locale.Error: unsupported locale setting",
            &[
                ("tests/test_a.py", 5, "test"),
                ("/usr/lib/python3.11/locale.py", 626, "setlocale"),
            ],
        )
    };
    let found = answers(&[("tests/test_a.py", test)], fails());
    let [Answer::Text(repaired), Answer::Lacking(_)] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert!(
        repaired.contains("setlocale(locale.LC_ALL, \"C.UTF-8\")"),
        "{repaired}"
    );
    // The language alone, where a function of the tests puts the encoding behind it.
    let parts = "import locale\n\n\ndef load(x):\n    locale.setlocale(locale.LC_ALL, '{}.UTF-8'.format(x))\n\n\ndef test():\n    load('en_US')\n";
    let found = answers(&[("tests/test_a.py", parts)], fails());
    assert!(
        matches!(found.as_slice(), [Answer::Text(repaired), Answer::Lacking(_)] if repaired.contains("load(\"C\")")),
        "{found:?}"
    );
    // What a German locale prints is not what another one prints.
    let german = test.replace("en_US", "de_DE");
    let found = answers(&[("tests/test_a.py", &german)], fails());
    assert!(
        matches!(found.as_slice(), [Answer::Lacking(reason)] if reason.contains("de_DE.UTF-8")),
        "{found:?}"
    );
}

#[test]
fn a_test_that_leaves_the_encoding_to_the_locale_names_it_and_a_product_is_a_persons() {
    let line = "UnicodeDecodeError: 'ascii' codec can't decode byte 0xc3 in position 0: ordinal not in range(128)";
    let test = "def test():\n    assert open('data.txt').read() == 'é'\n";
    let found = answers(
        &[("tests/test_a.py", test)],
        failed(line, &[("tests/test_a.py", 2, "test")]),
    );
    let [Answer::Text(repaired), Answer::Variables(_)] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert!(
        repaired.contains("open('data.txt', encoding=\"utf-8\")"),
        "{repaired}"
    );
    let product = "def load():\n    return open('data.txt').read()\n";
    let found = answers(
        &[("tests/test_a.py", test), ("app.py", product)],
        failed(
            line,
            &[("tests/test_a.py", 2, "test"), ("app.py", 2, "load")],
        ),
    );
    assert_eq!(found, [Answer::Proposed]);
    let wrong = failed(
        "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
        &[("tests/test_a.py", 2, "test")],
    );
    assert_eq!(
        answers(&[("tests/test_a.py", test)], wrong),
        [],
        "no locale decided that"
    );
}

#[test]
fn a_host_without_time_zones_gets_those_of_the_index() {
    let found = answers(
        &[("tests/test_a.py", "x\n")],
        failed(
            "zoneinfo._common.ZoneInfoNotFoundError: 'No time zone found with key Europe/Berlin'",
            &[("tests/test_a.py", 1, "test")],
        ),
    );
    assert!(
        matches!(found.as_slice(), [Answer::Other(what)] if what.contains("tzdata")),
        "{found:?}"
    );
}

#[test]
fn before_python_had_a_mode_of_utf_8_the_locale_has_to_say_it() {
    let files = Files::new(&[("tests/test_a.py", "def test():\n    run('\u{e4}')\n")]);
    let set = |python| {
        let installed = Installed {
            python,
            ..Installed::default()
        };
        let failures = [failed(
            "UnicodeEncodeError: 'ascii' codec can't encode character '\\xe4' in position 0: ordinal not in range(128)",
            &[("tests/test_a.py", 2, "test")],
        )];
        EnvironmentHealing
            .examine(&case(&failures, &files, &installed, &Index::default()))
            .into_iter()
            .find_map(|finding| match finding {
                Finding::Try(candidate) => Some(candidate.runtime.variables),
                _ => None,
            })
            .unwrap()
    };
    assert_eq!(set((3, 6))["LC_ALL"], "C.UTF-8");
    assert_eq!(set((3, 7))["PYTHONUTF8"], "1");
}

#[test]
fn a_run_that_is_asked_for_in_a_locale_of_ascii_gets_a_person_one_of_unicode() {
    let offered = |variables: &[(&str, &str)]| {
        let files = Files::new(&[("tests/test_a.py", "assert out == b'x'\n")]);
        let installed = Installed {
            variables: variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            ..Installed::default()
        };
        let index = Index::default();
        let failures = [failed(
            "AssertionError: assert b'' == b'x'",
            &[("tests/test_a.py", 1, "test")],
        )];
        EnvironmentHealing
            .examine(&case(&failures, &files, &installed, &index))
            .into_iter()
            .filter_map(|finding| match finding {
                Finding::Propose(candidate, _) => Some(candidate.runtime.variables),
                _ => None,
            })
            .collect::<Vec<_>>()
    };
    let unicode =
        |found: Vec<BTreeMap<String, String>>| found.len() == 1 && found[0]["LC_ALL"] == "C.UTF-8";
    assert!(unicode(offered(&[("LC_ALL", "C")])));
    assert!(unicode(offered(&[("LC_ALL", ""), ("LANG", "POSIX")])));
    assert!(offered(&[("LC_ALL", "C.UTF-8"), ("LANG", "C")]).is_empty());
    assert!(offered(&[]).is_empty());
}
