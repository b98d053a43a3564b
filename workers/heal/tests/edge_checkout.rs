//! Bringing a project's files here, from friendly and from hostile places. Real git.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use maestro_heal::edge::{Checkout, CheckoutError, CheckoutLimits, checkout};
use maestro_protocol::project::Project;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// A directory that the worker may read, and one that it works in.
struct Place {
    place: TempDir,
    limits: CheckoutLimits,
}

impl Place {
    fn new() -> Self {
        let place = tempfile::tempdir().expect("a directory");
        for name in ["sources", "work", "outside"] {
            fs::create_dir(place.path().join(name)).expect("a directory");
        }
        Self {
            place,
            limits: CheckoutLimits::default(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(&path, text).expect("a file");
        path
    }

    /// A git repository with one commit of what lies in it.
    fn commit(&self, name: &str) -> String {
        self.git(name, &["init", "--quiet", "--initial-branch=main", "."]);
        self.git(name, &["add", "--all"]);
        self.git(
            name,
            &[
                "-c",
                "user.name=a",
                "-c",
                "user.email=a@b",
                "commit",
                "--quiet",
                "-m",
                "one",
            ],
        );
        self.git(name, &["rev-parse", "HEAD"])
    }

    fn git(&self, name: &str, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(arguments)
            .current_dir(self.path(name))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .expect("git");
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    async fn check_out(&self, project: &Project) -> Result<Checkout, CheckoutError> {
        let roots = [self.path("sources")];
        checkout(
            project,
            &roots,
            &self.path("work"),
            &self.limits,
            &CancellationToken::new(),
        )
        .await
    }

    async fn path_checkout(&self, name: &str) -> Result<Checkout, CheckoutError> {
        self.check_out(&project(self.path(name).to_str().expect("text")))
            .await
    }
}

fn project(repository: &str) -> Project {
    Project {
        repository: repository.to_owned(),
        revision: None,
        directory: None,
    }
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .expect("a directory")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("text")
        })
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_path_is_copied_without_what_tools_make_anew() {
    let place = Place::new();
    for name in [
        "a.py",
        "tests/test_a.py",
        "__pycache__/a.pyc",
        ".venv/x",
        "env/pyvenv.cfg",
        ".git/config",
        "node_modules/x",
        "target/CACHEDIR.TAG",
        "target/debug/x",
    ] {
        place.write(&format!("sources/p/{name}"), "x = 1\n");
    }
    let checkout = place.path_checkout("sources/p").await.unwrap();
    assert_eq!(names(&checkout.root()), ["a.py", "tests"]);
    assert_eq!(checkout.commit(), None);
}

#[tokio::test]
async fn each_fresh_copy_is_as_the_project_was_and_goes_when_it_is_dropped() {
    let place = Place::new();
    place.write("sources/p/a.py", "x = 1\n");
    let script = place.write("sources/p/run.sh", "");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o4755)).unwrap();
    let checkout = place.path_checkout("sources/p").await.unwrap();
    let digest = checkout.digest().unwrap();
    let first = checkout.fresh().unwrap();
    first.write("a.py", b"changed").unwrap();
    first.write("new/deep/b.py", b"new").unwrap();
    let second = checkout.fresh().unwrap();
    assert_eq!(second.read("a.py", 100).unwrap(), b"x = 1\n");
    assert_eq!(first.read("new/deep/b.py", 100).unwrap(), b"new");
    assert_eq!(names(&second.root()), ["a.py", "run.sh"]);
    let mode = fs::metadata(second.root().join("run.sh"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(
        mode & 0o7777,
        0o755,
        "executable, and no longer set-user-id"
    );
    assert_eq!(checkout.digest().unwrap(), digest);
    drop((first, second));
    assert_eq!(names(checkout.root().parent().unwrap()), ["pristine"]);
    drop(checkout);
    assert!(names(&place.path("work")).is_empty());
}

#[tokio::test]
async fn a_path_outside_of_the_roots_is_refused() {
    let place = Place::new();
    place.write("outside/secret", "secret");
    place.write("sources/p/a.py", "");
    symlink(place.path("outside"), place.path("sources/link")).unwrap();
    let up = format!("{}/../outside", place.path("sources").display());
    let url = format!("file://{}", place.path("outside").display());
    let encoded = format!("file://{}/%2e%2e/outside", place.path("sources").display());
    let link = place.path("sources/link").display().to_string();
    let absent = place.path("outside/absent").display().to_string();
    for repository in ["/etc", "/", &up, &url, &encoded, &link, &absent] {
        let refused = place.check_out(&project(repository)).await.unwrap_err();
        assert!(
            matches!(refused, CheckoutError::Outside { .. }) && !refused.is_transient(),
            "{repository}: {refused}"
        );
    }
    let sentence = place
        .check_out(&project("/etc"))
        .await
        .unwrap_err()
        .to_string();
    let roots = place.path("sources");
    let expected = format!(
        "`project.repository`: /etc is outside the directories this worker may read ({})",
        roots.display()
    );
    assert_eq!(sentence, expected);
}

#[tokio::test]
async fn a_path_that_does_not_exist_is_refused() {
    let place = Place::new();
    let refused = place
        .path_checkout("sources/absent")
        .await
        .unwrap_err()
        .to_string();
    assert_eq!(
        refused,
        format!(
            "`project.repository`: {} does not exist",
            place.path("sources/absent").display()
        )
    );
    place.write("sources/file", "");
    let refused = place.path_checkout("sources/file").await.unwrap_err();
    assert!(matches!(refused, CheckoutError::NotADirectory { .. }));
}

#[tokio::test]
async fn links_that_lead_out_are_left_out_and_links_within_are_kept() {
    let place = Place::new();
    place.write("outside/secret", "secret");
    place.write("sources/p/a/b/file", "x");
    let link =
        |target: &str, name: &str| symlink(target, place.path("sources/p").join(name)).unwrap();
    link("a/b/file", "within");
    link("../../outside/secret", "up");
    link("/etc/passwd", "absolute");
    // Harmless as text, but `a/up` is a link itself.
    link("../..", "a/up");
    link("a/up/outside/secret", "around");
    link("nowhere", "broken");
    rustix::fs::mkfifoat(rustix::fs::CWD, place.path("sources/p/pipe"), 0o644.into()).unwrap();
    let checkout = place.path_checkout("sources/p").await.unwrap();
    assert_eq!(names(&checkout.root()), ["a", "within"]);
    assert_eq!(
        checkout.left_out(),
        ["a/up", "absolute", "around", "broken", "pipe", "up"]
    );
}

#[tokio::test]
async fn a_link_that_a_run_planted_is_neither_read_nor_written_through() {
    let place = Place::new();
    let secret = place.write("outside/secret", "secret");
    place.write("sources/p/a.py", "");
    let checkout = place.path_checkout("sources/p").await.unwrap();
    let copy = checkout.fresh().unwrap();
    symlink(&secret, copy.root().join("planted.py")).unwrap();
    symlink(place.path("outside"), copy.root().join("directory")).unwrap();
    for name in [
        "planted.py",
        "directory/secret",
        "../pristine/a.py",
        secret.to_str().unwrap(),
    ] {
        assert!(copy.read(name, 100).is_err(), "{name}");
        assert!(copy.write(name, b"overwritten").is_err(), "{name}");
    }
    assert!(copy.write("directory/new/file", b"x").is_err());
    assert_eq!(fs::read_to_string(secret).unwrap(), "secret");
    assert_eq!(names(&place.path("outside")), ["secret"]);
    assert_eq!(copy.read("a.py", 0).unwrap(), b"");
    copy.write("a.py", b"too long").unwrap();
    assert_eq!(
        copy.read("a.py", 3).unwrap_err().kind(),
        std::io::ErrorKind::FileTooLarge
    );
}

#[tokio::test]
async fn a_tree_that_is_too_large_is_refused() {
    let mut place = Place::new();
    for n in 0..20 {
        place.write(&format!("sources/p/{n}"), &"x".repeat(1000));
    }
    place.limits = CheckoutLimits {
        entries: 10,
        ..CheckoutLimits::default()
    };
    let refused = place.path_checkout("sources/p").await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "`project.repository`: larger than this worker takes (10 files)"
    );
    place.limits = CheckoutLimits {
        bytes: 10_000,
        ..CheckoutLimits::default()
    };
    assert!(matches!(
        place.path_checkout("sources/p").await,
        Err(CheckoutError::TooLarge { .. })
    ));
}

#[tokio::test]
async fn the_directory_is_one_below_the_root() {
    let place = Place::new();
    place.write("sources/p/inner/a.py", "");
    let mut project = project(place.path("sources/p").to_str().unwrap());
    for bad in ["..", "/etc", "inner/../../..", "a\0b"] {
        project.directory = Some(bad.to_owned());
        assert!(
            matches!(
                place.check_out(&project).await,
                Err(CheckoutError::DirectoryEscapes(_))
            ),
            "{bad}"
        );
    }
    project.directory = Some("absent".to_owned());
    let refused = place.check_out(&project).await.unwrap_err().to_string();
    assert_eq!(
        refused,
        "`project.directory`: the repository has no directory `absent`"
    );
    project.directory = Some("./inner".to_owned());
    let checkout = place.check_out(&project).await.unwrap();
    assert_eq!(names(&checkout.project()), ["a.py"]);
    assert_eq!(names(&checkout.fresh().unwrap().project()), ["a.py"]);
}

#[tokio::test]
async fn a_revision_is_fetched_by_branch_by_commit_and_by_abbreviation() {
    let place = Place::new();
    place.write("sources/p/a.py", "old");
    let old = place.commit("sources/p");
    place.write("sources/p/a.py", "new");
    let new = place.commit("sources/p");
    let mut project = project(place.path("sources/p").to_str().unwrap());
    for (revision, commit, text) in [
        ("main", &new, "new"),
        (&old, &old, "old"),
        (&old[..10], &old, "old"),
    ] {
        project.revision = Some(revision.to_owned());
        let checkout = place.check_out(&project).await.unwrap();
        assert_eq!(checkout.commit(), Some(commit.as_str()));
        assert_eq!(
            fs::read_to_string(checkout.root().join("a.py")).unwrap(),
            text
        );
        assert_eq!(
            names(&checkout.root()),
            ["a.py"],
            "the history is not part of the tree"
        );
    }
    for absent in ["no-such-branch", "0123456789abcdef0123456789abcdef01234567"] {
        project.revision = Some(absent.to_owned());
        let refused = place.check_out(&project).await.unwrap_err();
        assert!(
            matches!(refused, CheckoutError::NoSuchRevision { .. }) && !refused.is_transient(),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn a_bare_repository_is_fetched_by_its_url() {
    let place = Place::new();
    place.write("outside/p/a.py", "x");
    let commit = place.commit("outside/p");
    place.git(
        "sources",
        &["clone", "--quiet", "--bare", "../outside/p", "p.git"],
    );
    let url = format!("file://{}", place.path("sources/p.git").display());
    let checkout = place.check_out(&project(&url)).await.unwrap();
    assert_eq!(checkout.commit(), Some(commit.as_str()));
}

#[tokio::test]
async fn nothing_that_a_repository_configures_is_run() {
    let place = Place::new();
    let canary = place.path("outside/canary");
    place.write("sources/p/a.py", "x");
    place.write(
        "sources/p/.gitattributes",
        "* filter=evil diff=evil merge=evil\n",
    );
    place.write(
        "sources/p/.lfsconfig",
        "[lfs]\n url = https://evil.example\n",
    );
    place.write(
        "sources/p/.gitmodules",
        "[submodule \"s\"]\n path = s\n url = --upload-pack=false\n update = !touch canary\n",
    );
    place.commit("sources/p");
    let touch = format!("touch {}", canary.display());
    for hook in [
        "post-checkout",
        "pre-commit",
        "post-merge",
        "reference-transaction",
        "post-index-change",
        "pre-receive",
    ] {
        let path = place.write(
            &format!("sources/p/.git/hooks/{hook}"),
            &format!("#!/bin/sh\n{touch}\n"),
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    for name in [
        "core.fsmonitor",
        "core.sshCommand",
        "core.pager",
        "core.editor",
        "core.askPass",
        "credential.helper",
        "filter.evil.smudge",
        "filter.evil.process",
        "filter.evil.clean",
        "diff.evil.command",
        "uploadpack.packObjectsHook",
        "core.alternateRefsCommand",
        "protocol.ext.allow",
        "gpg.program",
    ] {
        place.git("sources/p", &["config", name, &touch]);
    }
    let mut project = project(place.path("sources/p").to_str().unwrap());
    project.revision = Some("main".to_owned());
    let checkout = place.check_out(&project).await.unwrap();
    assert_eq!(
        fs::read_to_string(checkout.root().join("a.py")).unwrap(),
        "x"
    );
    assert!(!canary.exists());
}

#[tokio::test]
async fn submodules_are_not_fetched() {
    let place = Place::new();
    place.write("outside/inner/secret", "x");
    place.commit("outside/inner");
    place.write("sources/p/a.py", "x");
    place.commit("sources/p");
    let inner = place.path("outside/inner");
    place.git(
        "sources/p",
        &[
            "-c",
            "protocol.file.allow=always",
            "submodule",
            "add",
            "--quiet",
            inner.to_str().unwrap(),
            "inner",
        ],
    );
    place.commit("sources/p");
    let mut project = project(place.path("sources/p").to_str().unwrap());
    project.revision = Some("main".to_owned());
    let checkout = place.check_out(&project).await.unwrap();
    assert!(names(&checkout.root().join("inner")).is_empty());
}

#[tokio::test]
async fn links_in_a_commit_do_not_lead_out() {
    let place = Place::new();
    place.write("sources/p/a.py", "x");
    symlink("/etc/passwd", place.path("sources/p/passwd")).unwrap();
    symlink("../../../outside", place.path("sources/p/up")).unwrap();
    place.commit("sources/p");
    let mut project = project(place.path("sources/p").to_str().unwrap());
    project.revision = Some("main".to_owned());
    let checkout = place.check_out(&project).await.unwrap();
    assert_eq!(names(&checkout.root()), ["a.py"]);
    assert_eq!(checkout.left_out(), ["passwd", "up"]);
}

#[tokio::test]
async fn what_git_would_take_for_an_option_never_reaches_it() {
    let place = Place::new();
    for repository in [
        "--upload-pack=touch canary",
        "ext::sh -c id",
        "ssh://-oProxyCommand=id/x",
        "-u./canary",
    ] {
        let refused = place.check_out(&project(repository)).await.unwrap_err();
        assert!(
            matches!(refused, CheckoutError::NotALocation { .. }),
            "{repository}: {refused}"
        );
    }
    let mut with_revision = project("https://example.org/a.git");
    with_revision.revision = Some("--upload-pack=id".to_owned());
    assert!(matches!(
        place.check_out(&with_revision).await,
        Err(CheckoutError::NotARevision(_))
    ));
    assert!(names(&place.path("work")).is_empty(), "nothing was begun");
}

#[tokio::test]
async fn a_host_that_is_not_there_may_be_there_another_time() {
    let place = Place::new();
    // Nobody listens where a listener has just gone.
    let address = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for url in [
        format!("git://{address}/a"),
        format!("https://{address}/a"),
        "https://no-such-host.invalid/a".to_owned(),
    ] {
        let failed = place.check_out(&project(&url)).await.unwrap_err();
        assert!(
            matches!(failed, CheckoutError::Unreachable { .. }) && failed.is_transient(),
            "{failed}"
        );
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let mut place = Place::new();
    place.limits.wall = Duration::from_secs(1);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let failed = place
        .check_out(&project(&format!(
            "git://{}/a",
            silent.local_addr().unwrap()
        )))
        .await
        .unwrap_err();
    assert!(
        matches!(failed, CheckoutError::TimedOut { seconds: 1, .. }) && failed.is_transient(),
        "{failed}"
    );
    assert!(
        names(&place.path("work")).is_empty(),
        "nothing is left of it"
    );
}
