//! A test that passes only after another has set something up gets that set-up as a fixture of its own.

use std::collections::BTreeSet;

use crate::case::{Case, Edit, Finding};
use crate::roles::Role;
use crate::runner::file_of;
use crate::source::Source;
use crate::source::edit::apply;
use crate::source::names::Names;
use crate::source::spelling::Spelling;
use crate::strategies::rank;
use crate::unsteady::{Left, Unsteady};

use super::fixture::{self, Fixture};
use super::owner::{self, Owner};
use super::restore::{self, Depth, Undo};
use super::{names, offer, roles};

/// Candidates for a victim that needs one of these tests before it.
pub(super) fn findings(case: &Case<'_>, unsteady: &Unsteady, setters: &[Left]) -> Vec<Finding> {
    let [setter] = setters else {
        return Vec::new();
    };
    let roles = roles(unsteady, setters);
    let owner = setter
        .changes
        .iter()
        .map(|change| {
            // To give the product's state back changes nothing; to set it before a test changes what is tested.
            if roles.of(&change.path) == Role::Test && !change.path.is_empty() {
                owner::of(case, &roles, &setter.test, change)
            } else {
                Owner::Product(format!(
                    "{} is not the test's own, and the test fails without it from the start",
                    change.called()
                ))
            }
        })
        .max()
        .unwrap_or(Owner::Product(
            "what the other test sets up could not be seen".to_owned(),
        ));
    if let Owner::Defect(reason) = owner {
        return vec![Finding::Refuse(reason)];
    }
    edit(case, &unsteady.victim, setter)
        .map(|edit| {
            let what = names(&setter.changes);
            owner.finding(offer(
                format!(
                    "{} sets up by itself what {} left to it: {what}",
                    unsteady.victim, setter.test
                ),
                vec![edit],
                rank::STEADY,
            ))
        })
        .into_iter()
        .collect()
}

fn edit(case: &Case<'_>, victim: &str, setter: &Left) -> Option<Edit> {
    let path = file_of(case.tree, victim)?;
    if file_of(case.tree, &setter.test)? != path {
        return None;
    }
    let text = case.tree.read(&path)?;
    let source = Source::parse(text.as_str())?;
    let names = Names::of(&source);
    let spelling = Spelling::new(&source, &names);
    let body = set_up(&source, &setter.test)?;
    let undos: Vec<Undo> = setter
        .changes
        .iter()
        .filter_map(|change| restore::undo(change, &path, Depth::Shallow, &spelling))
        .collect();
    let mut undo = Undo::merge(undos);
    let function = fixture::definition(&source, victim)?;
    let mut splices = if victim.contains("::") {
        undo.globals.extend(body.globals);
        let fixture = Fixture {
            name: fixture::free_name(&names, "set_up_as_needed"),
            says: format!(
                "Sets up what a test needs: {}.",
                super::names(&setter.changes)
            ),
            autouse: false,
            parameters: String::new(),
            body: body.statements,
            undo,
        };
        let mark = spelling.write("pytest", "mark.usefixtures", None)?;
        vec![
            fixture.splice(&source, &spelling.write("pytest", "fixture", None)?)?,
            fixture::use_fixture(&source, function, &mark, &fixture.name)?,
        ]
    } else {
        if !body.globals.is_empty() {
            return None;
        }
        vec![fixture::cleanup(&source, victim, &undo, &body.statements)?]
    };
    splices.extend(spelling.import_splices(&[], &BTreeSet::new())?);
    Some(Edit {
        path,
        text: apply(&text, &splices)?,
    })
}

/// What a test does before it asserts anything.
struct SetUp {
    globals: Vec<String>,
    statements: Vec<String>,
}

/// The statements of the setter up to its first assertion. `None` where they need more than the file gives: a fixture,
/// the instance, an expression over several lines.
fn set_up(source: &Source, setter: &str) -> Option<SetUp> {
    let function = fixture::definition(source, setter)?;
    let parameters = source.slice(function.child_by_field_name("parameters")?);
    if !matches!(parameters, "()" | "(self)") {
        return None;
    }
    let mut found = SetUp {
        globals: Vec::new(),
        statements: Vec::new(),
    };
    for statement in fixture::statements(source, function) {
        let text = source.slice(statement);
        match statement.kind() {
            "global_statement" => found.globals.extend(
                text.trim_start_matches("global")
                    .split(',')
                    .map(|name| name.trim().to_owned()),
            ),
            "expression_statement" if !text.contains('\n') && !text.contains("assert") => {
                if text.contains("self") {
                    return None;
                }
                found.statements.push(text.to_owned());
            }
            _ => break,
        }
    }
    (!found.statements.is_empty()).then_some(found)
}
