//! What cargo and rustc say as data
//! (<https://doc.rust-lang.org/cargo/reference/external-tools.html#json-messages>,
//! <https://doc.rust-lang.org/rustc/json.html>): the programs that were built, and why one could not be.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::failure::{Compiled, Failure, Fix, Frame, Phase, Span};
use crate::runner::console::tail;

/// The most text kept of one error.
const EXCERPT: usize = 16 * 1024;

/// Where the paths of a run lie.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// The project's directory in the copy: what paths here are relative to.
    pub(super) project: PathBuf,
    /// The workspace's: what rustc's paths are relative to.
    pub(super) workspace: PathBuf,
}

impl Places {
    /// A path of rustc's or of a panic's as reports have it.
    pub(super) fn relative(&self, path: &str) -> String {
        let path = self.workspace.join(path.strip_prefix("./").unwrap_or(path));
        path.strip_prefix(&self.project)
            .unwrap_or(&path)
            .display()
            .to_string()
    }
}

/// A test program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    /// Its file.
    pub(super) path: String,
    pub(super) of: Built,
}

/// What a program is built from.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Built {
    /// The package's name.
    pub(super) package: String,
    /// `lib`, `bin`, `test`, …
    pub(super) kind: String,
    /// The target's name.
    pub(super) name: String,
    /// Its first file, relative to the project's directory.
    pub(super) source: String,
}

/// What cargo said of a build.
#[derive(Debug, Clone, Default)]
pub(super) struct Build {
    /// Whether all was built; `None` where it did not come that far.
    pub(super) succeeded: Option<bool>,
    /// The test programs.
    pub(super) programs: Vec<Program>,
    /// The errors, in the order in which they came, each once.
    pub(super) errors: Vec<Failure>,
}

#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    package_id: String,
    target: Option<Target>,
    profile: Option<Profile>,
    executable: Option<String>,
    #[serde(rename = "message")]
    diagnostic: Option<Diagnostic>,
    success: Option<bool>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
    name: String,
    src_path: String,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

#[derive(Deserialize)]
struct Diagnostic {
    message: String,
    code: Option<Code>,
    level: String,
    spans: Vec<RawSpan>,
    #[serde(default)]
    children: Vec<Diagnostic>,
    rendered: Option<String>,
}

#[derive(Deserialize)]
struct Code {
    code: String,
}

#[derive(Deserialize)]
struct RawSpan {
    file_name: String,
    byte_start: usize,
    byte_end: usize,
    line_start: u32,
    is_primary: bool,
    #[serde(default)]
    text: Vec<Line>,
    label: Option<String>,
    suggested_replacement: Option<String>,
    suggestion_applicability: Option<String>,
    expansion: Option<Box<Expansion>>,
}

#[derive(Deserialize)]
struct Line {
    text: String,
    highlight_start: usize,
    highlight_end: usize,
}

#[derive(Deserialize)]
struct Expansion {
    span: RawSpan,
}

/// Reads what cargo printed, a JSON object a line.
pub(super) fn read(stdout: &[u8], places: &Places) -> Build {
    let mut build = Build::default();
    for line in stdout.split(|byte| *byte == b'\n') {
        let Ok(message) = serde_json::from_slice::<Message>(line) else {
            continue;
        };
        match message.reason.as_str() {
            "build-finished" => build.succeeded = message.success,
            "compiler-artifact" => {
                let tested = message.profile.as_ref().is_some_and(|profile| profile.test);
                if let (Some(target), Some(path), true) =
                    (message.target, message.executable, tested)
                {
                    let of = built(&target, &message.package_id, places);
                    build.programs.push(Program { path, of });
                }
            }
            "compiler-message" => {
                if let Some(diagnostic) = message.diagnostic
                    && let Some(error) = error(&diagnostic, places)
                    && !build.errors.contains(&error)
                {
                    build.errors.push(error);
                }
            }
            _ => {}
        }
    }
    build
}

