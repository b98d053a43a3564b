//! A turn: who holds it is alone among the tests that take one, and what it changes is given back when it is over. Written
//! with what the standard library has.

use std::fmt::Write as _;

use tree_sitter::Node;

use super::left::{self, Thing};
use crate::case::{Case, Edit};
use crate::rust::arrange::{end_of, is_plain_test, modules_around};
use crate::rust::reach::is_test_file;
use crate::rust::source::{Source, body_of};
use crate::source::edit::{Splice, apply};

/// The module of a test.
pub(super) struct Module {
    path: String,
    source: Source,
    /// The modules of the file that it lies in.
    inner: Vec<String>,
    victim: String,
}

impl Module {
    /// The module of a test by its id, wherever in the project one of its name stands in exactly one.
    pub(super) fn of(case: &Case<'_>, test: &str) -> Option<Self> {
        let name = test.rsplit("::").next().unwrap_or(test);
        let name = name.rsplit([' ', '$']).next().unwrap_or(name);
        let file = test
            .split("::")
            .next()
            .filter(|path| path.rsplit_once('.').is_some_and(|(_, end)| end == "rs"));
        let mut found = case
            .tree
            .paths()
            .iter()
            .filter(|path| path.rsplit_once('.').is_some_and(|(_, end)| end == "rs"))
            .filter_map(|path| {
                let source = Source::parse(case.tree.read(path)?)?;
                let inner = source
                    .functions()
                    .find(|function| {
                        source.name(*function) == name && is_plain_test(&source, *function)
                    })
                    .map(|function| modules_around(&source, function))?;
                Some(Self {
                    path: path.clone(),
                    source,
                    inner,
                    victim: name.to_owned(),
                })
            })
            .collect::<Vec<_>>();
        if found.len() > 1 {
            found.retain(|module| Some(module.path.as_str()) == file);
        }
        found.pop().filter(|_| found.is_empty())
    }

    /// Where it stands.
    pub(super) fn file(&self) -> (&str, &Source) {
        (&self.path, &self.source)
    }

    /// The test that fails.
    pub(super) fn victim(&self) -> Option<Node<'_>> {
        self.all()
            .find(|(_, name)| *name == self.victim)
            .map(|(function, _)| function)
    }

    /// The tests of the module that are among these.
    pub(super) fn others(&self, others: &[&str]) -> impl Iterator<Item = Node<'_>> {
        self.all()
            .filter(|(_, name)| is_one_of(name, others))
            .map(|(function, _)| function)
    }

    /// The tests of the module, by name.
    pub(super) fn all(&self) -> impl Iterator<Item = (Node<'_>, &str)> {
        self.source
            .functions()
            .filter(|function| {
                is_plain_test(&self.source, *function)
                    && modules_around(&self.source, *function) == self.inner
            })
            .map(|function| (function, self.source.name(function)))
    }

    /// What the own code of these tests leaves, and theirs that share it: the one may be to blame in one order, the other in another.
    pub(super) fn left_by(&self, others: &[&str]) -> Vec<Thing> {
        let mut found: Vec<Thing> = self
            .all()
            .filter(|(_, name)| *name == self.victim || is_one_of(name, others))
            .flat_map(|(function, _)| left::by(&self.source, function).0)
            .collect();
        found.sort();
        found.dedup();
        found
    }

    /// A static that the file keeps for its tests.
    pub(super) fn own_static(&self) -> Option<&str> {
        let all_tests = is_test_file(&self.path);
        self.source
            .nodes()
            .filter(|node| node.kind() == "static_item")
            .find(|node| all_tests || self.source.is_in_test(node.start_byte()))
            .map(|node| self.source.name(node))
    }

    /// The file with turns: for the victim, for the others, for whatever else of the module changes one of these things, and for what calls
    /// what the victim calls.
    pub(super) fn edit(&self, others: &[&str], things: &[Thing]) -> Option<Edit> {
        if self.source.nodes().any(|node| {
            matches!(node.kind(), "identifier" | "type_identifier")
                && matches!(self.source.slice(node), "Turn" | "TURNS")
        }) {
            return None;
        }
        let victim = self.victim()?;
        let called = self.source.called(victim);
        let mut splices = Vec::new();
        let mut is_unsafe = false;
        for (function, name) in self.all() {
            let (own, says_unsafe) = left::by(&self.source, function);
            is_unsafe |= says_unsafe;
            let shares = name == self.victim
                || is_one_of(name, others)
                || own.iter().any(|thing| things.contains(thing))
                || self
                    .source
                    .called(function)
                    .iter()
                    .any(|callee| called.contains(callee));
            if !shares {
                continue;
            }
            let body = body_of(function)?;
            let indent = self.indent(function);
            splices.push(Splice::insert(
                body.start_byte() + 1,
                format!("\n{indent}    let _turn = Turn::take();"),
            ));
        }
        let at = end_of(&self.source, &self.inner)?;
        let indent = "    ".repeat(self.inner.len());
        let mut text = String::new();
        for line in definition(things, is_unsafe).lines() {
            let _ = match line {
                "" => writeln!(text),
                line => writeln!(text, "{indent}{line}"),
            };
        }
        // The bracket that ends a module keeps its own indentation.
        let outer = "    ".repeat(self.inner.len().saturating_sub(1));
        let before =
            self.source.text()[..at].len() - self.source.text()[..at].trim_end_matches(' ').len();
        splices.push(Splice::replace(at - before..at, format!("\n{text}{outer}")));
        Some(Edit {
            path: self.path.clone(),
            text: apply(self.source.text(), &splices)?,
        })
    }

    fn indent(&self, function: Node<'_>) -> String {
        let line = self.source.text()[..function.start_byte()]
            .rsplit('\n')
            .next()
            .unwrap_or_default();
        line.chars().take_while(|c| c.is_whitespace()).collect()
    }
}

