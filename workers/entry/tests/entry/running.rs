use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::program::{PROGRAM, entry, run, text};

#[test]
fn it_exits_as_the_command_did_and_what_the_command_prints_passes_through() {
    let output = run(&[], "printf out; printf err >&2; exit 7");
    assert_eq!(output.status.code(), Some(7));
    assert_eq!((text(&output.stdout), text(&output.stderr)), ("out", "err"));
    assert_eq!(run(&[], "kill -SEGV $$").status.code(), Some(128 + 11));
    assert_eq!(run(&[], "true").status.code(), Some(0));
}

#[test]
fn no_shell_sees_the_arguments() {
    let output = entry(&["run", "--", "printf", "%s|", "$HOME", "a b", "*", ";", ""]);
    assert_eq!(text(&output.stdout), "$HOME|a b|*|;||");
}

#[test]
fn what_cannot_be_started_has_the_exit_code_that_shells_give_it_and_one_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str, mode: u32| {
        let path = directory.path().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let plain = file("plain", "", 0o644);
    let script = file("script", "#!/no/such/shell\n", 0o755);
    let garbage = file("garbage", "\0\0\0\0", 0o755);
    for (command, code, sentence) in [
        (
            "no-such-command",
            127,
            "`no-such-command` was not found in PATH=/nowhere".to_owned(),
        ),
        (
            "/no/such/command",
            127,
            "`/no/such/command` was not found".to_owned(),
        ),
        (
            &plain,
            126,
            format!("`{plain}` cannot be run: Permission denied (os error 13)"),
        ),
        (
            &script,
            126,
            format!(
                "`{script}` cannot be run: the interpreter or the loader that it names is not in this image"
            ),
        ),
        (
            &garbage,
            126,
            format!("`{garbage}` cannot be run: Exec format error (os error 8)"),
        ),
    ] {
        let output = Command::new(PROGRAM)
            .args(["run", "--junit", "/no/such/report", "--", command])
            .env("PATH", "/nowhere")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(code), "{command}");
        assert_eq!(text(&output.stderr), format!("maestro-entry: {sentence}\n"));
    }
}

#[test]
fn signals_are_passed_on_to_the_command() {
    for (signal, name) in [
        (Signal::TERM, "TERM"),
        (Signal::INT, "INT"),
        (Signal::HUP, "HUP"),
        (Signal::USR1, "USR1"),
    ] {
        let script = format!("trap 'exit 42' {name}; echo ready; while :; do :; done");
        let mut child = Command::new(PROGRAM)
            .args(["run", "--", "sh", "-c", &script])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut ready)
            .unwrap();
        assert_eq!(ready, "ready\n");
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(42), "{name}");
    }
}

#[test]
fn a_signal_that_the_command_does_not_handle_ends_it_and_tells_so() {
    let mut child = Command::new(PROGRAM)
        .args(["run", "--", "sh", "-c", "echo ready; exec sleep 1000"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut ready)
        .unwrap();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(128 + 15));
}

#[test]
fn what_the_command_leaves_running_is_ended_before_the_report_is_printed() {
    // One that is a grandchild and one in a session of its own, both with standard output open.
    let output = run(
        &["--junit", "/no/such/report"],
        "(sleep 1000 & echo $!); setsid sleep 1000 & echo $!",
    );
    let pids: Vec<&str> = text(&output.stdout).lines().take(2).collect();
    assert_eq!(pids.len(), 2);
    for pid in pids {
        assert!(pid.parse::<u32>().is_ok(), "{pid}");
        assert!(!Path::new("/proc").join(pid).exists(), "{pid} still runs");
    }
    assert!(text(&output.stdout).ends_with(":none missing\n"));
}
