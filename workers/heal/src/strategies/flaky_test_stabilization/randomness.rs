//! A test that draws at random gets a seed of its own, and gives the generator back as it was. Only where the test
//! itself draws: what the product draws, and what it answers to what was drawn, a person has to judge, because a
//! failure may be the one input in a hundred that shows a defect.

use std::collections::BTreeSet;

use crate::case::{Case, Edit, Finding};
use crate::roles::Role;
use crate::runner::file_of;
use crate::source::edit::apply;
use crate::source::names::Names;
use crate::source::spelling::Spelling;
use crate::source::{Source, ancestors, descendants};
use crate::strategies::rank;
use crate::unsteady::Unsteady;

use super::fixture::{self, Fixture};
use super::restore::Undo;
use super::{offer, roles};

/// Seeds that are tried; one is enough where the test is right for most.
const SEEDS: [u32; 3] = [0, 1, 2];

/// Candidates that seed the generator for the victim.
pub(super) fn findings(case: &Case<'_>, unsteady: &Unsteady) -> Vec<Finding> {
    let exact = is_exact(case, unsteady);
    let product = draws_in_product(case, unsteady);
    let calls = calls_product(case, unsteady);
    if exact && (product.is_some() || calls) {
        let place = product.map_or_else(
            || "the product's answer to what was drawn is wrong".to_owned(),
            |place| format!("the product draws at {place}"),
        );
        return vec![Finding::Refuse(format!(
            "{place}, and the test expects an exact result: with {} it does not come, and a seed would only hide that",
            unsteady.failing
        ))];
    }
    let doubt = product
        .map(|place| format!("the product itself draws at random ({place}), and a seed in the test only fixes what it draws"))
        .or_else(|| {
            calls.then(|| {
                "what is drawn goes into the product, so that the failing draw may show a defect of it"
                    .to_owned()
            })
        });
    SEEDS
        .iter()
        .filter_map(|seed| {
            let edit = edit(case, unsteady, *seed)?;
            let candidate = offer(
                format!("{} draws with a seed of its own", unsteady.victim),
                vec![edit],
                rank::STEADY + seed,
            );
            Some(match &doubt {
                Some(doubt) => Finding::Propose(candidate, doubt.clone()),
                None => Finding::Try(candidate),
            })
        })
        .collect()
}

fn edit(case: &Case<'_>, unsteady: &Unsteady, seed: u32) -> Option<Edit> {
    let path = file_of(case.tree, &unsteady.victim)?;
    let text = case.tree.read(&path)?;
    let source = Source::parse(text.as_str())?;
    let names = Names::of(&source);
    let spelling = Spelling::new(&source, &names);
    let numpy = names
        .uses()
        .iter()
        .any(|used| used.qualified.starts_with("numpy.random."));
    let (module, get, set) = if numpy {
        ("numpy.random", "get_state", "set_state")
    } else {
        ("random", "getstate", "setstate")
    };
    let write = |name: &str| spelling.write(module, name, None);
    let (get, set, sow) = (write(get)?, write(set)?, write("seed")?);
    let undo = Undo {
        before: vec![format!("state = {get}()")],
        after: vec![format!("{set}(state)")],
        cleanups: vec![format!("self.addCleanup({set}, {get}())")],
        ..Undo::default()
    };
    let body = vec![format!("{sow}({seed})")];
    let function = fixture::definition(&source, &unsteady.victim)?;
    let mut splices = if unsteady.victim.contains("::") {
        let fixture = Fixture {
            name: fixture::free_name(&names, "seeded"),
            says: "The same draws in every run.".to_owned(),
            autouse: false,
            parameters: String::new(),
            body,
            undo,
        };
        let mark = spelling.write("pytest", "mark.usefixtures", None)?;
        vec![
            fixture.splice(&source, &spelling.write("pytest", "fixture", None)?)?,
            fixture::use_fixture(&source, function, &mark, &fixture.name)?,
        ]
    } else {
        vec![fixture::cleanup(&source, &unsteady.victim, &undo, &body)?]
    };
    splices.extend(spelling.import_splices(&[], &BTreeSet::new())?);
    Some(Edit {
        path,
        text: apply(&text, &splices)?,
    })
}

/// Where the product draws in the lines that the victim runs: `path:line`.
fn draws_in_product(case: &Case<'_>, unsteady: &Unsteady) -> Option<String> {
    let roles = roles(unsteady, &[]);
    unsteady
        .lines
        .iter()
        .filter(|(path, _)| roles.of(path) == Role::Product)
        .find_map(|(path, lines)| {
            let source = Source::parse(case.tree.read(path)?)?;
            let names = Names::of(&source);
            let line = names.uses().iter().find_map(|used| {
                let random = ["random.", "numpy.random.", "secrets.", "uuid."]
                    .iter()
                    .any(|module| used.qualified.starts_with(module));
                let line = Source::line(used.node);
                (random && lines.contains(&line)).then_some(line)
            })?;
            Some(format!("{path}:{line}"))
        })
}

/// Whether the victim runs any function of the product.
fn calls_product(case: &Case<'_>, unsteady: &Unsteady) -> bool {
    let roles = roles(unsteady, &[]);
    unsteady.lines.iter().any(|(path, lines)| {
        roles.of(path) == Role::Product
            && case
                .tree
                .read(path)
                .and_then(Source::parse)
                .is_some_and(|source| {
                    source.nodes().any(|node| {
                        lines.contains(&Source::line(node))
                            && ancestors(node).any(|outer| outer.kind() == "function_definition")
                    })
                })
    })
}

/// Whether what failed is an exact expectation (`==`, `is`, `in`, an exception) and not a bound or a tolerance, of
/// which a draw may miss by chance.
fn is_exact(case: &Case<'_>, unsteady: &Unsteady) -> bool {
    let Some(failure) = case.failures.first() else {
        return true;
    };
    if failure.exception_name() != Some("AssertionError") {
        return true;
    }
    let Some(path) = file_of(case.tree, &unsteady.victim) else {
        return true;
    };
    let Some(line) = failure
        .frames
        .iter()
        .rev()
        .find(|frame| frame.path == path)
        .map(|frame| frame.line)
    else {
        return true;
    };
    let Some(source) = case.tree.read(&path).and_then(Source::parse) else {
        return true;
    };
    let statement = source.nodes().find(|node| {
        matches!(node.kind(), "assert_statement" | "expression_statement")
            && Source::line(*node) <= line
            && u32::try_from(node.end_position().row).is_ok_and(|row| row + 1 >= line)
    });
    statement.is_none_or(|statement| {
        !descendants(statement).any(|node| {
            matches!(node.kind(), "<" | ">" | "<=" | ">=" | "!=")
                || node.kind() == "identifier"
                    && matches!(
                        source.slice(node),
                        "assertNotEqual"
                            | "assertAlmostEqual"
                            | "assertGreater"
                            | "assertLess"
                            | "assertGreaterEqual"
                            | "assertLessEqual"
                            | "approx"
                            | "isclose"
                            | "allclose"
                            | "assert_allclose"
                    )
        })
    })
}
