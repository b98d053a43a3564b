//! TypeScript's compiler has no JSON. With `--pretty false` it prints one finding a line, `file(line,column): error TS1234:
//! message`, and further lines of the same message indented.

use std::sync::LazyLock;

use maestro_protocol::finding::Level;
use regex::Regex;

use crate::finding::Finding;
use crate::json::Unreadable;
use crate::place::Place;
use crate::report::Gathering;

static LINE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"^(?:(?P<file>[^\s(][^(\n]*(?:\([^)\d\n][^)\n]*\)[^(\n]*)*)\((?P<line>\d+),(?P<column>\d+)\): )?(?P<level>error|warning|message) (?P<code>TS\d+): (?P<message>.*)$",
    )
    .expect("a pattern of this file compiles")
});

/// Whether a line is one of its findings.
pub(crate) fn is_line(line: &str) -> bool {
    LINE.is_match(line.trim_end())
}

/// Whether a text is what it prints for a terminal.
pub(crate) fn is_pretty(text: &str) -> bool {
    static PRETTY: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?m)^\S*:\S*\d+\S*:\S*\d+\S* - \S*error\S* ?\S*TS\d+")
            .expect("a pattern of this file compiles")
    });
    PRETTY.is_match(text)
}

pub(crate) fn read(text: &str, place: &Place, into: &mut Gathering<'_>) -> Result<(), Unreadable> {
    let mut open: Option<Finding> = None;
    for line in text.lines().map(str::trim_end) {
        if let Some(found) = LINE.captures(line) {
            if let Some(finding) = open.take() {
                into.take(finding)?;
            }
            let number = |name| found.name(name).and_then(|n| n.as_str().parse().ok());
            open = Some(Finding {
                tool: "tsc".to_owned(),
                rule: Some(found["code"].to_owned()),
                level: Some(match &found["level"] {
                    "error" => Level::Error,
                    "warning" => Level::Warning,
                    _ => Level::Note,
                }),
                message: found["message"].to_owned(),
                file: found.name("file").map(|file| place.file(file.as_str())),
                line: number("line"),
                column: number("column"),
                ..Finding::default()
            });
        } else if let Some(finding) = open
            .as_mut()
            .filter(|_| line.starts_with("  ") && !line.trim().is_empty())
        {
            finding.message.push('\n');
            finding.message.push_str(line);
        }
    }
    open.map_or(Ok(()), |finding| into.take(finding))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_have_brackets_in_its_name_and_a_finding_no_file() {
        for (line, file) in [
            ("src/a.ts(3,7): error TS2322: m", Some("src/a.ts")),
            (
                "app/(shop)/page.tsx(3,7): error TS2322: m",
                Some("app/(shop)/page.tsx"),
            ),
            ("error TS18003: No inputs were found.", None),
        ] {
            let found = LINE.captures(line).expect(line);
            assert_eq!(found.name("file").map(|file| file.as_str()), file);
        }
        for line in [
            "Found 3 errors.",
            "  src/a.ts(3,7): error TS2322: m",
            "error: m",
        ] {
            assert!(!is_line(line), "{line}");
        }
        assert!(is_pretty("src/a.ts:3:7 - error TS2322: m"));
        assert!(is_pretty(
            "\u{1b}[96msrc/a.ts\u{1b}[0m:\u{1b}[93m3\u{1b}[0m:\u{1b}[93m7\u{1b}[0m - \u{1b}[91merror\u{1b}[0m\u{1b}[90m TS2322: \u{1b}[0mm"
        ));
    }
}
