//! pytest's node ids, from what its JUnit reports leave of them.
//!
//! pytest writes the node id `tests/test_x.py::TestC::test_y[1]` as `classname="tests.test_x.TestC"` and
//! `name="test_y[1]"`: the slashes and the `.py` are lost
//! ([`_pytest/junitxml.py`](https://github.com/pytest-dev/pytest/blob/main/src/_pytest/junitxml.py),
//! `mangle_test_address`). The files on disk tell which dots were slashes; where they do not, the name's form does.

use std::path::Path;

use crate::case::Case;
use crate::files::Files;

/// The most bytes of a path that is taken from a traceback.
const MAX_PATH: usize = 4096;

/// The node id of a case, relative to where the tests were run.
pub(crate) fn node_id(case: &Case, files: &dyn Files) -> String {
    if case.classname.is_empty() {
        return collected(case, files);
    }
    let dotted = &case.classname;
    let (file, classes) = case
        .file
        .as_deref()
        .and_then(|file| by_file(file, dotted))
        .or_else(|| by_disk(dotted, files))
        .or_else(|| by_traceback(&case.problem.text, dotted))
        .or_else(|| by_doctest(dotted, &case.name))
        .unwrap_or_else(|| by_convention(dotted));
    node(&file, &classes, Some(&case.name))
}

fn node(file: &str, classes: &[String], name: Option<&str>) -> String {
    [file]
        .into_iter()
        .chain(classes.iter().map(String::as_str))
        .chain(name)
        .collect::<Vec<_>>()
        .join("::")
}

/// Where collection failed there is no class, and the name is the whole dotted path: the id is the file's.
fn collected(case: &Case, files: &dyn Files) -> String {
    let name = &case.name;
    match by_disk(name, files).or_else(|| by_traceback(&case.problem.text, name)) {
        Some((file, classes)) => node(&file, &classes, None),
        None if name.contains('/') => name.clone(),
        None => format!("{}.py", name.replace('.', "/")),
    }
}

/// The older report family names the file itself.
fn by_file(file: &str, classname: &str) -> Option<(String, Vec<String>)> {
    let stem = file.strip_suffix(".py").unwrap_or(file).replace('/', ".");
    let rest = classname.strip_prefix(&stem)?;
    let classes = match rest.strip_prefix('.') {
        Some(classes) => classes.split('.').map(str::to_owned).collect(),
        None if rest.is_empty() => Vec::new(),
        None => return None,
    };
    Some((file.to_owned(), classes))
}

/// The longest beginning of the dotted path that is a file.
fn by_disk(dotted: &str, files: &dyn Files) -> Option<(String, Vec<String>)> {
    let parts: Vec<&str> = dotted.split('.').collect();
    // A name from a report must not lead out of the project.
    if parts.len() > 64 || dotted.contains(['/', '\\', '\0']) {
        return None;
    }
    descend(&parts, files, "")
}

fn descend(parts: &[&str], files: &dyn Files, below: &str) -> Option<(String, Vec<String>)> {
    // A directory's own name may hold dots (`v1.2/test_x.py`), so every run of parts is tried.
    for taken in 1..=parts.len() {
        let joined = parts[..taken].join(".");
        if joined.is_empty() {
            continue;
        }
        let path = format!("{below}{joined}");
        let rest = &parts[taken..];
        if !rest.is_empty()
            && files.is_directory(&path)
            && let Some(found) = descend(rest, files, &format!("{path}/"))
        {
            return Some(found);
        }
        for file in [format!("{path}.py"), path] {
            if files.is_file(&file) {
                return Some((file, owned(rest)));
            }
        }
    }
    None
}

/// A file that the traceback names, if it fits the dotted path: pytest writes its places as `tests/test_x.py:3: `.
fn by_traceback(text: &str, dotted: &str) -> Option<(String, Vec<String>)> {
    text.lines()
        .rev()
        .filter_map(place)
        .find_map(|(file, _)| by_file(file, dotted))
}

