//! What a failure is: its class, where its fault most probably lies, and which way the verdict leans before
//! anything was tried. A failed assertion leans to a refusal: that the product is what is broken is the one
//! thing that a repair of the test must not hide.

pub mod subject;
mod variable;

use crate::case::{Case, Installed};
use crate::failure::{Failure, Phase};
use crate::roles::{Role, Roles};
use crate::strategies::api_contract_adaptation::explains;
use std::fmt::Write as _;
use subject::{Said, Subject};

/// The class of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ErrorClass {
    /// A file does not parse.
    SyntaxError,
    /// A name or a module of the standard library cannot be imported.
    ImportError,
    /// A package, a plugin, a fixture or a version is missing.
    DependencyError,
    /// An object lacks an attribute.
    AttributeError,
    /// The runner does not accept its configuration.
    ConfigError,
    /// A deprecation that the configuration turns into an error.
    DeprecationError,
    /// Any other exception.
    RuntimeError,
    /// An assertion does not hold, or an exception did not come.
    AssertionFailure,
    /// The machine lacks something: a locale, a file, a port, a system library.
    EnvironmentError,
    /// A linter minds something.
    LintError,
    /// A type checker minds something.
    TypeError,
}

impl ErrorClass {
    /// As evidence has it: `import_error`.
    pub fn name(self) -> &'static str {
        match self {
            Self::SyntaxError => "syntax_error",
            Self::ImportError => "import_error",
            Self::DependencyError => "dependency_error",
            Self::AttributeError => "attribute_error",
            Self::ConfigError => "config_error",
            Self::DeprecationError => "deprecation_error",
            Self::RuntimeError => "runtime_error",
            Self::AssertionFailure => "assertion_failure",
            Self::EnvironmentError => "environment_error",
            Self::LintError => "lint_error",
            Self::TypeError => "type_error",
        }
    }
}

/// Where the fault most probably lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Site {
    /// In test code.
    Test,
    /// In product code.
    Product,
    /// In a configuration file.
    Config,
    /// In what the environment lacks.
    Environment,
    /// In an installed package.
    Dependency,
}

/// Which way the verdict leans before anything was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leaning {
    /// Something outside the product's behaviour explains it: worth repairing.
    Heal,
    /// Unless a candidate proves otherwise, the product is what is broken; the sentence is for a person.
    Refuse(String),
    /// Neither shows: no candidate means `no_fix`.
    Open,
}

/// What a failure is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// Its class.
    pub class: ErrorClass,
    /// What it is about.
    pub subject: Subject,
    /// The words that say so.
    pub said: Said,
    /// Where the fault most probably lies.
    pub site: Site,
    /// Which way the verdict leans.
    pub leaning: Leaning,
}

/// Says what the first failure of a case is.
pub fn diagnose(case: &Case<'_>) -> Option<Diagnosis> {
    let failure = case.failures.first()?;
    let roles = Roles::of_case(case);
    let (subject, said) = subject::subject(failure);
    let class = class(&subject, &said, failure);
    let site = site(class, &subject, failure, &roles);
    let leaning = leaning(case, class, &subject, &said, failure, &roles);
    Some(Diagnosis {
        class,
        subject,
        said,
        site,
        leaning,
    })
}

fn class(subject: &Subject, said: &Said, failure: &Failure) -> ErrorClass {
    match subject {
        Subject::Syntax { .. } => ErrorClass::SyntaxError,
        Subject::ModuleMissing(module) if is_extension(module) => ErrorClass::EnvironmentError,
        Subject::ModuleMissing(module) if was_standard(module) => ErrorClass::ImportError,
        Subject::ModuleMissing(_)
        | Subject::FixtureMissing(_)
        | Subject::OptionsUnknown(_)
        | Subject::HookArguments { .. }
        | Subject::PluginsRequired(_)
        | Subject::MetadataMissing(_) => ErrorClass::DependencyError,
        Subject::NameMissing { .. }
            if said.exception != "AttributeError" || failure.phase <= Phase::Collection =>
        {
            ErrorClass::ImportError
        }
        Subject::NameMissing { .. } | Subject::AttributeMissing { .. } => {
            ErrorClass::AttributeError
        }
        Subject::PytestSection => ErrorClass::ConfigError,
        Subject::VariableMissing(_) => ErrorClass::EnvironmentError,
        Subject::Warning(_) => ErrorClass::DeprecationError,
        Subject::Assertion => ErrorClass::AssertionFailure,
        Subject::Other if is_environment(said) => ErrorClass::EnvironmentError,
        Subject::Other if matches!(failure.phase, Phase::Usage | Phase::Configuration) => {
            ErrorClass::ConfigError
        }
        Subject::NameUndefined(_) | Subject::KeywordUnknown { .. } | Subject::Other => {
            ErrorClass::RuntimeError
        }
    }
}

