//! Which version of a checker of Python a project uses: what its lock says, its requirements, or its hooks for commits. The
//! narrowest statement counts.

use std::sync::LazyLock;

use regex::Regex;

use super::Tool;
use crate::case::Tree;

/// Files that pin everything: `name = "ruff"` and below it `version = "0.6.9"`.
const LOCKS: [&str; 3] = ["uv.lock", "poetry.lock", "pdm.lock"];

/// The requirement by which the project asks for its checker, or the checker's name where it does not.
pub(super) fn requirement(tool: Tool, reported: Option<&str>, tree: &dyn Tree) -> String {
    let name = tool.package();
    locked(name, tree)
        .or_else(|| required(name, tree))
        .or_else(|| hooked(name, tree))
        .or_else(|| {
            reported
                .filter(|version| is_version(version))
                .map(exactly(name))
        })
        .unwrap_or_else(|| name.to_owned())
}

fn exactly(name: &str) -> impl Fn(&str) -> String {
    move |version| format!("{name}=={version}")
}

fn is_version(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
        && text.len() < 40
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '.')
}

fn locked(name: &str, tree: &dyn Tree) -> Option<String> {
    LOCKS.iter().find_map(|lock| {
        let text = tree.read(lock)?;
        let mut lines = text.lines().map(str::trim);
        lines.find(|line| *line == format!("name = \"{name}\""))?;
        let version = lines
            .take(3)
            .find_map(|line| line.strip_prefix("version = \""))?
            .trim_end_matches('"')
            .to_owned();
        is_version(&version).then(|| exactly(name)(&version))
    })
}

/// `ruff==0.6.9` in a file of requirements, in brackets of `pyproject.toml`, or as a line of `tox.ini`; `ruff = "^0.6"` of
/// Poetry.
fn required(name: &str, tree: &dyn Tree) -> Option<String> {
    static REQUIREMENT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r#"(?m)(?:^|[\s"',\[=])(?P<name>ruff|mypy)(?:\[[\w, -]*\])?(?P<versions>(?: ?(?:==|>=|<=|~=|!=|<|>) ?[\w.*]+,?)+)"#,
        )
        .expect("a pattern of this file compiles")
    });
    static POETRY: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"(?m)^(?P<name>ruff|mypy) ?= ?(?:\{ ?version ?= ?)?"(?P<mark>[\^~]?)(?P<version>[0-9][\w.]*)""#)
            .expect("a pattern of this file compiles")
    });
    let mut found: Vec<String> = Vec::new();
    for path in tree.paths() {
        let (directory, file) = path.rsplit_once('/').unwrap_or(("", path));
        let near = directory.is_empty() || directory == "requirements";
        let says = file.contains("requirements")
            || directory == "requirements"
            || matches!(
                file,
                "pyproject.toml" | "setup.cfg" | "tox.ini" | "setup.py"
            );
        let Some(text) = tree.read(path).filter(|_| near && says) else {
            continue;
        };
        for all in REQUIREMENT.captures_iter(&text) {
            if &all["name"] == name {
                let versions: String = all["versions"].split_whitespace().collect();
                found.push(format!("{name}{}", versions.trim_end_matches(',')));
            }
        }
        for all in POETRY.captures_iter(&text) {
            let version = &all["version"];
            if &all["name"] == name {
                found.push(match &all["mark"] {
                    "" => format!("{name}=={version}"),
                    "~" => format!("{name}~={version}.0"),
                    _ => format!("{name}>={version},<{}", after(version)),
                });
            }
        }
    }
    found.into_iter().max_by_key(|requirement| {
        (
            requirement.contains("=="),
            requirement.matches(['<', '~']).count(),
        )
    })
}

/// The first version that `^` leaves out.
fn after(version: &str) -> String {
    let numbers: Vec<u32> = version
        .split('.')
        .filter_map(|part| part.parse().ok())
        .collect();
    match numbers.as_slice() {
        [0, minor, ..] => format!("0.{}", minor + 1),
        [major, ..] => (major + 1).to_string(),
        [] => "9999".to_owned(),
    }
}

/// The `rev` of the hook in `.pre-commit-config.yaml`.
fn hooked(name: &str, tree: &dyn Tree) -> Option<String> {
    let text = tree.read(".pre-commit-config.yaml")?;
    let repository = match name {
        "ruff" => "ruff-pre-commit",
        _ => "mirrors-mypy",
    };
    let mut lines = text.lines().map(str::trim);
    lines.find(|line| line.contains("repo:") && line.contains(repository))?;
    let revision = lines
        .take_while(|line| !line.contains("repo:"))
        .find_map(|line| line.strip_prefix("rev:"))?;
    let version = revision
        .trim()
        .trim_matches(['"', '\''])
        .trim_start_matches('v');
    is_version(version).then(|| exactly(name)(version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategies::fake::Files;

    fn ruff(files: &[(&str, &str)], reported: Option<&str>) -> String {
        requirement(Tool::Ruff, reported, &Files::new(files))
    }

    #[test]
    fn the_projects_own_version_is_the_narrowest_that_it_names() {
        let hook = (
            ".pre-commit-config.yaml",
            "repos:\n  - repo: https://github.com/astral-sh/ruff-pre-commit\n    rev: v0.6.1\n    hooks: [{id: ruff}]\n",
        );
        let project = (
            "pyproject.toml",
            "[project.optional-dependencies]\ndev = [\"ruff>=0.5, <0.7\", \"mypy\"]\n",
        );
        let lock = (
            "uv.lock",
            "[[package]]\nname = \"ruff\"\nversion = \"0.6.3\"\n",
        );
        assert_eq!(ruff(&[hook, project, lock], None), "ruff==0.6.3");
        assert_eq!(ruff(&[hook, project], None), "ruff>=0.5,<0.7");
        assert_eq!(ruff(&[hook], Some("0.9.0")), "ruff==0.6.1");
        assert_eq!(ruff(&[], Some("0.9.0")), "ruff==0.9.0");
        assert_eq!(ruff(&[], Some("--evil")), "ruff");
        let poetry = (
            "pyproject.toml",
            "[tool.poetry.dev-dependencies]\nruff = \"^0.6.2\"\n",
        );
        assert_eq!(ruff(&[poetry], None), "ruff>=0.6.2,<0.7");
        let own = (
            "pyproject.toml",
            "[tool.ruff]\nline-length = 100\nrequired = \"x\"\n",
        );
        assert_eq!(ruff(&[own], None), "ruff");
    }
}
