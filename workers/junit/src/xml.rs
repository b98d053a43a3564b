//! The XML of a report, read as a stream of events within fixed bounds.
//!
//! `quick-junit` reads only what it wrote itself (no bare `<testsuite>`, no nested suites, no time stamp
//! without an offset), so this goes by elements and takes every writer's dialect. Entities other than the five of XML are not expanded, and
//! nothing outside the file is ever fetched.

use std::sync::Arc;

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesStart, Event};

use crate::case::{Case, Problem, Suite};
use crate::limits::{Limits, bounded, cut};
use crate::report::Report;
use crate::runner;

/// The deepest nesting of elements.
const MAX_DEPTH: usize = 64;
/// The most bytes of a name: of a suite, a class, a test, a file.
const MAX_NAME: usize = 16 * 1024;

/// Why a report cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is larger than [`Limits::bytes`].
    #[error("{bytes} bytes, but a report has at most {most}")]
    Large {
        /// How large it is.
        bytes: usize,
        /// How large it may be.
        most: usize,
    },
    /// It is not UTF-8.
    #[error("expected UTF-8, but found something else at byte {at}")]
    NotUtf8 {
        /// How many bytes before it are UTF-8.
        at: usize,
    },
    /// It is not XML.
    #[error("line {line}: not well-formed XML: {detail}")]
    Malformed {
        /// Where, counted from 1.
        line: usize,
        /// What the parser says.
        detail: String,
    },
    /// It is XML of another kind.
    #[error(
        "line {line}: expected `<testsuites>` or `<testsuite>` as the root of a JUnit report, but found `<{found}>`"
    )]
    Foreign {
        /// Where, counted from 1.
        line: usize,
        /// The root's name.
        found: String,
    },
    /// There is no element in it.
    #[error("no `<testsuite>` in it: this is not a JUnit report")]
    Empty,
    /// Its end is missing.
    #[error("line {line}: the report ends inside `<{open}>`: it was cut off")]
    Cut {
        /// Its last line, counted from 1.
        line: usize,
        /// The element that is open there.
        open: String,
    },
    /// It is nested too deep.
    #[error("line {line}: suites are nested more than {MAX_DEPTH} deep")]
    Deep {
        /// Where, counted from 1.
        line: usize,
    },
}

/// Reads a report.
///
/// # Errors
///
/// See [`Unreadable`]. A failure without a message, a time that is no number or an attribute that cannot be decoded
/// is no error: it counts as absent.
pub fn read(bytes: &[u8], limits: &Limits) -> Result<Report, Unreadable> {
    if bytes.len() > limits.bytes {
        return Err(Unreadable::Large {
            bytes: bytes.len(),
            most: limits.bytes,
        });
    }
    let xml = std::str::from_utf8(bytes).map_err(|error| Unreadable::NotUtf8 {
        at: error.valid_up_to(),
    })?;
    read_text(xml.trim_start_matches('\u{feff}'), limits)
}

fn read_text(xml: &str, limits: &Limits) -> Result<Report, Unreadable> {
    let mut walk = Walk {
        limits: *limits,
        stack: Vec::new(),
        report: Report::default(),
        suite: None,
        seen_root: false,
        case: None,
    };
    let mut reader = Reader::from_str(xml);
    loop {
        let event = reader.read_event();
        let line = || {
            line_at(
                xml,
                usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX),
            )
        };
        match event {
            Err(error) => {
                let at = usize::try_from(reader.error_position()).unwrap_or(usize::MAX);
                return Err(Unreadable::Malformed {
                    line: line_at(xml, at),
                    detail: error.to_string(),
                });
            }
            Ok(Event::Eof) => return walk.end(line()),
            Ok(Event::Start(element)) => {
                walk.open(&element, line)?;
                walk.stack.push(element.name().as_ref().to_owned());
                if walk.stack.len() > MAX_DEPTH {
                    return Err(Unreadable::Deep { line: line() });
                }
            }
            Ok(Event::Empty(element)) => {
                walk.open(&element, line)?;
                walk.close(element.name().as_ref());
            }
            Ok(Event::End(element)) => {
                walk.stack.pop();
                walk.close(element.name().as_ref());
            }
            Ok(Event::Text(text)) => walk.text(&text.xml10_content()),
            Ok(Event::CData(text)) => walk.text(&text.xml10_content()),
            Ok(Event::GeneralRef(entity)) => {
                if let Ok(Some(c)) = entity.resolve_char_ref() {
                    walk.text(c.encode_utf8(&mut [0; 4]));
                } else if let Some(known) = resolve_xml_entity(&entity) {
                    walk.text(known);
                }
            }
            Ok(_) => {}
        }
    }
}

