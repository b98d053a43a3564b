//! The units of systemd.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output};

use maestro_deploy_tests::{repository, text};

/// What a unit says of a key, in order.
fn said<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    let lines = unit.lines().filter_map(|line| line.split_once('='));
    lines
        .filter(|(name, _)| *name == key)
        .map(|(_, value)| value)
        .collect()
}

fn seconds(unit: &str, key: &str) -> Option<u64> {
    let value = said(unit, key).into_iter().next_back()?;
    value.strip_suffix('s')?.parse().ok()
}

/// A root with the units where docs/deployment.md puts them, a program that is never started, and systemd's own units.
fn root() -> Option<PathBuf> {
    let system = PathBuf::from("/usr/lib/systemd/system");
    let is_here = Command::new("systemd-analyze")
        .arg("--version")
        .output()
        .is_ok();
    if !is_here || !system.is_dir() {
        let note = b"systemd-analyze is not here: a test of the units is left out\n";
        std::io::stderr()
            .write_all(note)
            .expect("a terminal or a file");
        return None;
    }
    let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("units");
    let shell = "set -eu; rm -rf \"$0\"; mkdir -p \"$0/usr/local/bin\" \"$0/etc/systemd/system\" \"$0/usr/lib/systemd\"
        cp -r \"$1\"/maestro@* \"$1\"/maestro.target \"$0/etc/systemd/system\"
        cp -r /usr/lib/systemd/system \"$0/usr/lib/systemd/\"
        cp /bin/true \"$0/usr/local/bin/maestro\"";
    let units = repository().join("deploy/systemd");
    let made = Command::new("sh")
        .args(["-c", shell])
        .arg(&root)
        .arg(&units)
        .output()
        .expect("sh");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    Some(root)
}

fn analyze(root: &std::path::Path, arguments: &[&str]) -> Output {
    let root = format!("--root={}", root.display());
    let output = Command::new("systemd-analyze")
        .arg(root)
        .args(arguments)
        .output();
    output.expect("systemd-analyze starts")
}

#[test]
fn systemd_takes_the_units_and_finds_them_little_exposed() {
    let Some(root) = root() else {
        return;
    };
    for (worker, most) in [
        ("triage", 20),
        ("provision", 20),
        ("cleanup", 20),
        ("heal", 40),
    ] {
        let unit = format!("maestro@{worker}.service");
        let verified = analyze(&root, &["verify", "--man=no", &unit, "maestro.target"]);
        let complaints = String::from_utf8_lossy(&verified.stderr).into_owned();
        // Of other units of the system it may say what it likes.
        let ours: Vec<&str> = complaints
            .lines()
            .filter(|line| line.contains("maestro"))
            .collect();
        assert!(ours.is_empty(), "{ours:#?}");
        // Tenths of systemd's own measure, from 0 to 100.
        let threshold = format!("--threshold={most}");
        let exposed = analyze(
            &root,
            &[
                "security",
                "--offline=true",
                "--no-pager",
                &threshold,
                &unit,
            ],
        );
        assert!(
            exposed.status.success(),
            "{}",
            String::from_utf8_lossy(&exposed.stdout)
        );
    }
}

#[test]
fn a_worker_is_given_longer_to_stop_than_it_takes_to_drain() {
    let worker = text("deploy/systemd/maestro@.service");
    let default = text("workers/maestro/src/config/delivery.rs");
    // The default of the code, which the unit does not set.
    assert!(default.contains("setting!(GRACE, grace, Span::seconds(25))"));
    assert!(seconds(&worker, "TimeoutStopSec").unwrap() >= 25 + 10);
    let heal = text("deploy/systemd/maestro@heal.service.d/sandbox.conf");
    let grace = said(&heal, "Environment")
        .into_iter()
        .find_map(|set| set.strip_prefix("MAESTRO_GRACE="));
    let grace: u64 = grace.unwrap().trim_end_matches('s').parse().unwrap();
    assert!(seconds(&heal, "TimeoutStopSec").unwrap() >= grace + 10);
    assert_eq!(said(&worker, "KillSignal"), ["SIGTERM"]);
    // A signal to the whole group would end what the worker runs before it has drained.
    assert_eq!(said(&worker, "KillMode"), ["mixed"]);
    assert_eq!(said(&worker, "Type"), ["exec"]);
}

#[test]
fn heal_has_what_its_sandbox_is_made_of_and_the_others_have_not() {
    let worker = text("deploy/systemd/maestro@.service");
    let heal = text("deploy/systemd/maestro@heal.service.d/sandbox.conf");
    for (key, others, own) in [
        ("RestrictNamespaces", "yes", "no"),
        // Each lays something over a part of /proc.
        ("ProtectKernelTunables", "yes", "no"),
        ("ProtectKernelLogs", "yes", "no"),
        ("ProtectHostname", "yes", "no"),
        ("ProtectProc", "invisible", "default"),
    ] {
        assert_eq!(said(&worker, key), [others], "{key}");
        assert_eq!(said(&heal, key), [own], "{key}");
    }
    // `maestro health` must find the same boot of the machine as the worker did.
    assert_eq!(said(&worker, "ProcSubset"), ["all"]);
    let filter = said(&heal, "SystemCallFilter");
    assert_eq!(filter[0], "", "the others' list is cleared first");
    assert!(filter[1].contains("@mount") && filter[1].contains("sethostname"));
    assert!(
        said(&worker, "SystemCallFilter")
            .iter()
            .all(|list| !list.contains("@mount"))
    );
}

#[test]
fn the_example_of_an_environment_file_holds_no_password() {
    let example = text("deploy/systemd/maestro.env.example");
    let url = said(&example, "MAESTRO_REDIS_URL");
    assert_eq!(url, ["redis://:PASSWORD@localhost:6379"]);
}
