//! The checkers that can be run here.

/// A checker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Tool {
    /// <https://docs.astral.sh/ruff/>
    Ruff,
    /// <https://mypy.readthedocs.io/>
    Mypy,
    /// <https://eslint.org/>
    Eslint,
    /// <https://www.typescriptlang.org/docs/handbook/compiler-options.html>
    Tsc,
}

impl Tool {
    /// By the name that a finding has.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Ruff, Self::Mypy, Self::Eslint, Self::Tsc]
            .into_iter()
            .find(|tool| tool.name() == name)
    }

    /// The command's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ruff => "ruff",
            Self::Mypy => "mypy",
            Self::Eslint => "eslint",
            Self::Tsc => "tsc",
        }
    }

    /// The distribution or package that brings it.
    pub(crate) fn package(self) -> &'static str {
        match self {
            Self::Tsc => "typescript",
            other => other.name(),
        }
    }

    /// Whether it is one of Python's.
    pub(crate) fn is_pythons(self) -> bool {
        matches!(self, Self::Ruff | Self::Mypy)
    }

    /// Whether a text can be the name of one of its rules: what comes from a message becomes part of an argument.
    pub(crate) fn is_rule(self, rule: &str) -> bool {
        let plain = |more: &str| {
            rule.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '@')
                && rule
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || more.contains(c))
                && rule.len() <= 200
        };
        match self {
            Self::Ruff | Self::Tsc | Self::Mypy => plain("-"),
            Self::Eslint => plain("-_/@."),
        }
    }

    /// The words behind its name, where a command runs it: `mypy --strict pkg` and `python -m mypy pkg`, `npx tsc -p x`.
    pub(crate) fn words_of(self, command: &[String]) -> Option<Vec<String>> {
        let plain = |word: &String| word.rsplit('/').next().unwrap_or_default().to_owned();
        let at = command
            .iter()
            .take(4)
            .position(|word| plain(word) == self.name())?;
        let before: Vec<String> = command[..at].iter().map(plain).collect();
        let runs = match before
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .as_slice()
        {
            []
            | ["npx" | "uvx" | "pnpm" | "yarn"]
            | ["uv" | "poetry" | "pipenv" | "hatch" | "pdm", "run"]
            | ["npm" | "pnpm", "exec"] => true,
            [python, "-m"] => python.starts_with("python"),
            _ => false,
        };
        runs.then(|| command[at + 1..].to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_of_the_checker_is_told_from_one_of_tests() {
        let words = |tool: Tool, command: &str| {
            let command: Vec<String> = command.split(' ').map(str::to_owned).collect();
            tool.words_of(&command).map(|words| words.join(" "))
        };
        for (command, behind) in [
            ("mypy --strict pkg", Some("--strict pkg")),
            ("python3 -m mypy pkg", Some("pkg")),
            ("uv run mypy .", Some(".")),
            ("python -m pytest mypy", None),
            ("pytest", None),
        ] {
            assert_eq!(words(Tool::Mypy, command).as_deref(), behind, "{command}");
        }
        assert_eq!(words(Tool::Tsc, "npx tsc -p a").as_deref(), Some("-p a"));
    }

    #[test]
    fn no_option_is_a_rule() {
        assert!(Tool::Ruff.is_rule("F401"));
        assert!(Tool::Mypy.is_rule("import-untyped"));
        assert!(Tool::Eslint.is_rule("@typescript-eslint/no-unused-vars"));
        for bad in ["--config=x", "F401 --fix", "F401,ALL", "", "../x"] {
            assert!(!Tool::Ruff.is_rule(bad), "{bad}");
            assert!(!Tool::Eslint.is_rule(bad), "{bad}");
        }
    }
}
