//! What a type checker's words mean: something that is lacking outside of the code, or types that do not fit. The words are
//! those of [mypy's error codes](https://mypy.readthedocs.io/en/stable/error_code_list.html) and of TypeScript's
//! diagnostics.

use std::sync::LazyLock;

use maestro_findings::Finding;
use regex::Regex;

use crate::case::Tree;

/// What is lacking outside of the code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lack {
    /// The types of a module that is installed or is known to mypy; the distributions that mypy names for them.
    Stubs { module: String, named: Vec<String> },
    /// Types that TypeScript names packages for.
    Types { about: String, named: Vec<String> },
    /// A module that is not there.
    Module { module: String },
    /// A name that a module does not have.
    Name { module: String, name: String },
}

macro_rules! pattern {
    ($name:ident, $text:expr) => {
        static $name: LazyLock<Regex> =
            LazyLock::new(|| Regex::new($text).expect("a pattern of this file compiles"));
    };
}

pattern!(STUBS, r#"^Library stubs not installed for "([\w.]+)""#);
pattern!(
    UNTYPED,
    r#"^Skipping analyzing "([\w.]+)": module is installed, but missing library stubs or py\.typed marker"#
);
pattern!(
    PIP,
    r"pip install ([A-Za-z0-9][\w.-]*(?: [A-Za-z0-9][\w.-]*)*)"
);
pattern!(
    NO_MODULE,
    r#"^Cannot find implementation or library stub for module named "([\w.]+)""#
);
pattern!(
    NO_NAME,
    r#"^Module "([\w.]+)" (?:has no attribute "(\w+)"|does not explicitly export attribute "(\w+)")"#
);
pattern!(
    NO_TYPES,
    r"Could not find a declaration file for module '([^']+)'"
);
pattern!(
    NO_TS_MODULE,
    r"^Cannot find module '([^']+)' or its corresponding type declarations"
);
pattern!(NO_TS_NAME, r"^Cannot find name '([^']+)'\.");
pattern!(TYPES, r"@types/[a-z0-9][a-z0-9._-]*");

/// What a finding says is lacking outside of the code; `None` where the code is what it is about.
pub(super) fn lacks(finding: &Finding) -> Option<Lack> {
    let message = finding.message.as_str();
    let all = format!("{message}\n{}", finding.hint.as_deref().unwrap_or_default());
    let captured = |pattern: &Regex| {
        pattern
            .captures(message)
            .and_then(|found| Some(found.get(1)?.as_str().to_owned()))
    };
    match (finding.tool.as_str(), finding.rule.as_deref()?) {
        ("mypy", "import" | "import-untyped" | "import-not-found") => {
            if let Some(module) = captured(&STUBS).or_else(|| captured(&UNTYPED)) {
                let named = PIP.captures(&all).map_or_else(Vec::new, |found| {
                    found[1]
                        .split(' ')
                        .filter(|name| is_stubs(name))
                        .map(str::to_owned)
                        .collect()
                });
                return Some(Lack::Stubs { module, named });
            }
            captured(&NO_MODULE).map(|module| Lack::Module { module })
        }
        ("mypy", "attr-defined") => {
            let found = NO_NAME.captures(message)?;
            Some(Lack::Name {
                module: found[1].to_owned(),
                name: found.get(2).or_else(|| found.get(3))?.as_str().to_owned(),
            })
        }
        ("tsc", "TS7016") => Some(Lack::Types {
            about: captured(&NO_TYPES)?,
            named: types(message),
        }),
        ("tsc", "TS2307" | "TS2792") => {
            let module = captured(&NO_TS_MODULE)?;
            if is_nodes(&module) {
                return Some(Lack::Types {
                    about: module,
                    named: vec!["@types/node".to_owned()],
                });
            }
            Some(Lack::Module { module })
        }
        ("tsc", "TS2580" | "TS2581" | "TS2582" | "TS2591" | "TS2592" | "TS2593") => {
            Some(Lack::Types {
                about: captured(&NO_TS_NAME)?,
                named: types(message),
            })
        }
        _ => None,
    }
}

/// A distribution that brings types and nothing else: mypy's list has no others.
fn is_stubs(name: &str) -> bool {
    name.starts_with("types-") || name.ends_with("-stubs")
}

fn types(message: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for name in TYPES.find_iter(message) {
        let name = name.as_str().trim_end_matches(['.', '_', '-']).to_owned();
        if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

fn is_nodes(module: &str) -> bool {
    let plain = module.strip_prefix("node:").unwrap_or(module);
    module.starts_with("node:") || crate::node::source::is_builtin(plain)
}

/// One sentence about types that do not fit: place, symbol, both types where there are two, and the checker's own words.
pub(super) fn sentence(finding: &Finding, tree: &dyn Tree) -> String {
    let file = finding.file.as_deref().unwrap_or_default();
    let place = match finding.line {
        Some(line) => format!("{file}:{line}"),
        None => file.to_owned(),
    };
    let symbol = symbol(finding, tree);
    let message = finding.message.lines().next().unwrap_or_default();
    let said = format!(
        "{} {}: {message}",
        finding.tool,
        finding.rule.as_deref().unwrap_or_default()
    );
    if let Some((given, wanted)) = both(message) {
        let of = symbol.map_or_else(String::new, |name| format!(" of `{name}`"));
        return format!(
            "the types{of} in {place} do not fit: there is `{given}`, and `{wanted}` is wanted ({said})"
        );
    }
    let what = symbol.map_or(place.clone(), |name| format!("`{name}` in {place}"));
    format!("{what} has a type error that only its author can judge ({said})")
}

/// What there is and what is wanted.
pub(super) fn both(message: &str) -> Option<(String, String)> {
    static PAIRS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
        [
            r#"has incompatible type "([^"]+)"; expected "([^"]+)""#,
            r#"expression has type "([^"]+)", (?:\w+ )*"?.*?has type "([^"]+)""#,
            r#"\(expression has type "([^"]+)", variable has type "([^"]+)"\)"#,
            r#"got "([^"]+)", expected "([^"]+)""#,
            r#"default has type "([^"]+)", argument has type "([^"]+)""#,
            r#"Unsupported operand types for \S+ \("([^"]+)" and "([^"]+)"\)"#,
            r"^Argument of type '(.+?)' is not assignable to parameter of type '(.+?)'\.?$",
            r"^Type '(.+?)' is not assignable to type '(.+?)'\.?",
            r"^Conversion of type '(.+?)' to type '(.+?)' may be a mistake",
        ]
        .into_iter()
        .map(|text| Regex::new(text).expect("a pattern of this file compiles"))
        .collect()
    });
    PAIRS.iter().find_map(|pattern| {
        let found = pattern.captures(message)?;
        Some((found[1].to_owned(), found[2].to_owned()))
    })
}

/// What the finding is about: the function that is called, the variable that is assigned, the function that returns.
pub(super) fn symbol(finding: &Finding, tree: &dyn Tree) -> Option<String> {
    pattern!(
        CALLED,
        r#"^(?:Argument \S+ to|Too (?:many|few) arguments for|Missing positional arguments? .* in call to|Unexpected keyword argument .* for) "([^"]+)""#
    );
    pattern!(OWNED, r#"^"([\w.\[\]]+)" has no attribute "(\w+)""#);
    pattern!(MEMBER, r"^(?:Property|Cannot find name) '([^']+)'");
    pattern!(
        ASSIGNED,
        r"^\s*(?:(?:export|const|let|var|public|private|readonly|static|return)\s+)*([A-Za-z_$][\w$.]*)\s*(?::[^=]+)?=[^=]"
    );
    pattern!(
        DEFINED,
        r"^\s*(?:async\s+)?(?:def|(?:export\s+)?(?:async\s+)?function)\s+([A-Za-z_]\w*)"
    );
    if let Some(found) = OWNED.captures(&finding.message) {
        return Some(format!("{}.{}", &found[1], &found[2]));
    }
    for pattern in [&*CALLED, &*MEMBER] {
        if let Some(found) = pattern.captures(&finding.message) {
            return Some(found[1].to_owned());
        }
    }
    let text = tree.read(finding.file.as_deref()?)?;
    let at = usize::try_from(finding.line?).ok()?.checked_sub(1)?;
    let lines: Vec<&str> = text.lines().collect();
    let line = lines.get(at)?;
    if let Some(found) = ASSIGNED.captures(line) {
        return Some(found[1].to_owned());
    }
    // What returns, or is computed, belongs to the function around it: the nearest above that is indented less.
    let indented = |line: &str| line.len() - line.trim_start().len();
    let own = indented(line);
    lines[..=at].iter().rev().find_map(|line| {
        let found = DEFINED.captures(line)?;
        (indented(line) < own || std::ptr::eq(*line, lines[at])).then(|| found[1].to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategies::fake::Files;

    fn finding(tool: &str, rule: &str, message: &str) -> Finding {
        Finding {
            tool: tool.into(),
            rule: Some(rule.into()),
            message: message.into(),
            file: Some("a.py".into()),
            line: Some(2),
            ..Finding::default()
        }
    }

    #[test]
    fn what_is_lacking_is_told_with_the_packages_that_the_checker_names() {
        let mut stubs = finding(
            "mypy",
            "import-untyped",
            "Library stubs not installed for \"requests\"",
        );
        stubs.hint = Some("Hint: \"python3 -m pip install types-requests\"\n(or run \"mypy --install-types\" to install all missing stub packages)".into());
        let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(
            lacks(&stubs),
            Some(Lack::Stubs {
                module: "requests".into(),
                named: named(&["types-requests"])
            })
        );
        stubs.hint = Some("Hint: \"python3 -m pip install evil\"".into());
        assert_eq!(
            lacks(&stubs),
            Some(Lack::Stubs {
                module: "requests".into(),
                named: Vec::new()
            })
        );
        let words = "Cannot find name 'describe'. Do you need to install type definitions for a test runner? Try `npm i --save-dev @types/jest` or `npm i --save-dev @types/mocha`.";
        assert_eq!(
            lacks(&finding("tsc", "TS2582", words)),
            Some(Lack::Types {
                about: "describe".into(),
                named: named(&["@types/jest", "@types/mocha"])
            })
        );
        let words = "Cannot find module 'node:fs' or its corresponding type declarations.";
        assert!(matches!(
            lacks(&finding("tsc", "TS2307", words)),
            Some(Lack::Types { named, .. }) if named == ["@types/node"]
        ));
        assert_eq!(
            lacks(&finding(
                "mypy",
                "attr-defined",
                "Module \"collections\" has no attribute \"Mapping\""
            )),
            Some(Lack::Name {
                module: "collections".into(),
                name: "Mapping".into()
            })
        );
        assert_eq!(lacks(&finding("mypy", "arg-type", "m")), None);
    }

    #[test]
    fn a_type_error_is_told_with_both_types_the_place_and_the_symbol() {
        let tree = Files::new(&[("a.py", "def total(x: int) -> str:\n    return x\n")]);
        for (finding, parts) in [
            (
                finding(
                    "mypy",
                    "return-value",
                    "Incompatible return value type (got \"int\", expected \"str\")",
                ),
                ["a.py:2", "`int`", "`str`", "`total`"],
            ),
            (
                finding(
                    "mypy",
                    "arg-type",
                    "Argument 1 to \"f\" has incompatible type \"str\"; expected \"int\"",
                ),
                ["a.py:2", "`str`", "`int`", "`f`"],
            ),
            (
                finding(
                    "tsc",
                    "TS2322",
                    "Type 'string' is not assignable to type 'number'.",
                ),
                ["a.py:2", "`string`", "`number`", "`total`"],
            ),
            (
                finding("mypy", "attr-defined", "\"Cart\" has no attribute \"totl\""),
                ["a.py:2", "`Cart.totl`", "attr-defined", "author"],
            ),
        ] {
            let sentence = sentence(&finding, &tree);
            for part in parts {
                assert!(sentence.contains(part), "{part} in {sentence}");
            }
        }
    }
}
