//! What a failure is about, from the compiler's code (<https://doc.rust-lang.org/error_codes/error-index.html>) and the
//! places that it marks, and from what a panic says.

use std::sync::LazyLock;

use regex::Regex;

use super::panics::ASSERTION;
use super::report::{TOGETHER, UNSTEADY};
use crate::failure::{Failure, Phase};

/// What a failure is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Subject {
    /// Crates that are used and not asked for, by the names that the code has for them.
    CratesMissing(Vec<String>),
    /// A name that a crate does not have.
    NameMissing {
        /// The crate's name in code, where it is said: `crate` for the file's own.
        of: Option<String>,
        /// The name.
        name: String,
    },
    /// Something that is only there with a feature of its crate.
    FeatureMissing {
        /// The crate's name in code.
        of: Option<String>,
        /// The feature.
        feature: String,
    },
    /// A method, or an associated function, that a type does not have.
    MethodMissing {
        /// The method.
        name: String,
        /// The type, without its parameters.
        of: String,
    },
    /// A variable that is read when the code is compiled, or by a test.
    VariableMissing(Option<String>),
    /// A requirement that no version meets.
    RequirementUnmet {
        /// The crate.
        name: String,
        /// The requirement.
        requirement: String,
    },
    /// A file does not parse.
    Syntax,
    /// The compiler refuses what parses.
    Build,
    /// cargo ended before anything was compiled.
    Cargo,
    /// It does not fail each time, or not by itself.
    Unsteady,
    /// An assertion does not hold.
    Assertion,
    /// Any other end of a test.
    Other,
}

/// The words between the first backticks behind some text.
fn quoted<'t>(text: &'t str, behind: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(behind)?;
    rest.split_once('`')?.1.split('`').next()
}

/// Says what a failure is about.
pub(super) fn subject(failure: &Failure) -> Subject {
    let code = failure.code.as_deref().unwrap_or_default();
    if failure.phase > Phase::Collection {
        return match code {
            UNSTEADY | TOGETHER => Subject::Unsteady,
            _ if failure.exception.as_deref() == Some(ASSERTION) => Subject::Assertion,
            _ if failure.message.contains("NotPresent")
                || failure.message.contains("environment variable not found") =>
            {
                Subject::VariableMissing(None)
            }
            _ => Subject::Other,
        };
    }
    let Some(compiled) = &failure.compiled else {
        return unmet(&failure.text).unwrap_or(Subject::Cargo);
    };
    if let Some(name) = failure
        .message
        .strip_prefix("environment variable `")
        .and_then(|rest| rest.split_once("` not defined at compile time"))
        .map(|(name, _)| name)
    {
        return Subject::VariableMissing(Some(name.to_owned()));
    }
    let missing = crates_missing(failure);
    if !missing.is_empty() {
        return Subject::CratesMissing(missing);
    }
    if let Some(feature) = compiled.notes.iter().find_map(|note| {
        note.contains("is gated behind the")
            .then(|| quoted(note, "gated behind the"))?
    }) {
        return Subject::FeatureMissing {
            of: name_missing(failure).and_then(|(of, _)| of),
            feature: feature.to_owned(),
        };
    }
    // Its note has no message where it stands beside the place.
    if let Some(feature) = compiled
        .spans
        .iter()
        .find_map(|span| quoted(&span.label, "gated behind the"))
    {
        return Subject::FeatureMissing {
            of: name_missing(failure).and_then(|(of, _)| of),
            feature: feature.to_owned(),
        };
    }
    match code {
        "E0432" | "E0433" | "E0425" | "E0412" | "E0405" | "E0404" | "E0423" | "E0407" | "E0531" => {
            match name_missing(failure) {
                Some((of, name)) => Subject::NameMissing { of, name },
                None => Subject::Build,
            }
        }
        "E0599" | "E0689" => match method_missing(&failure.message) {
            Some((name, of)) => Subject::MethodMissing { name, of },
            None => Subject::Build,
        },
        // `use of … macro`: `cannot find macro `x` in this scope`.
        "" if failure.message.starts_with("cannot find") => match name_missing(failure) {
            Some((of, name)) => Subject::NameMissing { of, name },
            None => Subject::Build,
        },
        "" => Subject::Syntax,
        _ => Subject::Build,
    }
}

