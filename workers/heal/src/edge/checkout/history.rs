//! The history of a project that came from git, fetched when somebody asks for it: most heals do not.
//!
//! git runs as for the checkout itself: no hook, no filter, no external diff, no text conversion, no configuration but ours.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::git::{self, Git};
use super::{Checkout, CheckoutLimits};
use crate::edge::Limits;
use crate::past::{Change, Commit, Past, Then};

/// Commits of the first-parent line that are looked at.
const DEPTH: usize = 64;
/// How long fetching them, and all that is asked of them, may take together.
const LONGEST: Duration = Duration::from_mins(1);
/// Files that may differ between then and now, and their bytes together.
const MOST_FILES: usize = 2_000;
const MOST_BYTES: u64 = 32 << 20;
/// Commits that may have moved one text.
const MOST_MOVING: &str = "--max-count=8";
/// Lines of one change that are kept, and changes of one commit.
const MOST_LINES: usize = 50;
const MOST_CHANGES: usize = 1_000;

/// Where a checkout came from.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    pub(super) url: String,
    pub(super) revision: Option<String>,
}

/// The history of one checkout.
#[derive(Debug)]
pub struct History {
    origin: Origin,
    commit: String,
    directory: PathBuf,
    place: TempDir,
    limits: CheckoutLimits,
    until: Instant,
    cancel: CancellationToken,
    handle: Handle,
    commits: OnceLock<Vec<Commit>>,
    /// One working tree, so one question at a time.
    tree: Mutex<()>,
}

impl Checkout {
    /// The history behind this checkout; `None` for the copy of a path. Nothing is fetched yet. To be called within a runtime.
    pub fn history(&self, until: Instant, cancel: &CancellationToken) -> Option<History> {
        let origin = self.origin.clone()?;
        let place = tempfile::Builder::new()
            .prefix("history-")
            .tempdir_in(self.place.path())
            .ok()?;
        Some(History {
            origin,
            commit: self.commit.clone()?,
            directory: self.directory.clone(),
            place,
            limits: CheckoutLimits {
                wall: LONGEST,
                ..CheckoutLimits::default()
            },
            until: until.min(Instant::now() + LONGEST),
            cancel: cancel.clone(),
            handle: Handle::try_current().ok()?,
            commits: OnceLock::new(),
            tree: Mutex::new(()),
        })
    }
}

impl History {
    fn repository(&self) -> PathBuf {
        self.place.path().join("repository")
    }

    /// What git says; `None` where it fails, or says more than can be kept.
    fn git(&self, arguments: &[&str]) -> Option<Vec<u8>> {
        let (repository, configuration) = (
            self.repository(),
            self.repository().with_extension("gitconfig"),
        );
        let git = Git {
            url: &self.origin.url,
            into: &repository,
            configuration: &configuration,
            limits: &self.limits,
            cancel: &self.cancel,
            until: self.until,
        };
        let finished = self.handle.block_on(git.run(arguments)).ok()?;
        let is_whole = finished.stdout.len() < Limits::default().output_bytes;
        (finished.ended.succeeded() && is_whole).then_some(finished.stdout)
    }

    fn fetched(&self) -> &[Commit] {
        self.commits
            .get_or_init(|| self.fetch().unwrap_or_default())
    }

    fn fetch(&self) -> Option<Vec<Commit>> {
        let repository = self.repository();
        std::fs::create_dir(&repository).ok()?;
        let configuration = repository.with_extension("gitconfig");
        std::fs::write(configuration, git::CONFIGURATION).ok()?;
        self.git(&["init", "--quiet", "--", "."])?;
        let depth = format!("--depth={}", DEPTH + 1);
        let get = |wanted: &str| {
            self.git(&[
                "fetch",
                "--quiet",
                "--no-tags",
                "--no-recurse-submodules",
                "--no-write-commit-graph",
                &depth,
                "--",
                &self.origin.url,
                wanted,
            ])
        };
        // An older server gives out only what has a name.
        get(&self.commit).or_else(|| get(self.origin.revision.as_deref().unwrap_or("HEAD")))?;
        let count = format!("--max-count={DEPTH}");
        let told = self.git(&[
            "log",
            "--first-parent",
            &count,
            "-z",
            "--format=%H%x1f%aI%x1f%s",
            "--end-of-options",
            &self.commit,
        ])?;
        Some(commits(&told))
    }