fn built(target: &Target, package_id: &str, places: &Places) -> Built {
    Built {
        package: package(package_id).to_owned(),
        kind: target.kind.first().cloned().unwrap_or_default(),
        name: target.name.clone(),
        source: places.relative(&target.src_path),
    }
}

/// The name in a package's id: `path+file:///a/shop#0.1.0`, `path+file:///a/b#shop@0.1.0`
/// (<https://doc.rust-lang.org/cargo/reference/pkgid-spec.html>).
fn package(id: &str) -> &str {
    let (place, version) = id.rsplit_once('#').unwrap_or((id, ""));
    match version.split_once('@') {
        Some((name, _)) => name,
        None => place.rsplit('/').next().unwrap_or(place),
    }
}

fn error(diagnostic: &Diagnostic, places: &Places) -> Option<Failure> {
    if diagnostic.level != "error" && !diagnostic.level.starts_with("error:") {
        return None;
    }
    if diagnostic.spans.is_empty() && diagnostic.message.starts_with("aborting due to") {
        return None;
    }
    let (primary, secondary): (Vec<_>, Vec<_>) =
        diagnostic.spans.iter().partition(|span| span.is_primary);
    let (offers, notes): (Vec<_>, Vec<_>) = diagnostic.children.iter().partition(|child| {
        child
            .spans
            .iter()
            .any(|span| span.suggested_replacement.is_some())
    });
    let of_notes = notes.iter().flat_map(|note| &note.spans);
    let spans: Vec<Span> = primary
        .into_iter()
        .chain(secondary)
        .chain(of_notes)
        .map(|raw| span(raw, places))
        .collect();
    let text = diagnostic
        .rendered
        .as_deref()
        .unwrap_or(&diagnostic.message);
    Some(Failure {
        test: None,
        phase: Phase::Collection,
        exception: Some("error".to_owned()),
        message: diagnostic.message.clone(),
        frames: spans
            .first()
            .map(|span| Frame {
                path: span.path.clone(),
                line: span.line,
                function: String::new(),
            })
            .into_iter()
            .collect(),
        text: tail(text, EXCERPT).to_owned(),
        code: diagnostic.code.as_ref().map(|code| code.code.clone()),
        compared: None,
        complaint: None,
        compiled: Some(Compiled {
            spans,
            notes: notes.into_iter().map(|note| note.message.clone()).collect(),
            fixes: offers.into_iter().map(|offer| fix(offer, places)).collect(),
        }),
    })
}

/// The place in the project's own text: what a macro makes has that of its call.
fn span(raw: &RawSpan, places: &Places) -> Span {
    let mut written = raw;
    while let Some(expansion) = &written.expansion {
        written = &expansion.span;
    }
    let text = match written.text.as_slice() {
        [line] => line
            .text
            .chars()
            .skip(line.highlight_start.saturating_sub(1))
            .take(line.highlight_end.saturating_sub(line.highlight_start))
            .collect(),
        _ => String::new(),
    };
    Span {
        path: places.relative(&written.file_name),
        bytes: written.byte_start..written.byte_end,
        line: written.line_start,
        text,
        label: raw.label.clone().unwrap_or_default(),
    }
}

fn fix(offer: &Diagnostic, places: &Places) -> Fix {
    let parts: Vec<&RawSpan> = offer
        .spans
        .iter()
        .filter(|span| span.suggested_replacement.is_some())
        .collect();
    // A place that a macro made is none of a file.
    let certain = parts.iter().all(|span| {
        span.suggestion_applicability.as_deref() == Some("MachineApplicable")
            && span.expansion.is_none()
    });
    Fix {
        message: offer.message.clone(),
        certain,
        parts: parts
            .into_iter()
            .map(|raw| {
                let replacement = raw.suggested_replacement.clone().unwrap_or_default();
                (span(raw, places), replacement)
            })
            .collect(),
    }
}

