//! What the project says of itself and of what it needs, read without running anything of it: `setup.py` by its
//! syntax tree, `setup.cfg`, `tox.ini`, `pyproject.toml` and requirement files by their lines.

use std::collections::{BTreeMap, BTreeSet};

use crate::case::Tree;
use crate::distribution::normalised;
use crate::source::{Source, ancestors};

/// A requirement as the project states it, its environment marker left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Requirement {
    /// The distribution's name, normalised.
    pub name: String,
    /// The requirement: name, extras, versions.
    pub text: String,
}

/// What the project declares.
#[derive(Debug, Default)]
pub(super) struct Declared {
    /// Its own distribution's names, normalised.
    pub own: BTreeSet<String>,
    /// Top-level modules and packages that are its own.
    pub modules: BTreeSet<String>,
    /// Everything that it asks for anywhere: to run, to test, to build.
    pub requirements: Vec<Requirement>,
    /// The lists of `setup.py` that they stand in: names of distributions, normalised.
    lists: BTreeMap<usize, BTreeSet<String>>,
}

impl Declared {
    pub(super) fn read(tree: &dyn Tree) -> Self {
        let mut declared = Self::default();
        for path in tree.paths() {
            declared.note_module(path);
            let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
            let near = directory.is_empty()
                || directory == "requirements"
                || directory == "reqs"
                || directory == "test"
                || directory == "tests";
            let requirements = (name.contains("requirements")
                || name.contains("-reqs")
                || directory == "requirements")
                && name.rsplit_once('.').is_some_and(|(_, end)| end == "txt");
            if !near || !(requirements || directory.is_empty()) {
                continue;
            }
            let Some(text) = tree.read(path) else {
                continue;
            };
            match name {
                "setup.py" => declared.setup_py(&text),
                "setup.cfg" | "tox.ini" => declared.ini(&text),
                "pyproject.toml" | "Pipfile" => declared.toml(&text),
                "PKG-INFO" => declared.own.extend(
                    text.lines()
                        .find_map(|line| line.strip_prefix("Name: "))
                        .map(normalised),
                ),
                _ if requirements => text.lines().for_each(|line| declared.require(line)),
                _ => {}
            }
        }
        declared
    }

    /// What the project asks for of one distribution, the narrowest statement first.
    pub(super) fn of(&self, name: &str) -> Option<&Requirement> {
        let wanted = normalised(name);
        self.requirements
            .iter()
            .filter(|r| r.name == wanted)
            .max_by_key(|r| r.text.matches(['<', '=', '~']).count())
    }

    /// What `setup.py` asks for in the same lists as a distribution, such as those of an extra: one may be there for the other's sake.
    pub(super) fn beside(&self, name: &str) -> BTreeSet<&str> {
        let wanted = normalised(name);
        let lists = self.lists.values().filter(|list| list.contains(&wanted));
        lists
            .flatten()
            .map(String::as_str)
            .filter(|other| *other != wanted)
            .collect()
    }

    fn note_module(&mut self, path: &str) {
        let parts: Vec<&str> = path.split('/').collect();
        let parts = match parts.as_slice() {
            ["src" | "lib" | "python", rest @ ..] => rest,
            all => all,
        };
        match parts {
            [file] => self
                .modules
                .extend(file.strip_suffix(".py").map(str::to_owned)),
            [package, .., file] if file.strip_suffix(".py").is_some() => {
                self.modules.insert((*package).to_owned());
            }
            _ => {}
        }
    }

    fn require(&mut self, line: &str) {
        let line = line.split(" #").next().unwrap_or(line);
        let text = line
            .split(';')
            .next()
            .unwrap_or(line)
            .trim()
            .trim_end_matches(',');
        let name: String = text
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
            .collect();
        let rest = text[name.len()..].trim_start();
        let well_formed = rest.is_empty() || rest.starts_with(['<', '>', '=', '!', '~', '[', '(']);
        if name.is_empty()
            || !name.starts_with(|c: char| c.is_ascii_alphanumeric())
            || !well_formed
            || text.contains("://")
        {
            return;
        }
        let requirement = Requirement {
            name: normalised(&name),
            text: text.split_whitespace().collect(),
        };
        if !self.requirements.contains(&requirement) {
            self.requirements.push(requirement);
        }
    }

    /// Strings below `install_requires=` and its like, or assigned to a name that says what they are.
    fn setup_py(&mut self, text: &str) {
        let Some(source) = Source::parse(text) else {
            return;
        };
        for node in source
            .nodes()
            .filter(|node| node.kind() == "string_content")
        {
            let key = ancestors(node).nth(1).is_some_and(|pair| {
                pair.kind() == "pair"
                    && pair
                        .child_by_field_name("key")
                        .is_some_and(|key| key.byte_range().contains(&node.start_byte()))
            });
            if key {
                continue;
            }
            let mut named = None;
            for ancestor in ancestors(node) {
                let label = match ancestor.kind() {
                    "keyword_argument" => ancestor.child_by_field_name("name"),
                    "assignment" => ancestor.child_by_field_name("left"),
                    // `install_requires.append('x')`
                    "call" => ancestor
                        .child_by_field_name("function")
                        .filter(|f| f.kind() == "attribute"),
                    _ => None,
                };
                if let Some(label) = label {
                    named = Some(source.slice(label).to_lowercase());
                    break;
                }
            }
            let Some(named) = named else { continue };
            let content = source.slice(node);
            if named == "name" {
                self.own.insert(normalised(content));
            } else if ["require", "extras", "deps", "dependencies"]
                .iter()
                .any(|word| named.contains(word))
                && named != "python_requires"
            {
                content.lines().for_each(|line| self.require(line));
                let name = content
                    .split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')));
                if let Some(list) = ancestors(node).find(|a| a.kind() == "list")
                    && let Some(name) = name.map(normalised).next().filter(|n| !n.is_empty())
                {
                    self.lists.entry(list.id()).or_default().insert(name);
                }
            }
        }
    }

