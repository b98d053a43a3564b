//! Text without what changes from one run to the next: addresses, ids, times, ports, places on the disk, line numbers.

use std::sync::LazyLock;

use regex::Regex;

/// The most bytes of a text that tell it apart from others.
const READ: usize = 8 * 1024;

/// What to replace, in this order: what is longest and most particular comes first.
static CHANGING: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    [
        (r"\x1b\[[0-9;]*[A-Za-z]", ""),
        (r"(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<uuid>"),
        (
            r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?)?\b",
            "<time>",
        ),
        (r"\b\d\d?:\d\d:\d\d(?:[.,]\d+)?\b", "<time>"),
        (r"(?i)\b0x[0-9a-f]+\b", "<address>"),
        // Temporary files: the directory and the random name in it.
        (
            r#"(?:/private)?/(?:tmp|var/tmp|var/folders|dev/shm)(?:/[^\s'"`:;,()<>\[\]]+)+"#,
            "<tmp>",
        ),
        (r#"(?i)[a-z]:\\(?:[^\s'"`:;,()<>\\]+\\)*te?mp\\[^\s'"`:;,()<>]+"#, "<tmp>"),
        // The file's name remains of an absolute path: what stands before it is where somebody unpacked it.
        (r#"(?:[A-Za-z]:)?(?:[/\\][^\s'"`:;,()<>\[\]/\\]+)+[/\\]([^\s'"`:;,()<>\[\]/\\]+)"#, "$1"),
        (r"(?i)\b(pid|process|port|thread|tid)([ =:#-]+)\d+", "$1$2<n>"),
        (r"(?i)\b(lines?|row|column|col)([ =:]+)\d+", "$1$2<n>"),
        (r"([A-Za-z_\])>]|\d\.\d+)(?::\d+)+\b", "$1:<n>"),
        (
            r"\b\d+(?:\.\d+)?(?:e-?\d+)? ?(?:ns|µs|us|ms|s|secs?|seconds?|mins?|minutes?|hours?|milliseconds?)\b",
            "<duration>",
        ),
        (r"(?i)\b[0-9a-f]*(?:[0-9][a-f]|[a-f][0-9])[0-9a-f]{10,}\b", "<hex>"),
        (r"\b\d{9,}\b", "<n>"),
        (r"\s+", " "),
    ]
    .into_iter()
    .map(|(pattern, with)| (Regex::new(pattern).expect("a pattern of this file compiles"), with))
    .collect()
});

/// The text without what changes from one run to the next.
pub(crate) fn stable(text: &str) -> String {
    let end = (0..=READ.min(text.len()))
        .rev()
        .find(|&at| text.is_char_boundary(at));
    let text = text[..end.unwrap_or(0)].trim().to_owned();
    CHANGING.iter().fold(text, |text, (pattern, with)| {
        pattern.replace_all(&text, *with).into_owned()
    })
}

/// A file's name, with its directory where the name alone says nothing.
pub(crate) fn file(path: &str) -> String {
    let mut parts = path.rsplit(['/', '\\']);
    let name = parts.next().unwrap_or_default();
    match (name, parts.next()) {
        (
            "__init__.py" | "mod.rs" | "lib.rs" | "main.rs" | "index.js" | "index.ts",
            Some(directory),
        ) => {
            format!("{directory}/{name}")
        }
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_from_run_to_run_is_taken_out() {
        for (one, other) in [
            ("<Cart object at 0x7f3a2c>", "<Cart object at 0x10ffee>"),
            (
                "no file /tmp/pytest-of-ci/pytest-3/x0/a.txt",
                "no file /tmp/pytest-of-ada/pytest-91/x0/a.txt",
            ),
            (
                "/home/ci/build/7/shop/cart.py:12 broke",
                "/srv/shop/cart.py:99 broke",
            ),
            ("took 1.25 s, pid 4711", "took 3.5 s, pid 12"),
            (
                "connect to 127.0.0.1:43211 refused",
                "connect to 127.0.0.1:80 refused",
            ),
            (
                "connect to localhost:43211 refused",
                "connect to localhost:5 refused",
            ),
            (
                "at 2026-07-01T12:00:00.123Z",
                "at 2025-01-31 23:59:59+00:00",
            ),
            (
                "job 123e4567-e89b-12d3-a456-426614174000",
                "job 00000000-e89b-12d3-a456-42661417ffff",
            ),
            (
                "commit 4bf92f3577b34da6a3ce929d0e0e4736",
                "commit 00f067aa0ba902b74bf92f3577b34da6",
            ),
            ("line 3, column 4", "line 30, column 41"),
            (r"C:\Users\ci\shop\cart.py", r"D:\a\cart.py"),
        ] {
            assert_eq!(stable(one), stable(other));
        }
    }

    #[test]
    fn what_tells_failures_apart_stays() {
        for (one, other) in [
            ("assert 3 == 4", "assert 3 == 5"),
            ("No module named 'nose'", "No module named 'mock'"),
            (
                "cannot import name 'Mapping' from 'collections'",
                "cannot import name 'Set' from 'collections'",
            ),
            ("requires six>=1.16", "requires six>=1.10"),
            ("deadbeef is dead", "cafe is dead"),
            ("in cart.py", "in order.py"),
        ] {
            assert_ne!(stable(one), stable(other));
        }
    }
}
