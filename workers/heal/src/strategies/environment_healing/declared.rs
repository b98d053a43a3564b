//! What the project says of the environment that its tests run in, read without running anything of it: the
//! variables that its runners set, those that its documents name, and the interpreters that it is made for.

use std::sync::LazyLock;

use regex::Regex;

use crate::case::Tree;

/// Who says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Authority {
    /// What runs the tests sets it: tox, nox, pytest's own configuration, CI.
    Runner,
    /// A document or a template of settings names it.
    Document,
}

/// One variable as the project states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Variable {
    pub(super) name: String,
    /// `None` where it is made at run time, or only a placeholder stands there.
    pub(super) value: Option<String>,
    /// The file that says so.
    pub(super) path: String,
    pub(super) authority: Authority,
}

/// Reads the names and values in a file's text.
type Reader = fn(&str) -> Vec<(String, String)>;

/// Every variable that the project states; what runs its tests comes first.
pub(super) fn variables(tree: &dyn Tree) -> Vec<Variable> {
    let mut found = Vec::new();
    for path in tree.paths() {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        let top = directory.is_empty();
        let (authority, read): (_, Reader) = match name {
            "tox.ini" | "pytest.ini" | "setup.cfg" if top => (Authority::Runner, ini),
            "pyproject.toml" | "tox.toml" | "pytest.toml" if top => (Authority::Runner, toml),
            "noxfile.py" if top => (Authority::Runner, nox),
            "Makefile" | "justfile" if top => (Authority::Runner, commands),
            ".gitlab-ci.yml" | ".travis.yml" if top => (Authority::Runner, workflow),
            _ if directory == ".github/workflows" => (Authority::Runner, workflow),
            _ if name.starts_with(".env") && name != ".env" => (Authority::Document, lines),
            "env.example" | "example.env" => (Authority::Document, lines),
            "docker-compose.yml" | "docker-compose.yaml" | "compose.yaml" if top => {
                (Authority::Document, workflow)
            }
            _ if top && is_document(name) => (Authority::Document, commands),
            _ => continue,
        };
        let Some(text) = tree.read(path) else {
            continue;
        };
        for (variable, value) in read(&text) {
            found.push(Variable {
                name: variable,
                value: settled(&value),
                path: path.clone(),
                authority,
            });
        }
    }
    found.sort_by_key(|variable| (variable.authority, !is_tox(&variable.path)));
    found
}

fn is_tox(path: &str) -> bool {
    path == "tox.ini"
}

fn is_document(name: &str) -> bool {
    let upper = name.to_uppercase();
    ["README", "CONTRIBUTING", "HACKING", "DEVELOP", "TESTING"]
        .iter()
        .any(|start| upper.starts_with(start))
}

/// Sections of pytest and tox: `setenv`, `set_env` and pytest-env's `env`.
fn ini(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let (mut section, mut inside) = (String::new(), false);
    for line in text.lines() {
        let indented = line.starts_with([' ', '\t']);
        let bare = line.trim();
        if bare.is_empty() || bare.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = bare
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            name.clone_into(&mut section);
            inside = false;
            continue;
        }
        let mut rest = bare;
        if !indented {
            let Some((key, value)) = bare.split_once('=') else {
                inside = false;
                continue;
            };
            inside = match key.trim() {
                "setenv" | "set_env" => section.starts_with("testenv") || section == "tox:tox",
                "env" => matches!(section.as_str(), "pytest" | "tool:pytest"),
                _ => false,
            };
            rest = value.trim();
        }
        if inside {
            // tox's factors: `py311: NAME = value`; pytest-env's `D:NAME=value`.
            let rest = rest
                .split_once(':')
                .filter(|(factor, after)| !factor.contains('=') && after.contains('='))
                .map_or(rest, |(_, after)| after.trim());
            found.extend(pair(rest));
        }
    }
    found
}

/// Tables and lists of `pyproject.toml`: tox, pytest-env, hatch.
fn toml(text: &str) -> Vec<(String, String)> {
    static ENTRY: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r#"([A-Z][A-Z0-9_]+)\s*=\s*["']([^"']*)["']"#).ok());
    let mut found = Vec::new();
    let (mut section, mut list) = (String::new(), false);
    let mut legacy: Option<String> = None;
    for line in text.lines() {
        let bare = line.trim();
        if let Some(ini) = legacy.as_mut() {
            if bare.ends_with("\"\"\"") || bare.ends_with("'''") {
                found.extend(self::ini(ini));
                legacy = None;
            } else {
                ini.push_str(line);
                ini.push('\n');
            }
            continue;
        }
        if bare.starts_with("legacy_tox_ini") {
            legacy = Some(String::new());
            continue;
        }
        if bare.starts_with('[') && bare.ends_with(']') && !list {
            bare.trim_matches(['[', ']']).clone_into(&mut section);
            continue;
        }
        let table = section == "tool.pytest_env"
            || section == "pytest_env"
            || section.ends_with(".set_env")
            || section.ends_with(".env-vars");
        let key = bare.split('=').next().unwrap_or_default().trim();
        if section == "tool.pytest.ini_options" && key == "env" {
            list = true;
        }
        if list {
            found.extend(
                bare.split('"')
                    .chain(bare.split('\''))
                    .filter(|part| !part.contains(['[', ',']))
                    .filter_map(|part| {
                        pair(part.trim_start_matches("D:").trim_start_matches("R:"))
                    }),
            );
            if bare.ends_with(']') {
                list = false;
            }
        } else if (table || matches!(key, "set_env" | "setenv" | "env-vars"))
            && let Some(entry) = ENTRY.as_ref()
        {
            found.extend(
                entry
                    .captures_iter(bare)
                    .map(|found| (found[1].to_owned(), found[2].to_owned())),
            );
        }
    }
    found
}