/// The failure of a run that cargo ended before anything was compiled, from its own words: they have no other form.
pub(super) fn said_by_cargo(excerpt: &str, places: Option<&Places>) -> Failure {
    let mut lines = excerpt.lines();
    let first = lines.next().unwrap_or_default();
    let message = first.strip_prefix("error: ").unwrap_or(first);
    // What stands behind says what it was about; where the copy lies says nothing.
    let mut text = excerpt.to_owned();
    if let Some(places) = places {
        for place in [&places.project, &places.workspace] {
            text = text.replace(&format!("{}/", place.display()), "");
        }
    }
    Failure {
        test: None,
        phase: Phase::Configuration,
        exception: Some("cargo".to_owned()),
        message: if message.is_empty() {
            "cargo ended with an error and said nothing".to_owned()
        } else {
            message.to_owned()
        },
        text: tail(&text, EXCERPT).to_owned(),
        ..Failure::default()
    }
}

/// The file of a path, where it names one of the sources of Rust.
pub(super) fn is_source(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|end| end == "rs")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ERROR: &str = r#"{"reason":"compiler-message","package_id":"path+file:///w/shop#0.1.0","target":{"kind":["test"],"name":"price","src_path":"/w/shop/tests/price.rs"},"message":{"rendered":"error[E0596]: …","message":"cannot borrow `v` as mutable","code":{"code":"E0596"},"level":"error","spans":[{"file_name":"tests/price.rs","byte_start":40,"byte_end":41,"line_start":4,"is_primary":true,"text":[{"text":"    v.push(1);","highlight_start":5,"highlight_end":6}],"label":"cannot borrow as mutable","suggested_replacement":null,"suggestion_applicability":null,"expansion":null}],"children":[{"message":"consider changing this to be mutable","code":null,"level":"help","spans":[{"file_name":"tests/price.rs","byte_start":20,"byte_end":20,"line_start":3,"is_primary":true,"text":[],"label":null,"suggested_replacement":"mut ","suggestion_applicability":"MachineApplicable","expansion":null}],"children":[],"rendered":null}]}}"#;

    fn places() -> Places {
        Places {
            project: "/w/shop".into(),
            workspace: "/w/shop".into(),
        }
    }

    #[test]
    fn an_error_has_its_place_its_code_and_what_the_compiler_vouches_for() {
        let twice =
            format!("{ERROR}\n{ERROR}\n{{\"reason\":\"build-finished\",\"success\":false}}\n");
        let build = read(twice.as_bytes(), &places());
        assert_eq!(build.succeeded, Some(false));
        assert_eq!(
            build.errors.len(),
            1,
            "once for the library and once for its tests"
        );
        let error = &build.errors[0];
        assert_eq!(error.code.as_deref(), Some("E0596"));
        assert_eq!(error.frames[0].path, "tests/price.rs");
        let compiled = error.compiled.as_ref().unwrap();
        assert_eq!(compiled.spans[0].text, "v");
        assert!(compiled.fixes[0].certain);
        assert_eq!(compiled.fixes[0].parts[0].1, "mut ");
    }

    #[test]
    fn test_programs_are_told_from_others_and_know_their_package() {
        let artifact = |test: bool| {
            format!(
                r#"{{"reason":"compiler-artifact","package_id":"path+file:///w/shop/a#b@0.1.0","target":{{"kind":["lib"],"name":"b","src_path":"/w/shop/a/src/lib.rs"}},"profile":{{"test":{test}}},"executable":"/t/b-1"}}"#
            )
        };
        let build = read(
            format!("{}\n{}", artifact(true), artifact(false)).as_bytes(),
            &places(),
        );
        assert_eq!(build.programs.len(), 1);
        assert_eq!(
            build.programs[0].of,
            Built {
                package: "b".into(),
                kind: "lib".into(),
                name: "b".into(),
                source: "a/src/lib.rs".into()
            }
        );
        assert_eq!(package("path+file:///a/shop#0.1.0"), "shop");
    }
}
