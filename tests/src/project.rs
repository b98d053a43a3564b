//! Small projects with a failing test, made anew for each test.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// A project on the disk. It uses `unittest`, so that nothing has to be installed.
pub struct Project {
    root: PathBuf,
}

impl Project {
    /// Makes an empty project below a directory.
    ///
    /// # Panics
    /// When the disk does not take it.
    pub fn new(below: &Path, name: &str) -> Self {
        let root = below.join(name);
        std::fs::create_dir_all(&root).expect("a directory");
        Self { root }
    }

    /// Adds a file.
    ///
    /// # Panics
    /// When the disk does not take it.
    #[must_use]
    pub fn file(self, path: &str, text: &str) -> Self {
        let file = self.root.join(path);
        std::fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
        std::fs::write(file, text).expect("a file");
        self
    }

    /// A product, and a test of it that passes.
    #[must_use]
    pub fn green(self) -> Self {
        self.file("adder.py", "def add(a, b):\n    return a + b\n").file(
            "test_adder.py",
            "import unittest\n\nfrom adder import add\n\n\nclass AdderTest(unittest.TestCase):\n    def test_sum(self):\n        self.assertEqual(add(1, 2), 3)\n",
        )
    }

    /// The green project, its test without a colon that Python wants.
    ///
    /// # Panics
    /// When the disk does not take it.
    #[must_use]
    pub fn without_a_colon(self) -> Self {
        let project = self.green();
        let file = project.root.join("test_adder.py");
        let text = std::fs::read_to_string(&file).expect("a file");
        std::fs::write(
            file,
            text.replace("def test_sum(self):", "def test_sum(self)"),
        )
        .expect("a file");
        project
    }

    /// The green project with a product that cannot add.
    #[must_use]
    pub fn with_a_broken_product(self) -> Self {
        self.green()
            .file("adder.py", "def add(a, b):\n    return a - b\n")
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The `data` of a message about its failing test.
    pub fn failure(&self, message: &str) -> Value {
        json!({
            "project": { "repository": self.root },
            "kind": "test_failure",
            "message": message,
            "test": { "id": "test_adder", "framework": "unittest" },
            "runtime": { "install": [], "command": ["python", "-m", "unittest", "test_adder"] }
        })
    }
}
