//! What a failure is about, read from the words in which Python, pytest and pluggy report it. The words are
//! theirs; what follows from them is decided elsewhere, with the tree and the environment at hand.

use super::variable;
use crate::failure::{Failure, Phase};

/// Fewer bytes of a message are in another by chance.
const SHORTEST_QUOTE: usize = 16;

/// What a failure is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// `No module named 'a.b'`.
    ModuleMissing(String),
    /// `cannot import name 'n' from 'm'`, `module 'm' has no attribute 'n'`.
    NameMissing {
        /// The module; empty where the message does not say.
        module: String,
        /// The name.
        name: String,
    },
    /// `'C' object has no attribute 'n'`, `type object 'C' has no attribute 'n'`.
    AttributeMissing {
        /// The class, as the message has it.
        class: String,
        /// The attribute.
        name: String,
    },
    /// `name 'n' is not defined`.
    NameUndefined(String),
    /// `f() got an unexpected keyword argument 'k'`.
    KeywordUnknown {
        /// The function, as the message has it.
        function: String,
        /// The keyword.
        keyword: String,
    },
    /// `fixture 'f' not found`.
    FixtureMissing(String),
    /// `unrecognized arguments: …`: the words that look like options.
    OptionsUnknown(Vec<String>),
    /// A hook of a `conftest.py` or plugin takes arguments that the runner no longer passes.
    HookArguments {
        /// The hook's name.
        hook: String,
        /// The arguments.
        arguments: Vec<String>,
    },
    /// `[pytest]` in `setup.cfg`.
    PytestSection,
    /// `required_plugins` names what is not installed.
    PluginsRequired(Vec<String>),
    /// The metadata of an installed distribution was asked for, and there is none.
    MetadataMissing(String),
    /// A file does not parse.
    Syntax {
        /// Its path as reported, where it was.
        path: Option<String>,
        /// The line as reported.
        line: Option<u32>,
    },
    /// An environment variable is not set.
    VariableMissing(String),
    /// A warning that the configuration turns into an error.
    Warning(String),
    /// An `assert` that does not hold, or an exception that did not come.
    Assertion,
    /// None of these.
    Other,
}

/// An exception's name and its message, the most telling of a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The exception's class without its module; empty where there was none.
    pub exception: String,
    /// Its message.
    pub message: String,
}

impl Said {
    /// `Exception: message`, as Python prints it.
    pub fn line(&self) -> String {
        if self.exception.is_empty() {
            self.message.clone()
        } else {
            format!("{}: {}", self.exception, self.message)
        }
    }
}

/// What a failure is about, and the words that say so.
pub fn subject(failure: &Failure) -> (Subject, Said) {
    let own = Said {
        exception: failure.exception_name().unwrap_or_default().to_owned(),
        message: failure.message.trim().to_owned(),
    };
    let direct = read(&own, failure);
    if direct != Subject::Other {
        return (direct, own);
    }
    // An exception that reached the test speaks for itself; what was handled on its way does not, unless it is quoted.
    if !own.exception.is_empty()
        && matches!(failure.phase, Phase::Setup | Phase::Call | Phase::Teardown)
    {
        return quoted(&own, failure).unwrap_or((Subject::Other, own));
    }
    // What the runner wraps (a conftest that fails to import, a module that cannot be collected) stands in the text,
    // the innermost cause last.
    for line in failure
        .message
        .lines()
        .rev()
        .chain(failure.text.lines().rev())
    {
        let Some(said) = exception_line(line) else {
            continue;
        };
        let found = read(&said, failure);
        if found != Subject::Other {
            return (found, said);
        }
    }
    (Subject::Other, own)
}

/// The exception that another was raised for, where that one repeats its words: `cannot read it, got: load() missing 1 required …`.
fn quoted(own: &Said, failure: &Failure) -> Option<(Subject, Said)> {
    let quotes = |said: &Said| {
        !said.exception.is_empty()
            && said.message.len() >= SHORTEST_QUOTE
            && said.message != own.message
            && own.message.contains(&said.message)
    };
    let said = failure
        .text
        .lines()
        .filter_map(exception_line)
        .find(quotes)?;
    let about = read(&said, failure);
    (about != Subject::Assertion).then_some((about, said))
}

