//! Changes of form: signatures that a runner no longer takes, what a module has that a script has not, and packages that
//! became modules.

use std::collections::BTreeMap;

use maestro_protocol::heal::Strategy;

use super::super::{own_sources, rewrite};
use crate::adapter::has_extension;
use crate::case::{Candidate, Case, Edit};
use crate::failure::Failure;
use crate::node::source::{Source, arguments, is_builtin, package_of, plain};
use crate::node::subject::{Subject, subject};
use crate::roles::{Role, Roles};
use crate::source::edit::{Splice, apply};
use crate::source::{ancestors, descendants};
use crate::strategies::rank;

/// The candidates for a failure.
pub(super) fn candidates(case: &Case<'_>, failure: &Failure) -> Vec<Candidate> {
    let Some(path) = failing_file(failure) else {
        return Vec::new();
    };
    let Some(source) = case
        .tree
        .read(&path)
        .and_then(|text| Source::parse(&path, text))
    else {
        return Vec::new();
    };
    let about = subject(failure);
    let message = failure.message.as_str();
    let made: Option<(Vec<Splice>, String, u32)> =
        if message.contains("cannot both take a 'done' callback and return something") {
            Some((
                without_done(&source),
                "a test that waits for its promise no longer takes a callback as well (jest 27)"
                    .to_owned(),
                rank::EXACT_RULE,
            ))
        } else if message.contains("provide options as a second argument") {
            Some((
                options_second(&source),
                "the options of a test come before its function (vitest 4)".to_owned(),
                rank::EXACT_RULE,
            ))
        } else if message.contains("argument \"title\" should be a string") {
            Some((
                titles_as_strings(&source),
                "the title of a test is a string (mocha 4)".to_owned(),
                rank::EXACT_RULE,
            ))
        } else if matches!(
            failure.code.as_deref(),
            Some("ERR_IMPORT_ATTRIBUTE_MISSING" | "ERR_IMPORT_ASSERTION_TYPE_MISSING")
        ) {
            Some((
                json_attributes(&source),
                "JSON is imported with its type (Node 22)".to_owned(),
                rank::EXACT_RULE,
            ))
        } else {
            match &about {
                Subject::NameUndefined(name) => undefined(case, &source, name, message)
                    .or_else(|| unimported(case, &source, &path, name)),
                Subject::NotCallable(called) => module_default(case, &source, called),
                _ => None,
            }
        };
    let Some((splices, description, rank)) = made.filter(|(splices, ..)| !splices.is_empty())
    else {
        return Vec::new();
    };
    apply(source.text(), &splices)
        .map(|text| {
            let edits = vec![Edit { path, text }];
            rewrite(Strategy::ApiContractAdaptation, description, edits, rank)
        })
        .into_iter()
        .collect()
}

/// The file of the innermost own frame, or of the test where there is none.
fn failing_file(failure: &Failure) -> Option<String> {
    failure
        .innermost_own()
        .map(|frame| frame.path.clone())
        .or_else(|| {
            let test = failure.test.as_deref()?;
            Some(test.split("::").next().unwrap_or(test).to_owned())
        })
}

const TESTS: [&str; 8] = [
    "test",
    "it",
    "beforeEach",
    "afterEach",
    "beforeAll",
    "afterAll",
    "describe",
    "test.concurrent",
];

/// An `async` test whose callback is only called once, last: it ends there by itself.
fn without_done(source: &Source) -> Vec<Splice> {
    let mut found = Vec::new();
    for (call, _) in source.calls().filter(|(_, called)| TESTS.contains(called)) {
        let Some(function) = arguments(call)
            .into_iter()
            .find(|node| matches!(node.kind(), "arrow_function" | "function_expression"))
        else {
            continue;
        };
        if !source.slice(function).starts_with("async") {
            continue;
        }
        let Some((parameters, name)) = only_parameter(source, function) else {
            continue;
        };
        let Some(body) = function
            .child_by_field_name("body")
            .filter(|body| body.kind() == "statement_block")
        else {
            continue;
        };
        let uses = descendants(body)
            .filter(|node| node.kind() == "identifier" && source.slice(*node) == name)
            .count();
        let last = u32::try_from(body.named_child_count())
            .ok()
            .and_then(|count| body.named_child(count.checked_sub(1)?));
        let Some(last) =
            last.filter(|last| source.slice(*last).trim_end_matches(';') == format!("{name}()"))
        else {
            continue;
        };
        if uses != 1 {
            continue;
        }
        found.push(Splice::replace(parameters, "()"));
        // With the line that it stood on.
        let before = source.text().get(..last.start_byte()).unwrap_or_default();
        let start = before.trim_end().len();
        found.push(Splice::replace(start..last.end_byte(), ""));
    }
    found
}