    /// The project's directory as git wants it, taken literally.
    fn pathspec(&self) -> String {
        match self.directory.to_str() {
            Some("") | None => ".".to_owned(),
            Some(directory) => format!(":(top,literal){directory}"),
        }
    }

    /// A path of the repository as one of the project's.
    fn own(&self, path: &str) -> Option<String> {
        let own = Path::new(path).strip_prefix(&self.directory).ok()?;
        Some(own.to_str()?.to_owned())
    }

    /// A regular file of the working tree, through no link; `None` where there is nothing.
    fn read(&self, path: &Path, limit: u64) -> std::io::Result<Option<Vec<u8>>> {
        let root = File::open(self.repository())?;
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let file = match openat2(root, path, flags, Mode::empty(), resolve) {
            Ok(file) => File::from(file),
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let of = file.metadata()?;
        if !of.is_file() || of.len() > limit {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        let mut bytes = Vec::new();
        file.take(limit).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }
}

impl Past for History {
    fn commits(&self) -> Vec<Commit> {
        self.fetched().to_vec()
    }

    fn then(&self, commit: &Commit) -> Option<Then> {
        let _one_at_a_time = self.tree.lock().unwrap_or_else(PoisonError::into_inner);
        let names = self.git(&[
            "diff",
            "--name-only",
            "-z",
            "--no-renames",
            "--no-ext-diff",
            "--no-textconv",
            &commit.id,
            &self.commit,
            "--",
            &self.pathspec(),
        ])?;
        let names = String::from_utf8(names).ok()?;
        self.git(&["checkout", "--quiet", "--force", "--detach", &commit.id])?;
        let (mut then, mut left) = (BTreeMap::new(), MOST_BYTES);
        for name in names.split('\0').filter(|name| !name.is_empty()) {
            let bytes = self.read(Path::new(name), left).ok()?;
            left -= bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
            then.insert(self.own(name)?, bytes);
            if then.len() > MOST_FILES {
                return None;
            }
        }
        Some(then)
    }

    fn changes(&self, commit: &Commit) -> Vec<Change> {
        let parent = format!("{}^1", commit.id);
        let shown = self.git(&[
            "diff",
            "--unified=0",
            "--no-renames",
            "--no-ext-diff",
            "--no-textconv",
            "--no-color",
            "--src-prefix=a/",
            "--dst-prefix=b/",
            &parent,
            &commit.id,
            "--",
            &self.pathspec(),
        ]);
        let mut changes = hunks(&String::from_utf8_lossy(&shown.unwrap_or_default()));
        changes.retain_mut(|change| match self.own(&change.path) {
            Some(own) => {
                change.path = own;
                true
            }
            None => false,
        });
        changes
    }

    fn message(&self, commit: &Commit) -> String {
        let told = self.git(&[
            "log",
            "--max-count=1",
            "--format=%B",
            "--end-of-options",
            &commit.id,
        ]);
        String::from_utf8_lossy(&told.unwrap_or_default()).into_owned()
    }

    fn moving(&self, text: &str) -> Vec<Commit> {
        let known = self.fetched();
        if known.is_empty() || text.is_empty() || text.contains('\0') {
            return Vec::new();
        }
        let wanted = format!("-S{text}");
        let told = self.git(&[
            "log",
            "--first-parent",
            "--diff-merges=first-parent",
            MOST_MOVING,
            "-z",
            "--no-ext-diff",
            "--no-textconv",
            "--format=%H%x1f%aI%x1f%s",
            &wanted,
            "--end-of-options",
            &self.commit,
            "--",
            &self.pathspec(),
        ]);
        // The oldest that is known has no parent here: it seems to bring everything.
        let oldest = known.last().map(|commit| commit.id.as_str());
        let mut found = commits(&told.unwrap_or_default());
        found.retain(|commit| {
            known.contains(commit) && (known.len() < DEPTH || Some(commit.id.as_str()) != oldest)
        });
        found
    }
}

/// `id US date US subject NUL …`.
fn commits(told: &[u8]) -> Vec<Commit> {
    let one = |told: &str| {
        let mut parts = told.trim_start_matches('\n').splitn(3, '\x1f');
        Some(Commit {
            id: parts.next().filter(|id| !id.is_empty())?.to_owned(),
            authored: parts.next()?.to_owned(),
            subject: parts.next()?.trim_end().to_owned(),
        })
    };
    String::from_utf8_lossy(told)
        .split('\0')
        .filter_map(one)
        .collect()
}

/// The hunks of a diff without context.
fn hunks(diff: &str) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    let mut path: Option<String> = None;
    // Lines that the hunk still has: a line of it may look like a header.
    let (mut old, mut new) = (0_u32, 0_u32);
    for line in diff.lines() {
        if old + new > 0 {
            let Some(change) = changes.last_mut() else {
                break;
            };
            if let (Some(text), 1..) = (line.strip_prefix('-'), old) {
                old -= 1;
                keep(&mut change.was, text);
            } else if let (Some(text), 1..) = (line.strip_prefix('+'), new) {
                new -= 1;
                keep(&mut change.now, text);
            }
            continue;
        }
        if let Some(header) = line.strip_prefix("@@ -") {
            let Some((path, (was, now, at))) = path.clone().zip(extent(header)) else {
                continue;
            };
            if changes.len() >= MOST_CHANGES {
                break;
            }
            (old, new) = (was, now);
            changes.push(Change {
                path,
                line: at,
                was: Vec::new(),
                now: Vec::new(),
            });
        } else if let Some(from) = line.strip_prefix("--- ") {
            path = from.strip_prefix("a/").map(str::to_owned);
        } else if let Some(to) = line.strip_prefix("+++ b/") {
            path = Some(to.to_owned());
        }
    }
    changes
}

fn keep(lines: &mut Vec<String>, text: &str) {
    if lines.len() < MOST_LINES {
        lines.push(text.to_owned());
    }
}

/// `3,2 +4 @@ …`: lines taken away, lines added, and where the added ones begin.
fn extent(header: &str) -> Option<(u32, u32, u32)> {
    let (old, rest) = header.split_once(" +")?;
    let (new, _) = rest.split_once(" @@")?;
    let counted = |range: &str| match range.split_once(',') {
        Some((at, count)) => Some((at.parse().ok()?, count.parse().ok()?)),
        None => Some((range.parse().ok()?, 1_u32)),
    };
    let (_, was): (u32, u32) = counted(old)?;
    let (at, now) = counted(new)?;
    Some((was, now, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_looks_like_a_header_is_a_line_while_its_hunk_lasts() {
        let diff = "diff --git a/x.py b/x.py\n--- a/x.py\n+++ b/x.py\n@@ -3,2 +3 @@ def f():\n---- a/evil\n-two\n+++ b/evil\n@@ -9,0 +9 @@\n+three\n";
        let changes = hunks(diff);
        assert_eq!(changes.len(), 2, "{changes:?}");
        assert!(changes.iter().all(|change| change.path == "x.py"));
        assert_eq!(changes[0].was, ["--- a/evil", "two"]);
        assert_eq!(changes[0].now, ["++ b/evil"]);
        assert_eq!((changes[1].line, changes[1].now.len()), (9, 1));
    }
}
