//! Tests of Rust in an order of our own. The harness of a stable toolchain knows only its own order, so the copy that is
//! run has one more test at the end of a module, which runs the module's others as it is told: one after the
//! other, each in a thread of its own as the harness has it, or all at the same time.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use tree_sitter::Node;

use super::report::Known;
use super::source::{Source, body_of};
use crate::case::{Edit, Tree};
use crate::conditions::{Conditions, Order};
use crate::source::ancestors;
use crate::source::edit::{Splice, apply};

/// The test that runs the others.
pub(super) const CONDUCTOR: &str = "maestro_in_order";
/// Rounds in which all run at the same time.
const ROUNDS: &str = "200";

/// The tests of one module, and the file that they stand in with one more test.
pub(super) struct Module {
    /// The file, with the conductor in it.
    pub(super) edit: Edit,
    /// The conductor's name in its program.
    pub(super) conductor: String,
    /// The tests that it can run: id, and name in the program.
    pub(super) tests: Vec<(String, String)>,
}

/// What the conductor is told.
pub(super) struct Told {
    pub(super) order: String,
    pub(super) rounds: &'static str,
}

/// The module that this test stands in.
pub(super) fn module_of(
    tree: &dyn Tree,
    known: &BTreeMap<String, Known>,
    test: &str,
) -> Option<Module> {
    let of = known.get(test).or_else(|| {
        known
            .iter()
            .find(|(id, _)| crate::runner::belongs(id, test))
            .map(|(_, known)| known)
    })?;
    let (path, inner, name) = place_of(tree, of)?;
    let source = Source::parse(tree.read(&path)?)?;
    let front = of.name.strip_suffix(name).unwrap_or_default();
    let mut found = Vec::new();
    let mut table = String::new();
    for function in source.functions() {
        if modules_around(&source, function) != inner || !is_plain_test(&source, function) {
            continue;
        }
        let name = source.name(function);
        let full = format!("{front}{name}");
        let Some((id, _)) = known
            .iter()
            .find(|(_, other)| other.of == of.of && other.name == full)
        else {
            continue;
        };
        let panics = source
            .attributes_of(function)
            .any(|attribute| attribute.contains("should_panic"));
        let _ = write!(
            table,
            "({full:?}, (|| format!(\"{{:?}}\", std::process::Termination::report({name}())) == format!(\"{{:?}}\", std::process::ExitCode::SUCCESS)) as fn() -> bool, {panics}), "
        );
        found.push((id.clone(), full));
    }
    // One that cannot be called is run as its own harness runs it, or not at all.
    if !found.iter().any(|(id, _)| crate::runner::belongs(id, test)) {
        return None;
    }
    let at = end_of(&source, &inner)?;
    let conductor = format!(
        "\n#[test] #[allow(warnings, clippy::all)] fn {CONDUCTOR}() {{ let tests: Vec<(&'static str, fn() -> bool, bool)> = vec![{table}]; {RUNNING} }}\n"
    );
    Some(Module {
        edit: Edit {
            text: apply(source.text(), &[Splice::insert(at, conductor)])?,
            path,
        },
        conductor: format!("{front}{CONDUCTOR}"),
        tests: found,
    })
}