/// `ImportError: …`, as a traceback's last line has it, with or without pytest's `E   ` in front.
fn exception_line(line: &str) -> Option<Said> {
    let line = line.strip_prefix("E ").unwrap_or(line).trim();
    if line.starts_with("ERROR: ") || line.contains(": error: ") {
        return Some(Said {
            exception: String::new(),
            message: line.to_owned(),
        });
    }
    let (name, message) = line.split_once(": ")?;
    let simple = name.rsplit('.').next()?;
    let looks = ["Error", "Exception", "Warning", "Failed", "NotFound"]
        .iter()
        .any(|end| simple.ends_with(end));
    let word = name
        .chars()
        .all(|c| c.is_alphanumeric() || c == '_' || c == '.');
    (looks && word).then(|| Said {
        exception: simple.to_owned(),
        message: message.to_owned(),
    })
}

fn read(said: &Said, failure: &Failure) -> Subject {
    let message = said.message.as_str();
    let exception = said.exception.as_str();
    match exception {
        "SyntaxError" | "IndentationError" | "TabError" | "SyntaxWarning" => {
            return syntax(failure);
        }
        "AssertionError" => return Subject::Assertion,
        _ if message.starts_with("invalid escape sequence") => return syntax(failure),
        // pytest cannot read a filter of warnings whose category it cannot import.
        "PytestConfigWarning" if message.starts_with("Failed to import filter module ") => {
            let module = after(message, "filter module ").unwrap_or_default();
            return Subject::ModuleMissing(first_word(module));
        }
        _ if exception.ends_with("Warning") => return Subject::Warning(message.to_owned()),
        _ => {}
    }
    variable::missing(said, failure)
        .map(Subject::VariableMissing)
        .or_else(|| runner(message))
        .or_else(|| imports(exception, message))
        .or_else(|| attributes(exception, message))
        .unwrap_or_else(|| {
            let collected = !matches!(
                failure.phase,
                Phase::Usage | Phase::Configuration | Phase::Collection
            );
            if collected && is_assertion(exception, message) {
                Subject::Assertion
            } else {
                Subject::Other
            }
        })
}

fn is_assertion(exception: &str, message: &str) -> bool {
    exception.is_empty()
        && (message.starts_with("assert ") || message.starts_with("AssertionError"))
        || exception == "Failed"
            && !message.starts_with("Fixture ")
            && !message.starts_with("async def functions are not natively supported")
}

fn imports(exception: &str, message: &str) -> Option<Subject> {
    if let Some(rest) = after(message, "No module named ") {
        return Some(Subject::ModuleMissing(first_word(rest)));
    }
    if message.contains("circular import") {
        return None;
    }
    if let Some(rest) = after(message, "cannot import name ") {
        let name = first_word(rest);
        let module = after(rest, " from ").map(first_word).unwrap_or_default();
        return Some(Subject::NameMissing { module, name });
    }
    match exception {
        "PackageNotFoundError" => {
            let name = after(message, "No package metadata was found for ").unwrap_or(message);
            Some(Subject::MetadataMissing(first_word(name)))
        }
        "DistributionNotFound" => Some(Subject::MetadataMissing(requirement_name(&first_word(
            after(message, "The ").unwrap_or(message),
        )))),
        _ => None,
    }
}

fn attributes(exception: &str, message: &str) -> Option<Subject> {
    match exception {
        "AttributeError" => {
            // numpy says itself what it removed: "`np.NaN` was removed in the NumPy 2.0 release."
            let name = after(message, "has no attribute ").map(first_word)?;
            if let Some(rest) = message.strip_prefix("module ") {
                return Some(Subject::NameMissing {
                    module: first_word(rest),
                    name,
                });
            }
            let class =
                after(message, "type object ").map_or_else(|| first_word(message), first_word);
            Some(Subject::AttributeMissing { class, name })
        }
        "NameError" => after(message, "name ").map(|rest| Subject::NameUndefined(first_word(rest))),
        "TypeError" => {
            if let Some((function, rest)) =
                message.split_once("got an unexpected keyword argument ")
            {
                let function = function.trim().trim_end_matches("()").to_owned();
                return Some(Subject::KeywordUnknown {
                    function,
                    keyword: first_word(rest),
                });
            }
            if let Some((keyword, rest)) =
                message.split_once(" is an invalid keyword argument for ")
            {
                return Some(Subject::KeywordUnknown {
                    function: first_word(rest).trim_end_matches("()").to_owned(),
                    keyword: first_word(keyword),
                });
            }
            let rest = after(message, "Unexpected keyword arguments passed to ")?;
            let (function, keywords) = rest.split_once(": ")?;
            let keyword = first_word(keywords.split(',').next()?);
            Some(Subject::KeywordUnknown {
                function: function.to_owned(),
                keyword,
            })
        }
        _ => None,
    }
}

