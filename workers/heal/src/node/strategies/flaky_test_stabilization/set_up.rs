//! A test that passes only after another has set something up does that by itself: the statements with which the other
//! one begins, where they set names of the file that the tests share.

use std::fmt::Write as _;

use maestro_protocol::heal::Strategy;

use super::super::rewrite;
use super::super::scene::Scene;
use super::left;
use crate::case::{Case, Edit, Finding};
use crate::node::source::Source;
use crate::source::descendants;
use crate::source::edit::{Splice, apply};
use crate::strategies::rank;
use crate::unsteady::{Left, Unsteady};

pub(super) fn findings(case: &Case<'_>, unsteady: &Unsteady, setters: &[Left]) -> Vec<Finding> {
    let [setter] = setters else {
        return Vec::new();
    };
    let offered = edit(case, &unsteady.victim, &setter.test);
    let Some((edit, what)) = offered else {
        return vec![Finding::Refuse(format!(
            "what {} sets up is not the own code of the tests to set up, so that the test fails without it from the start",
            setter.test
        ))];
    };
    vec![Finding::Try(rewrite(
        Strategy::FlakyTestStabilization,
        format!(
            "{} sets up by itself what {} left to it: {what}",
            unsteady.victim, setter.test
        ),
        vec![edit],
        rank::STEADY,
    ))]
}

fn edit(case: &Case<'_>, victim: &str, setter: &str) -> Option<(Edit, String)> {
    let (victim, setter) = (Scene::of(case, victim)?, Scene::of(case, setter)?);
    if victim.path != setter.path {
        return None;
    }
    // Only names of the file itself: what is the product's is not for a test to set before it is tested.
    let things = left::by(case, &setter);
    let own = |thing: &left::Thing| match thing {
        left::Thing::Binding(_) => true,
        left::Thing::Contents(of, _) | left::Thing::Property(of, _) => {
            let root = of.split('.').next().unwrap_or(of);
            setter.declared(root).is_some() && !setter.bindings.contains_key(root)
        }
        _ => false,
    };
    if things.is_empty() || !things.iter().all(own) {
        return None;
    }
    let statements = leading(&setter)?;
    let what: Vec<String> = things.iter().map(left::Thing::called).collect();
    let body = victim.body()?.child_by_field_name("body")?;
    let source = &victim.source;
    let first = body.named_child(0)?;
    let indent = indent_of(source, first.start_byte());
    let mut text = String::new();
    for statement in statements {
        let _ = write!(text, "{statement}\n{indent}");
    }
    let text = apply(source.text(), &[Splice::insert(first.start_byte(), text)])?;
    Some((
        Edit {
            path: victim.path.clone(),
            text,
        },
        what.join(", "),
    ))
}

/// The statements with which a test begins, up to its first check; `None` where they use names of its own.
fn leading(setter: &Scene) -> Option<Vec<String>> {
    let source = &setter.source;
    let body = setter.body()?.child_by_field_name("body")?;
    let mut cursor = body.walk();
    let mut found = Vec::new();
    for statement in body.named_children(&mut cursor) {
        let text = source.slice(statement);
        let checks = ["assert", "expect", "t."]
            .iter()
            .any(|check| text.starts_with(check));
        if statement.kind() != "expression_statement" || checks {
            break;
        }
        let context = descendants(statement).any(|node| {
            node.kind() == "identifier" && matches!(source.slice(node), "t" | "context")
        });
        if context || text.contains('\n') {
            return None;
        }
        found.push(text.to_owned());
    }
    (!found.is_empty()).then_some(found)
}

fn indent_of(source: &Source, at: usize) -> String {
    let line = source.text()[..at].rsplit('\n').next().unwrap_or_default();
    line.chars().take_while(|c| c.is_whitespace()).collect()
}
