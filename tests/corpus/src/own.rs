//! Cases of our own: small projects that stand in this repository, file by file, and bugs to plant in them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use maestro_protocol::project::Framework;
use serde::Deserialize;

use crate::case::{Case, Commit, Expected, Found, Mutation, Registry, Set};

/// The files that hold them.
const SETS: &[(&str, &str)] = &[
    (
        "flaky_test_stabilization",
        include_str!("../own/flaky.yaml"),
    ),
    (
        "environment_healing",
        include_str!("../own/environment.yaml"),
    ),
    ("api_contract_adaptation", include_str!("../own/api.yaml")),
    (
        "flaky_test_stabilization",
        include_str!("../own/node_flaky.yaml"),
    ),
    (
        "flaky_test_stabilization",
        include_str!("../own/rust_flaky.yaml"),
    ),
    ("timing_adjustment", include_str!("../own/timing.yaml")),
    ("timing_adjustment", include_str!("../own/node_timing.yaml")),
    ("timing_adjustment", include_str!("../own/rust_timing.yaml")),
    (
        "api_contract_adaptation",
        include_str!("../own/standard_library.yaml"),
    ),
    ("assertion_update", include_str!("../own/assertion.yaml")),
    (
        "dependency_fix",
        include_str!("../own/node_dependency.yaml"),
    ),
    (
        "api_contract_adaptation",
        include_str!("../own/node_api.yaml"),
    ),
    ("syntax_repair", include_str!("../own/node_syntax.yaml")),
    (
        "environment_healing",
        include_str!("../own/node_environment.yaml"),
    ),
    (
        "assertion_update",
        include_str!("../own/node_assertion.yaml"),
    ),
    ("syntax_repair", include_str!("../own/rust_syntax.yaml")),
    (
        "dependency_fix",
        include_str!("../own/rust_dependency.yaml"),
    ),
    (
        "api_contract_adaptation",
        include_str!("../own/rust_api.yaml"),
    ),
    (
        "environment_healing",
        include_str!("../own/rust_environment.yaml"),
    ),
    (
        "assertion_update",
        include_str!("../own/rust_assertion.yaml"),
    ),
    ("assertion_update", include_str!("../own/history.yaml")),
    ("assertion_update", include_str!("../own/node_history.yaml")),
    ("assertion_update", include_str!("../own/rust_history.yaml")),
    ("syntax_repair", include_str!("../own/lint_ruff.yaml")),
    ("syntax_repair", include_str!("../own/lint_eslint.yaml")),
    ("dependency_fix", include_str!("../own/type_mypy.yaml")),
    ("dependency_fix", include_str!("../own/type_tsc.yaml")),
];

/// One project, as it stands in a file of `own/`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    id: String,
    /// For whoever reads the file.
    #[serde(rename = "note")]
    _note: String,
    #[serde(default = "heal")]
    verdict: Expected,
    #[serde(default = "pytest")]
    framework: Framework,
    /// An interpreter, where the case needs one: `3.11`. The system's own without it.
    #[serde(default)]
    python: Option<String>,
    #[serde(default)]
    install: Option<Vec<String>>,
    #[serde(default)]
    command: Option<Vec<String>>,
    #[serde(default)]
    variables: BTreeMap<String, String>,
    #[serde(default)]
    failing: String,
    /// What a checker found, where no test fails.
    #[serde(default)]
    finding: Option<Found>,
    /// Where it is not that of the file.
    #[serde(default)]
    strategy: Option<String>,
    files: BTreeMap<String, String>,
    /// Commits, oldest first.
    #[serde(default)]
    history: Vec<Commit>,
    /// Each makes a case of its own, which must be refused.
    #[serde(default)]
    bugs: Vec<Mutation>,
}

fn heal() -> Expected {
    Expected::Heal
}

fn pytest() -> Framework {
    Framework::Pytest
}

/// Every case of our own, and one more for each bug.
pub(crate) fn all() -> anyhow::Result<Vec<Case>> {
    let mut cases = Vec::new();
    for (strategy, text) in SETS {
        let set: Vec<Own> = serde_saphyr::from_str(text)?;
        for own in set {
            let bugs = own.bugs.clone();
            let case = own.case(strategy);
            for (number, bug) in bugs.into_iter().enumerate() {
                cases.push(Case {
                    id: format!("{}-bug-{}", case.id, number + 1),
                    mutation: vec![bug],
                    strategy: "none".to_owned(),
                    verdict: Expected::Refuse,
                    ..case.clone()
                });
            }
            cases.push(case);
        }
    }
    Ok(cases)
}

impl Own {
    fn case(self, strategy: &str) -> Case {
        let pytest = self.framework == Framework::Pytest;
        Case {
            set: match self.framework {
                _ if self.finding.is_some() => Set::Findings,
                Framework::Pytest | Framework::Unittest => Set::Own,
                Framework::Cargo => Set::Rust,
                Framework::NodeTest | Framework::Jest | Framework::Vitest => Set::Node,
            },
            package: self.id.clone(),
            version: String::new(),
            registry: Registry::default(),
            python: self.python,
            node: None,
            install: self.install.unwrap_or_else(|| {
                if pytest {
                    vec!["pytest".to_owned()]
                } else {
                    Vec::new()
                }
            }),
            command: self.command,
            variables: self.variables,
            mutation: Vec::new(),
            failing: vec![self.failing],
            framework: self.framework,
            strategy: match self.verdict {
                Expected::Heal => self.strategy.unwrap_or_else(|| strategy.to_owned()),
                Expected::Refuse | Expected::Green | Expected::Leave => "none".to_owned(),
            },
            verdict: self.verdict,
            files: self.files,
            history: self.history,
            finding: self.finding,
            id: self.id,
        }
    }
}

/// Writes the files of a project below `place`.
pub(crate) fn write(case: &Case, place: &Path) -> std::io::Result<PathBuf> {
    let root = place.join("project");
    write_all(&case.files, &root)?;
    if let Some((_, earlier)) = case.history.split_last() {
        git(&root, &["init", "--quiet", "--initial-branch=main", "."])?;
        for commit in earlier {
            write_all(&case.files, &root)?;
            write_all(&commit.files, &root)?;
            record(&root, &commit.message)?;
        }
        write_all(&case.files, &root)?;
    }
    Ok(root)
}

/// The last commit, after faults were planted; nothing where the project has no history.
pub(crate) fn finish(case: &Case, root: &Path) -> std::io::Result<()> {
    match case.history.last() {
        Some(last) => record(root, &last.message),
        None => Ok(()),
    }
}

fn write_all(files: &BTreeMap<String, String>, root: &Path) -> std::io::Result<()> {
    for (path, text) in files {
        let file = root.join(path);
        if let Some(directory) = file.parent() {
            std::fs::create_dir_all(directory)?;
        }
        std::fs::write(file, text)?;
    }
    Ok(())
}

fn record(root: &Path, message: &str) -> std::io::Result<()> {
    git(root, &["add", "--all"])?;
    git(root, &["commit", "--quiet", "--allow-empty", "-m", message])
}

fn git(root: &Path, arguments: &[&str]) -> std::io::Result<()> {
    let status = Command::new("git")
        .args(["-c", "user.name=A", "-c", "user.email=a@example.org"])
        .args([
            "-c",
            "commit.gpgSign=false",
            "-c",
            "core.hooksPath=/dev/null",
        ])
        .args(arguments)
        .current_dir(root)
        .status()?;
    if status.success() {
        return Ok(());
    }
    Err(std::io::Error::other(format!("git {arguments:?} failed")))
}