/// The crates that are not asked for, each once.
fn crates_missing(failure: &Failure) -> Vec<String> {
    static UNLINKED: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"unlinked crate `(\w+)`|module or crate `(\w+)`|cargo add (\S+?)`").ok()
    });
    let code = failure.code.as_deref().unwrap_or_default();
    let Some(compiled) = &failure.compiled else {
        return Vec::new();
    };
    let mut found: Vec<String> = Vec::new();
    if code == "E0463" {
        found.extend(quoted(&failure.message, "crate for").map(str::to_owned));
    }
    if matches!(code, "E0432" | "E0433") {
        let labels = compiled.spans.iter().map(|span| span.label.as_str());
        let fixes = compiled.fixes.iter().map(|fix| fix.message.as_str());
        for said in labels
            .chain(compiled.notes.iter().map(String::as_str))
            .chain(fixes)
            .chain([failure.message.as_str()])
        {
            let Some(unlinked) = UNLINKED.as_ref() else {
                continue;
            };
            for name in unlinked.captures_iter(said).flat_map(|captures| {
                (1..4).filter_map(move |number| {
                    captures.get(number).map(|name| name.as_str().to_owned())
                })
            }) {
                let name = name.replace('-', "_");
                if !found.contains(&name) {
                    found.push(name);
                }
            }
        }
    }
    found.retain(|name| {
        !matches!(
            name.as_str(),
            "crate" | "self" | "super" | "std" | "core" | "alloc"
        )
    });
    found
}

/// The first part of a path.
fn first(path: &str) -> Option<String> {
    path.trim_start_matches("::")
        .split("::")
        .next()
        .map(str::to_owned)
}

/// The name that is not there, and the crate that it was looked for in.
fn name_missing(failure: &Failure) -> Option<(Option<String>, String)> {
    let compiled = failure.compiled.as_ref()?;
    let message = &failure.message;
    // `unresolved import `rand::distributions::Uniform``: what is missing may stand in the middle.
    if let Some(path) = quoted(message, "unresolved import") {
        let label = compiled
            .spans
            .first()
            .map_or("", |span| span.label.as_str());
        let name = quoted(label, "could not find")
            .or_else(|| quoted(label, "no "))
            .or_else(|| path.rsplit("::").next())?;
        return Some((first(path), name.to_owned()));
    }
    // `could not find `distributions` in `rand``, `cannot find function `f` in crate `rand``.
    let behind = ["could not find", "cannot find"]
        .into_iter()
        .find(|behind| message.contains(behind))?;
    let name = quoted(message, behind)?;
    let rest = message
        .split_once(&format!("`{name}`"))
        .map_or("", |(_, rest)| rest);
    let of = rest
        .contains(" in ")
        .then(|| quoted(rest, " in "))
        .flatten()
        .and_then(first);
    Some((of, name.to_owned()))
}

/// Every name that is not there: one error tells of all names that one line brings in.
pub(super) fn names_missing(failure: &Failure) -> Vec<(Option<String>, String)> {
    let Some((of, name)) = name_missing(failure) else {
        return Vec::new();
    };
    let mut found = vec![(of, name)];
    if failure.message.starts_with("unresolved imports") {
        for path in failure.message.split('`').skip(1).step_by(2) {
            if let (Some(of), Some((_, name))) = (first(path), path.rsplit_once("::")) {
                let named = (Some(of), name.to_owned());
                if !found.contains(&named) {
                    found.push(named);
                }
            }
        }
    }
    found
}

/// What stands in `no method named … found for struct …`.
fn method_missing(message: &str) -> Option<(String, String)> {
    let name = quoted(message, "named")?;
    let rest = message.split_once("found for").map_or("", |(_, rest)| rest);
    let of = quoted(rest, "").unwrap_or_default();
    let of = of.trim_start_matches(['&', ' ']).trim_start_matches("mut ");
    let of = of.split('<').next().unwrap_or(of);
    Some((
        name.to_owned(),
        of.rsplit("::").next().unwrap_or(of).to_owned(),
    ))
}

