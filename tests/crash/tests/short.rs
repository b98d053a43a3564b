//! The short form of the crash suite, as a part of every test run.

use std::process::Command;

#[test]
fn nothing_is_lost_and_nothing_doubled_whatever_fails() {
    let suite = Command::new(env!("CARGO_BIN_EXE_crash"))
        .args(["--scenario", "all", "--duration", "25s", "--round", "25s"])
        .args(["--rate", "1000", "--slack", "4"])
        .env("RUST_BACKTRACE", "0")
        .output()
        .expect("the suite runs");
    let (table, progress) = (
        String::from_utf8_lossy(&suite.stdout),
        String::from_utf8_lossy(&suite.stderr),
    );
    // Shown with `--nocapture`, and when it fails.
    print!("{progress}{table}");
    assert!(suite.status.success(), "{}", suite.status);
    assert!(table.contains("lost 0, doubled 0"));
}
