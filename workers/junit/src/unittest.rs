//! unittest's dotted names, from the reports of `unittest-xml-reporting`.

use crate::case::Case;

/// The dotted name of a case: what `python -m unittest` takes.
pub(crate) fn dotted_name(case: &Case) -> String {
    // A module that could not be imported is reported as `unittest.loader._FailedTest`, named after the module.
    if case.classname == "unittest.loader._FailedTest" {
        return case.name.clone();
    }
    // A failing `setUpClass` is named `setUpClass (tests.test_x.TestC)`, and a sub-test has its arguments after a blank.
    if let Some((what, inner)) = case.name.split_once(" (") {
        if what.starts_with("setUp") || what.starts_with("tearDown") {
            return inner.trim_end_matches(')').to_owned();
        }
        return joined(&case.classname, what);
    }
    joined(&case.classname, &case.name)
}

fn joined(class: &str, name: &str) -> String {
    if class.is_empty() {
        name.to_owned()
    } else {
        format!("{class}.{name}")
    }
}

/// The exception, from the last line of the traceback that is not indented.
pub(crate) fn exception_of(text: &str) -> Option<String> {
    text.lines()
        .rev()
        .find(|line| {
            line.split_once(':').is_some_and(|(class, _)| {
                class.starts_with(|c: char| c.is_ascii_alphabetic())
                    && class
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'_')
            })
        })
        .map(|line| line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_has_the_name_that_unittest_takes() {
        let name = |classname: &str, name: &str| {
            dotted_name(&Case {
                classname: classname.into(),
                name: name.into(),
                ..Case::default()
            })
        };
        assert_eq!(
            name("tests.test_x.TestC", "test_y"),
            "tests.test_x.TestC.test_y"
        );
        assert_eq!(
            name("tests.test_x.TestC", "test_y (i=1)"),
            "tests.test_x.TestC.test_y"
        );
        assert_eq!(
            name("", "setUpClass (tests.test_x.TestC)"),
            "tests.test_x.TestC"
        );
        assert_eq!(
            name("unittest.loader._FailedTest", "tests.test_gone"),
            "tests.test_gone"
        );
    }
}
