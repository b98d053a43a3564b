//! pytest's node ids, from what its JUnit reports leave of them.
//!
//! pytest writes the node id `tests/test_x.py::TestC::test_y[1]` as `classname="tests.test_x.TestC"` and
//! `name="test_y[1]"`: the slashes and the `.py` are lost
//! ([`_pytest/junitxml.py`](https://github.com/pytest-dev/pytest/blob/main/src/_pytest/junitxml.py),
//! `mangle_test_address`). The files on disk tell which dots were slashes; where they do not, the name's form does.

use std::path::Path;

use super::report::Case;

/// The node id of a case, relative to `directory`.
pub(super) fn node_id(case: &Case, directory: &Path) -> String {
    if case.classname.is_empty() {
        return collected(&case.name, directory);
    }
    let (file, classes) = match case
        .file
        .as_deref()
        .and_then(|file| by_file(file, &case.classname))
    {
        Some(split) => split,
        None => by_disk(&case.classname, directory).unwrap_or_else(|| by_form(&case.classname)),
    };
    let mut id = file;
    for part in classes
        .iter()
        .map(String::as_str)
        .chain([case.name.as_str()])
    {
        id.push_str("::");
        id.push_str(part);
    }
    id
}

/// Where collection failed there is no class, and the name is the whole dotted path: the id is the file's.
fn collected(name: &str, directory: &Path) -> String {
    match by_disk(name, directory) {
        Some((file, classes)) if classes.is_empty() => file,
        Some((file, classes)) => format!("{file}::{}", classes.join("::")),
        None if name.contains('/') => name.to_owned(),
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

/// The longest beginning of the dotted path that is a file below the directory.
fn by_disk(dotted: &str, directory: &Path) -> Option<(String, Vec<String>)> {
    let parts: Vec<&str> = dotted.split('.').collect();
    // A name from a report must not lead out of the project.
    if parts.len() > 64 || dotted.contains(['/', '\\', '\0']) {
        return None;
    }
    descend(&parts, directory, "")
}

fn descend(parts: &[&str], directory: &Path, below: &str) -> Option<(String, Vec<String>)> {
    // A directory's own name may hold dots (`v1.2/test_x.py`), so every run of parts is tried.
    for taken in 1..=parts.len() {
        let joined = parts[..taken].join(".");
        if joined.is_empty() {
            continue;
        }
        let path = format!("{below}{joined}");
        let rest = &parts[taken..];
        if !rest.is_empty()
            && directory.join(&path).is_dir()
            && let Some(found) = descend(rest, directory, &format!("{path}/"))
        {
            return Some(found);
        }
        for file in [format!("{path}.py"), path] {
            if directory.join(&file).is_file() {
                return Some((file, rest.iter().map(|part| (*part).to_owned()).collect()));
            }
        }
    }
    None
}

/// Without the files: classes start with a capital letter, modules do not.
fn by_form(dotted: &str) -> (String, Vec<String>) {
    let parts: Vec<&str> = dotted.split('.').collect();
    let is_class = |part: &&str| part.starts_with(|c: char| c.is_uppercase());
    let modules = parts
        .iter()
        .position(is_class)
        .unwrap_or(parts.len())
        .max(1);
    (
        format!("{}.py", parts[..modules].join("/")),
        parts[modules..]
            .iter()
            .map(|part| (*part).to_owned())
            .collect(),
    )
}

/// The last lines that pytest marks with `E`: the exception itself. Collection failures carry no other message.
pub(super) fn exception_of(text: &str) -> Option<String> {
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
pub(super) fn place_in(text: &str) -> Option<(String, u32)> {
    text.lines().rev().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (path, number) = (parts.next()?, parts.next()?.parse::<u32>().ok()?);
        parts.next()?;
        if number == 0 {
            return None;
        }
        let own = Path::new(path).extension().is_some_and(|end| end == "py")
            && !path.starts_with(['/', ' ', 'E'])
            && !path.contains("..");
        own.then(|| (path.to_owned(), number))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn project(files: &[&str]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for file in files {
            let path = directory.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        directory
    }

    fn id(classname: &str, name: &str, file: Option<&str>, directory: &Path) -> String {
        let case = Case {
            classname: classname.into(),
            name: name.into(),
            file: file.map(str::to_owned),
            ..Case::default()
        };
        node_id(&case, directory)
    }

    #[test]
    fn a_class_and_a_name_become_the_node_id_that_pytest_takes() {
        let project = project(&[
            "tests/test_x.py",
            "v1.2/sub/test_y.py",
            "lower/test_z.py",
            "doc/guide.rst",
        ]);
        let at = project.path();
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
        let nowhere = Path::new("/nonexistent");
        assert_eq!(id("a.b.c", "t", Some("a/b.py"), nowhere), "a/b.py::c::t");
        assert_eq!(id("a.b", "t", Some("a/b.py"), nowhere), "a/b.py::t");
        assert_eq!(
            id("base.Case", "t", Some("a/b.py"), nowhere),
            "base.py::Case::t"
        );
    }

    #[test]
    fn without_the_files_the_form_of_the_names_decides() {
        let nowhere = Path::new("/nonexistent");
        assert_eq!(
            id("tests.test_x.TestC", "test_y", None, nowhere),
            "tests/test_x.py::TestC::test_y"
        );
        assert_eq!(id("TestC", "test_y", None, nowhere), "TestC.py::test_y");
    }

    #[test]
    fn a_collection_failure_is_the_failure_of_its_file() {
        let project = project(&["tests/test_func.py"]);
        assert_eq!(
            id("", "tests.test_func", None, project.path()),
            "tests/test_func.py"
        );
        assert_eq!(id("", "tests.gone", None, project.path()), "tests/gone.py");
        assert_eq!(
            id("", "../../etc/passwd", None, project.path()),
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
