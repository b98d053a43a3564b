//! What an environment is asked to have, and what makes two requests the same.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::super::checkout;
use super::super::index_settings::IndexSettings;
use super::super::interpreter::Interpreter;
use super::EnvironmentError;

/// Changes when an environment built by an older version of this program is not good enough any more.
const GENERATION: u32 = 1;

/// What an environment is asked to have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvironmentSpec {
    /// Python's version, such as `3.11`; the host's default without it.
    pub python: Option<String>,
    /// Requirements by name, in the notation of PEP 508, such as `pytest<9` or `attrs[tests]; python_version < "3.9"`.
    pub install: Vec<String>,
    /// The project itself, where it must be installed and not only be importable.
    pub project: Option<ProjectInstall>,
}

/// The project as a package to install.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectInstall {
    /// Its tree, which is copied, and not written to.
    pub tree: PathBuf,
    /// Extras to install with it.
    pub extras: Vec<String>,
}

impl EnvironmentSpec {
    /// Reads a list of requirements in which `.`, `-e .` and `.[extra]` mean the project in `tree`.
    ///
    /// A project is never installed in editable form: candidates change their own copy of the tree, which is put on
    /// the module path in front of what is installed.
    pub fn from_install(python: Option<&str>, install: &[String], tree: &Path) -> Self {
        let mut spec = Self {
            python: python.map(str::to_owned),
            ..Self::default()
        };
        for entry in install {
            let word = entry.trim();
            if word == "-e" || word == "--editable" {
                continue;
            }
            let plain = word
                .strip_prefix("--editable")
                .or_else(|| word.strip_prefix("-e"))
                .unwrap_or(word);
            let plain = plain.trim_start_matches('=').trim();
            match plain
                .strip_prefix('.')
                .map(|rest| rest.strip_prefix('/').unwrap_or(rest))
            {
                Some(rest) if rest.is_empty() || (rest.starts_with('[') && rest.ends_with(']')) => {
                    let extras = rest
                        .trim_matches(['[', ']'])
                        .split(',')
                        .map(str::trim)
                        .filter(|extra| !extra.is_empty());
                    let project = spec.project.get_or_insert_with(|| ProjectInstall {
                        tree: tree.to_owned(),
                        extras: Vec::new(),
                    });
                    project.extras.extend(extras.map(str::to_owned));
                }
                _ => spec.install.push(word.to_owned()),
            }
        }
        spec
    }

    /// Refuses what the installer would take for an option, a file or a URL.
    pub(super) fn check(&self) -> Result<(), EnvironmentError> {
        for requirement in &self.install {
            let plain = requirement.split(';').next().unwrap_or_default();
            let good = requirement.starts_with(|c: char| c.is_ascii_alphanumeric())
                && !plain.contains(['/', '\\', '@', ':'])
                && !requirement.contains(" -")
                && !requirement.chars().any(char::is_control)
                && requirement.len() < 4096;
            if !good {
                return Err(EnvironmentError::NotARequirement(requirement.clone()));
            }
        }
        let extras = self.project.iter().flat_map(|project| &project.extras);
        for extra in extras {
            if extra.is_empty()
                || !extra
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
            {
                return Err(EnvironmentError::NotARequirement(format!(".[{extra}]")));
            }
        }
        Ok(())
    }

    /// A name for the environment that has exactly this.
    pub(super) fn key(
        &self,
        interpreter: &Interpreter,
        settings: &IndexSettings,
    ) -> Result<String, EnvironmentError> {
        let mut install: Vec<&str> = self
            .install
            .iter()
            .map(|requirement| requirement.trim())
            .collect();
        install.sort_unstable();
        install.dedup();
        let mut text = format!(
            "{GENERATION}\n{}\n{}\n",
            interpreter.path.display(),
            interpreter.release
        );
        for requirement in install {
            let _ = writeln!(text, "requirement {requirement}");
        }
        if let Some(project) = &self.project {
            let digest =
                checkout::digest_of(&project.tree).map_err(|error| EnvironmentError::Project {
                    tree: project.tree.clone(),
                    why: error.to_string(),
                })?;
            let mut extras = project.extras.clone();
            extras.sort();
            let _ = writeln!(text, "project {digest} {}", extras.join(","));
        }
        text.push_str(&settings.which_index());
        let digest = Sha256::digest(text.as_bytes());
        let hex = checkout::hexadecimal(&digest[..16]);
        Ok(format!(
            "{}.{}-{hex}",
            interpreter.version.0, interpreter.version.1
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::EnvironmentSpec;

    fn spec(install: &[&str]) -> EnvironmentSpec {
        let install: Vec<String> = install.iter().map(|&word| word.to_owned()).collect();
        EnvironmentSpec::from_install(None, &install, Path::new("/tree"))
    }

    #[test]
    fn the_project_itself_is_told_from_its_requirements() {
        for install in [
            &["-e", ".[test, docs]", "pytest"][..],
            &["pytest", "-e .[test,docs]"],
            &["./[test,docs]", "pytest"],
        ] {
            let spec = spec(install);
            assert_eq!(spec.install, ["pytest"]);
            assert_eq!(spec.project.unwrap().extras, ["test", "docs"]);
        }
    }

    #[test]
    fn options_files_and_urls_are_no_requirements() {
        for bad in [
            "-r/etc/passwd",
            "--index-url=https://evil.example",
            "/etc",
            "./other",
            "x @ https://evil.example/x.whl",
            "git+https://evil.example/x",
            "https://evil.example/x.whl",
            "x --global-option=y",
            "x\n--pre",
            "",
        ] {
            assert!(spec(&[bad]).check().is_err(), "{bad}");
        }
        for good in [
            "pytest",
            "pytest<9,>=7",
            "attrs[tests]; python_version < \"3.9\"",
            "zope.interface==5.0",
        ] {
            assert!(spec(&[good]).check().is_ok(), "{good}");
        }
    }
}