    fn ini(&mut self, text: &str) {
        let mut section = "";
        let mut listing = false;
        for line in text.lines() {
            let trimmed = line.trim();
            if trimmed.starts_with('#') || trimmed.starts_with(';') {
                continue;
            }
            if let Some(name) = trimmed
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'))
            {
                section = name;
                listing = false;
            } else if line.starts_with([' ', '\t']) {
                if listing {
                    // tox: `py27: mock`
                    self.require(trimmed.rsplit_once(": ").map_or(trimmed, |(_, rest)| rest));
                }
            } else if let Some((key, value)) = trimmed.split_once('=') {
                let key = key.trim();
                listing = matches!(
                    key,
                    "install_requires"
                        | "tests_require"
                        | "setup_requires"
                        | "deps"
                        | "required_plugins"
                ) || section == "options.extras_require";
                if listing {
                    value
                        .split(|c| c == '\n' || (c == ';' && section == "options.extras_require"))
                        .for_each(|part| self.require(part.trim()));
                }
                if section == "metadata" && key == "name" {
                    self.own.insert(normalised(value.trim()));
                }
            }
        }
    }

    /// Enough of TOML for lists of requirements: quoted strings of the tables that hold them, and Poetry's
    /// `name = "^1.2"`.
    fn toml(&mut self, text: &str) {
        let mut table = String::new();
        for line in text.lines() {
            let trimmed = line.trim();
            if trimmed.starts_with('[')
                && trimmed.ends_with(']')
                && !trimmed.contains('"')
                && !trimmed.contains('\'')
            {
                trimmed.trim_matches(['[', ']']).clone_into(&mut table);
                continue;
            }
            if (table == "project" || table == "tool.poetry")
                && let Some(value) = trimmed.strip_prefix("name")
                && let Some(value) = value.trim_start().strip_prefix('=')
            {
                self.own
                    .insert(normalised(value.trim().trim_matches(['"', '\''])));
                continue;
            }
            let poetry = table.starts_with("tool.poetry") && table.contains("dependencies")
                || table.ends_with("packages");
            if poetry {
                if let Some((name, _)) = trimmed
                    .split_once('=')
                    .filter(|(name, _)| name.trim() != "python")
                {
                    self.require(name.trim().trim_matches('"'));
                }
            } else if table == "project"
                || table.starts_with("project.optional")
                || table.starts_with("dependency-groups")
                || table.starts_with("tool.")
            {
                for piece in trimmed
                    .split('"')
                    .skip(1)
                    .step_by(2)
                    .chain(trimmed.split('\'').skip(1).step_by(2))
                {
                    let label = trimmed.split('=').next().unwrap_or_default().trim();
                    if !matches!(
                        label,
                        "version"
                            | "description"
                            | "readme"
                            | "license"
                            | "requires-python"
                            | "email"
                    ) {
                        self.require(piece);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategies::fake::Files;

    #[test]
    fn requirements_are_read_from_every_place_that_states_them() {
        let files = Files::new(&[
            (
                "setup.py",
                "tests_require = ['mock>=1']\nsetup(name='My_Pkg', install_requires=['html5lib>=1,<2; python_version>\"3\"'] + tests_require, extras_require={'t': ['six']})\n",
            ),
            (
                "setup.cfg",
                "[metadata]\nname = x\n[options]\ninstall_requires =\n    attrs\n    pytz>2\n[options.extras_require]\ntest = pytest-cov\n",
            ),
            (
                "tox.ini",
                "[testenv]\ndeps =\n    py27: unittest2\n    -r req.txt\n    nose\n",
            ),
            (
                "pyproject.toml",
                "[project]\nname = \"y\"\ndependencies = [\n  \"click>=8\",\n]\n[tool.poetry.dev-dependencies]\npytest-mock = \"^3\"\n",
            ),
            (
                "requirements-dev.txt",
                "# dev\nhypothesis==3.1  # old\n-e .\n",
            ),
            ("src/own/__init__.py", ""),
            ("tests/helper.py", ""),
        ]);
        let declared = Declared::read(&files);
        let names: BTreeSet<&str> = declared
            .requirements
            .iter()
            .map(|r| r.name.as_str())
            .collect();
        assert_eq!(
            names,
            [
                "attrs",
                "click",
                "html5lib",
                "hypothesis",
                "mock",
                "nose",
                "pytest-cov",
                "pytest-mock",
                "pytz",
                "six",
                "unittest2"
            ]
            .into()
        );
        assert_eq!(declared.of("HTML5lib").unwrap().text, "html5lib>=1,<2");
        assert!(
            declared.own.contains("my-pkg")
                && declared.own.contains("x")
                && declared.own.contains("y")
        );
        assert!(declared.modules.contains("own") && declared.modules.contains("tests"));
    }
}
