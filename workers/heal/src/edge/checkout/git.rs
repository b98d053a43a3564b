//! Fetching one revision with git's command line, its configuration ours alone: nothing that the repository or the
//! host configures is run.

use std::collections::BTreeMap;
use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::super::command::{Command, Network};
use super::super::finished::{Ended, Finished};
use super::super::limits::Limits;
use super::super::program;
use super::super::sandbox::{Sandbox, SandboxChoice};
use super::CheckoutLimits;
use super::error::CheckoutError;

/// Stands in for the user's configuration, because that also reaches the process that serves a `file:` URL.
pub(super) const CONFIGURATION: &str = "\
[core]
    hooksPath = /dev/null
    fsmonitor = false
    askPass = true
[credential]
    helper =
[init]
    templateDir =
[protocol]
    allow = never
[protocol \"https\"]
    allow = always
[protocol \"ssh\"]
    allow = always
[protocol \"git\"]
    allow = always
[protocol \"file\"]
    allow = always
[http]
    lowSpeedLimit = 1000
    lowSpeedTime = 30
[submodule]
    recurse = false
[fetch]
    recurseSubmodules = false
[filter \"lfs\"]
    smudge =
    process =
    required = false
[gc]
    auto = 0
[maintenance]
    auto = false
[safe]
    directory = *
[uploadpack]
    allowAnySHA1InWant = true
[advice]
    detachedHead = false
";

/// Settings of the worker that git needs to get out and to be let in.
const PASSED_ON: &[&str] = &[
    "https_proxy",
    "HTTPS_PROXY",
    "http_proxy",
    "HTTP_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
];

/// Those that only ssh needs: its keys and known hosts, or its agent.
const FOR_SSH: &[&str] = &["HOME", "SSH_AUTH_SOCK"];

/// Fetches one revision, without history, into a new directory, and says which commit it is.
pub(super) async fn fetch(
    url: &str,
    revision: Option<&str>,
    into: &Path,
    limits: &CheckoutLimits,
    cancel: &CancellationToken,
) -> Result<String, CheckoutError> {
    let failed = |source| CheckoutError::Io {
        path: into.to_owned(),
        source,
    };
    std::fs::create_dir(into).map_err(failed)?;
    let configuration = into.with_extension("gitconfig");
    std::fs::write(&configuration, CONFIGURATION).map_err(failed)?;
    let git = Git {
        url,
        into,
        configuration: &configuration,
        limits,
        cancel,
        until: std::time::Instant::now() + limits.wall,
    };

    let wanted = revision.unwrap_or("HEAD");
    git.run(&["init", "--quiet", "--", "."])
        .await?
        .success(&git, wanted)?;
    let options = [
        "fetch",
        "--quiet",
        "--no-tags",
        "--no-recurse-submodules",
        "--no-write-commit-graph",
    ];
    let shallow = [&options[..], &["--depth=1", "--", url, wanted]].concat();
    let fetched = git.run(&shallow).await?.success(&git, wanted);
    if fetched.is_err()
        && looks_like_commit(wanted)
        && !matches!(&fetched, Err(error) if error.is_transient())
    {
        // An older server gives out only what has a name, and an abbreviation is known only to those who have it all.
        let all = [
            "+refs/heads/*:refs/remotes/origin/*",
            "+refs/tags/*:refs/tags/*",
        ];
        git.run(&[&options[..], &["--", url], &all].concat())
            .await?
            .success(&git, wanted)?;
        let commit = format!("{wanted}^{{commit}}");
        let named = git
            .run(&["rev-parse", "--verify", "--end-of-options", &commit])
            .await?;
        let commit = named.success(&git, wanted)?.stdout_text().trim().to_owned();
        git.run(&["checkout", "--quiet", "--detach", &commit])
            .await?
            .success(&git, wanted)?;
    } else {
        fetched?;
        git.run(&["checkout", "--quiet", "--detach", "FETCH_HEAD"])
            .await?
            .success(&git, wanted)?;
    }
    let head = git
        .run(&["rev-parse", "--verify", "HEAD"])
        .await?
        .success(&git, wanted)?;
    std::fs::remove_file(&configuration).map_err(failed)?;
    Ok(head.stdout_text().trim().to_owned())
}

fn looks_like_commit(revision: &str) -> bool {
    (7..=64).contains(&revision.len()) && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// git in one repository.
pub(super) struct Git<'a> {
    pub(super) url: &'a str,
    pub(super) into: &'a Path,
    pub(super) configuration: &'a Path,
    pub(super) limits: &'a CheckoutLimits,
    pub(super) cancel: &'a CancellationToken,
    pub(super) until: std::time::Instant,
}

impl Git<'_> {
    /// Runs git with these arguments, within what is left of the time.
    pub(super) async fn run(&self, arguments: &[&str]) -> Result<Finished, CheckoutError> {
        let git = program::find("git")
            .ok_or_else(|| CheckoutError::NoGit("it is not on the PATH".to_owned()))?;
        let mut argv = vec![git.to_string_lossy().into_owned()];
        argv.extend(arguments.iter().map(|&argument| argument.to_owned()));
        let mut variables: BTreeMap<String, String> = [
            (
                "GIT_CONFIG_GLOBAL",
                self.configuration.to_string_lossy().as_ref(),
            ),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_ALLOW_PROTOCOL", "https:ssh:git:file"),
            ("GIT_PROTOCOL_FROM_USER", "0"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_ASKPASS", "true"),
            ("SSH_ASKPASS", "true"),
            ("GIT_LFS_SKIP_SMUDGE", "1"),
            (
                "GIT_SSH_COMMAND",
                "ssh -oBatchMode=yes -oConnectTimeout=20 -oPermitLocalCommand=no -oForwardAgent=no",
            ),
            ("GIT_SSH_VARIANT", "ssh"),
            // Messages are told apart below.
            ("LC_ALL", "C"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
        let ssh = self.url.starts_with("ssh:") || !self.url.contains("://");
        for name in PASSED_ON.iter().chain(if ssh { FOR_SSH } else { &[] }) {
            if let Ok(value) = std::env::var(name) {
                variables.insert((*name).to_owned(), value);
            }
        }
        if let Ok(path) = std::env::var("PATH") {
            variables.insert("PATH".to_owned(), path);
        }
        let command = Command {
            argv,
            directory: self.into.to_owned(),
            variables,
            writable: vec![self.into.to_owned()],
            readable: Vec::new(),
            network: Network::Host,
            limits: Limits {
                wall: self
                    .until
                    .saturating_duration_since(std::time::Instant::now()),
                cpu: self.limits.wall,
                // The files, and the pack that they come in.
                disk_bytes: self.limits.bytes.saturating_mul(2),
                ..Limits::default()
            },
        };
        // git is a trusted program that reads what strangers wrote; it needs this worker's keys, which a sandbox
        // would hide. The limits hold it all the same.
        let unconfined = Sandbox::detect(SandboxChoice::Off)
            .map_err(|error| CheckoutError::NoGit(error.to_string()))?;
        unconfined
            .run(&command, self.cancel)
            .await
            .map_err(|error| CheckoutError::NoGit(error.to_string()))
    }
}

trait Success {
    fn success(self, git: &Git<'_>, revision: &str) -> Result<Finished, CheckoutError>;
}

impl Success for Finished {
    fn success(self, git: &Git<'_>, revision: &str) -> Result<Finished, CheckoutError> {
        let url = without_password(git.url);
        match self.ended {
            Ended::Exited(0) => return Ok(self),
            Ended::Cancelled => return Err(CheckoutError::Cancelled),
            Ended::TimedOut => {
                return Err(CheckoutError::TimedOut {
                    url,
                    seconds: git.limits.wall.as_secs(),
                });
            }
            Ended::DiskFull => {
                return Err(CheckoutError::TooLarge {
                    limit: format!("{} MiB", git.limits.bytes >> 20),
                });
            }
            _ => {}
        }
        let stderr = self.stderr_text();
        let said = stderr
            .lines()
            .map(str::trim)
            .find(|line| {
                line.starts_with("fatal:") || line.starts_with("error:") || line.starts_with("ssh:")
            })
            .or_else(|| stderr.lines().find(|line| !line.trim().is_empty()))
            .unwrap_or("it said nothing")
            .replace(git.url, &url);
        let says = |words: &[&str]| words.iter().any(|word| stderr.contains(word));
        let revision = revision.to_owned();
        Err(
            if says(&[
                "couldn't find remote ref",
                "not our ref",
                "did not match any",
                "Needed a single revision",
            ]) {
                CheckoutError::NoSuchRevision { url, revision }
            } else if says(&[
                "Could not resolve",
                "Connection refused",
                "Connection timed out",
                "Failed to connect",
                "Connection reset",
                "Network is unreachable",
                "No route to host",
                "Operation timed out",
                "returned error: 5",
                "early EOF",
                "Temporary failure in name resolution",
                "unable to connect to",
                "Operation too slow",
                "returned error: 429",
                "remote end hung up",
                "Connection closed",
            ]) && !says(&[
                "Permission denied",
                "does not appear to be a git repository",
            ]) {
                CheckoutError::Unreachable { url, said }
            } else if says(&[
                "not found",
                "does not exist",
                "does not appear to be a git repository",
                "Permission denied",
                "Authentication failed",
                "could not read Username",
                "could not read Password",
                "returned error: 40",
            ]) {
                CheckoutError::NoSuchRepository { url, said }
            } else {
                CheckoutError::Git { url, said }
            },
        )
    }
}

/// A URL as people may see it.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let host_ends = rest.find('/').unwrap_or(rest.len());
    match rest[..host_ends].rfind('@') {
        Some(at) if rest[..at].contains(':') || scheme == "https" => {
            format!("{scheme}://…@{}", &rest[at + 1..])
        }
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn a_password_in_a_url_is_not_shown() {
        assert_eq!(
            without_password("https://me:secret@example.org/a@b"),
            "https://…@example.org/a@b"
        );
        assert_eq!(
            without_password("https://token@example.org/a"),
            "https://…@example.org/a"
        );
        assert_eq!(
            without_password("ssh://git@example.org/a"),
            "ssh://git@example.org/a"
        );
    }
}
