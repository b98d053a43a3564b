//! How a run is made in which the tests have an order of our own: each runner has its place for that, and Node's own has
//! none, so that its files are given another module in place of `node:test`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::plan::Runner;
use super::source::{Source, plain};
use crate::case::{Edit, Tree as _};
use crate::conditions::Conditions;
use crate::edge::WorkCopy;
use crate::laboratory::AttemptError;
use crate::overlay::Overlay;
use crate::source::edit::{Splice, apply};

/// The set-up file of vitest, in the project: it takes vitest from there.
const SET_UP: &str = ".maestro_arrange.mjs";
const OF_VITEST: &str = include_str!("probes/maestro_arrange_vitest.mjs");

/// The tree as it is laid out for such a run. No line of it stands elsewhere than before.
pub(super) fn prepared(tree: &Overlay, runner: Runner, probes: &Path) -> Overlay {
    if runner != Runner::NodeTest {
        return tree.clone();
    }
    let stand_in = probes.join("maestro_arrange_node.mjs");
    let stand_in = stand_in.to_string_lossy();
    let edits: Vec<Edit> = tree
        .paths()
        .iter()
        .filter(|path| super::has_source_extension(path))
        .filter_map(|path| {
            let text = tree.read(path).filter(|text| text.contains("node:test"))?;
            Some(Edit {
                path: path.clone(),
                text: importing(path, text, &stand_in)?,
            })
        })
        .collect();
    tree.with(&edits)
}

/// Adds to the copy what is no file of the project's.
pub(super) fn lay(copy: &WorkCopy, runner: Runner) -> Result<(), AttemptError> {
    if runner != Runner::Vitest {
        return Ok(());
    }
    copy.write(SET_UP, OF_VITEST.as_bytes()).map_err(|error| {
        AttemptError::Machine(format!("unable to write {SET_UP} of the copy: {error}"))
    })
}

/// A file with another module imported in place of `node:test`; what is required is seen to by the probe.
fn importing(path: &str, text: String, stand_in: &str) -> Option<String> {
    let source = Source::parse(path, text)?;
    let splices: Vec<Splice> = source
        .modules()
        .into_iter()
        .filter(|(node, module)| {
            plain(module) == "test"
                && *module != "test"
                && node
                    .parent()
                    .is_some_and(|up| up.kind() == "import_statement")
        })
        .map(|(node, _)| Splice::replace(node.byte_range(), format!("\"{stand_in}\"")))
        .collect();
    if splices.is_empty() {
        return None;
    }
    apply(source.text(), &splices)
}

/// The runner's options.
pub(super) fn options(runner: Runner, probes: &Path) -> Vec<String> {
    if runner == Runner::Jest {
        let ours = probes.join("maestro_arrange_jest.cjs");
        vec![format!("--testRunner={}", ours.display())]
    } else {
        Vec::new()
    }
}

/// The variables by which the probes know what to do.
pub(super) fn variables(runner: Runner, probes: &Path, project: &Path) -> BTreeMap<String, String> {
    let said = |pairs: &[(&str, String)]| {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect()
    };
    match runner {
        Runner::Vitest => said(&[
            ("MAESTRO_PROBES", probes.display().to_string()),
            (
                "MAESTRO_VITEST_SETUP",
                project.join(SET_UP).display().to_string(),
            ),
        ]),
        Runner::NodeTest => said(&[("MAESTRO_ARRANGE", "node".to_owned())]),
        _ => BTreeMap::new(),
    }
}

/// The conditions with the tests by the paths that the runners know them by.
pub(super) fn within(conditions: &Conditions, project: &Path) -> Conditions {
    // Without a slash at its end, which it may have been joined with.
    let project: PathBuf = project.components().collect();
    let only = conditions
        .only
        .iter()
        .map(|test| {
            let file = test.split("::").next().unwrap_or(test);
            if super::has_source_extension(file) {
                format!("{}/{test}", project.display())
            } else {
                test.clone()
            }
        })
        .collect();
    Conditions {
        only,
        ..conditions.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_module_imports_is_replaced_and_no_line_moves() {
        let text = "import test, { it } from 'node:test';\nimport fs from 'node:fs';\n\ntest('a', () => {});\n";
        assert_eq!(
            importing("a.mjs", text.to_owned(), "/p/x.mjs").unwrap(),
            text.replace("'node:test'", "\"/p/x.mjs\"")
        );
        let required = "const test = require('node:test');\n";
        assert_eq!(importing("a.js", required.to_owned(), "/p/x.mjs"), None);
    }
}
