//! What went wrong and where, read out of the text that a test runner, an interpreter or a compiler printed.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// The most bytes of a stack trace that are read, counted from its end, where the cause stands.
const READ: usize = 256 * 1024;

/// The most frames that are kept, counted from the innermost.
const FRAMES: usize = 64;

/// A failure as its texts tell it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failure {
    /// The exception's type without its module, or the compiler's code of the error: `ModuleNotFoundError`, `E0425`.
    pub exception: Option<String>,
    /// What the exception says.
    pub says: String,
    /// Where it went through the project's own code, outermost first.
    pub frames: Vec<Frame>,
    /// Whose text it is.
    pub language: Option<Language>,
}

/// One step of the way to a failure.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Frame {
    /// The file's path as it was printed.
    pub file: String,
    /// The function, where it was printed.
    pub function: String,
}

/// Whose text it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Python's.
    Python,
    /// Node's.
    Node,
    /// Rust's.
    Rust,
}

impl Failure {
    /// Reads the error's own text and the stack trace that came with it.
    pub fn read(message: &str, stack_trace: Option<&str>) -> Self {
        let trace = without_colours(last(stack_trace.unwrap_or_default(), READ));
        let message = without_colours(last(message, READ));
        let python = python_frames(&trace);
        let node = node_frames(&trace);
        let rust = rust_frames(&trace);
        // The texts are told apart by the shape of their frames; without frames, by what only one of them prints.
        let (language, frames) = if !python.is_empty() {
            (Some(Language::Python), python)
        } else if !rust.is_empty() {
            (Some(Language::Rust), rust)
        } else if !node.is_empty() {
            (Some(Language::Node), node)
        } else {
            (
                by_phrase(&trace).or_else(|| by_phrase(&message)),
                Vec::new(),
            )
        };
        let (exception, says) = exception(&trace, language)
            .or_else(|| exception(&message, language))
            .map_or_else(
                || (None, first_line(&message).to_owned()),
                |(exception, says)| (Some(exception), says),
            );
        Self {
            exception,
            says,
            frames: of_the_project(frames),
            language,
        }
    }
}

/// Without library frames, and with each run of the same frame as one: how deep a recursion went before it failed
/// is different from run to run.
fn of_the_project(mut frames: Vec<Frame>) -> Vec<Frame> {
    frames.retain(|frame| !is_library(&frame.file));
    frames.dedup();
    let surplus = frames.len().saturating_sub(FRAMES);
    frames.split_off(surplus)
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern of this file compiles")
}

fn without_colours(text: &str) -> String {
    static COLOURS: LazyLock<Regex> = LazyLock::new(|| pattern(r"\x1b\[[0-9;]*[A-Za-z]"));
    COLOURS.replace_all(text, "").into_owned()
}

fn last(text: &str, bytes: usize) -> &str {
    let start = text.len().saturating_sub(bytes);
    let start = (start..=text.len()).find(|&at| text.is_char_boundary(at));
    &text[start.unwrap_or(text.len())..]
}

fn first_line(text: &str) -> &str {
    text.lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or_default()
}

/// `File "x.py", line 3, in f` of the interpreter; `x.py:3: in f` of pytest's short style; and of its long
/// style `x.py:3:` behind the source of the function.
fn python_frames(trace: &str) -> Vec<Frame> {
    static FRAME: LazyLock<Regex> = LazyLock::new(|| {
        pattern(concat!(
            r#"(?m)^(?:E? *File "(?P<a>[^"\n]+)", line \d+(?:, in (?P<f>[^\n]+))?"#,
            r"|(?P<b>(?:[A-Za-z]:)?[^\s:][^\n:]*\.pyx?):\d+:(?: in (?P<g>\S+))?",
            r"|[> ] {3}(?:async )?def (?P<def>\w+)\()",
        ))
    });
    let mut defined = String::new();
    let mut frames = Vec::new();
    for found in FRAME.captures_iter(trace) {
        if let Some(name) = found.name("def") {
            name.as_str().clone_into(&mut defined);
            continue;
        }
        let file = found.name("a").or_else(|| found.name("b"));
        let function = found.name("f").or_else(|| found.name("g"));
        let function = function.map_or_else(
            || std::mem::take(&mut defined),
            |name| name.as_str().trim().to_owned(),
        );
        frames.extend(file.map(|file| Frame {
            file: file.as_str().to_owned(),
            function,
        }));
    }
    frames
}

/// `at f (/x/y.js:1:2)` and `at file:///x/y.js:1:2`, innermost first as Node prints them; its TAP reporter without `at`.
fn node_frames(trace: &str) -> Vec<Frame> {
    static FRAME: LazyLock<Regex> = LazyLock::new(|| {
        pattern(concat!(
            r"(?m)^\s*(?:at )?(?:(?:async )?(?P<f>[^\n(]+?) \()?",
            r"(?P<a>[^\s()]*\.[cm]?[jt]sx?|node:[^\s():]+):\d+:\d+\)?(?: \{)?$",
        ))
    });
    let mut frames: Vec<Frame> = FRAME
        .captures_iter(trace)
        .filter_map(|found| named(&found))
        .collect();
    frames.reverse();
    frames
}

