//! Which paths a patch may name.

use std::fs;
use std::path::{Path, PathBuf};

/// Why a path is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsafe {
    #[error("it is empty")]
    Empty,
    #[error("it is absolute")]
    Absolute,
    #[error("it has a `{0}` in it")]
    Upwards(String),
    #[error("it lies inside `.git`, where a change could run commands")]
    Git,
    #[error("it holds a control character or a backslash")]
    Unprintable,
    #[error("it is longer than 1024 bytes")]
    Long,
    #[error("`{0}` is a symbolic link, and could lead out of the working copy")]
    Symlink(String),
    #[error("`{0}` is neither a file nor a directory")]
    Special(String),
    #[error("`{path}` cannot be looked at: {detail}")]
    Unseen { path: String, detail: String },
}

/// The path below `root` that a patch means, checked by its form and against what is on disk.
pub(super) fn inside(root: &Path, path: &str) -> Result<PathBuf, Unsafe> {
    check_form(path)?;
    let mut at = root.to_path_buf();
    for component in path.split('/') {
        at.push(component);
        let shown = || at.strip_prefix(root).unwrap_or(&at).display().to_string();
        match fs::symlink_metadata(&at) {
            Ok(found) if found.is_symlink() => return Err(Unsafe::Symlink(shown())),
            Ok(found) if found.is_dir() || found.is_file() => {}
            Ok(_) => return Err(Unsafe::Special(shown())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(Unsafe::Unseen {
                    path: shown(),
                    detail: error.to_string(),
                });
            }
        }
    }
    Ok(at)
}

fn check_form(path: &str) -> Result<(), Unsafe> {
    if path.is_empty() {
        return Err(Unsafe::Empty);
    }
    if path.len() > 1024 {
        return Err(Unsafe::Long);
    }
    if path.chars().any(|c| c.is_control() || c == '\\') {
        return Err(Unsafe::Unprintable);
    }
    if path.starts_with('/') {
        return Err(Unsafe::Absolute);
    }
    for component in path.split('/') {
        match component {
            "" | "." | ".." => return Err(Unsafe::Upwards(format!("{component}/"))),
            _ if is_git(component) => return Err(Unsafe::Git),
            _ => {}
        }
    }
    Ok(())
}

/// `.git` under every name that some file system takes for it
/// ([CVE-2014-9390](https://nvd.nist.gov/vuln/detail/CVE-2014-9390)): other cases, trailing dots and blanks, an alternate
/// stream, the short name, characters that are ignored.
fn is_git(component: &str) -> bool {
    let ignored = |c: char| matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}');
    let name: String = component
        .chars()
        .filter(|c| !ignored(*c))
        .flat_map(char::to_lowercase)
        .collect();
    let name = name
        .split(':')
        .next()
        .unwrap_or_default()
        .trim_end_matches(['.', ' ']);
    name == ".git" || name == "git~1"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leads_out_of_the_working_copy_or_into_git() {
        let root = tempfile::tempdir().unwrap();
        for bad in [
            "",
            "/etc/passwd",
            "../x",
            "a/../../x",
            "./x",
            "a//b",
            "a/",
            ".git/config",
            "sub/.git/hooks/x",
            ".GIT/x",
            ".git./x",
            ".git /x",
            "GIT~1/x",
            ".g\u{200c}it/x",
            ".git:x/y",
            "a\\..\\b",
            "a\nb",
            "a\0b",
        ] {
            assert!(inside(root.path(), bad).is_err(), "{bad:?}");
        }
        for good in [
            "a.py",
            "tests/test_x.py",
            ".github/workflows/x.yml",
            ".gitignore",
            "a b/ü.py",
            "..x/y",
        ] {
            assert_eq!(
                inside(root.path(), good).unwrap(),
                root.path().join(good),
                "{good:?}"
            );
        }
    }

    #[test]
    fn a_symbolic_link_on_the_way_is_refused_wherever_it_leads() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("real")).unwrap();
        std::os::unix::fs::symlink("real", root.path().join("link")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", root.path().join("real/file")).unwrap();
        assert_eq!(
            inside(root.path(), "link/x"),
            Err(Unsafe::Symlink("link".into()))
        );
        assert_eq!(
            inside(root.path(), "real/file"),
            Err(Unsafe::Symlink("real/file".into()))
        );
        assert!(inside(root.path(), "real/x").is_ok());
    }
}