struct Walk {
    limits: Limits,
    stack: Vec<String>,
    report: Report,
    /// The innermost suite that is open.
    suite: Option<Arc<Suite>>,
    seen_root: bool,
    /// The case that is open.
    case: Option<Open>,
}

/// A case, and what of it was met.
#[derive(Default)]
struct Open {
    case: Case,
    ended: Ended,
    /// Inside its first `<failure>` or `<error>`.
    in_problem: bool,
}

#[derive(Default, Clone, Copy, PartialEq)]
enum Ended {
    #[default]
    Passed,
    Skipped,
    Failed,
    Error,
}

impl Walk {
    fn open(
        &mut self,
        element: &BytesStart<'_>,
        line: impl Fn() -> usize,
    ) -> Result<(), Unreadable> {
        let name = element.name();
        let attributes = Attributes(element);
        match name.as_ref() {
            "testsuites" => {
                self.seen_root = true;
                self.named(&attributes.name("name").unwrap_or_default());
            }
            "testsuite" => {
                self.seen_root = true;
                let name = attributes.name("name").unwrap_or_default();
                self.named(&name);
                self.suite = Some(Arc::new(Suite {
                    name,
                    file: attributes
                        .name("file")
                        .or_else(|| attributes.name("filepath")),
                    around: self.suite.take(),
                }));
            }
            "testcase" => self.case = Some(self.begun(&attributes)),
            "skipped" => {
                if let Some(open) = self.case.as_mut()
                    && open.ended == Ended::Passed
                {
                    open.ended = Ended::Skipped;
                }
            }
            problem @ ("failure" | "error") => {
                if let Some(open) = self.case.as_mut()
                    && matches!(open.ended, Ended::Passed | Ended::Skipped)
                {
                    open.ended = match problem {
                        "failure" => Ended::Failed,
                        _ => Ended::Error,
                    };
                    open.in_problem = true;
                    open.case.problem = Problem {
                        class: attributes.name("type").unwrap_or_default(),
                        message: attributes.get("message").unwrap_or_default(),
                        text: String::new(),
                    };
                }
            }
            other if self.stack.is_empty() && !self.seen_root => {
                return Err(Unreadable::Foreign {
                    line: line(),
                    found: other.chars().take(64).collect(),
                });
            }
            _ => {}
        }
        Ok(())
    }

    /// A root or a suite has this name.
    fn named(&mut self, name: &str) {
        self.report.named = self.report.named.or_else(|| runner::of_suite(name));
    }

