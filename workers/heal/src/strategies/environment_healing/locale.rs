//! Locales that the host has not built, encodings that follow the locale, and the time zone database.

use maestro_protocol::heal::RuntimeChanges;
use tree_sitter::Node;

use super::declared::variables;
use super::{candidate, of_runtime};
use crate::case::{Case, Edit, Finding};
use crate::classify::subject::Said;
use crate::failure::Failure;
use crate::roles::{Role, Roles};
use crate::source::edit::{Splice, apply};
use crate::source::{Source, arguments};
use crate::strategies::{place, rank};

/// Locales of English in UTF-8: what tests name when they want any locale that knows Unicode.
const ANY_UNICODE: &[&str] = &[
    "en_US.UTF-8",
    "en_US.utf8",
    "en_US.utf-8",
    "en_US.UTF8",
    "en_GB.UTF-8",
    "en_GB.utf8",
];

/// The locale that every C library has built in.
const BUILT_IN: &str = "C.UTF-8";

/// `locale.Error: unsupported locale setting`.
pub(super) fn unsupported(case: &Case<'_>, failure: &Failure) -> Vec<Finding> {
    let Some(frame) = failure.innermost_own() else {
        return Vec::new();
    };
    let roles = Roles::of_case(case);
    let source = case.tree.read(&frame.path).and_then(Source::parse);
    let asked = source.as_ref().and_then(|source| {
        let statement = place::statement_at(source, frame.line)?;
        crate::source::descendants(statement).find_map(|node| place::string_value(source, node))
    });
    if asked.as_deref() == Some("") {
        return vec![Finding::Try(candidate(
            format!("set LC_ALL={BUILT_IN}: the environment names a locale that is not built here"),
            Vec::new(),
            of_runtime([("LC_ALL", BUILT_IN), ("LANG", BUILT_IN)]),
            rank::DECLARED_VARIABLE,
        ))];
    }
    // The name may stand where the locale is chosen, or in a constant of the test's.
    let mut findings: Vec<Finding> = Vec::new();
    if roles.of(&frame.path) == Role::Test
        && let Some(source) = &source
    {
        let splices: Vec<Splice> = source
            .nodes()
            .filter_map(|node| {
                let value = place::string_value(source, node)?;
                let whole = ANY_UNICODE.contains(&value.as_str()) && chooses(source, node);
                let part = matches!(value.as_str(), "en_US" | "en_GB")
                    && completes(source)
                    && in_a_call(node);
                let new = if whole { BUILT_IN } else { "C" };
                (whole || part).then(|| Splice::replace(node.byte_range(), format!("\"{new}\"")))
            })
            .collect();
        if !splices.is_empty()
            && let Some(text) = apply(source.text(), &splices)
        {
            findings.push(Finding::Try(candidate(
                format!(
                    "{}: the test asks for {BUILT_IN}, which every host has, in place of a locale that is not built here",
                    frame.path
                ),
                vec![Edit {
                    path: frame.path.clone(),
                    text,
                }],
                restored(source),
                rank::FIXTURE,
            )));
        }
    }
    let name = asked.map_or_else(
        || "a locale".to_owned(),
        |name| format!("the locale `{name}`"),
    );
    findings.push(Finding::Lacking(format!(
        "{}:{} asks for {name}, which is not built on this host: build it (`localedef`, or the system's package of locales)",
        frame.path, frame.line
    )));
    findings
}

/// What the run needs so that a test which gives the locale back can: `getlocale` calls C.UTF-8 by the name of an English
/// locale, which is the one that is not there (<https://github.com/python/cpython/issues/74940>).
fn restored(source: &Source) -> RuntimeChanges {
    if source.text().contains("getlocale(") {
        of_runtime([("LC_ALL", "C")])
    } else {
        RuntimeChanges::default()
    }
}

/// Whether the file puts the encoding behind a language itself: `"{0}.UTF-8".format(language)`.
fn completes(source: &Source) -> bool {
    ["}.UTF-8", "}.utf8", "%s.UTF-8", "+ \".UTF-8", "+ '.UTF-8"]
        .iter()
        .any(|ending| source.text().contains(ending))
}

fn in_a_call(literal: Node<'_>) -> bool {
    literal
        .parent()
        .is_some_and(|parent| parent.kind() == "argument_list")
}

/// Whether a literal is what `setlocale` is given, or a plain constant.
fn chooses(source: &Source, literal: Node<'_>) -> bool {
    std::iter::successors(literal.parent(), Node::parent)
        .take(6)
        .any(|node| match node.kind() {
            "call" => place::called(source, node) == "setlocale",
            "assignment" => node
                .child_by_field_name("right")
                .is_some_and(|right| right.id() == literal.id()),
            _ => false,
        })
}

