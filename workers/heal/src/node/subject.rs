//! What a failure is about, from the error's class, its code (<https://nodejs.org/api/errors.html#nodejs-error-codes>) and
//! its text.

use std::sync::LazyLock;

use regex::Regex;

use super::source::plain;
use crate::failure::{Failure, Phase};

/// What a failure is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Subject {
    /// A module that is not there, as it was asked for.
    ModuleMissing(String),
    /// A part of a package that the package does not give out.
    PathNotExported {
        /// The package.
        package: String,
        /// The part: `./lib/x`.
        subpath: String,
    },
    /// A package that is a module and was asked for by `require`.
    RequireOfModule(String),
    /// A name that a module does not export.
    NameNotExported {
        /// The module as it was asked for.
        module: String,
        /// The name.
        name: String,
    },
    /// Something that is called and is no function: `util.isArray`.
    NotCallable(String),
    /// A name that nothing defines.
    NameUndefined(String),
    /// A file that does not parse; its path, where it is known.
    Syntax(Option<String>),
    /// A snapshot that is another.
    Snapshot,
    /// A test, or what it waits for, took too long.
    Timeout,
    /// An assertion that does not hold.
    Assertion,
    /// Anything else.
    Other,
}

macro_rules! pattern {
    ($name:ident, $text:literal) => {
        static $name: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new($text).ok());
    };
}

pattern!(
    MISSING,
    r#"(?:Cannot find (?:module|package|dependency)|Failed to (?:resolve import|load url)|Couldn't find preset) ['"]?([^'"\s]+)['"]?"#
);
pattern!(
    MISSING_PART,
    r"(?:Preset|Test environment|Module|Testing environment|Watch plugin|Jest:? a transform|Module) ['\x22]?([@\w./-]+)['\x22]? (?:not found|cannot be found|in the .* option was not found)"
);
pattern!(
    SUBPATH,
    r#"Package subpath '([^']+)' is not defined by "exports" in .*?node_modules/((?:@[^/]+/)?[^/]+)/package\.json"#
);
pattern!(
    MISSING_EXPORT,
    r#"Missing "([^"]+)" specifier in "([^"]+)" package"#
);
pattern!(
    NOT_EXPORTED,
    r"(?:requested module '([^']+)' does not provide an export named '([^']+)')|(?:Named export '([^']+)' not found\. The requested module '([^']+)')"
);
pattern!(
    REQUIRED_ESM,
    r"require\(\) of ES Module (\S+)|Must use import to load ES Module: (\S+)"
);
pattern!(
    NOT_CALLABLE,
    r"^([\w$.\[\]()'0-9]+) is not a (?:function|constructor)"
);
pattern!(NOT_DEFINED, r"^([\w$]+) is not defined");

fn first<'t>(pattern: &LazyLock<Option<Regex>>, text: &'t str) -> Option<Vec<&'t str>> {
    let captures = (**pattern).as_ref()?.captures(text)?;
    Some(
        captures
            .iter()
            .skip(1)
            .flatten()
            .map(|found| found.as_str())
            .collect(),
    )
}

/// Whether a text tells of a module that is not there.
pub(super) fn says_module_missing(text: &str) -> bool {
    first(&MISSING, text).is_some()
}

/// Reads a failure.
pub(super) fn subject(failure: &Failure) -> Subject {
    let message = failure.message.as_str();
    let code = failure.code.as_deref().unwrap_or_default();
    let exception = failure.exception_name().unwrap_or_default();
    if let Some(parts) = first(&SUBPATH, message) {
        return Subject::PathNotExported {
            package: parts[1].to_owned(),
            subpath: parts[0].to_owned(),
        };
    }
    if let Some(parts) = first(&MISSING_EXPORT, message) {
        return Subject::PathNotExported {
            package: parts[1].to_owned(),
            subpath: parts[0].to_owned(),
        };
    }
    if code == "ERR_REQUIRE_ESM" || first(&REQUIRED_ESM, message).is_some() {
        let path = first(&REQUIRED_ESM, message).and_then(|parts| parts.first().copied());
        if let Some(package) = path.and_then(package_in) {
            return Subject::RequireOfModule(package.to_owned());
        }
    }
    // A path of the run's own stands where a relative module was asked for.
    let missing = matches!(code, "MODULE_NOT_FOUND" | "ERR_MODULE_NOT_FOUND")
        || exception != "AssertionError"
            && failure.compared.is_none()
            && (failure.phase <= Phase::Collection || message.starts_with("Cannot find"));
    if missing
        && let Some(parts) = first(&MISSING, message).or_else(|| first(&MISSING_PART, message))
    {
        // A sentence may end behind the name; `..` is a name.
        let name = parts[0];
        let bare = name.trim_end_matches(['.', ',']);
        let name = if bare.ends_with(|c: char| c.is_ascii_alphanumeric()) {
            bare
        } else {
            name
        };
        return Subject::ModuleMissing(name.to_owned());
    }
    if let Some(parts) = first(&NOT_EXPORTED, message) {
        let (module, name) = if message.starts_with("Named export") {
            (parts[1], parts[0])
        } else {
            (parts[0], parts[1])
        };
        return Subject::NameNotExported {
            module: plain(module).to_owned(),
            name: name.to_owned(),
        };
    }
    let by = failure
        .compared
        .as_ref()
        .map(|compared| compared.by.as_str())
        .unwrap_or_default();
    if by.contains("Snapshot")
        || message.contains("toMatchSnapshot")
        || message.starts_with("Snapshot `")
        || message.contains("toMatchInlineSnapshot")
    {
        return Subject::Snapshot;
    }
    if exception == "SyntaxError"
        || message.contains("SyntaxError: ") && failure.phase <= Phase::Collection
    {
        let path = failure.frames.last().map(|frame| frame.path.clone());
        return Subject::Syntax(path.filter(|path| !path.starts_with('/')));
    }
    if code == "ERR_ASSERTION"
        || failure.compared.is_some()
        || exception.contains("AssertionError")
        || message.starts_with("expect(") && exception != "TypeError"
        // Checks that were counted beforehand.
        || message.starts_with("plan expected ") && message.contains(" assertions")
    {
        return Subject::Assertion;
    }
    if code == "ERR_TEST_TIMEOUT"
        // What Node's runner says of a test whose promise nothing is left to settle, and of one that its parent outran.
        || message.starts_with("Promise resolution is still pending")
        || message.starts_with("test did not finish before its parent")
        || message.starts_with("Exceeded timeout of")
        || message.contains("Exceeded timeout of ")
        || message.starts_with("Timeout of ")
        || message.starts_with("Test timed out in")
        || message.starts_with("thrown: \"Exceeded timeout")
    {
        return Subject::Timeout;
    }
    match exception {
        "TypeError" => first(&NOT_CALLABLE, message).map_or(Subject::Other, |parts| {
            Subject::NotCallable(parts[0].to_owned())
        }),
        "ReferenceError" => first(&NOT_DEFINED, message).map_or(Subject::Other, |parts| {
            Subject::NameUndefined(parts[0].to_owned())
        }),
        _ => Subject::Other,
    }
}

