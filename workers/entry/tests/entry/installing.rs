use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::program::{PROGRAM, entry, text};

#[test]
fn the_copy_is_the_program_and_everyone_may_run_it() {
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("bin");
    // Whoever looks at the old one meanwhile still sees all of it, for it is replaced and not written over.
    fs::write(&copy, "old").unwrap();
    let old = fs::File::open(&copy).unwrap();
    let output = entry(&["install", copy.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(old.metadata().unwrap().len(), 3);
    assert_eq!(fs::read(&copy).unwrap(), fs::read(PROGRAM).unwrap());
    assert_eq!(
        copy.metadata().unwrap().permissions().mode() & 0o7777,
        0o755
    );
    let left: Vec<_> = fs::read_dir(directory.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing but the copy is left");
}

#[test]
fn where_no_copy_can_be_made_the_sentence_names_the_path() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    for (target, end) in [
        (
            path.to_owned(),
            "is a directory; expected the path of the copy\n".to_owned(),
        ),
        (
            format!("{path}/gone/entry"),
            "cannot be written: No such file or directory (os error 2)\n".to_owned(),
        ),
    ] {
        let output = entry(&["install", &target]);
        assert_eq!(output.status.code(), Some(125));
        assert_eq!(
            text(&output.stderr),
            format!("maestro-entry: `{target}` {end}")
        );
    }
}

#[test]
fn the_help_has_an_example_and_every_exit_code() {
    let output = entry(&["--help"]);
    assert!(output.status.success());
    for part in [
        "Example: maestro-entry run --junit",
        "125",
        "126",
        "127",
        "128",
    ] {
        assert!(text(&output.stdout).contains(part), "{part}");
    }
    assert_eq!(entry(&["run", "--help"]).stdout, output.stdout);
    let nothing = entry(&[]);
    assert_eq!(nothing.status.code(), Some(125));
    assert_eq!(
        text(&nothing.stderr),
        "maestro-entry: expected `install` or `run`; try --help\n"
    );
}