fn only_parameter<'s>(
    source: &'s Source,
    function: tree_sitter::Node<'_>,
) -> Option<(std::ops::Range<usize>, &'s str)> {
    if let Some(parameter) = function.child_by_field_name("parameter") {
        return Some((parameter.byte_range(), source.slice(parameter)));
    }
    let list = function.child_by_field_name("parameters")?;
    let only = list
        .named_child(0)
        .filter(|_| list.named_child_count() == 1)?;
    (only.kind() == "identifier").then(|| (list.byte_range(), source.slice(only)))
}

/// `test(name, function, { options })` with its arguments in the order that is taken now.
fn options_second(source: &Source) -> Vec<Splice> {
    let mut found = Vec::new();
    for (call, called) in source.calls() {
        let root = called.split('.').next().unwrap_or(called);
        let given = arguments(call);
        let [_, function, options] = given.as_slice() else {
            continue;
        };
        let is_it = matches!(root, "test" | "it" | "describe" | "suite")
            && matches!(function.kind(), "arrow_function" | "function_expression")
            && options.kind() == "object";
        if is_it {
            found.push(Splice::replace(
                function.byte_range(),
                source.slice(*options),
            ));
            found.push(Splice::replace(
                options.byte_range(),
                source.slice(*function),
            ));
        }
    }
    found
}

/// Titles that are no text: a number, or whatever a name holds, as the text that an earlier mocha made of it.
fn titles_as_strings(source: &Source) -> Vec<Splice> {
    source
        .calls()
        .filter(|(_, called)| {
            matches!(
                called.split('.').next(),
                Some("it" | "test" | "specify" | "describe" | "context" | "suite")
            )
        })
        .filter_map(|(call, _)| arguments(call).into_iter().next())
        .filter(|title| {
            matches!(
                title.kind(),
                "number" | "identifier" | "member_expression" | "subscript_expression"
            )
        })
        .map(|title| {
            Splice::replace(
                title.byte_range(),
                format!("String({})", source.slice(title)),
            )
        })
        .collect()
}

/// `import x from './x.json'` with the attribute that it takes now.
fn json_attributes(source: &Source) -> Vec<Splice> {
    source
        .nodes()
        .filter(|node| node.kind() == "import_statement")
        .filter_map(|node| {
            let from = node.child_by_field_name("source")?;
            let json = has_extension(source.string(from)?, &["json"]);
            let bare = source.text().get(from.end_byte()..node.end_byte())?;
            (json && !bare.contains('{'))
                .then(|| Splice::insert(from.end_byte(), " with { type: 'json' }"))
        })
        .collect()
}

/// What a script has and a module has not, and what a runner gives to those who import it.
fn undefined(
    case: &Case<'_>,
    source: &Source,
    name: &str,
    message: &str,
) -> Option<(Vec<Splice>, String, u32)> {
    let newline = "\n";
    let start = start_of_code(source);
    if message.contains("in ES module scope") || super::sites::is_module(source) {
        let (lines, what) = match name {
            "require" => (
                "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);",
                "`require` is made in a module, which has none",
            ),
            "__dirname" if case.installed.node >= (20, 11) => (
                "const __dirname = import.meta.dirname;",
                "`__dirname` is `import.meta.dirname` in a module",
            ),
            "__filename" if case.installed.node >= (20, 11) => (
                "const __filename = import.meta.filename;",
                "`__filename` is `import.meta.filename` in a module",
            ),
            "jest" if has(case, "jest") => (
                "import { jest } from '@jest/globals';",
                "`jest` is imported in a module, which does not find it by itself",
            ),
            _ => return of_vitest(case, source, name, start),
        };
        let splice = Splice::insert(start, format!("{lines}{newline}"));
        return Some((vec![splice], what.to_owned(), rank::EXACT_RULE));
    }
    of_vitest(case, source, name, start)
}