/// A text with examples in it is a test of its own name: `doc/guide.rst::guide.rst`.
fn by_doctest(dotted: &str, name: &str) -> Option<(String, Vec<String>)> {
    let path = Path::new(name);
    let is_text = path.extension().is_some_and(|end| end != "py") && !name.contains('/');
    match dotted.strip_suffix(name)? {
        _ if !is_text => None,
        "" => Some((name.to_owned(), Vec::new())),
        below => {
            let below = below.strip_suffix('.')?;
            Some((format!("{}/{name}", below.replace('.', "/")), Vec::new()))
        }
    }
}

/// Without the files: what pytest would look for tests in by itself is the file, and what comes after it are classes.
/// Where nothing is named so, the classes are those parts at the end that start with a capital letter.
fn by_convention(dotted: &str) -> (String, Vec<String>) {
    let parts: Vec<&str> = dotted.split('.').collect();
    // https://docs.pytest.org/en/stable/reference/reference.html#confval-python_files
    let is_test_file = |part: &&str| part.starts_with("test_") || part.ends_with("_test");
    let is_module = |part: &&str| !part.starts_with(char::is_uppercase);
    let last = parts
        .iter()
        .rposition(is_test_file)
        .or_else(|| parts.iter().rposition(is_module))
        .unwrap_or(0);
    (
        format!("{}.py", parts[..=last].join("/")),
        owned(&parts[last + 1..]),
    )
}

fn owned(parts: &[&str]) -> Vec<String> {
    parts.iter().map(|part| (*part).to_owned()).collect()
}

/// The last lines that pytest marks with `E`: the exception itself. Collection failures carry no other message.
pub(crate) fn exception_of(text: &str) -> Option<String> {
    let marked: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.starts_with("E  "))
        .filter_map(|line| line.strip_prefix("E  "))
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    marked
        .iter()
        .rev()
        .find(|line| looks_like_exception(line))
        .or(marked.last())
        .map(|line| (*line).to_owned())
}

fn looks_like_exception(line: &str) -> bool {
    line.split_once(':').is_some_and(|(class, _)| {
        class.rsplit('.').next().is_some_and(|name| {
            name.starts_with(|c: char| c.is_ascii_uppercase())
                && name.bytes().all(|b| b.is_ascii_alphanumeric())
        })
    })
}

/// The last `path:line: ` of pytest's own notation that lies inside the project.
pub(crate) fn place_in(text: &str) -> Option<(String, u32)> {
    text.lines()
        .rev()
        .find_map(place)
        .map(|(path, line)| (path.to_owned(), line))
}

