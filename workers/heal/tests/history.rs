//! The history of a project as evidence, with real git repositories, friendly and hostile. `unittest` is enough, so nothing is installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use maestro_heal::{Healer, SandboxChoice, Settings};
use maestro_protocol::heal::{HealCompleted, Verdict};
use serde_json::json;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

const TEST: &str = "import unittest\n\nimport shop\n\n\nclass ShopTest(unittest.TestCase):\n    def test_total(self):\n        self.assertEqual(shop.total([1, 2]), 3)\n";
const GOOD: &str = "def total(prices):\n    return sum(prices)\n";
const BAD: &str = "def total(prices):\n    return sum(prices) + 1\n";

/// A repository that grows.
struct Repository {
    place: TempDir,
}

impl Repository {
    fn new() -> Self {
        let place = tempfile::tempdir().expect("a directory");
        let repository = Self { place };
        std::fs::create_dir(repository.path()).expect("a directory");
        repository.git(&["init", "--quiet", "--initial-branch=main", "."]);
        repository
    }

    fn path(&self) -> PathBuf {
        self.place.path().join("project")
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@b"])
            .args(["-c", "commit.gpgSign=false"])
            .args(arguments)
            .current_dir(self.path())
            .output()
            .expect("git runs");
        assert!(output.status.success(), "git {arguments:?}: {output:?}");
        String::from_utf8(output.stdout)
            .expect("UTF-8")
            .trim()
            .to_owned()
    }

    fn commit(&self, subject: &str, files: &[(&str, &str)]) -> String {
        for (path, text) in files {
            std::fs::write(self.path().join(path), text).expect("a file");
        }
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", subject]);
        self.git(&["rev-parse", "HEAD"])
    }

    async fn heal(&self, policy: serde_json::Value) -> HealCompleted {
        healer(self.place.path())
            .heal(
                &serde_json::from_value(json!({
                    "project": { "repository": self.path(), "revision": "main" },
                    "kind": "test_failure",
                    "message": "a test fails",
                    "test": { "id": "test_shop", "framework": "unittest" },
                    "runtime": { "install": [], "command": ["python", "-m", "unittest", "test_shop"] },
                    "policy": policy
                }))
                .expect("a request"),
                CancellationToken::new(),
            )
            .await
            .expect("a verdict")
    }
}

fn healer(place: &Path) -> Healer {
    Healer::new(Settings {
        roots: vec![place.to_owned()],
        work: place.join("work"),
        cache: place.join("cache"),
        sandbox: SandboxChoice::Required,
        ..Settings::default()
    })
    .expect("a healer")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_names_the_commit_with_which_the_failure_began_among_many() {
    let repository = Repository::new();
    repository.commit("The shop", &[("shop.py", GOOD), ("test_shop.py", TEST)]);
    for n in 0..9 {
        let text = format!("{GOOD}\n\nVERSION = {n}\n");
        repository.commit(&format!("Version {n}"), &[("shop.py", &text)]);
    }
    let culprit = repository.commit("Add a fee", &[("shop.py", &format!("{BAD}\n\nFEE = 1\n"))]);
    for n in 0..12 {
        let text = format!("{BAD}\n\nFEE = 1\nVERSION = {n}\n");
        repository.commit(&format!("Version 1.{n}"), &[("shop.py", &text)]);
    }
    let refused = repository.heal(json!({})).await;
    assert_eq!(refused.verdict, Verdict::Refused, "{refused:#?}");
    let since = refused.evidence.since.expect("a commit");
    assert_eq!(since.commit, culprit);
    assert_eq!(since.subject, "Add a fee");
    assert_eq!(since.path.as_deref(), Some("shop.py"));
    assert_eq!(since.line, Some(2));
    assert_eq!(since.was.as_deref(), Some("    return sum(prices)"));
    assert_eq!(since.now.as_deref(), Some("    return sum(prices) + 1"));
    assert!(since.runs <= 8, "{since:?}");
    assert!(refused.reason.contains("(Add a fee)"), "{}", refused.reason);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_history_cannot_tell_is_not_told() {
    let always = Repository::new();
    always.commit("The shop", &[("shop.py", BAD), ("test_shop.py", TEST)]);
    always.commit("Notes", &[("notes.txt", "n")]);
    let refused = always.heal(json!({})).await;
    assert_eq!(refused.verdict, Verdict::Refused, "{refused:#?}");
    assert_eq!(refused.evidence.since, None, "it never passed");

    // A product that does not even load in between: which of several commits it was is not known.
    let broken = Repository::new();
    broken.commit("The shop", &[("shop.py", GOOD), ("test_shop.py", TEST)]);
    broken.commit("Half of it", &[("shop.py", "def total(prices:\n")]);
    broken.commit("The rest", &[("shop.py", BAD)]);
    let refused = broken.heal(json!({})).await;
    assert_eq!(refused.verdict, Verdict::Refused, "{refused:#?}");
    assert_eq!(refused.evidence.since, None);

    let costs = Repository::new();
    costs.commit("The shop", &[("shop.py", GOOD), ("test_shop.py", TEST)]);
    costs.commit("Add a fee", &[("shop.py", BAD)]);
    let refused = costs.heal(json!({ "max_runs": 2 })).await;
    assert_eq!(refused.verdict, Verdict::Refused, "{refused:#?}");
    assert_eq!(refused.evidence.since, None, "no run was left for it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_history_runs_nothing_and_leads_nowhere() {
    let repository = Repository::new();
    let secret = repository.place.path().join("secret.py");
    std::fs::write(&secret, GOOD).expect("a file");
    // What was a link out of the repository is no file of it.
    let outside = repository.place.path().display().to_string();
    std::os::unix::fs::symlink(&outside, repository.path().join("linked")).expect("a link");
    repository.commit("The shop", &[("shop.py", GOOD), ("test_shop.py", TEST)]);
    std::fs::remove_file(repository.path().join("linked")).expect("a link");
    std::fs::create_dir(repository.path().join("linked")).expect("a directory");
    let trap = repository.place.path().join("trapped");
    let command = format!("touch {}", trap.display());
    for name in [
        "diff.trap.textconv",
        "diff.trap.command",
        "filter.trap.smudge",
        "diff.external",
    ] {
        repository.git(&["config", name, &command]);
    }
    let hook = repository.path().join(".git/hooks/post-checkout");
    std::fs::create_dir_all(hook.parent().expect("a parent")).expect("a directory");
    std::fs::write(&hook, format!("#!/bin/sh\n{command}\n")).expect("a hook");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&hook, executable).expect("a mode");
    repository.commit(
        "Add a fee",
        &[
            ("shop.py", BAD),
            ("linked/secret.py", BAD),
            (".gitattributes", "*.py diff=trap\n*.txt filter=trap\n"),
        ],
    );
    let refused = repository.heal(json!({})).await;
    assert_eq!(refused.verdict, Verdict::Refused, "{refused:#?}");
    assert!(!trap.exists(), "the repository's configuration was run");
    if let Some(since) = refused.evidence.since {
        assert_eq!(since.subject, "Add a fee");
    }
}