fn site(class: ErrorClass, subject: &Subject, failure: &Failure, roles: &Roles) -> Site {
    match (class, subject) {
        (ErrorClass::EnvironmentError, _) => return Site::Environment,
        (ErrorClass::ConfigError, _) => return Site::Config,
        (_, Subject::HookArguments { .. }) => return Site::Test,
        (ErrorClass::DependencyError, _) => return Site::Environment,
        _ => {}
    }
    if let Subject::Syntax {
        path: Some(path), ..
    } = subject
        && !path.starts_with('/')
    {
        return of_role(roles.of(path));
    }
    let innermost = failure
        .frames
        .iter()
        .rev()
        .find(|frame| frame.function != "__getattr__");
    if class != ErrorClass::AssertionFailure
        && innermost.is_some_and(|frame| frame.path.contains("/site-packages/"))
    {
        return Site::Dependency;
    }
    match failure.innermost_own() {
        Some(frame) => of_role(roles.of(&frame.path)),
        None => Site::Test,
    }
}

fn of_role(role: Role) -> Site {
    match role {
        Role::Test => Site::Test,
        Role::Product => Site::Product,
        Role::Config => Site::Config,
    }
}

fn leaning(
    case: &Case<'_>,
    class: ErrorClass,
    subject: &Subject,
    said: &Said,
    failure: &Failure,
    roles: &Roles,
) -> Leaning {
    if let Some(reason) = lacks_system_library(subject, case.installed) {
        return Leaning::Refuse(reason);
    }
    if let Some(reason) = lost_by_the_project(case, subject) {
        return Leaning::Refuse(reason);
    }
    match class {
        ErrorClass::AssertionFailure => Leaning::Refuse(assertion(case, said, failure, roles)),
        ErrorClass::EnvironmentError | ErrorClass::LintError | ErrorClass::TypeError => {
            Leaning::Open
        }
        ErrorClass::SyntaxError
        | ErrorClass::DependencyError
        | ErrorClass::ImportError
        | ErrorClass::ConfigError
        | ErrorClass::DeprecationError => Leaning::Heal,
        ErrorClass::AttributeError | ErrorClass::RuntimeError if explains(case) => Leaning::Heal,
        ErrorClass::AttributeError | ErrorClass::RuntimeError => {
            match exception(said, failure, roles) {
                Some(reason) => Leaning::Refuse(reason),
                None => Leaning::Open,
            }
        }
    }
}

/// A name that is gone from the project's own module was taken away by somebody: whether that was meant, a person knows.
fn lost_by_the_project(case: &Case<'_>, subject: &Subject) -> Option<String> {
    let Subject::NameMissing { module, name } = subject else {
        return None;
    };
    let path = module.replace('.', "/");
    let own = case.tree.paths().iter().find(|file| {
        ["", "src/", "lib/"].iter().any(|root| {
            file.strip_prefix(root)
                .and_then(|rest| rest.strip_prefix(path.as_str()))
                .is_some_and(|rest| rest == ".py" || rest == "/__init__.py")
        })
    })?;
    (!module.is_empty()).then(|| {
        format!(
            "the project's own `{module}` ({own}) has no `{name}`, which is asked of it: either the product lost it, or it was removed on purpose and its users were not told"
        )
    })
}

/// What a failed assertion says to a person.
fn assertion(case: &Case<'_>, said: &Said, failure: &Failure, roles: &Roles) -> String {
    let test = failure.test.as_deref().unwrap_or("the test");
    let claimed = first_line(&said.message);
    let mut sentence = match failure.innermost_own() {
        Some(frame) => format!(
            "{test} asserts at {}:{} what does not hold: {claimed}",
            frame.path, frame.line
        ),
        None => format!("{test} asserts what does not hold: {claimed}"),
    };
    let product = failure
        .frames
        .iter()
        .rev()
        .find(|frame| !frame.path.starts_with('/') && roles.of(&frame.path) == Role::Product);
    if let Some(frame) = product {
        let _ = write!(
            sentence,
            "; most probably at fault is {}:{}",
            frame.path, frame.line
        );
        if !frame.function.is_empty() && frame.function != "<module>" {
            let _ = write!(sentence, " (`{}`)", frame.function);
        }
    } else if let Some((path, line, name)) = called_product(case, failure, roles) {
        let _ = write!(sentence, "; the value comes from `{name}` ({path}:{line})");
    }
    sentence.push_str(". Nothing shows that the expectation is what is out of date, so no change of the test is offered");
    sentence
}