/// What stands in `failed to select a version for the requirement …`.
fn unmet(said: &str) -> Option<Subject> {
    let requirement = quoted(said, "a version for the requirement")?;
    let (name, requirement) = requirement.split_once('=')?;
    Some(Subject::RequirementUnmet {
        name: name.trim().to_owned(),
        requirement: requirement.trim().trim_matches('"').to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Compiled, Span};

    fn compiled(code: &str, message: &str, label: &str, notes: &[&str]) -> Failure {
        Failure {
            phase: Phase::Collection,
            code: Some(code.to_owned()).filter(|code| !code.is_empty()),
            message: message.to_owned(),
            compiled: Some(Compiled {
                spans: vec![Span {
                    label: label.to_owned(),
                    ..Span::default()
                }],
                notes: notes.iter().map(|&note| note.to_owned()).collect(),
                fixes: Vec::new(),
            }),
            ..Failure::default()
        }
    }

    #[test]
    fn a_crate_that_nobody_asks_for_is_told_from_a_name_that_a_crate_lacks() {
        let missing = compiled(
            "E0432",
            "unresolved import `fastrand`",
            "use of unresolved module or unlinked crate `fastrand`",
            &[
                "if you wanted to use a crate named `fastrand`, use `cargo add fastrand` to add it to your `Cargo.toml`",
            ],
        );
        assert_eq!(
            subject(&missing),
            Subject::CratesMissing(vec!["fastrand".into()])
        );
        for (code, message, label) in [
            (
                "E0432",
                "unresolved import `rand::distributions::Uniform`",
                "could not find `distributions` in `rand`",
            ),
            (
                "E0433",
                "failed to resolve: could not find `distributions` in `rand`",
                "",
            ),
            ("E0433", "cannot find `distributions` in `rand`", ""),
            (
                "E0425",
                "cannot find value `distributions` in crate `rand`",
                "not found in `rand`",
            ),
        ] {
            let expected = Subject::NameMissing {
                of: Some("rand".into()),
                name: "distributions".into(),
            };
            assert_eq!(
                subject(&compiled(code, message, label, &[])),
                expected,
                "{message}"
            );
        }
        let here = compiled(
            "E0425",
            "cannot find function `thread_rng` in this scope",
            "",
            &[],
        );
        assert_eq!(
            subject(&here),
            Subject::NameMissing {
                of: None,
                name: "thread_rng".into()
            }
        );
    }

    #[test]
    fn features_methods_variables_and_requirements_are_recognised() {
        let gated = compiled(
            "E0433",
            "failed to resolve: could not find `test` in `tokio`",
            "could not find `test` in `tokio`",
            &[
                "found an item that was configured out",
                "the item is gated behind the `macros` feature",
            ],
        );
        assert_eq!(
            subject(&gated),
            Subject::FeatureMissing {
                of: Some("tokio".into()),
                feature: "macros".into()
            }
        );
        let method = compiled(
            "E0599",
            "no method named `gen_range` found for struct `ThreadRng` in the current scope",
            "",
            &[],
        );
        assert_eq!(
            subject(&method),
            Subject::MethodMissing {
                name: "gen_range".into(),
                of: "ThreadRng".into()
            }
        );
        let variable = compiled(
            "",
            "environment variable `SHOP_URL` not defined at compile time",
            "",
            &[],
        );
        assert_eq!(
            subject(&variable),
            Subject::VariableMissing(Some("SHOP_URL".into()))
        );
        let cargo = Failure {
            phase: Phase::Configuration,
            text: "error: failed to select a version for the requirement `itoa = \"^99\"`\ncandidate versions found which didn't match: 1.0.15".to_owned(),
            ..Failure::default()
        };
        assert_eq!(
            subject(&cargo),
            Subject::RequirementUnmet {
                name: "itoa".into(),
                requirement: "^99".into()
            }
        );
    }
}
