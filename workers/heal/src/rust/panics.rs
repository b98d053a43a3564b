//! What a test that failed printed of it: where it panicked, what it said, what an assertion compared. Rust has no form
//! for that but the text of its [default hook](https://doc.rust-lang.org/std/panic/fn.set_hook.html).

use std::sync::LazyLock;

use regex::Regex;

use super::compiler::Places;
use crate::failure::{Compared, Failure, Frame};
use crate::runner::console::tail;

/// The most text kept of what was printed.
const EXCERPT: usize = 8 * 1024;
/// What a failed assertion's exception is called here.
pub(super) const ASSERTION: &str = "assertion";
/// That of any other panic.
pub(super) const PANIC: &str = "panic";

/// What a comparison with a snapshot of insta is called.
pub(super) const SNAPSHOT: &str = "insta";

/// The status of a test that did not end in its time.
const LATE: i32 = 124;

/// One panic.
struct Panic<'t> {
    thread: &'t str,
    path: &'t str,
    line: u32,
    message: String,
    trace: Vec<&'t str>,
}

/// Fills in what happened from what one test printed. `status` is its exit status, as a shell has it.
pub(super) fn describe(
    failure: &mut Failure,
    name: &str,
    stdout: &str,
    stderr: &str,
    status: i32,
    places: &Places,
) {
    let panics = panics(stderr);
    // The test's own: those of threads that it started come before it.
    let of_test = panics
        .iter()
        .rfind(|panic| panic.thread == name || panic.thread == "main");
    let chosen = match of_test {
        // It only hands on what a thread died of.
        Some(panic) if panic.message.contains("Any { .. }") => panics.first(),
        Some(panic) => Some(panic),
        None => panics.last(),
    };
    let said = if stderr.trim().is_empty() {
        stdout
    } else {
        stderr
    };
    tail(said, EXCERPT).clone_into(&mut failure.text);
    if let Some(panic) = chosen {
        failure.message.clone_from(&panic.message);
        let of_snapshot = panic.message.starts_with("snapshot assertion for ");
        let asserts = panic.message.starts_with("assertion ") || of_snapshot;
        failure.exception = Some(if asserts { ASSERTION } else { PANIC }.to_owned());
        failure.compared = compared(&panic.message);
        if of_snapshot {
            // What differs is printed as what a test prints.
            let told = tail(stdout, EXCERPT);
            failure.text = format!("{told}\n{}", panic.message);
            failure.compared = snapshot(told);
        }
        failure.frames = frames(&panic.trace, places);
        let place = Frame {
            path: places.relative(panic.path),
            line: panic.line,
            function: String::new(),
        };
        let known = failure
            .frames
            .last()
            .is_some_and(|last| (&last.path, last.line) == (&place.path, place.line));
        if !known {
            failure.frames.push(place);
        }
        return;
    }
    if let Some(line) = stderr.lines().find(|line| line.starts_with("Error: ")) {
        // A test that answers with an error.
        failure.exception = Some(PANIC.to_owned());
        line.clone_into(&mut failure.message);
    } else if stdout.contains("note: test did not panic as expected") {
        failure.exception = Some(ASSERTION.to_owned());
        "the test did not panic as it is expected to".clone_into(&mut failure.message);
    } else if status == LATE {
        failure.exception = Some("timeout".to_owned());
        "the test does not end".clone_into(&mut failure.message);
    } else if status > 128 {
        failure.exception = Some("signal".to_owned());
        failure.message = format!("the test was ended by signal {}", status - 128);
    } else {
        failure.exception = Some(PANIC.to_owned());
        failure.message = format!("the test ended with status {status} and said nothing");
    }
}

/// `thread 'name' (1234) panicked at src/lib.rs:3:5:`, the message below it, and the trace behind that.
fn panics(text: &str) -> Vec<Panic<'_>> {
    static HEAD: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"^thread '(.*)'(?: \(\d+\))? panicked at (.+):(\d+):\d+:$").ok()
    });
    let mut found: Vec<Panic<'_>> = Vec::new();
    let mut in_trace = false;
    for line in text.lines() {
        if let Some(head) = HEAD.as_ref().and_then(|head| head.captures(line)) {
            let part = |number| head.get(number).map_or("", |part| part.as_str());
            in_trace = false;
            found.push(Panic {
                thread: part(1),
                path: part(2),
                line: part(3).parse().unwrap_or_default(),
                message: String::new(),
                trace: Vec::new(),
            });
            continue;
        }
        let Some(panic) = found.last_mut() else {
            continue;
        };
        if line == "stack backtrace:" {
            in_trace = true;
        } else if in_trace {
            panic.trace.push(line);
        } else if !line.starts_with("note: ") {
            if !panic.message.is_empty() {
                panic.message.push('\n');
            }
            panic.message.push_str(line);
        }
    }
    for panic in &mut found {
        panic.message.truncate(panic.message.trim_end().len());
    }
    found
}

/// `  left: 1` and ` right: 2`, as `assert_eq!` has them.
fn compared(message: &str) -> Option<Compared> {
    let side = |name: &str| {
        message.lines().find_map(|line| {
            line.trim_start()
                .strip_prefix(name)
                .map(|value| value.trim().to_owned())
        })
    };
    let by = message.strip_prefix("assertion `")?.split('`').next()?;
    Some(Compared {
        actual: side("left:")?,
        expected: side("right:")?,
        by: by.to_owned(),
    })
}