/// `session.env["NAME"] = "value"` and `env={"NAME": "value"}`.
fn nox(text: &str) -> Vec<(String, String)> {
    static ENTRY: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r#"["']([A-Z][A-Z0-9_]+)["']\]?\s*[:=]\s*["']([^"']*)["']"#).ok()
    });
    text.lines()
        .filter(|line| line.contains("env"))
        .flat_map(|line| {
            ENTRY
                .iter()
                .flat_map(move |entry| entry.captures_iter(line))
                .map(|found| (found[1].to_owned(), found[2].to_owned()))
        })
        .collect()
}

/// `env:`, `environment:` and `variables:` of a workflow, and its commands.
fn workflow(text: &str) -> Vec<(String, String)> {
    let mut found = commands(text);
    let mut block: Option<usize> = None;
    for line in text.lines() {
        let bare = line.trim();
        if bare.is_empty() || bare.starts_with('#') {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        if block
            .is_some_and(|outer| indent <= outer && !(indent == outer && bare.starts_with("- ")))
        {
            block = None;
        }
        if matches!(bare, "env:" | "environment:" | "variables:" | "global:") {
            block = Some(indent);
            continue;
        }
        if block.is_some() {
            let entry = bare.trim_start_matches("- ");
            found.extend(pair(entry).or_else(|| {
                let (name, value) = entry.split_once(':')?;
                is_name(name).then(|| (name.to_owned(), unquoted(value)))
            }));
        }
    }
    found
}

/// `export NAME=value`, and `NAME=value` in front of what runs the tests.
fn commands(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for line in text.lines() {
        let bare = line
            .trim()
            .trim_start_matches(['$', '>', '`', '@', '-', ' '])
            .trim_start_matches("run: ");
        if let Some(rest) = bare.strip_prefix("export ") {
            found.extend(pair(rest));
            continue;
        }
        let words: Vec<&str> = bare.split_whitespace().collect();
        let assigned = words.iter().take_while(|word| pair(word).is_some()).count();
        let runs = words.get(assigned).is_some_and(|word| {
            let program = word.rsplit('/').next().unwrap_or(word);
            program.starts_with("python")
                || matches!(
                    program,
                    "pytest" | "py.test" | "tox" | "nox" | "coverage" | "make" | "cargo"
                )
        });
        if runs {
            found.extend(words[..assigned].iter().filter_map(|word| pair(word)));
        }
    }
    found
}

/// `NAME=value` lines of a template of settings.
fn lines(text: &str) -> Vec<(String, String)> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| pair(line.trim_start_matches("export ")))
        .collect()
}

fn pair(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    let name = name.trim();
    is_name(name).then(|| (name.to_owned(), unquoted(value)))
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && name
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

fn unquoted(value: &str) -> String {
    let value = value.trim();
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote)
            && let Some((inner, _)) = inner.split_once(quote)
        {
            return inner.to_owned();
        }
    }
    let end = value.find(" #").unwrap_or(value.len());
    value[..end].trim().trim_end_matches('`').to_owned()
}

/// The value as it stands, where it is one: neither a placeholder nor made at run time.
fn settled(value: &str) -> Option<String> {
    let value = value
        .replace("{toxinidir}/", "")
        .replace("{tox_root}/", "")
        .replace("{toxinidir}", ".")
        .replace("{tox_root}", ".");
    // `{env:NAME:default}` of tox.
    let value = value
        .strip_prefix("{env:")
        .and_then(|rest| rest.strip_suffix('}')?.split_once(':'))
        .map_or(value.clone(), |(_, default)| default.to_owned());
    let low = value.to_lowercase();
    let placeholder = [
        "changeme",
        "change-me",
        "change_me",
        "your",
        "xxx",
        "todo",
        "...",
    ]
    .iter()
    .any(|mark| low.contains(mark));
    let made = value.contains(['{', '}', '$', '<', '>', '`']);
    (!value.is_empty() && !placeholder && !made).then_some(value)
}