/// What pytest and pluggy say.
fn runner(message: &str) -> Option<Subject> {
    if let Some(rest) = message
        .strip_prefix("fixture ")
        .or_else(|| after(message, "\nfixture "))
        && rest.contains(" not found")
    {
        return Some(Subject::FixtureMissing(first_word(rest)));
    }
    if let Some(rest) = after(message, "unrecognized arguments: ") {
        let line = rest.lines().next().unwrap_or(rest);
        let options = line
            .split_whitespace()
            .filter(|word| word.starts_with('-'))
            .map(str::to_owned)
            .collect();
        return Some(Subject::OptionsUnknown(options));
    }
    if message.contains("[pytest] section in setup.cfg") {
        return Some(Subject::PytestSection);
    }
    if let Some(rest) = after(message, "Missing required plugins: ") {
        let line = rest.lines().next().unwrap_or(rest);
        return Some(Subject::PluginsRequired(
            line.split(',').map(|name| name.trim().to_owned()).collect(),
        ));
    }
    if message.contains("can not be found in the hookspec")
        || message.contains("is declared in the hookimpl")
    {
        let hook = after(message, "for hook ").map(first_word)?;
        let names = after(message, "Argument(s) {").and_then(|rest| rest.split('}').next())?;
        let arguments = names
            .split(',')
            .map(|name| first_word(name.trim()))
            .collect();
        return Some(Subject::HookArguments { hook, arguments });
    }
    None
}

fn syntax(failure: &Failure) -> Subject {
    // `File "x.py", line 3` in the text is the file that does not parse, whatever imported it.
    let mut place = None;
    for line in failure.message.lines().chain(failure.text.lines()) {
        let line = line.strip_prefix("E ").unwrap_or(line).trim();
        if let Some(rest) = line.strip_prefix("File \"")
            && let Some((path, rest)) = rest.split_once("\", line ")
        {
            let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
            // A frame goes on with `, in f`; the place of a syntax error does not.
            if !rest.contains(", in ") || place.is_none() {
                place = Some((path.to_owned(), number.parse().ok()));
            }
        } else if let Some(at) = line.rfind('(')
            && let Some((path, rest)) = line[at + 1..].split_once(", line ")
        {
            let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
            place = place.or_else(|| Some((path.to_owned(), number.parse().ok())));
        }
    }
    match place {
        Some((path, line)) => Subject::Syntax {
            path: Some(path),
            line,
        },
        None => Subject::Syntax {
            path: None,
            line: None,
        },
    }
}

fn after<'m>(text: &'m str, mark: &str) -> Option<&'m str> {
    text.split_once(mark).map(|(_, rest)| rest)
}

/// The first word, without the quotes around it and what punctuation follows.
fn first_word(text: &str) -> String {
    let text = text.trim_start();
    for quote in ['\'', '"', '`'] {
        if let Some(rest) = text.strip_prefix(quote) {
            return rest.split(quote).next().unwrap_or(rest).to_owned();
        }
    }
    let word = text
        .split(|c: char| c.is_whitespace() || c == ';' || c == ',')
        .next()
        .unwrap_or(text);
    word.trim_end_matches(['.', ':']).to_owned()
}