/// What vitest gives to files that import it, and to others only if its configuration says so.
fn of_vitest(
    case: &Case<'_>,
    source: &Source,
    name: &str,
    start: usize,
) -> Option<(Vec<Splice>, String, u32)> {
    const GIVEN: [&str; 9] = [
        "describe",
        "it",
        "test",
        "expect",
        "vi",
        "beforeEach",
        "afterEach",
        "beforeAll",
        "afterAll",
    ];
    if !GIVEN.contains(&name) || !has(case, "vitest") || has(case, "jest") {
        return None;
    }
    let bound = source.bindings();
    let mut used: Vec<&str> = GIVEN
        .into_iter()
        .filter(|given| {
            !bound.contains_key(*given)
                && source.calls().any(|(_, called)| {
                    called == *given
                        || called.starts_with(&format!("{given}."))
                        || called.starts_with(&format!("{given}("))
                })
        })
        .collect();
    used.sort_unstable();
    (!used.is_empty()).then(|| {
        let line = format!("import {{ {} }} from 'vitest';\n", used.join(", "));
        (
            vec![Splice::insert(start, line)],
            "what vitest does not put in every file by itself is imported".to_owned(),
            rank::EXACT_RULE,
        )
    })
}

/// A name that a test uses and does not import: as its neighbours import it, or as a module of Node is called. What a
/// product lacks is not added: who took it away, and why, a person knows.
fn unimported(
    case: &Case<'_>,
    source: &Source,
    path: &str,
    name: &str,
) -> Option<(Vec<Splice>, String, u32)> {
    if Roles::of_case(case).of(path) != Role::Test {
        return None;
    }
    let mut known: BTreeMap<(String, Option<String>), usize> = BTreeMap::new();
    for other in own_sources(case).filter(|other| *other != path).take(200) {
        let bound = case
            .tree
            .read(other)
            .and_then(|text| Source::parse(other, text))
            .and_then(|other| other.bindings().remove(name));
        if let Some(binding) = bound.filter(|binding| !binding.module.starts_with('.')) {
            *known.entry((binding.module, binding.member)).or_default() += 1;
        }
    }
    let (module, member) = known
        .into_iter()
        .max_by_key(|(_, times)| *times)
        .map(|(of, _)| of)
        .or_else(|| is_builtin(name).then(|| (name.to_owned(), None)))?;
    let module = if is_builtin(&module) && source.text().contains("'node:") {
        format!("node:{}", plain(&module))
    } else {
        module
    };
    let line = if super::sites::is_module(source) || path.rsplit('.').next() == Some("mjs") {
        match member.as_deref() {
            None | Some("default") => format!("import {name} from '{module}';\n"),
            Some(member) if member == name => format!("import {{ {name} }} from '{module}';\n"),
            Some(member) => format!("import {{ {member} as {name} }} from '{module}';\n"),
        }
    } else {
        match member.as_deref() {
            None => format!("const {name} = require('{module}');\n"),
            Some(member) if member == name => {
                format!("const {{ {name} }} = require('{module}');\n")
            }
            Some(member) => format!("const {{ {member}: {name} }} = require('{module}');\n"),
        }
    };
    Some((
        vec![Splice::insert(start_of_code(source), line)],
        format!("{path} gets `{name}` from `{module}`, which it uses and does not import"),
        rank::DERIVED,
    ))
}

fn has(case: &Case<'_>, package: &str) -> bool {
    case.installed
        .distributions
        .iter()
        .any(|(name, _)| name == package)
}

/// Behind the line by which a file says what runs it.
fn start_of_code(source: &Source) -> usize {
    let text = source.text();
    if text.starts_with("#!") {
        text.find('\n').map_or(text.len(), |at| at + 1)
    } else {
        0
    }
}

/// A package that became a module: what `require` answers is no longer what it gives out by default.
fn module_default(
    case: &Case<'_>,
    source: &Source,
    called: &str,
) -> Option<(Vec<Splice>, String, u32)> {
    let object = called.split(['.', '(', '[']).next().unwrap_or(called);
    let binding = source.bindings().get(object).cloned()?;
    let package = package_of(&binding.module)?;
    if !binding.required || binding.member.is_some() || is_builtin(&binding.module) {
        return None;
    }
    let file = case
        .installed
        .site_packages
        .join(package)
        .join("package.json");
    let size = file
        .symlink_metadata()
        .ok()
        .filter(std::fs::Metadata::is_file)?
        .len();
    if size > 1 << 20 {
        return None;
    }
    let manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
    if manifest.get("type")?.as_str()? != "module" {
        return None;
    }
    let splices: Vec<Splice> = source
        .modules()
        .into_iter()
        .filter(|(_, name)| *name == binding.module)
        .filter_map(|(string, _)| {
            let call = ancestors(string).find(|node| node.kind() == "call_expression")?;
            let bare = call
                .parent()
                .is_some_and(|up| up.kind() == "variable_declarator");
            bare.then(|| Splice::insert(call.end_byte(), ".default"))
        })
        .collect();
    Some((
        splices,
        format!("`{package}` is a module since, and gives out its default by that name"),
        rank::DERIVED,
    ))
}