    fn begun(&self, attributes: &Attributes<'_>) -> Open {
        Open {
            case: Case {
                classname: attributes.name("classname").unwrap_or_default(),
                name: attributes.name("name").unwrap_or_default(),
                file: attributes.name("file").filter(|file| !file.is_empty()),
                suite: self.suite.clone(),
                // Some writers group thousands: `1,234.5`.
                seconds: attributes
                    .name("time")
                    .and_then(|time| time.replace(',', "").parse().ok())
                    .filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0),
                problem: Problem::default(),
            },
            ..Open::default()
        }
    }

    fn close(&mut self, name: &str) {
        match name {
            "failure" | "error" => {
                if let Some(open) = self.case.as_mut() {
                    open.in_problem = false;
                }
            }
            "testsuite" => {
                self.suite = self.suite.take().and_then(|suite| suite.around.clone());
            }
            "testcase" => {
                if let Some(open) = self.case.take() {
                    self.ended(open);
                }
            }
            _ => {}
        }
    }

    fn ended(&mut self, open: Open) {
        let counts = &mut self.report.counts;
        let count = match open.ended {
            Ended::Passed => &mut counts.passed,
            Ended::Skipped => &mut counts.skipped,
            Ended::Failed => &mut counts.failed,
            Ended::Error => &mut counts.errors,
        };
        *count = count.saturating_add(1);
        if matches!(open.ended, Ended::Passed | Ended::Skipped) {
            return;
        }
        if self.report.failing.len() >= self.limits.failures {
            self.report.left_out += 1;
            return;
        }
        let mut case = open.case;
        case.problem.text = bounded(&case.problem.text, self.limits.text);
        case.problem.message = bounded(&case.problem.message, self.limits.text);
        self.report.failing.push(case);
    }

    fn text(&mut self, text: &str) {
        if let Some(open) = self.case.as_mut().filter(|open| open.in_problem) {
            open.case.problem.text.push_str(text);
        }
    }

    fn end(mut self, line: usize) -> Result<Report, Unreadable> {
        match self.stack.pop() {
            Some(open) => Err(Unreadable::Cut { line, open }),
            None if self.seen_root => Ok(self.report),
            None => Err(Unreadable::Empty),
        }
    }
}

struct Attributes<'a>(&'a BytesStart<'a>);

impl Attributes<'_> {
    /// An attribute's value. One that cannot be decoded counts as absent: reports are written by many
    /// hands, and one bad attribute is no reason to lose a failure.
    fn get(&self, name: &str) -> Option<String> {
        let attribute = self.0.try_get_attribute(name).ok()??;
        // Not `normalized_value`: writers put the line ends of a message into the attribute as they are.
        let value = quick_xml::escape::unescape(&attribute.value).ok()?;
        Some(value.into_owned())
    }

    /// The value of an attribute that names something; the end of a very long one is left out.
    fn name(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| cut(&value, MAX_NAME).to_owned())
    }
}

