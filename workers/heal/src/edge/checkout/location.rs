//! What `project.repository` may be.

use std::path::{Path, PathBuf};

use super::error::CheckoutError;

/// Where a project's files come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Location {
    /// A directory of this host, links resolved, below one of the worker's roots.
    Tree(PathBuf),
    /// A URL for git, whose protocol is one of four.
    Git(String),
}

impl Location {
    pub(super) fn parse(
        repository: &str,
        revision: Option<&str>,
        roots: &[PathBuf],
    ) -> Result<Self, CheckoutError> {
        let not_a_location = || CheckoutError::NotALocation {
            repository: repository.to_owned(),
        };
        if let Some(revision) = revision {
            check_revision(revision)?;
        }
        if repository.starts_with('-') || repository.chars().any(char::is_control) {
            return Err(not_a_location());
        }
        if let Some(path) = repository.strip_prefix("file://") {
            let path = path.strip_prefix("localhost").unwrap_or(path);
            return Self::on_this_host(&unescape(path), revision, roots);
        }
        if let Some((scheme, rest)) = repository.split_once("://") {
            let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
            let host = host.rsplit('@').next().unwrap_or_default();
            let known = matches!(scheme, "https" | "ssh" | "git");
            // A host or user that begins with a dash becomes an option of ssh.
            if !known || host.is_empty() || host.starts_with('-') || rest.starts_with('-') {
                return Err(not_a_location());
            }
            return Ok(Self::Git(repository.to_owned()));
        }
        if repository.starts_with('/') {
            return Self::on_this_host(repository, revision, roots);
        }
        // `git@example.org:team/project.git`, which is ssh; but not `ext::sh -c …`, which is a program.
        match repository.split_once(':') {
            Some((host, path))
                if host.contains('@')
                    && !host.contains('/')
                    && !path.starts_with(':')
                    && !path.is_empty()
                    && !host
                        .split('@')
                        .any(|part| part.is_empty() || part.starts_with('-')) =>
            {
                Ok(Self::Git(repository.to_owned()))
            }
            _ => Err(not_a_location()),
        }
    }

    fn on_this_host(
        path: &str,
        revision: Option<&str>,
        roots: &[PathBuf],
    ) -> Result<Self, CheckoutError> {
        let given = Path::new(path);
        if !given.is_absolute() {
            return Err(CheckoutError::NotALocation {
                repository: path.to_owned(),
            });
        }
        // Looked at before anything else, so that nobody learns which paths exist outside the roots; and once more when
        // links have been resolved.
        let roots_for_people = || {
            roots
                .iter()
                .map(|root| root.display().to_string())
                .collect::<Vec<_>>()
                .join(", ")
        };
        let outside = |path: &Path| CheckoutError::Outside {
            path: path.to_owned(),
            roots: if roots.is_empty() {
                "none".to_owned()
            } else {
                roots_for_people()
            },
        };
        let real_roots: Vec<PathBuf> = roots
            .iter()
            .filter_map(|root| root.canonicalize().ok())
            .collect();
        let lexically = lexical(given);
        if !roots
            .iter()
            .chain(&real_roots)
            .any(|root| lexically.starts_with(root))
        {
            return Err(outside(given));
        }
        let Ok(real) = given.canonicalize() else {
            return Err(CheckoutError::NoSuchPath {
                path: given.to_owned(),
            });
        };
        if !real_roots.iter().any(|root| real.starts_with(root)) {
            return Err(outside(&real));
        }
        if !real.is_dir() {
            return Err(CheckoutError::NotADirectory {
                path: given.to_owned(),
            });
        }
        let bare = real.join("HEAD").is_file()
            && real.join("objects").is_dir()
            && real.join("refs").is_dir();
        if bare || revision.is_some() {
            return Ok(Self::Git(format!("file://{}", real.display())));
        }
        Ok(Self::Tree(real))
    }
}

/// A revision is a word that git cannot take for an option or for a pair of references.
fn check_revision(revision: &str) -> Result<(), CheckoutError> {
    let good = |c: char| c.is_ascii_alphanumeric() || "._/-+@#=".contains(c);
    let bad = revision.is_empty()
        || revision.len() > 250
        || revision.starts_with(['-', '+', '.', '/'])
        || revision.contains("..")
        || revision.contains("@{")
        || !revision.chars().all(good);
    if bad {
        Err(CheckoutError::NotARevision(revision.to_owned()))
    } else {
        Ok(())
    }
}

fn lexical(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => {
                plain.pop();
            }
            std::path::Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

/// Percent-encoded bytes of a `file:` URL; RFC 8089. What is no encoding stays as it is.
fn unescape(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let encoded = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match encoded.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) if first == b'%' && byte != 0 => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{CheckoutError, Location};

    fn parse(repository: &str) -> Result<Location, CheckoutError> {
        Location::parse(repository, None, &[])
    }

    #[test]
    fn urls_of_four_kinds_are_taken() {
        for url in [
            "https://example.org/a/b.git",
            "ssh://git@example.org/a",
            "git://example.org/a",
            "git@example.org:a/b",
        ] {
            assert_eq!(parse(url).unwrap(), Location::Git(url.to_owned()));
        }
    }

    #[test]
    fn what_git_would_run_or_take_for_an_option_is_refused() {
        for url in [
            "--upload-pack=touch /tmp/x",
            "-u",
            "ext::sh -c id",
            "ext::sh://x",
            "http://example.org/a",
            "ssh://-oProxyCommand=id/x",
            "ssh://a@-oProxyCommand=id/x",
            "-oProxyCommand=id@example.org:x",
            "git@-oProxyCommand=id:x",
            "fd::17/x",
            "git@example.org::x",
            "relative/path",
            "",
            "https://",
            "https:///path",
            "https://example.org/a\nb",
            "a@b/c:d",
        ] {
            assert!(
                matches!(parse(url), Err(CheckoutError::NotALocation { .. })),
                "{url}"
            );
        }
    }

    #[test]
    fn a_revision_is_never_an_option_or_a_pair() {
        for revision in [
            "-x",
            "--upload-pack=id",
            "a:b",
            "+a",
            "a..b",
            "a b",
            "",
            "a@{1}",
            "a\n",
            "^a",
        ] {
            let parsed = Location::parse("https://example.org/a", Some(revision), &[]);
            assert!(
                matches!(parsed, Err(CheckoutError::NotARevision(_))),
                "{revision}"
            );
        }
        for revision in ["main", "v1.2.3", "feature/x-1", "0123456789abcdef", "HEAD"] {
            assert!(
                Location::parse("https://example.org/a", Some(revision), &[]).is_ok(),
                "{revision}"
            );
        }
    }
}