/// The package whose file a path is.
pub(super) fn package_in(path: &str) -> Option<&str> {
    let (_, inside) = path.rsplit_once("node_modules/")?;
    super::source::package_of(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(exception: &str, code: &str, message: &str) -> Subject {
        subject(&Failure {
            exception: Some(exception.to_owned()),
            code: Some(code.to_owned()).filter(|code| !code.is_empty()),
            message: message.to_owned(),
            phase: Phase::Collection,
            ..Failure::default()
        })
    }

    #[test]
    fn a_module_that_is_missing_is_named_whoever_looked_for_it() {
        let missing = |name: &str| Subject::ModuleMissing(name.to_owned());
        for (code, message, name) in [
            (
                "MODULE_NOT_FOUND",
                "Cannot find module 'x/y'\nRequire stack:\n- a.js",
                "x/y",
            ),
            (
                "ERR_MODULE_NOT_FOUND",
                "Cannot find package '@a/b' imported from /w/a.mjs",
                "@a/b",
            ),
            (
                "MODULE_NOT_FOUND",
                "Cannot find module 'x' from 'test/a.test.js'",
                "x",
            ),
            (
                "",
                "Failed to resolve import \"x\" from \"a.test.ts\". Does the file exist?",
                "x",
            ),
            (
                "",
                "Failed to load url x (resolved id: x) in /w/a.ts. Does the file exist?",
                "x",
            ),
            ("", "Preset ts-jest not found.", "ts-jest"),
            (
                "",
                "Test environment jest-environment-jsdom cannot be found. Make sure",
                "jest-environment-jsdom",
            ),
            (
                "",
                "Module ./setup.js in the setupFiles option was not found.",
                "./setup.js",
            ),
        ] {
            assert_eq!(of("Error", code, message), missing(name), "{message}");
        }
    }

    #[test]
    fn errors_of_the_module_systems_are_told_apart() {
        assert_eq!(
            of(
                "Error",
                "ERR_PACKAGE_PATH_NOT_EXPORTED",
                "Package subpath './v4' is not defined by \"exports\" in /c/node_modules/uuid/package.json"
            ),
            Subject::PathNotExported {
                package: "uuid".into(),
                subpath: "./v4".into()
            }
        );
        assert_eq!(
            of(
                "Error",
                "ERR_REQUIRE_ESM",
                "require() of ES Module /c/node_modules/@s/p/index.js from /w/a.js not supported."
            ),
            Subject::RequireOfModule("@s/p".into())
        );
        assert_eq!(
            of(
                "SyntaxError",
                "",
                "The requested module 'node:util' does not provide an export named 'isArray'"
            ),
            Subject::NameNotExported {
                module: "util".into(),
                name: "isArray".into()
            }
        );
        assert_eq!(
            of(
                "SyntaxError",
                "",
                "Named export 'x' not found. The requested module 'y' is a CommonJS module"
            ),
            Subject::NameNotExported {
                module: "y".into(),
                name: "x".into()
            }
        );
    }

    #[test]
    fn the_directory_above_is_a_module_and_a_full_stop_behind_a_name_is_none() {
        let missing = |message: &str| of("Error", "MODULE_NOT_FOUND", message);
        assert_eq!(
            missing("Cannot find module '..' from 'a.test.js'"),
            Subject::ModuleMissing("..".into())
        );
        assert_eq!(
            missing("Cannot find dependency jsdom."),
            Subject::ModuleMissing("jsdom".into())
        );
    }

    #[test]
    fn what_is_called_and_what_is_undefined_is_named() {
        assert_eq!(
            of("TypeError", "", "util.isArray is not a function"),
            Subject::NotCallable("util.isArray".into())
        );
        assert_eq!(
            of("ReferenceError", "", "document is not defined"),
            Subject::NameUndefined("document".into())
        );
        assert_eq!(
            of("SyntaxError", "", "Unexpected token"),
            Subject::Syntax(None)
        );
        assert_eq!(
            of("AssertionError", "ERR_ASSERTION", "a"),
            Subject::Assertion
        );
    }
}