fn line_at(xml: &str, position: usize) -> usize {
    let before = &xml.as_bytes()[..position.min(xml.len())];
    before.split(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use maestro_protocol::heal::Counts;

    use super::*;

    fn read(xml: &str) -> Result<Report, Unreadable> {
        super::read(xml.as_bytes(), &Limits::default())
    }

    #[test]
    fn a_bare_suite_and_nested_suites_are_read() {
        let report = read(
            r#"<testsuite name="outer" file="a.test.js"><testsuite name="inner">
                 <testcase name="one" classname="c" time="1,234.5"><failure message="a &lt; b&#10;c" type="T">x &amp; <![CDATA[<y>]]></failure></testcase>
                 <testcase name="two"/>
               </testsuite></testsuite>"#,
        )
        .unwrap();
        assert_eq!((report.tests(), report.failing()), (2, 1));
        let case = &report.failing[0];
        assert_eq!(case.problem.message, "a < b\nc");
        assert_eq!(case.problem.text, "x & <y>");
        assert_eq!(case.seconds, Some(1234.5));
        assert_eq!(case.suite_file(), Some("a.test.js"));
        assert_eq!(case.suites(), ["outer", "inner"]);
    }

    #[test]
    fn what_is_no_report_is_refused_with_the_line_and_the_reason() {
        let sentence = |xml: &str| read(xml).unwrap_err().to_string();
        assert_eq!(
            sentence("<?xml version=\"1.0\"?>\n<html></html>"),
            "line 2: expected `<testsuites>` or `<testsuite>` as the root of a JUnit report, but found `<html>`"
        );
        assert_eq!(
            sentence("hello"),
            "no `<testsuite>` in it: this is not a JUnit report"
        );
        assert!(
            sentence("<testsuite>\n<testcase>\n")
                .starts_with("line 3: the report ends inside `<testcase>`")
        );
        assert!(sentence("<testsuite>\n</testsuites>").starts_with("line 2: not well-formed XML"));
    }

    #[test]
    fn bombs_do_not_go_off() {
        let entities = r#"<!DOCTYPE a [<!ENTITY l "lol"><!ENTITY m "&l;&l;&l;">]><testsuite><testcase name="x"><failure>&m;</failure></testcase></testsuite>"#;
        assert_eq!(read(entities).unwrap().failing[0].problem.text, "");
        let deep = "<testsuite>".repeat(100_000);
        assert!(matches!(read(&deep), Err(Unreadable::Deep { .. })));
        let long = format!(
            "<testsuite><testcase name='x'><failure>{}</failure></testcase></testsuite>",
            "é".repeat(1_000_000)
        );
        assert!(read(&long).unwrap().failing[0].problem.text.len() < Limits::default().text + 100);
    }

    #[test]
    fn only_the_first_problem_of_a_case_counts() {
        let xml = "<testsuite><testcase name='x'><failure>one</failure><error>two</error><system-out>three</system-out></testcase></testsuite>";
        assert_eq!(read(xml).unwrap().failing[0].problem.text, "one");
    }

    #[test]
    fn cases_are_counted_by_what_they_hold_and_not_by_what_their_suite_says() {
        let counts = |xml: &str| read(xml).unwrap().counts();
        let counted = |passed, failed, errors, skipped| Counts {
            passed,
            failed,
            errors,
            skipped,
        };
        assert_eq!(
            counts(include_str!("fixtures/pytest.xml")),
            counted(1, 2, 3, 0)
        );
        assert_eq!(
            counts(include_str!("fixtures/unittest.xml")),
            counted(0, 2, 2, 0)
        );
        assert_eq!(
            counts(
                "<testsuite tests='99' failures='99'><testcase name='a'/><testcase name='b'><skipped/></testcase>\
                 <testcase name='c'><skipped/><failure/></testcase><testcase name='d'><error/><failure/></testcase></testsuite>"
            ),
            counted(1, 1, 1, 1)
        );
    }

    #[test]
    fn failures_beyond_the_most_are_counted_and_not_kept() {
        let case = "<testcase name='x'><failure/></testcase>";
        let xml = format!("<testsuite>{}</testsuite>", case.repeat(10));
        let limits = Limits {
            failures: 4,
            ..Limits::default()
        };
        let report = super::read(xml.as_bytes(), &limits).unwrap();
        let kept = (report.failing(), report.left_out(), report.counts().failed);
        assert_eq!(kept, (4, 6, 10));
    }

    #[test]
    fn a_report_that_is_too_large_or_in_another_encoding_is_refused() {
        let limits = Limits {
            bytes: 20,
            ..Limits::default()
        };
        let sentence = |bytes: &[u8]| super::read(bytes, &limits).unwrap_err().to_string();
        assert_eq!(
            sentence(b"<testsuite></testsuite>"),
            "23 bytes, but a report has at most 20"
        );
        assert_eq!(
            sentence(b"<testsuite a='\xe9'/>"),
            "expected UTF-8, but found something else at byte 14"
        );
    }

    /// A small report must not become a large one: no name is kept longer than it may be, and none once for each case.
    #[test]
    fn a_long_name_of_a_suite_is_kept_once_and_cut() {
        let name = "x".repeat(1_000_000);
        let case = "<testcase name='t'><failure/></testcase>";
        let xml = format!(
            "<testsuite name='{name}'>{}</testsuite>",
            case.repeat(50_000)
        );
        let report = read(&xml).unwrap();
        assert_eq!(report.failing(), 50_000);
        let suites: Vec<_> = report
            .failing
            .iter()
            .map(|case| Arc::as_ptr(case.suite.as_ref().unwrap()))
            .collect();
        assert!(suites.windows(2).all(|pair| pair[0] == pair[1]));
        assert_eq!(report.failing[0].suites()[0].len(), MAX_NAME);
    }

    #[test]
    fn an_element_of_very_many_attributes_is_read() {
        let attributes = " a=''".repeat(400_000);
        let xml =
            format!("<testsuite><testcase{attributes} name='t'><failure/></testcase></testsuite>");
        assert_eq!(read(&xml).unwrap().failing[0].name, "t");
    }
}