/// What an exception says to a person, where it comes out of the project's own code and no absent API explains it.
fn exception(said: &Said, failure: &Failure, roles: &Roles) -> Option<String> {
    let innermost = failure
        .frames
        .iter()
        .rev()
        .find(|frame| frame.function != "__getattr__");
    if innermost.is_some_and(|frame| {
        frame.path.contains("/site-packages/") && !frame.path.contains("/_pytest/")
    }) {
        return None;
    }
    let own = failure
        .frames
        .iter()
        .rev()
        .find(|frame| !frame.path.starts_with('/') && roles.of(&frame.path) == Role::Product);
    let frame = own.or_else(|| failure.innermost_own())?;
    let function = if frame.function.is_empty() || frame.function == "<module>" {
        String::new()
    } else {
        format!(" in `{}`", frame.function)
    };
    Some(format!(
        "`{}` comes out of {}:{}{function}, and no removed or renamed API explains it: the product is what is broken",
        first_line(&said.line()),
        frame.path,
        frame.line
    ))
}

/// The product's function that the failing line of the test calls, where its name says which.
fn called_product(
    case: &Case<'_>,
    failure: &Failure,
    roles: &Roles,
) -> Option<(String, u32, String)> {
    let frame = failure.innermost_own()?;
    let source = crate::source::Source::parse(case.tree.read(&frame.path)?)?;
    let mut names: Vec<String> = source
        .nodes()
        .filter(|node| node.kind() == "call" && crate::source::Source::line(*node) <= frame.line)
        .filter(|node| {
            u32::try_from(node.end_position().row).is_ok_and(|row| row + 1 >= frame.line)
        })
        .filter_map(|node| node.child_by_field_name("function"))
        .map(|function| {
            source
                .slice(function)
                .rsplit('.')
                .next()
                .unwrap_or_default()
                .to_owned()
        })
        .filter(|name| !name.is_empty() && !name.starts_with("assert"))
        .collect();
    names.dedup();
    let products = case.tree.paths().iter().filter(|path| {
        path.rsplit_once('.').is_some_and(|(_, end)| end == "py") && roles.of(path) == Role::Product
    });
    for path in products {
        let Some(text) = case.tree.read(path) else {
            continue;
        };
        for (line, row) in (1_u32..).zip(text.lines()) {
            let defined = row
                .trim_start()
                .strip_prefix("def ")
                .and_then(|rest| rest.split('(').next());
            if let Some(name) = defined
                && names.iter().any(|wanted| wanted == name)
            {
                return Some((path.clone(), line, name.to_owned()));
            }
        }
    }
    None
}

fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default().trim();
    if line.chars().count() <= 200 {
        line.to_owned()
    } else {
        format!("{}…", line.chars().take(200).collect::<String>())
    }
}

/// Modules of the standard library that only exist where the interpreter was built against a system library.
const EXTENSIONS: &[(&str, &str)] = &[
    ("_dbm", "libgdbm-compat or Berkeley DB"),
    ("_gdbm", "libgdbm"),
    ("_sqlite3", "libsqlite3"),
    ("_bz2", "libbz2"),
    ("_lzma", "liblzma"),
    ("_zstd", "libzstd"),
    ("zlib", "zlib"),
    ("_ssl", "OpenSSL"),
    ("_hashlib", "OpenSSL"),
    ("_ctypes", "libffi"),
    ("_curses", "ncurses"),
    ("_curses_panel", "ncurses"),
    ("_tkinter", "Tcl/Tk"),
    ("tkinter", "Tcl/Tk"),
    ("readline", "GNU readline"),
    ("_uuid", "libuuid"),
    ("_decimal", "libmpdec"),
    ("_elementtree", "expat"),
    ("pyexpat", "expat"),
];

/// A sentence for a person where the interpreter itself lacks an extension module: no change of any file is right.
pub fn lacks_system_library(subject: &Subject, installed: &Installed) -> Option<String> {
    let Subject::ModuleMissing(module) = subject else {
        return None;
    };
    let (_, library) = EXTENSIONS.iter().find(|(known, _)| known == module)?;
    Some(format!(
        "this interpreter ({}.{}) was built without the module `{module}`: install {library} and an interpreter built with it, or run the test where there is one; neither the test nor the product is at fault",
        installed.python.0, installed.python.1
    ))
}

fn is_extension(module: &str) -> bool {
    EXTENSIONS.iter().any(|(known, _)| *known == module)
}

fn was_standard(module: &str) -> bool {
    let top = module.split('.').next().unwrap_or(module);
    crate::rules::distributions()
        .iter()
        .any(|entry| entry.until.is_some() && entry.module == top)
        || module.starts_with("importlib.")
}

fn is_environment(said: &Said) -> bool {
    let by_class = matches!(
        said.exception.as_str(),
        "PermissionError"
            | "ConnectionRefusedError"
            | "ConnectionError"
            | "gaierror"
            | "URLError"
            | "BlockingIOError"
            | "UnicodeEncodeError"
            | "ZoneInfoNotFoundError"
    );
    let by_words = [
        "unsupported locale setting",
        "Address already in use",
        "Temporary failure in name resolution",
        "Read-only file system",
        "No space left",
        "Name or service not known",
    ];
    by_class || by_words.iter().any(|words| said.message.contains(words))
}

#[cfg(test)]
mod tests;