/// Whether a name says that its value is a secret: such a value is never set.
pub(crate) fn is_secret(name: &str) -> bool {
    name.split('_').any(|word| {
        matches!(
            word,
            "SECRET"
                | "SECRETS"
                | "TOKEN"
                | "PASSWORD"
                | "PASSWD"
                | "PASS"
                | "PWD"
                | "PASSPHRASE"
                | "CREDENTIAL"
                | "CREDENTIALS"
                | "KEY"
                | "APIKEY"
                | "PRIVATE"
                | "AUTH"
                | "COOKIE"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategies::fake::Files;

    fn of(path: &str, text: &str) -> Vec<(String, Option<String>)> {
        variables(&Files::new(&[(path, text)]))
            .into_iter()
            .map(|variable| (variable.name, variable.value))
            .collect()
    }

    fn one(name: &str, value: &str) -> Vec<(String, Option<String>)> {
        vec![(name.to_owned(), Some(value.to_owned()))]
    }

    #[test]
    fn every_runner_is_read() {
        for (path, text) in [
            (
                "tox.ini",
                "[testenv]\ndeps = pytest\nsetenv =\n    APP_ENV = test\ncommands = pytest\n",
            ),
            (
                "tox.ini",
                "[testenv:py311]\nset_env = py311: APP_ENV=test\n",
            ),
            ("pytest.ini", "[pytest]\nenv =\n    D:APP_ENV=test\n"),
            ("setup.cfg", "[tool:pytest]\nenv =\n  APP_ENV=test\n"),
            (
                "pyproject.toml",
                "[tool.pytest.ini_options]\nenv = [\n  \"APP_ENV=test\",\n]\n",
            ),
            ("pyproject.toml", "[tool.pytest_env]\nAPP_ENV = \"test\"\n"),
            (
                "pyproject.toml",
                "[tool.tox]\nlegacy_tox_ini = \"\"\"\n[testenv]\nsetenv = APP_ENV=test\n\"\"\"\n",
            ),
            (
                "pyproject.toml",
                "[tool.hatch.envs.test]\nenv-vars = { APP_ENV = \"test\" }\n",
            ),
            (
                "noxfile.py",
                "@nox.session\ndef tests(session):\n    session.run('pytest', env={'APP_ENV': 'test'})\n",
            ),
            (
                ".github/workflows/ci.yml",
                "jobs:\n  test:\n    env:\n      APP_ENV: test\n    steps:\n      - run: pytest\n",
            ),
            (
                ".github/workflows/ci.yml",
                "    steps:\n      - run: APP_ENV=test pytest -q\n",
            ),
            (".travis.yml", "env:\n  - APP_ENV=test\n"),
            ("Makefile", "test:\n\tAPP_ENV=test python -m pytest\n"),
            (
                "README.md",
                "Run `export` first:\n\n    $ export APP_ENV=test\n",
            ),
            (".env.example", "# the mode\nAPP_ENV=test\n"),
        ] {
            assert_eq!(of(path, text), one("APP_ENV", "test"), "{path}: {text}");
        }
    }

    #[test]
    fn other_settings_are_no_variables() {
        for (path, text) in [
            (
                "tox.ini",
                "[testenv]\npassenv =\n    APP_ENV\ncommands = FOO=1\n",
            ),
            ("setup.cfg", "[metadata]\nNAME = x\n"),
            (
                ".github/workflows/ci.yml",
                "env:\n  lower: x\njobs:\n  DEPLOY: now\n",
            ),
            (".env", "APP_ENV=mine\n"),
            ("README.md", "Set APP_ENV=test if you like.\n"),
        ] {
            assert_eq!(of(path, text), [], "{path}: {text}");
        }
    }

    #[test]
    fn a_placeholder_is_no_value_and_what_tox_substitutes_is_resolved_where_it_can_be() {
        let value = |text: &str| {
            let found = of(
                "tox.ini",
                &format!("[testenv]\nsetenv =\n    A_B = {text}\n"),
            );
            found.into_iter().next().and_then(|(_, value)| value)
        };
        assert_eq!(value("{toxinidir}/data").as_deref(), Some("data"));
        assert_eq!(value("{env:A_B:seven}").as_deref(), Some("seven"));
        for text in ["{envtmpdir}/x", "<your url>", "changeme", "$HOME/x"] {
            assert_eq!(value(text), None, "{text}");
        }
    }

    #[test]
    fn secrets_are_told_by_their_names() {
        for name in ["API_KEY", "GITHUB_TOKEN", "DB_PASSWORD", "SECRET_KEY_BASE"] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "KEYBOARD",
            "APP_ENV",
            "MONKEY_MODE",
            "TOKENIZERS_PARALLELISM",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
