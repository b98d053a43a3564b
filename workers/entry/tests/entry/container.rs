//! As in a container: linked statically, in a root without libraries and without a shell, as process 1.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use crate::program::{printed, text};

/// The program, linked statically. Built apart, since how it is linked is for a whole build to say.
static STATIC: LazyLock<PathBuf> = LazyLock::new(|| {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("static");
    let arch = std::env::consts::ARCH;
    let triple = format!("{arch}-unknown-linux-gnu");
    let built = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--locked",
            "--offline",
            "--bin",
            "maestro-entry",
        ])
        // With a target named, build scripts and procedural macros are linked as ever.
        .args(["--target", &triple, "--target-dir"])
        .arg(&target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", text(&built.stderr));
    target.join(triple).join("debug/maestro-entry")
});

/// Runs a program in a root that holds `/bin`, `/proc`, a writable `/results`, and nothing else.
fn contained(bin: &Path, results: &Path, command: &[&str]) -> Output {
    Command::new("bwrap")
        .args([
            "--unshare-all",
            "--as-pid-1",
            "--die-with-parent",
            "--clearenv",
        ])
        .args(["--proc", "/proc", "--ro-bind"])
        .args([bin, Path::new("/bin")])
        .arg("--bind")
        .args([results, Path::new("/results")])
        .args(["--remount-ro", "/", "--"])
        .args(command)
        .output()
        .unwrap()
}

#[test]
fn it_runs_and_reports_where_there_is_no_library_no_shell_and_a_root_that_is_read_only() {
    let (bin, results) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let entry = bin.path().join("maestro-entry");
    fs::copy(&*STATIC, &entry).unwrap();
    let contained = |command: &[&str]| contained(bin.path(), results.path(), command);

    // It is the only program there is, so the command is itself: it installs a copy, and the copy is the report.
    let output = contained(&[
        "/bin/maestro-entry",
        "run",
        "--max-report=100000000",
        "--junit=/results/junit.xml",
        "--",
        "/bin/maestro-entry",
        "install",
        "/results/junit.xml",
    ]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let (_, said) = printed(&output.stdout);
    assert!(said == Some(Ok(fs::read(&entry).unwrap())));

    let missing = contained(&["/bin/maestro-entry", "run", "--", "pytest"]);
    assert_eq!(missing.status.code(), Some(127));
    assert_eq!(
        text(&missing.stderr),
        "maestro-entry: `pytest` was not found in the default path, for PATH is not set\n"
    );
}

#[test]
fn as_process_1_it_reaps_those_that_lose_their_parents() {
    let output = Command::new("bwrap")
        .args(["--unshare-pid", "--as-pid-1", "--die-with-parent"])
        .args(["--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"])
        .arg("--")
        .arg(&*STATIC)
        .args(["run", "--", "sh", "-c"])
        // Each of ten loses its parent, and is gone from the table of processes once it is reaped.
        .arg(
            "for i in 0 1 2 3 4 5 6 7 8 9; do (true & echo $!); done > /dev/shm/pids; \
             n=0; while read -r pid; do \
             while [ -e /proc/$pid ]; do n=$((n + 1)); [ $n -lt 3000000 ] || exit 9; done; done < /dev/shm/pids; \
             read -r _ _ _ parent _ < /proc/$$/stat; echo \"child of $parent\"",
        )
        .output()
        .unwrap();
    assert_eq!(
        text(&output.stdout),
        "child of 1\n",
        "{}",
        text(&output.stderr)
    );
}
