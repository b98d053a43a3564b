use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use maestro_entry::block::NotSent;

use crate::program::{PROGRAM, printed, run, text};

/// A directory with a place for a report.
fn place() -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("junit.xml");
    let text = path.to_str().unwrap().to_owned();
    (directory, text)
}

#[test]
fn the_report_follows_what_the_command_printed() {
    let (_directory, path) = place();
    let script =
        format!("printf 'one\\nthe end'; printf '<testsuite>ü</testsuite>' > {path}; exit 1");
    let output = run(&["--junit", &path], &script);
    assert_eq!(output.status.code(), Some(1));
    let (beside, said) = printed(&output.stdout);
    assert_eq!(beside, "one\nthe end\n");
    assert_eq!(
        said,
        Some(Ok("<testsuite>ü</testsuite>".as_bytes().to_vec()))
    );
}

#[test]
fn where_no_report_is_asked_for_nothing_is_added() {
    assert_eq!(text(&run(&[], "echo one").stdout), "one\n");
}

#[test]
fn where_there_is_none_a_line_says_why() {
    let (directory, path) = place();
    let said = |options: &[&str], script: &str| {
        let options = [&["--junit", &path], options].concat();
        let (_, said) = printed(&run(&options, script).stdout);
        let _ = fs::remove_file(&path);
        said.unwrap().unwrap_err()
    };
    assert_eq!(said(&[], "true"), NotSent::Missing);
    assert_eq!(said(&[], &format!("mkfifo {path}")), NotSent::NotAFile);
    assert_eq!(
        said(&[], &format!("ln -s /dev/zero {path}")),
        NotSent::NotAFile
    );
    let large = NotSent::TooLarge {
        bytes: 11,
        limit: 10,
    };
    let write = |text: &str| format!("printf {text} > {path}");
    assert_eq!(said(&["--max-report", "10"], &write("12345678901")), large);
    fs::write(&path, "of another run").unwrap();
    assert_eq!(said(&[], "true"), NotSent::Stale);
    fs::write(&path, "of another run").unwrap();
    let (_, anew) = printed(
        &run(
            &["--junit", &path, "--max-report", "10"],
            &write("1234567890"),
        )
        .stdout,
    );
    assert_eq!(anew, Some(Ok(b"1234567890".to_vec())));
    drop(directory);
}

#[test]
fn a_report_of_many_lines_arrives_whole() {
    let (_directory, path) = place();
    let output = run(
        &["--junit", &path],
        &format!("head -c 300000 /dev/urandom > {path}"),
    );
    let (beside, said) = printed(&output.stdout);
    assert_eq!(beside, "\n");
    assert_eq!(said, Some(Ok(fs::read(&path).unwrap())));
    assert!(output.stdout.split(|byte| *byte == b'\n').count() > 400);
}

/// A pipe whose other side reads slowly, left in non-blocking mode as Node leaves it.
#[test]
fn a_standard_output_that_does_not_wait_is_made_to_wait() {
    let (_directory, path) = place();
    let script = format!(
        "import os\nos.set_blocking(1, False)\nopen('{path}', 'wb').write(os.urandom(1_000_000))\n"
    );
    let mut child = Command::new(PROGRAM)
        .args(["run", "--junit", &path, "--", "python3", "-c", &script])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // It has written the report, and goes on for longer than a pipe holds, before anything is read.
    while fs::metadata(Path::new(&path)).map_or(0, |file| file.len()) < 1_000_000 {
        std::thread::yield_now();
    }
    let mut stdout = Vec::new();
    std::io::Read::read_to_end(child.stdout.as_mut().unwrap(), &mut stdout).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(printed(&stdout).1, Some(Ok(fs::read(&path).unwrap())));
}
