//! The programs that judge: kubectl with a Kustomize that knows components (Kubernetes 1.21 and newer), and Docker Compose 2.
//!
//! Each is what `MAESTRO_TEST_KUBECTL` or `MAESTRO_TEST_COMPOSE` names, what is on the `PATH`, or what `deploy/tools.sh` has fetched.

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

/// A program and the words before all others.
type Words = Vec<String>;

/// kubectl.
///
/// # Panics
/// When there is none.
pub fn kubectl() -> Command {
    static FOUND: LazyLock<Option<Words>> = LazyLock::new(|| {
        let usual = [vec!["kubectl".to_owned()], fetched("kubectl")];
        // Of its Kustomize, which those of Kubernetes 1.21 have and older ones do not name.
        find("MAESTRO_TEST_KUBECTL", usual.into(), 4, |words| {
            let said = output(words, &["version", "--client", "--output", "json"])?;
            let said: serde_json::Value = serde_json::from_str(&said).ok()?;
            major(said["kustomizeVersion"].as_str()?)
        })
    });
    match FOUND.as_deref() {
        Some(words) => command(words),
        None => panic!(
            "there is no kubectl of Kubernetes 1.21 or newer here: `deploy/tools.sh` fetches one, or name it in MAESTRO_TEST_KUBECTL"
        ),
    }
}

/// Docker Compose.
///
/// # Panics
/// When there is none.
pub fn compose() -> Command {
    static FOUND: LazyLock<Option<Words>> = LazyLock::new(|| {
        let usual = [
            vec!["docker".to_owned(), "compose".to_owned()],
            vec!["docker-compose".to_owned()],
            fetched("docker-compose"),
        ];
        find("MAESTRO_TEST_COMPOSE", usual.into(), 2, |words| {
            major(&output(words, &["version", "--short"])?)
        })
    });
    match FOUND.as_deref() {
        Some(words) => command(words),
        None => panic!(
            "there is no Docker Compose 2 here: `deploy/tools.sh` fetches one, or name it in MAESTRO_TEST_COMPOSE"
        ),
    }
}

/// The first whose version is new enough.
fn find(
    variable: &str,
    usual: Vec<Words>,
    least: u32,
    version: impl Fn(&[String]) -> Option<u32>,
) -> Option<Words> {
    let named = std::env::var(variable)
        .ok()
        .filter(|named| !named.is_empty());
    let candidates = named.map_or(usual, |named| vec![vec![named]]);
    candidates
        .into_iter()
        .find(|words| version(words).is_some_and(|major| major >= least))
}

fn fetched(program: &str) -> Words {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(home);
    let path = cache
        .unwrap_or_default()
        .join("maestro/tools/1")
        .join(program);
    vec![path.display().to_string()]
}

fn command(words: &[String]) -> Command {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    command
}

fn output(words: &[String], arguments: &[&str]) -> Option<String> {
    let output = command(words).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then_some(text)
}

/// The first number of `v5.5.0` or `2.26.1-4`.
fn major(version: &str) -> Option<u32> {
    let version = version.trim().trim_start_matches('v');
    version.split('.').next()?.parse().ok()
}
