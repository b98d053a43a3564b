//! What no repair may do, whatever its tests say.

use globset::{Glob, GlobSet, GlobSetBuilder};
use maestro_protocol::heal::Touch;

use crate::adapter;
use crate::case::{Candidate, Edit};
use crate::overlay::Overlay;
use crate::roles::{Role, Roles};

/// The rules of one heal.
#[derive(Debug, Clone)]
pub struct Guard {
    never: GlobSet,
    product: bool,
    roles: Roles,
}

/// A glob that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`policy.never` holds `{glob}`, which is no glob: {detail}")]
pub struct BadGlob {
    glob: String,
    detail: String,
}

impl Guard {
    /// Takes the paths that may never be touched, whether product code may be, and what part each file plays.
    pub fn new(never: &[String], product: bool, roles: Roles) -> Result<Self, BadGlob> {
        let mut set = GlobSetBuilder::new();
        for glob in never {
            let bad = |error: globset::Error| BadGlob {
                glob: glob.clone(),
                detail: error.kind().to_string(),
            };
            set.add(Glob::new(glob).map_err(bad)?);
        }
        let never = set.build().map_err(|error| BadGlob {
            glob: never.join(", "),
            detail: error.kind().to_string(),
        })?;
        Ok(Self {
            never,
            product,
            roles,
        })
    }

    /// What the candidate touches, with the whole of `tree`'s changes in view; or the reason why it may not.
    pub fn admit(&self, tree: &Overlay, candidate: &Candidate) -> Result<Vec<Touch>, String> {
        let mut touches = Vec::new();
        for edit in &candidate.edits {
            if !self.permits(&edit.path) {
                return Err(format!("{} is among the paths never to touch", edit.path));
            }
            touches.push(match self.role(tree, edit) {
                Role::Test => Touch::Test,
                Role::Config => Touch::Config,
                Role::Product if self.product => Touch::Product,
                Role::Product => {
                    return Err(format!(
                        "{} is product code, which the policy keeps as it is",
                        edit.path
                    ));
                }
            });
        }
        for (path, before, after) in tree.changes() {
            let Some(adapter) = adapter::of_file(&path) else {
                continue;
            };
            let count = |text: &str| adapter.assertions(&path, text);
            let (had, has) = (count(&before), count(&after));
            if has < had {
                return Err(format!(
                    "{path} would lose assertions: {had} before, {has} after"
                ));
            }
            if let Some(mark) = adapter.hides(&path, &before, &after) {
                return Err(format!("{path} would gain `{mark}`"));
            }
        }
        let runtime = &candidate.runtime;
        if !(runtime.install.is_empty()
            && runtime.uninstall.is_empty()
            && runtime.variables.is_empty()
            && runtime.python.is_none())
        {
            touches.push(Touch::Environment);
        }
        if touches.is_empty() {
            return Err("it changes nothing".to_owned());
        }
        touches.sort_unstable();
        touches.dedup();
        Ok(touches)
    }
}

impl Guard {
    /// Whether a path is none of those never to touch.
    pub(crate) fn permits(&self, path: &str) -> bool {
        !self.never.is_match(path)
    }

    /// The part that a file plays, or what of it is changed.
    fn role(&self, tree: &Overlay, edit: &Edit) -> Role {
        let role = self.roles.of(&edit.path);
        match (adapter::of_file(&edit.path), tree.original(&edit.path)) {
            (Some(adapter), Some(before)) if role == Role::Product => {
                adapter.role_of_change(&edit.path, &before, &edit.text)
            }
            _ => role,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use maestro_protocol::heal::{RuntimeChanges, Strategy};

    fn admit(
        never: &[&str],
        product: bool,
        path: &str,
        before: &str,
        after: &str,
    ) -> Result<Vec<Touch>, String> {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, before).unwrap();
        let never: Vec<String> = never.iter().map(|glob| (*glob).to_owned()).collect();
        let guard = Guard::new(&never, product, Roles::default()).unwrap();
        let edits = vec![Edit {
            path: path.to_owned(),
            text: after.to_owned(),
        }];
        let tree = Overlay::new(base.path()).unwrap().with(&edits);
        let candidate = Candidate {
            strategy: Strategy::SyntaxRepair,
            description: String::new(),
            edits,
            runtime: RuntimeChanges::default(),
            rank: 0,
        };
        guard.admit(&tree, &candidate)
    }

    #[test]
    fn dropping_an_assertion_or_hiding_a_test_is_not_admitted() {
        let before = "def test():\n    assert f()\n";
        assert!(
            admit(
                &[],
                true,
                "tests/test_a.py",
                before,
                "def test():\n    f()\n"
            )
            .is_err()
        );
        let hidden = format!("import pytest\n@pytest.mark.skip\n{before}");
        assert!(admit(&[], true, "tests/test_a.py", before, &hidden).is_err());
    }

    #[test]
    fn a_comment_that_silences_a_checker_is_not_admitted() {
        for (path, after) in [
            ("tests/test_a.py", "import os  # noqa: F401\n"),
            (
                "tests/test_a.py",
                "import os  # type: ignore[import-untyped]\n",
            ),
            (
                "test/a.test.js",
                "// eslint-disable-next-line no-var\nvar a;\n",
            ),
            ("test/a.test.ts", "// @ts-expect-error\nlet a;\n"),
        ] {
            let refused = admit(&[], true, path, "x = 1\n", after);
            assert!(
                refused
                    .as_ref()
                    .is_err_and(|reason| reason.contains("would gain")),
                "{path}: {refused:?}"
            );
        }
    }

    #[test]
    fn what_configures_a_checker_is_never_touched_for_a_finding() {
        let never: Vec<String> = crate::checker::never().collect();
        let never: Vec<&str> = never.iter().map(String::as_str).collect();
        for path in [
            "pyproject.toml",
            "sub/ruff.toml",
            "mypy.ini",
            "eslint.config.mjs",
            ".eslintrc.json",
            "tsconfig.build.json",
            "package.json",
        ] {
            assert!(admit(&never, true, path, "a\n", "b\n").is_err(), "{path}");
        }
        assert!(admit(&never, true, "tests/test_a.py", "a\n", "b\n").is_ok());
    }

    #[test]
    fn product_code_is_touched_only_where_the_policy_lets_it() {
        assert_eq!(
            admit(&[], true, "pkg/a.py", "x\n", "y\n"),
            Ok(vec![Touch::Product])
        );
        assert!(admit(&[], false, "pkg/a.py", "x\n", "y\n").is_err());
    }

    #[test]
    fn a_path_that_is_never_to_be_touched_is_not() {
        assert!(
            admit(
                &["tests/vectors/**"],
                true,
                "tests/vectors/test_a.py",
                "x\n",
                "y\n"
            )
            .is_err()
        );
    }

    #[test]
    fn a_glob_that_is_none_is_named() {
        let error = Guard::new(&["a[".to_owned()], true, Roles::default()).unwrap_err();
        assert!(error.to_string().contains("`a[`"), "{error}");
    }
}
