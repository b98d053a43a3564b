//! Reads what a runner printed when it failed before it could report: usage errors, broken configuration,
//! plugins and `conftest.py` files that cannot be imported. No format exists for these; the shapes read here are
//! Python's own traceback, pytest's short traceback, and the usage message of `argparse`.

use std::path::Path;

use super::is_python;
use super::probe::relative_path;
use crate::failure::{Failure, Frame, Phase};

/// The most text kept of what was printed.
const EXCERPT: usize = 16 * 1024;

/// Makes one failure of what was printed.
pub fn read(printed: &str, directory: &Path) -> Failure {
    let text = tail(printed, EXCERPT);
    let mut frames = Vec::new();
    let mut raised: Option<(String, String)> = None;
    let mut continues = false;
    for line in text.lines() {
        // pytest marks the lines of an exception with `E`; Python writes them at the margin.
        let said = line.strip_prefix("E   ").unwrap_or(line);
        if let Some(frame) = long_frame(line).or_else(|| short_frame(line)) {
            frames.push(Frame {
                path: relative_path(&frame.path, directory),
                ..frame
            });
            continues = false;
        } else if let Some(found) = exception(said) {
            raised = Some(found);
            continues = true;
        } else if continues && !said.trim().is_empty() && !said.starts_with("Traceback") {
            if let Some((_, message)) = &mut raised {
                message.push('\n');
                message.push_str(said.trim_end());
            }
        } else {
            continues = false;
        }
    }
    if let Some(message) = usage(text) {
        return Failure {
            test: None,
            phase: Phase::Usage,
            exception: Some("UsageError".to_owned()),
            message,
            frames,
            text: text.to_owned(),
            ..Failure::default()
        };
    }
    let (exception, message) = raised.map_or_else(
        || {
            (
                None,
                text.lines()
                    .rev()
                    .find(|line| !line.trim().is_empty())
                    .unwrap_or_default()
                    .trim()
                    .to_owned(),
            )
        },
        |(exception, message)| (Some(exception), message),
    );
    Failure {
        test: None,
        phase: Phase::Configuration,
        exception,
        message,
        frames,
        text: text.to_owned(),
        ..Failure::default()
    }
}

/// `  File "x.py", line 3, in f`
fn long_frame(line: &str) -> Option<Frame> {
    let rest = line.trim_start().strip_prefix("File \"")?;
    let (path, rest) = rest.split_once("\", line ")?;
    let (line, function) = rest.split_once(", in ").unwrap_or((rest, "<module>"));
    Some(Frame {
        path: path.to_owned(),
        line: line.trim().parse().ok()?,
        function: function.trim().to_owned(),
    })
}

/// `tests/conftest.py:3: in <module>`
fn short_frame(line: &str) -> Option<Frame> {
    let (place, function) = line.split_once(": in ")?;
    let (path, line) = place.trim_start_matches("E   ").rsplit_once(':')?;
    let named = is_python(path) || path.starts_with('<');
    named.then_some(())?;
    Some(Frame {
        path: path.trim().to_owned(),
        line: line.parse().ok()?,
        function: function.trim().to_owned(),
    })
}

/// `package.module.SomeError: text`, with nothing before the name.
fn exception(line: &str) -> Option<(String, String)> {
    let (name, message) = line
        .split_once(": ")
        .unwrap_or((line.trim_end_matches(':'), ""));
    let last = name.rsplit('.').next()?;
    let is_name = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.')
        && last.starts_with(|c: char| c.is_ascii_uppercase());
    let is_exception = [
        "Error",
        "Exception",
        "Warning",
        "Exit",
        "Failed",
        "Interrupt",
        "Failure",
    ]
    .iter()
    .any(|ending| last.ends_with(ending))
        || last == "DistributionNotFound"
        || last == "VersionConflict";
    (is_name && is_exception).then(|| (name.to_owned(), message.trim().to_owned()))
}

/// `…: error: unrecognized arguments: --cov`, and pytest's `ERROR: file or directory not found`.
fn usage(text: &str) -> Option<String> {
    text.lines()
        .find_map(|line| {
            let (program, message) = line.split_once(": error: ")?;
            (program.contains("pytest") || program.contains("unittest") || is_python(program))
                .then(|| message.trim().to_owned())
        })
        .or_else(|| {
            text.lines()
                .find_map(|line| line.strip_prefix("ERROR: "))
                .filter(|message| {
                    message.starts_with("file or directory not found")
                        || message.starts_with("not found")
                })
                .map(|message| message.trim().to_owned())
        })
}

/// The last `most` bytes of a text, or a few fewer: no character is cut.
pub(crate) fn tail(text: &str, most: usize) -> &str {
    let mut start = text.len().saturating_sub(most);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conftest_that_cannot_be_imported_is_read_from_the_short_traceback() {
        let printed = "ImportError while loading conftest '/w/tests/conftest.py'.\ntests/conftest.py:2: in <module>\n    from pkg import thing\npkg/__init__.py:5: in <module>\n    from collections import Mapping\nE   ImportError: cannot import name 'Mapping' from 'collections' (/usr/lib/python3.11/collections/__init__.py)\n";
        let failure = read(printed, Path::new("/w"));
        assert_eq!(failure.phase, Phase::Configuration);
        assert_eq!(failure.exception.as_deref(), Some("ImportError"));
        assert!(failure.message.starts_with("cannot import name 'Mapping'"));
        assert_eq!(
            failure
                .innermost_own()
                .map(|frame| (frame.path.as_str(), frame.line)),
            Some(("pkg/__init__.py", 5))
        );
    }

    #[test]
    fn an_option_that_a_missing_plugin_would_know_is_a_usage_error() {
        let printed = "ERROR: usage: python -m pytest [options] [file_or_dir] [...]\npython -m pytest: error: unrecognized arguments: --cov-append --cov pkg\n  inifile: /w/setup.cfg\n  rootdir: /w\n";
        let failure = read(printed, Path::new("/w"));
        assert_eq!(
            (failure.phase, failure.message.as_str()),
            (
                Phase::Usage,
                "unrecognized arguments: --cov-append --cov pkg"
            )
        );
    }

    #[test]
    fn a_plugin_that_pluggy_refuses_is_read_from_pythons_own_traceback() {
        let printed = "Traceback (most recent call last):\n  File \"/v/lib/pluggy/_manager.py\", line 448, in _verify_hook\n    raise PluginValidationError(\npluggy._manager.PluginValidationError: Plugin '/w/tests/conftest.py' for hook 'pytest_ignore_collect'\nhookimpl definition: pytest_ignore_collect(path, config)\nArgument(s) {'path'} are declared in the hookimpl but can not be found in the hookspec\n";
        let failure = read(printed, Path::new("/w"));
        assert_eq!(failure.exception_name(), Some("PluginValidationError"));
        assert!(
            failure.message.contains("Argument(s) {'path'}"),
            "{}",
            failure.message
        );
    }

    #[test]
    fn a_run_that_printed_nothing_still_makes_a_failure() {
        let failure = read("", Path::new("/w"));
        assert_eq!(
            (failure.phase, failure.exception),
            (Phase::Configuration, None)
        );
    }
}