fn is_one_of(name: &str, tests: &[&str]) -> bool {
    tests.iter().any(|test| {
        let last = test.rsplit("::").next().unwrap_or(test);
        last.rsplit([' ', '$']).next() == Some(name)
    })
}

/// The code of a turn.
fn definition(things: &[Thing], is_unsafe: bool) -> String {
    let variables: Vec<&str> = things
        .iter()
        .filter_map(|thing| match thing {
            Thing::Variable(name) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    let atomics: Vec<&str> = things
        .iter()
        .filter_map(|thing| match thing {
            Thing::Atomic(path) => Some(path.as_str()),
            _ => None,
        })
        .collect();
    let directory = things.contains(&Thing::Directory);
    let (mut fields, mut keeps, mut back) = (String::new(), String::new(), String::new());
    if !variables.is_empty() {
        fields.push_str("    variables: Vec<(&'static str, Option<std::ffi::OsString>)>,\n");
        let _ = writeln!(
            keeps,
            "            variables: [{}].map(|name| (name, std::env::var_os(name))).into(),",
            variables.join(", ")
        );
        let (open, close) = if is_unsafe {
            ("unsafe { ", " }")
        } else {
            ("", "")
        };
        let _ = write!(
            back,
            "        for (name, value) in &self.variables {{\n            match value {{\n                Some(value) => {open}std::env::set_var(name, value){close},\n                None => {open}std::env::remove_var(name){close},\n            }}\n        }}\n"
        );
    }
    if directory {
        fields.push_str("    directory: std::path::PathBuf,\n");
        keeps.push_str("            directory: std::env::current_dir().unwrap(),\n");
        back.push_str("        let _ = std::env::set_current_dir(&self.directory);\n");
    }
    for (number, path) in (1..).zip(&atomics) {
        let _ = writeln!(
            keeps,
            "            give_back_{number}: {{\n                let kept = {path}.load(std::sync::atomic::Ordering::SeqCst);\n                Box::new(move || {path}.store(kept, std::sync::atomic::Ordering::SeqCst))\n            }},"
        );
        let _ = writeln!(fields, "    give_back_{number}: Box<dyn Fn()>,");
        let _ = writeln!(back, "        (self.give_back_{number})();");
    }
    format!(
        "/// Tests that share what belongs to the whole process take turns, and each gives back what it changed.\nstatic TURNS: std::sync::Mutex<()> = std::sync::Mutex::new(());\n\nstruct Turn {{\n{fields}    _held: std::sync::MutexGuard<'static, ()>,\n}}\n\nimpl Turn {{\n    fn take() -> Self {{\n        let held = TURNS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);\n        Self {{\n{keeps}            _held: held,\n        }}\n    }}\n}}\n\nimpl Drop for Turn {{\n    fn drop(&mut self) {{\n{back}    }}\n}}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Installed;
    use crate::strategies::fake::{Files, Index, case};

    const TEXT: &str = "pub fn place() -> String {\n    std::env::var(\"APP_HOME\").unwrap_or_default()\n}\n\n#[cfg(test)]\nmod tests {\n    use super::*;\n\n    #[test]\n    fn of_ones_own() {\n        std::env::set_var(\"APP_HOME\", \"/home/me\");\n        assert_eq!(place(), \"/home/me\");\n    }\n\n    #[test]\n    fn of_everybody() {\n        assert_eq!(place(), \"\");\n    }\n\n    #[test]\n    fn sums() {\n        assert_eq!(1 + 1, 2);\n    }\n}\n";

    #[test]
    fn tests_that_share_a_variable_take_turns_and_others_do_not() {
        let (tree, index) = (Files::new(&[("src/lib.rs", TEXT)]), Index::default());
        let installed = Installed::default();
        let case = case(&[], &tree, &installed, &index);
        let module = Module::of(&case, "src/lib.rs::tests::of_everybody").unwrap();
        let others = ["src/lib.rs::tests::of_ones_own"];
        let things = module.left_by(&others);
        assert_eq!(things, [Thing::Variable("\"APP_HOME\"".to_owned())]);
        let text = module.edit(&others, &things).unwrap().text;
        assert_eq!(
            text.matches("let _turn = Turn::take();").count(),
            2,
            "{text}"
        );
        assert!(text.contains("fn sums() {\n        assert_eq!"), "{text}");
        assert!(
            text.contains("                    None => std::env::remove_var(name),"),
            "{text}"
        );
        assert!(text.ends_with("\n    }\n}\n"), "{text}");
        assert!(Source::parse(text).unwrap().is_whole());
    }

    #[test]
    fn what_is_no_static_of_the_process_is_not_given_back() {
        let text = TEXT.replace(
            "std::env::set_var(\"APP_HOME\", \"/home/me\")",
            "configure(\"/home/me\")",
        );
        let (tree, index) = (Files::new(&[("src/lib.rs", &text)]), Index::default());
        let installed = Installed::default();
        let case = case(&[], &tree, &installed, &index);
        let module = Module::of(&case, "src/lib.rs::tests::of_everybody").unwrap();
        assert_eq!(module.left_by(&["src/lib.rs::tests::of_ones_own"]), []);
    }
}