/// What the conductor does with its table of names, functions, and whether they are to panic.
const RUNNING: &str = r#"use std::io::Write as _; let told = |name: &str| std::env::var(name).unwrap_or_default(); let listed: Vec<usize> = told("MAESTRO_ORDER").split(',').filter_map(|at| at.parse().ok()).collect(); let rounds: usize = told("MAESTRO_ROUNDS").parse().unwrap_or(0); let path = told("MAESTRO_ORDER_RECORDS"); let mut say = move |at: usize, passed: bool| { if let Ok(mut file) = std::fs::OpenOptions::new().create(true).append(true).open(&path) { let _ = writeln!(file, "{} {}", at, if passed { 0 } else { 1 }); } }; if rounds == 0 { for at in listed { let (name, run, panics) = tests[at]; let ended = std::thread::Builder::new().name(name.to_owned()).spawn(run).unwrap().join(); say(at, if panics { ended.is_err() } else { matches!(ended, Ok(true)) }); } } else { for round in 0..rounds { let gate = std::sync::Arc::new(std::sync::Barrier::new(listed.len())); let threads: Vec<_> = listed.iter().map(|at| { let (name, run, _) = tests[*at]; let gate = gate.clone(); std::thread::Builder::new().name(name.to_owned()).spawn(move || { gate.wait(); run() }).unwrap() }).collect(); let mut bad = false; let ended: Vec<(usize, bool)> = listed.iter().zip(threads).map(|(at, thread)| { let ended = thread.join(); let passed = if tests[*at].2 { ended.is_err() } else { matches!(ended, Ok(true)) }; bad |= !passed; (*at, passed) }).collect(); if bad || round + 1 == rounds { for (at, passed) in ended { say(at, passed); } break; } } }"#;

/// The tests to run, by their place in the module, and whether at the same time.
pub(super) fn told(module: &Module, conditions: &Conditions) -> Told {
    let ids: Vec<&str> = module.tests.iter().map(|(id, _)| id.as_str()).collect();
    let asked = |id: &str| {
        conditions
            .only
            .iter()
            .position(|only| crate::runner::belongs(id, only))
    };
    let mut order: Vec<usize> = (0..ids.len())
        .filter(|at| conditions.only.is_empty() || asked(ids[*at]).is_some())
        .collect();
    // The harness runs them by their names.
    order.sort_by_key(|at| &module.tests[*at].1);
    match conditions.order {
        Order::Given | Order::AtOnce => {}
        Order::Reversed => order.reverse(),
        Order::Listed => order.sort_by_key(|at| asked(ids[*at])),
        Order::Shuffled(seed) => shuffle(&mut order, seed),
    }
    Told {
        order: order
            .iter()
            .map(usize::to_string)
            .collect::<Vec<_>>()
            .join(","),
        rounds: if conditions.order == Order::AtOnce {
            ROUNDS
        } else {
            "0"
        },
    }
}

/// Fisher and Yates, with the generator of Knuth's MMIX.
fn shuffle(order: &mut [usize], seed: u32) {
    let mut state = u64::from(seed);
    for last in (1..order.len()).rev() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let drawn = usize::try_from(state >> 33).unwrap_or_default();
        order.swap(last, drawn % (last + 1));
    }
}

/// The file of a test, the modules inside it that the test stands in, and the test's own name.
fn place_of<'k>(tree: &dyn Tree, of: &'k Known) -> Option<(String, Vec<String>, &'k str)> {
    let mut parts: Vec<&str> = of.name.split("::").collect();
    let name = parts.pop()?;
    let source = &of.of.source;
    let directory = source
        .rsplit_once('/')
        .map_or("", |(directory, _)| directory);
    (0..=parts.len()).rev().find_map(|length| {
        let files = if length == 0 {
            vec![source.clone()]
        } else {
            let stem = parts[..length].join("/");
            [
                format!("{directory}/{stem}.rs"),
                format!("{directory}/{stem}/mod.rs"),
            ]
            .map(|path| path.trim_start_matches('/').to_owned())
            .to_vec()
        };
        let inner: Vec<String> = parts[length..]
            .iter()
            .map(|part| (*part).to_owned())
            .collect();
        files.into_iter().find_map(|path| {
            let parsed = Source::parse(tree.read(&path)?)?;
            let there = parsed.functions().any(|function| {
                parsed.name(function) == name && modules_around(&parsed, function) == inner
            });
            there.then(|| (path, inner.clone(), name))
        })
    })
}