/// `'ascii' codec can't decode byte …`: the locale decides how text is read and written.
pub(super) fn encoding(case: &Case<'_>, failure: &Failure, said: &Said) -> Vec<Finding> {
    let by_locale = [
        "'ascii' codec",
        "'latin-1' codec",
        "'charmap' codec",
        "'cp1252' codec",
    ]
    .iter()
    .any(|codec| said.message.starts_with(codec));
    let Some(frame) = failure.innermost_own().filter(|_| by_locale) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    let roles = Roles::of_case(case);
    let by_product = roles.of(&frame.path) == Role::Product;
    for variable in variables(case.tree) {
        let steers = matches!(
            variable.name.as_str(),
            "PYTHONUTF8" | "PYTHONIOENCODING" | "LANG" | "LC_ALL" | "LC_CTYPE"
        );
        if let Some(value) = variable.value.as_deref().filter(|_| steers) {
            findings.push(Finding::Try(candidate(
                format!("set {}={value}, as {} does", variable.name, variable.path),
                Vec::new(),
                of_runtime([(variable.name.as_str(), value)]),
                rank::DECLARED_VARIABLE,
            )));
        }
    }
    if !by_product {
        findings.extend(said_aloud(case, &frame.path, frame.line).map(Finding::Try));
    }
    // Python knows a mode of UTF-8 since 3.7 (<https://peps.python.org/pep-0540/>); before that the locale has to say it.
    let (how, set) = if case.installed.python < (3, 7) {
        ("LC_ALL=C.UTF-8", [("LC_ALL", BUILT_IN), ("LANG", BUILT_IN)])
    } else {
        (
            "PYTHONUTF8=1 and PYTHONIOENCODING=utf-8",
            [("PYTHONUTF8", "1"), ("PYTHONIOENCODING", "utf-8")],
        )
    };
    let in_utf8 = candidate(
        format!("set {how}: text is read and written in UTF-8 whatever the locale"),
        Vec::new(),
        of_runtime(set),
        rank::DECLARED_VARIABLE + 1,
    );
    // What names its codec itself is not the locale's to decide, and this changes nothing there.
    findings.push(if by_product {
        Finding::Propose(
            in_utf8,
            format!(
                "{}:{} leaves the encoding to the locale, which the product may have to name itself",
                frame.path, frame.line
            ),
        )
    } else {
        Finding::Try(in_utf8)
    });
    findings
}

/// `encoding="utf-8"` for what the failing line of the test opens.
fn said_aloud(case: &Case<'_>, path: &str, line: u32) -> Option<crate::case::Candidate> {
    let source = Source::parse(case.tree.read(path)?)?;
    let statement = place::statement_at(&source, line)?;
    let mut splices = Vec::new();
    for node in crate::source::descendants(statement).filter(|node| node.kind() == "call") {
        let opens = matches!(
            place::called(&source, node),
            "open" | "read_text" | "write_text" | "NamedTemporaryFile"
        );
        let text = source.slice(node);
        if !opens || text.contains("encoding") || text.contains("b\"") || text.contains("b'") {
            continue;
        }
        let brackets = node.child_by_field_name("arguments")?;
        splices.push(match arguments(node).last() {
            Some(last) => Splice::insert(last.end_byte(), ", encoding=\"utf-8\""),
            None => Splice::insert(brackets.start_byte() + 1, "encoding=\"utf-8\""),
        });
    }
    if splices.is_empty() {
        return None;
    }
    let text = apply(source.text(), &splices)?;
    Some(candidate(
        format!("{path}:{line}: the test names the encoding of the file that it opens"),
        vec![Edit {
            path: path.to_owned(),
            text,
        }],
        RuntimeChanges::default(),
        rank::FIXTURE,
    ))
}

/// The time zone database that hosts without one get from the index.
pub(super) fn zones(said: &Said) -> Vec<Finding> {
    if said.exception != "ZoneInfoNotFoundError" {
        return Vec::new();
    }
    vec![Finding::Try(candidate(
        "install tzdata, the time zone database of Python's own: this host has none".to_owned(),
        Vec::new(),
        RuntimeChanges {
            install: vec!["tzdata".to_owned()],
            ..RuntimeChanges::default()
        },
        rank::KNOWN_DISTRIBUTION,
    ))]
}

/// The locale of the run, where it is asked for without Unicode: `LC_ALL=C`. What the tests compare may have come through a product that
/// swallows what it could not encode, so no message says so.
pub(super) fn plain(case: &Case<'_>) -> Option<Finding> {
    // The first one that is set decides (<https://pubs.opengroup.org/onlinepubs/9799919799/basedefs/V1_chap08.html>).
    let (name, value) = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| {
        let value = case.installed.variables.get(*name)?;
        (!value.is_empty()).then_some((name, value))
    })?;
    matches!(value.as_str(), "C" | "POSIX").then(|| {
        Finding::Propose(
            candidate(
                format!("set LC_ALL={BUILT_IN}: the run is asked for with {name}={value}, a locale of ASCII alone"),
                Vec::new(),
                of_runtime([("LC_ALL", BUILT_IN)]),
                rank::DECLARED_VARIABLE + 1,
            ),
            "a product that leaves the encoding to the locale by mistake shows in the same way"
                .to_owned(),
        )
    })
}

/// `TZ`, where what runs the project's tests sets it and the failing test deals with local time.
pub(super) fn time_zone(case: &Case<'_>, failure: &Failure) -> Vec<Finding> {
    let about_time = failure.innermost_own().is_some_and(|frame| {
        case.tree.read(&frame.path).is_some_and(|text| {
            [
                "datetime",
                "localtime",
                "strftime",
                "timezone",
                "tzset",
                "mktime",
            ]
            .iter()
            .any(|word| text.contains(word))
        })
    });
    if !about_time {
        return Vec::new();
    }
    variables(case.tree)
        .iter()
        .filter(|variable| variable.name == "TZ")
        .filter_map(|variable| Some((variable, variable.value.as_deref()?)))
        .take(1)
        .map(|(variable, value)| {
            Finding::Propose(
                candidate(
                    format!("set TZ={value}, as {} does", variable.path),
                    Vec::new(),
                    of_runtime([("TZ", value)]),
                    rank::DECLARED_VARIABLE,
                ),
                "a product that reckons in local time by mistake shows in the same way".to_owned(),
            )
        })
        .collect()
}