fn place(line: &str) -> Option<(&str, u32)> {
    let mut parts = line.splitn(3, ':');
    let (path, number) = (parts.next()?, parts.next()?.parse::<u32>().ok()?);
    parts.next()?;
    if number == 0 {
        return None;
    }
    let own = Path::new(path).extension().is_some_and(|end| end == "py")
        && !path.starts_with(['/', ' ', 'E'])
        && !path.contains("..")
        && path.len() <= MAX_PATH
        && !path.contains(char::is_control);
    own.then_some((path, number))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::files::{Directory, Unseen};

    fn project(files: &[&str]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for file in files {
            let path = directory.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        directory
    }

    fn id(classname: &str, name: &str, file: Option<&str>, files: &dyn Files) -> String {
        let case = Case {
            classname: classname.into(),
            name: name.into(),
            file: file.map(str::to_owned),
            ..Case::default()
        };
        node_id(&case, files)
    }

    #[test]
    fn a_class_and_a_name_become_the_node_id_that_pytest_takes() {
        let project = project(&[
            "tests/test_x.py",
            "v1.2/sub/test_y.py",
            "lower/test_z.py",
            "doc/guide.rst",
        ]);
        let at = &Directory(project.path());
        assert_eq!(
            id("tests.test_x.TestC", "test_y", None, at),
            "tests/test_x.py::TestC::test_y"
        );
        assert_eq!(
            id("tests.test_x", "test_p[a.b/c]", None, at),
            "tests/test_x.py::test_p[a.b/c]"
        );
        assert_eq!(
            id("tests.test_x.A.B", "test_n", None, at),
            "tests/test_x.py::A::B::test_n"
        );
        assert_eq!(
            id("v1.2.sub.test_y", "t", None, at),
            "v1.2/sub/test_y.py::t"
        );
        assert_eq!(
            id("lower.test_z.lower_case", "t", None, at),
            "lower/test_z.py::lower_case::t"
        );
        assert_eq!(
            id("doc.guide.rst", "guide.rst", None, at),
            "doc/guide.rst::guide.rst"
        );
    }

    #[test]
    fn the_file_attribute_is_believed_where_it_fits_the_class() {
        assert_eq!(id("a.b.c", "t", Some("a/b.py"), &Unseen), "a/b.py::c::t");
        assert_eq!(id("a.b", "t", Some("a/b.py"), &Unseen), "a/b.py::t");
        assert_eq!(
            id("base.Case", "t", Some("a/b.py"), &Unseen),
            "base.py::Case::t"
        );
    }

    #[test]
    fn without_the_files_the_names_that_pytest_looks_for_decide() {
        assert_eq!(
            id("tests.test_x.TestC", "test_y", None, &Unseen),
            "tests/test_x.py::TestC::test_y"
        );
        assert_eq!(id("TestC", "test_y", None, &Unseen), "TestC.py::test_y");
    }

    #[test]
    fn what_is_named_as_pytest_looks_for_tests_is_the_file_whatever_its_directories_are_called() {
        let id = |classname: &str, name: &str| id(classname, name, None, &Unseen);
        for (classname, name, expected) in [
            ("tests.test_x", "t", "tests/test_x.py::t"),
            ("Tests.test_x.TestC", "t", "Tests/test_x.py::TestC::t"),
            ("test_unit.x_test.A.B", "t", "test_unit/x_test.py::A::B::t"),
            ("a.test_x.lower_case", "t", "a/test_x.py::lower_case::t"),
            ("shop.tests.CartTest", "t", "shop/tests.py::CartTest::t"),
            ("Shop.tests.CartTest", "t", "Shop/tests.py::CartTest::t"),
            (
                "src.shop.cart",
                "shop.cart.f",
                "src/shop/cart.py::shop.cart.f",
            ),
            ("doc.guide.rst", "guide.rst", "doc/guide.rst::guide.rst"),
            ("README.md", "README.md", "README.md::README.md"),
        ] {
            assert_eq!(id(classname, name), expected);
        }
    }

    #[test]
    fn without_the_files_a_traceback_that_fits_names_the_file() {
        let failing = |classname: &str, name: &str, text: &str| {
            let mut case = Case {
                classname: classname.into(),
                name: name.into(),
                ..Case::default()
            };
            case.problem.text = text.into();
            node_id(&case, &Unseen)
        };
        let text = "v1.2/checks.py:3: in helper\nsrc/shop.py:9: ValueError";
        assert_eq!(
            failing("v1.2.checks.lower", "t", text),
            "v1.2/checks.py::lower::t"
        );
        assert_eq!(
            failing("", "v1.2.checks", text),
            "v1.2/checks.py",
            "collection failed"
        );
        assert_eq!(
            failing("tests.test_x", "t", text),
            "tests/test_x.py::t",
            "no file of the traceback fits"
        );
    }

    #[test]
    fn a_collection_failure_is_the_failure_of_its_file() {
        let project = project(&["tests/test_func.py"]);
        assert_eq!(
            id("", "tests.test_func", None, &Directory(project.path())),
            "tests/test_func.py"
        );
        assert_eq!(
            id("", "tests.gone", None, &Directory(project.path())),
            "tests/gone.py"
        );
        assert_eq!(
            id("", "../../etc/passwd", None, &Directory(project.path())),
            "../../etc/passwd"
        );
    }

    #[test]
    fn the_exception_is_found_behind_pytests_margin() {
        let text = "tests/test_x.py:3: in <module>\n    import gone\nE   ModuleNotFoundError: No module named 'gone'\nE     hint";
        assert_eq!(
            exception_of(text).as_deref(),
            Some("ModuleNotFoundError: No module named 'gone'")
        );
        assert_eq!(exception_of("no margin"), None);
        assert_eq!(place_in(text), Some(("tests/test_x.py".to_owned(), 3)));
    }
}
