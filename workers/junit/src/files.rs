//! What can be known of the files of the code whose tests are reported.

use std::path::Path;

/// Answers which files there are where the tests were run.
///
/// Paths are relative to that directory, with `/` between their parts, and never lead out of it.
pub trait Files {
    /// Whether there is a file of this path.
    fn is_file(&self, path: &str) -> bool;
    /// Whether there is a directory of this path.
    fn is_directory(&self, path: &str) -> bool;
}

/// The files below a directory of this machine.
#[derive(Debug, Clone, Copy)]
pub struct Directory<'a>(pub &'a Path);

impl Files for Directory<'_> {
    fn is_file(&self, path: &str) -> bool {
        self.0.join(path).is_file()
    }

    fn is_directory(&self, path: &str) -> bool {
        self.0.join(path).is_dir()
    }
}

/// No files at all: the tests ran elsewhere, for example in a container that is gone.
///
/// Only pytest's ids are in want of files, since its reports write `tests/test_x.py::TestC` as
/// `tests.test_x.TestC`. Without files the id comes, in this order, from
///
/// 1. the `file` attribute, which pytest writes with `-o junit_family=xunit1` only (`xunit2` is its default since 6.0);
/// 2. a `path:line:` of the traceback whose path fits the dotted name;
/// 3. the last part that is named as pytest looks for files by itself (`test_*`, `*_test`);
/// 4. the form of the names: what begins with a capital letter at the end is a class, the rest is the path.
///
/// What is lost, where neither 1 nor 2 applies: a directory whose name holds a dot (`v1.2/test_x.py`), a test class
/// that is named as a test file would be (`class test_things`), and, in files of other names than pytest's own, a class
/// whose name begins with a small letter or a module whose name begins with a capital one. Such an id names a
/// file that is not there, so its reader finds nothing rather than a wrong test.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unseen;

impl Files for Unseen {
    fn is_file(&self, _: &str) -> bool {
        false
    }

    fn is_directory(&self, _: &str) -> bool {
        false
    }
}