fn requirement_name(requirement: &str) -> String {
    requirement
        .split(['=', '<', '>', '!', '~', '[', ' ', ';'])
        .next()
        .unwrap_or(requirement)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(exception: &str, message: &str) -> Subject {
        let exception = (!exception.is_empty()).then(|| exception.to_owned());
        subject(&Failure {
            test: None,
            phase: Phase::Call,
            exception,
            message: message.to_owned(),
            frames: Vec::new(),
            text: String::new(),
            ..Failure::default()
        })
        .0
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table of wordings")]
    fn each_wording_gives_its_subject() {
        let module = |m: &str| Subject::ModuleMissing(m.to_owned());
        let name = |m: &str, n: &str| Subject::NameMissing {
            module: m.to_owned(),
            name: n.to_owned(),
        };
        assert_eq!(
            of(
                "ModuleNotFoundError",
                "No module named 'a.b'; 'a' is not a package"
            ),
            module("a.b")
        );
        assert_eq!(
            of(
                "ImportError",
                "cannot import name 'M' from 'collections' (/usr/lib/x.py)"
            ),
            name("collections", "M")
        );
        assert_eq!(
            of(
                "AttributeError",
                "module 'collections' has no attribute 'M'. Did you mean: 'N'?"
            ),
            name("collections", "M")
        );
        assert_eq!(
            of("AttributeError", "'T' object has no attribute 'x'"),
            Subject::AttributeMissing {
                class: "T".into(),
                name: "x".into()
            }
        );
        assert_eq!(
            of("AttributeError", "type object 'd.d' has no attribute 'x'"),
            Subject::AttributeMissing {
                class: "d.d".into(),
                name: "x".into()
            }
        );
        assert_eq!(
            of(
                "NameError",
                "name 'unicode' is not defined. Did you mean: 'x'?"
            ),
            Subject::NameUndefined("unicode".into())
        );
        assert_eq!(
            of("TypeError", "C.f() got an unexpected keyword argument 'k'"),
            Subject::KeywordUnknown {
                function: "C.f".into(),
                keyword: "k".into()
            }
        );
        assert_eq!(
            of(
                "TypeError",
                "Unexpected keyword arguments passed to pytest.raises: message\nUse context-manager form instead?"
            ),
            Subject::KeywordUnknown {
                function: "pytest.raises".into(),
                keyword: "message".into()
            }
        );
        assert_eq!(
            of("", "fixture 'mocker' not found"),
            Subject::FixtureMissing("mocker".into())
        );
        assert_eq!(
            of(
                "",
                "ERROR: usage: python -m pytest [options]\npython -m pytest: error: unrecognized arguments: --cov-append --cov pkg tests/a.py\n  inifile: x"
            ),
            Subject::OptionsUnknown(vec!["--cov-append".into(), "--cov".into()])
        );
        assert_eq!(
            of(
                "pluggy.PluginValidationError",
                "Plugin 'x' for hook 'pytest_ignore_collect'\nhookimpl definition: f(path, config)\nArgument(s) {'path'} are declared in the hookimpl but can not be found in the hookspec"
            ),
            Subject::HookArguments {
                hook: "pytest_ignore_collect".into(),
                arguments: vec!["path".into()]
            }
        );
        assert_eq!(of("Failed", "DID NOT RAISE E"), Subject::Assertion);
        assert_eq!(of("", "assert 1 == 2"), Subject::Assertion);
        assert_eq!(of("ValueError", "x"), Subject::Other);
        assert_eq!(
            of(
                "pytest.PytestConfigWarning",
                "Failed to import filter module 'a.b': ignore::a.b.OldWarning"
            ),
            module("a.b")
        );
        assert_eq!(
            of(
                "importlib.metadata.PackageNotFoundError",
                "No package metadata was found for x"
            ),
            Subject::MetadataMissing("x".into())
        );
        assert_eq!(
            of(
                "pkg_resources.DistributionNotFound",
                "The 'x>=2' distribution was not found and is required by the application"
            ),
            Subject::MetadataMissing("x".into())
        );
    }

    #[test]
    fn the_cause_of_a_wrapped_failure_is_read_from_its_text() {
        let failure = Failure {
            test: None,
            phase: Phase::Configuration,
            exception: Some("_pytest.config.ConftestImportFailure".into()),
            message: "while loading conftest '/x/conftest.py'.".into(),
            frames: Vec::new(),
            text: "conftest.py:1: in <module>\n    import a\nE   ModuleNotFoundError: No module named 'a'\n".into(),
            ..Failure::default()
        };
        assert_eq!(subject(&failure).0, Subject::ModuleMissing("a".into()));
    }

    #[test]
    fn an_exception_that_quotes_another_is_about_what_it_quotes() {
        let wrapped = |message: &str| {
            Failure {
            test: Some("t.py::test".into()),
            phase: Phase::Call,
            exception: Some("app.errors.LoadError".into()),
            message: message.into(),
            text: "app.py:2: in load\n    f(old=1)\nE   TypeError: f() got an unexpected keyword argument 'old'\n\nDuring handling of the above exception, another exception occurred:\nE   app.errors.LoadError: \n".into(),
            ..Failure::default()
        }
        };
        let (about, said) = subject(&wrapped(
            "cannot load it, got: f() got an unexpected keyword argument 'old'",
        ));
        assert_eq!(
            about,
            Subject::KeywordUnknown {
                function: "f".into(),
                keyword: "old".into()
            }
        );
        assert_eq!(said.exception, "TypeError");
        let (about, said) = subject(&wrapped("cannot load it"));
        assert_eq!(
            (about, said.exception.as_str()),
            (Subject::Other, "LoadError")
        );
    }
}
