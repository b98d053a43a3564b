//! The XML of a report, read as a stream of events within fixed bounds.
//!
//! `quick-junit` reads only what it wrote itself (no bare `<testsuite>`, no nested suites, no time stamp
//! without an offset), so this goes by elements and takes every writer's dialect. Entities other than the five of XML are not expanded, and
//! nothing outside the file is ever fetched.

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesStart, Event};

/// The most bytes of one report.
pub(crate) const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// The most failing cases of one report.
const MAX_CASES: usize = 100_000;
/// The deepest nesting of suites.
const MAX_DEPTH: usize = 64;
/// The most bytes kept of one failure's text; the middle of a longer one is left out.
const MAX_TEXT: usize = 64 * 1024;

/// The failing cases of one report.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// The names of the root and of every suite, in order; they tell who wrote the report.
    pub(crate) names: Vec<String>,
    /// How many cases there were, passing ones included.
    pub(crate) cases: usize,
    /// The cases that failed.
    pub(crate) failing: Vec<Case>,
}

/// One failing `<testcase>`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Case {
    pub(crate) classname: String,
    pub(crate) name: String,
    pub(crate) file: Option<String>,
    /// The `file` or `filepath` attribute of the innermost suite that has one.
    pub(crate) suite_file: Option<String>,
    /// The names of the suites around it, outermost first.
    pub(crate) suites: Vec<String>,
    pub(crate) seconds: Option<f64>,
    pub(crate) problem: Problem,
}

/// The `<failure>` or `<error>` of a case.
#[derive(Debug, Clone, Default)]
pub(crate) struct Problem {
    /// The `type` attribute: often the exception's class.
    pub(crate) class: String,
    pub(crate) message: String,
    pub(crate) text: String,
}

/// Why a report cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("line {line}: not well-formed XML: {detail}")]
    Malformed { line: usize, detail: String },
    #[error(
        "line {line}: expected `<testsuites>` or `<testsuite>` as the root of a JUnit report, but found `<{found}>`"
    )]
    Foreign { line: usize, found: String },
    #[error("no `<testsuite>` in it: this is not a JUnit report")]
    Empty,
    #[error("line {line}: the report ends inside `<{open}>`: it was cut off")]
    Cut { line: usize, open: String },
    #[error("line {line}: suites are nested more than {MAX_DEPTH} deep")]
    Deep { line: usize },
    #[error("more than {MAX_CASES} failing tests in one report")]
    Many,
}

/// Reads a report.
pub(crate) fn read(xml: &str) -> Result<Report, Unreadable> {
    let mut walk = Walk::default();
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
                walk.close(element.name().as_ref())?;
            }
            Ok(Event::End(element)) => {
                walk.stack.pop();
                walk.close(element.name().as_ref())?;
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

#[derive(Default)]
struct Walk {
    stack: Vec<String>,
    report: Report,
    suites: Vec<Suite>,
    seen_root: bool,
    case: Option<Case>,
    failed: bool,
    /// Inside the first `<failure>` or `<error>` of the case.
    in_problem: bool,
}

struct Suite {
    name: String,
    file: Option<String>,
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
                self.report.names.extend(attributes.get("name"));
            }
            "testsuite" => {
                self.seen_root = true;
                let suite = Suite {
                    name: attributes.get("name").unwrap_or_default(),
                    file: attributes
                        .get("file")
                        .or_else(|| attributes.get("filepath")),
                };
                self.report.names.push(suite.name.clone());
                self.suites.push(suite);
            }
            "testcase" => {
                self.report.cases += 1;
                self.failed = false;
                self.case = Some(Case {
                    classname: attributes.get("classname").unwrap_or_default(),
                    name: attributes.get("name").unwrap_or_default(),
                    file: attributes.get("file").filter(|file| !file.is_empty()),
                    suite_file: self
                        .suites
                        .iter()
                        .rev()
                        .find_map(|suite| suite.file.clone()),
                    suites: self.suites.iter().map(|suite| suite.name.clone()).collect(),
                    // Some writers group thousands: `1,234.5`.
                    seconds: attributes
                        .get("time")
                        .and_then(|time| time.replace(',', "").parse().ok())
                        .filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0),
                    problem: Problem::default(),
                });
            }
            "failure" | "error" => {
                if let Some(case) = self.case.as_mut().filter(|_| !self.failed) {
                    self.failed = true;
                    self.in_problem = true;
                    case.problem = Problem {
                        class: attributes.get("type").unwrap_or_default(),
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

    fn close(&mut self, name: &str) -> Result<(), Unreadable> {
        match name {
            "failure" | "error" => self.in_problem = false,
            "testsuite" => drop(self.suites.pop()),
            "testcase" => {
                if let Some(mut case) = self.case.take().filter(|_| self.failed) {
                    if self.report.failing.len() == MAX_CASES {
                        return Err(Unreadable::Many);
                    }
                    case.problem.text = bounded(&case.problem.text, MAX_TEXT);
                    case.problem.message = bounded(&case.problem.message, MAX_TEXT);
                    self.report.failing.push(case);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn text(&mut self, text: &str) {
        if let Some(case) = self.case.as_mut().filter(|_| self.in_problem) {
            case.problem.text.push_str(text);
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
}

fn line_at(xml: &str, position: usize) -> usize {
    let before = &xml.as_bytes()[..position.min(xml.len())];
    before.split(|byte| *byte == b'\n').count()
}

/// The text, or its beginning and its end: a traceback says most at its end.
fn bounded(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let head = text.floor_char_boundary(most / 4);
    let tail = text.ceil_char_boundary(text.len() - most / 4 * 3);
    let left_out = tail - head;
    format!(
        "{}\n[… {left_out} bytes left out …]\n{}",
        &text[..head],
        &text[tail..]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_suite_and_nested_suites_are_read() {
        let report = read(
            r#"<testsuite name="outer" file="a.test.js"><testsuite name="inner">
                 <testcase name="one" classname="c" time="1,234.5"><failure message="a &lt; b&#10;c" type="T">x &amp; <![CDATA[<y>]]></failure></testcase>
                 <testcase name="two"/>
               </testsuite></testsuite>"#,
        )
        .unwrap();
        assert_eq!((report.cases, report.failing.len()), (2, 1));
        let case = &report.failing[0];
        assert_eq!(case.problem.message, "a < b\nc");
        assert_eq!(case.problem.text, "x & <y>");
        assert_eq!(case.seconds, Some(1234.5));
        assert_eq!(case.suite_file.as_deref(), Some("a.test.js"));
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
        assert!(read(&long).unwrap().failing[0].problem.text.len() < MAX_TEXT + 100);
    }

    #[test]
    fn only_the_first_problem_of_a_case_counts() {
        let xml = "<testsuite><testcase name='x'><failure>one</failure><error>two</error><system-out>three</system-out></testcase></testsuite>";
        assert_eq!(read(xml).unwrap().failing[0].problem.text, "one");
    }
}