/// The only line in which a snapshot differs, as [insta](https://insta.rs/docs/) prints it: `1   │-old`, `  1 │+new`.
fn snapshot(told: &str) -> Option<Compared> {
    let side = |sign: &str| {
        let mut lines = told.lines().filter_map(|line| {
            let (numbers, rest) = line.split_once('│')?;
            let is_line = numbers
                .chars()
                .all(|c| c.is_whitespace() || c.is_ascii_digit());
            rest.strip_prefix(sign).filter(|_| is_line)
        });
        let only = lines.next()?;
        lines.next().is_none().then(|| only.to_owned())
    };
    Some(Compared {
        actual: side("+")?,
        expected: side("-")?,
        by: SNAPSHOT.to_owned(),
    })
}

/// The project's own frames of a trace, the outermost first.
fn frames(trace: &[&str], places: &Places) -> Vec<Frame> {
    let mut found = Vec::new();
    let mut function = String::new();
    for line in trace {
        let line = line.trim();
        if let Some(place) = line.strip_prefix("at ") {
            let mut parts = place.rsplitn(3, ':');
            let (_, number, path) = (parts.next(), parts.next(), parts.next());
            let (Some(number), Some(path)) = (number.and_then(|n| n.parse().ok()), path) else {
                continue;
            };
            let path = places.relative(path);
            if !path.starts_with('/') {
                found.push(Frame {
                    path,
                    line: number,
                    function: std::mem::take(&mut function),
                });
            }
        } else if let Some((_, name)) = line.split_once(": ") {
            function = plain(name);
        }
    }
    found.reverse();
    found
}

/// A function's name without what the compiler adds: `shop::price` of `shop::price::{{closure}}::h0a1b`.
fn plain(name: &str) -> String {
    let name = name.split("::{{closure}}").next().unwrap_or(name);
    match name.rsplit_once("::h") {
        Some((before, hash))
            if hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) =>
        {
            before.to_owned()
        }
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "\nthread 'of_members' (81) panicked at tests/price.rs:6:5:\nassertion `left == right` failed: members\n  left: 16\n right: 17\nstack backtrace:\n   0: __rustc::rust_begin_unwind\n             at /rustc/5980/library/std/src/panicking.rs:689:5\n   3: core::panicking::assert_failed\n             at /rustc/5980/library/core/src/panicking.rs:1:5\n   4: price::of_members\n             at ./tests/price.rs:6:5\n   5: price::of_members::{{closure}}\n             at ./tests/price.rs:5:16\nnote: Some details are omitted\n";

    fn told(name: &str, stdout: &str, stderr: &str, status: i32) -> Failure {
        let places = Places {
            project: "/w".into(),
            workspace: "/w".into(),
        };
        let mut failure = Failure::default();
        describe(&mut failure, name, stdout, stderr, status, &places);
        failure
    }

    #[test]
    fn an_assertion_has_both_values_its_place_and_the_frames_that_led_there() {
        let failure = told("of_members", "", PRINTED, 101);
        assert_eq!(failure.exception.as_deref(), Some("assertion"));
        let compared = failure.compared.unwrap();
        assert_eq!(
            (compared.actual.as_str(), compared.expected.as_str()),
            ("16", "17")
        );
        assert_eq!(compared.by, "left == right");
        let last = failure.frames.last().unwrap();
        assert_eq!((last.path.as_str(), last.line), ("tests/price.rs", 6));
        assert_eq!(last.function, "price::of_members");
    }

    #[test]
    fn a_snapshot_that_differs_in_one_line_has_both() {
        let panic = "thread 'greets' panicked at /c/insta-1.49.0/src/runtime.rs:734:13:\nsnapshot assertion for 'greets' failed in line 5\nstack backtrace:\n   4: own::tests::greets\n             at ./src/lib.rs:5:19\n";
        let diff = "Snapshot file: src/snapshots/own__greets.snap\n-old snapshot\n+new results\n────┬────\n    1       │-You are tolerated\n          1 │+You are welcome\n    2     2 │ ann\n────┴────\n";
        let failure = told("greets", diff, panic, 101);
        assert_eq!(failure.exception.as_deref(), Some(ASSERTION));
        let compared = failure.compared.clone().unwrap();
        assert_eq!(
            (compared.actual.as_str(), compared.expected.as_str()),
            ("You are welcome", "You are tolerated")
        );
        let own = failure.innermost_own().unwrap();
        assert_eq!((own.path.as_str(), own.line), ("src/lib.rs", 5));
        let two = diff.replace("    2     2 │ ann", "    2       │-ann");
        assert_eq!(told("greets", &two, panic, 101).compared, None);
    }

    #[test]
    fn of_a_thread_that_died_and_the_test_that_joins_it_the_thread_says_why() {
        let both = "thread '<unnamed>' panicked at src/lib.rs:3:9:\nno stock\nthread 't' panicked at tests/a.rs:9:20:\ncalled `Result::unwrap()` on an `Err` value: Any { .. }\n";
        let failure = told("t", "", both, 101);
        assert_eq!(failure.message, "no stock");
        assert_eq!(failure.frames[0].path, "src/lib.rs");
    }

    #[test]
    fn what_prints_no_panic_is_told_by_how_it_ended() {
        let answered = told("t", "", "Error: NotFound\n", 101);
        assert_eq!(answered.message, "Error: NotFound");
        let expected = told("t", "note: test did not panic as expected\n", "", 101);
        assert_eq!(expected.exception.as_deref(), Some("assertion"));
        assert!(told("t", "", "", 134).message.contains("signal 6"));
    }
}