/// `thread 't' panicked at src/x.rs:1:2`, `--> src/x.rs:1:2` of the compiler, and `at ./src/x.rs:1:2` of a backtrace.
fn rust_frames(trace: &str) -> Vec<Frame> {
    static FRAME: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r"(?m)(?:panicked at |^\s*--> |^\s*\d+: (?P<f>[^\n]+)\n\s+at )(?:'[^\n]*', )?(?P<a>[^\s:']+\.rs):\d+(?::\d+)?",
        )
    });
    FRAME
        .captures_iter(trace)
        .filter_map(|found| named(&found))
        .collect()
}

fn named(found: &Captures<'_>) -> Option<Frame> {
    Some(Frame {
        file: found.name("a")?.as_str().to_owned(),
        function: found
            .name("f")
            .map_or_else(String::new, |name| name.as_str().trim().to_owned()),
    })
}

/// Code that is not the project's: the interpreter's, the runtime's, or a dependency's.
fn is_library(file: &str) -> bool {
    static LIBRARY: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r"(?:site|dist)-packages[/\\]|lib(?:64)?[/\\]python\d|^<frozen|^<__array|[/\\]node_modules[/\\]|^node:|^internal/|[/\\]\.cargo[/\\](?:registry|git)[/\\]|^/rustc/|[/\\]rustlib[/\\]",
        )
    });
    LIBRARY.is_match(file)
}

fn by_phrase(text: &str) -> Option<Language> {
    static PYTHON: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r"Traceback \(most recent call last\)|\bModuleNotFoundError\b|\bImportError\b|No module named '|conftest\.py|(?m)^E   ",
        )
    });
    static NODE: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"\bERR_[A-Z_]+\b|Cannot find module '|npm ERR!|npm error"));
    static RUST: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"\berror\[E\d{4}\]|panicked at|could not compile `"));
    [
        (&PYTHON, Language::Python),
        (&NODE, Language::Node),
        (&RUST, Language::Rust),
    ]
    .into_iter()
    .find(|(phrase, _)| phrase.is_match(text))
    .map(|(_, language)| language)
}

/// The exception and what it says. Python prints the decisive one last, Node first.
fn exception(text: &str, language: Option<Language>) -> Option<(String, String)> {
    // With the endings that exceptions have.
    static NAMED: LazyLock<Regex> = LazyLock::new(|| {
        pattern(concat!(
            r"(?m)^(?:E\s+|Uncaught )?(?:[A-Za-z_]\w*\.)*(?P<x>",
            r"[A-Z]\w*(?:Error|Exception|Warning|Failure|Interrupt|Exit|Iteration|Failed|Group|Timeout|Conflict|NotFound|DoesNotExist)",
            r"|Error|Exception|Failed)(?: \[[A-Z_]+\])?(?:: ?(?P<says>[^\n]*)|\s*$)",
        ))
    });
    // Any dotted name behind pytest's `E`; a bare assertion there; the last line of pytest's long style.
    static PYTEST: LazyLock<Vec<Regex>> = LazyLock::new(|| {
        [
            r"(?m)^E\s+(?:[A-Za-z_]\w*\.)+(?P<x>[A-Z]\w*)(?:: ?(?P<says>[^\n]*)|\s*$)",
            r"(?m)^E\s+(?P<says>(?P<x>assert) [^\n]*)",
            r"(?m)^[^\s:][^\n:]*\.pyx?:\d+: (?P<x>[A-Z]\w*)\s*$",
        ]
        .map(pattern)
        .into()
    });
    static TAP: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^\s*name: '(?P<x>\w+)'"));
    if language == Some(Language::Rust) {
        return rust_exception(text);
    }
    let chosen = |pattern: &Regex| {
        let mut all = pattern.captures_iter(text);
        let found = if language == Some(Language::Node) {
            all.next()
        } else {
            all.last()
        }?;
        let says = found.name("says").map_or("", |says| says.as_str());
        let name = match &found["x"] {
            "assert" => "AssertionError",
            name => name,
        };
        Some((name.to_owned(), says.trim().to_owned()))
    };
    chosen(&NAMED)
        .or_else(|| PYTEST.iter().find_map(chosen))
        .or_else(|| chosen(&TAP))
}

/// The compiler's code of the first error, or the first panic and what it says, which stood in the same line before
/// Rust 1.73 and stands in the next one since.
fn rust_exception(text: &str) -> Option<(String, String)> {
    static RUST: LazyLock<Regex> = LazyLock::new(|| {
        pattern(concat!(
            r"(?m)^\s*error\[(?P<x>E\d{4})\]: (?P<says>[^\n]*)",
            r"|panicked at (?:'(?P<old>[^\n]*)', )?[^\n]*(?:\n(?P<new>[^\n]*))?",
        ))
    });
    let found = RUST.captures(text)?;
    let says = ["says", "old", "new"]
        .into_iter()
        .find_map(|name| found.name(name));
    let name = found.name("x").map_or("panic", |name| name.as_str());
    Some((
        name.to_owned(),
        says.map_or_else(String::new, |says| says.as_str().to_owned()),
    ))
}