/// The inline modules of the file around a node, outermost first.
pub(super) fn modules_around(source: &Source, node: Node<'_>) -> Vec<String> {
    let mut names: Vec<String> = ancestors(node)
        .filter(|outer| outer.kind() == "mod_item")
        .map(|module| source.name(module).to_owned())
        .collect();
    names.reverse();
    names
}

/// Whether a function is a test that can be called as it stands.
pub(super) fn is_plain_test(source: &Source, function: Node<'_>) -> bool {
    let mut by_test = false;
    for attribute in source.attributes_of(function) {
        let path = attribute
            .trim_start_matches("#[")
            .split(['(', ']'])
            .next()
            .unwrap_or_default();
        match path.rsplit("::").next().unwrap_or(path).trim() {
            "test" => by_test = true,
            "ignore" | "rstest" | "test_case" => return false,
            _ => {}
        }
    }
    by_test
        && function
            .child_by_field_name("parameters")
            .is_some_and(|parameters| parameters.named_child_count() == 0)
        && body_of(function).is_some_and(|body| !is_counted(source, body))
}

/// Whether a test may run only once in a process: insta counts the snapshots of each, and a second round would be another one's.
fn is_counted(source: &Source, body: Node<'_>) -> bool {
    source.slice(body).contains("_snapshot!")
}

/// Where a module ends: in front of its bracket, or at the end of the file.
pub(super) fn end_of(source: &Source, inner: &[String]) -> Option<usize> {
    if inner.is_empty() {
        return Some(source.text().len());
    }
    source
        .nodes()
        .filter(|node| node.kind() == "mod_item")
        .find(|module| {
            let mut path = modules_around(source, *module);
            path.push(source.name(*module).to_owned());
            path == inner
        })
        .and_then(|module| module.child_by_field_name("body"))
        .map(|body| body.end_byte() - 1)
}

#[cfg(test)]
mod tests {
    use super::super::compiler::Built;
    use super::*;
    use crate::strategies::fake::Files;

    #[test]
    fn a_test_that_insta_counts_is_not_called_again() {
        let text = "#[test]\nfn a() {\n    insta::assert_snapshot!(x());\n}\n#[test]\nfn b() {\n    x();\n}\n";
        let source = Source::parse(text).unwrap();
        let plain: Vec<&str> = source
            .functions()
            .filter(|function| is_plain_test(&source, *function))
            .map(|function| source.name(function))
            .collect();
        assert_eq!(plain, ["b"]);
    }

    #[test]
    fn one_more_test_runs_the_others_of_its_module_and_moves_no_line() {
        let text = "pub fn f() {}\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn b() {}\n\n    #[test]\n    #[ignore]\n    fn c() {}\n\n    #[test]\n    #[should_panic]\n    fn a() {}\n}\n";
        let tree = Files::new(&[("src/price.rs", text), ("src/lib.rs", "mod price;\n")]);
        let known: BTreeMap<String, Known> = ["a", "b", "c"]
            .into_iter()
            .map(|name| {
                let name = format!("price::tests::{name}");
                let of = Built {
                    source: "src/lib.rs".to_owned(),
                    ..Built::default()
                };
                (format!("src/lib.rs::{name}"), Known { of, name })
            })
            .collect();
        let module = module_of(&tree, &known, "src/lib.rs::price::tests::a").unwrap();
        assert_eq!(module.conductor, "price::tests::maestro_in_order");
        let names: Vec<&str> = module.tests.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(names, ["price::tests::b", "price::tests::a"]);
        assert!(module.edit.text.starts_with(text.trim_end_matches("}\n")));
        let whole = Source::parse(module.edit.text.as_str()).unwrap();
        assert!(whole.is_whole(), "{}", module.edit.text);
        let listed =
            Conditions::default().listing_tests(&["src/lib.rs::price::tests::b".to_owned()]);
        assert_eq!(told(&module, &listed).order, "0");
        assert_eq!(told(&module, &Conditions::default()).order, "1,0");
    }
}
