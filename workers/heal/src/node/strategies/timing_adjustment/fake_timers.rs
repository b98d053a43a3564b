//! A sleep while the test's own fake timers stand still: it never ends, or nothing becomes older by it. The timers are moved
//! by as much instead, as their library does it. Nothing is given more time by that.

use maestro_protocol::heal::Strategy;
use tree_sitter::Node;

use super::super::rewrite;
use super::super::scene::{Scene, is_declaration, test_around};
use super::Moment;
use super::sleeps::{Sleep, Sleeps};
use super::waits::sleep_before;
use crate::case::{Case, Edit, Finding};
use crate::failure::Failure;
use crate::node::source::{Source, is_function};
use crate::source::edit::{Splice, apply};
use crate::source::{ancestors, descendants};
use crate::strategies::rank;

/// What moves the fake timers of a file, and whether that is awaited.
struct Mover {
    call: String,
    awaited: bool,
}

/// For a test that does not end: all its sleeps.
pub(super) fn of_hanging(case: &Case<'_>, failure: &Failure) -> Option<Finding> {
    let scene = Scene::of(case, failure.test.as_deref()?)?;
    let body = scene.body()?;
    moved(case, &scene.source, &scene.path, body)
}

/// For an assertion behind a sleep that made nothing older.
pub(super) fn of_assertion(case: &Case<'_>, moment: &Moment<'_>) -> Option<Finding> {
    let sleeps = Sleeps {
        source: moment.source,
        path: &moment.path,
        case,
    };
    sleep_before(moment, &sleeps)?;
    moved(case, moment.source, &moment.path, moment.function)
}

fn moved(case: &Case<'_>, source: &Source, path: &str, body: Node<'_>) -> Option<Finding> {
    let mover = mover(case, source, body)?;
    let sleeps = Sleeps { source, path, case };
    let found: Vec<Sleep<'_>> = descendants(body)
        .filter(|node| node.kind() == "expression_statement")
        .filter_map(|statement| sleeps.of(statement))
        .collect();
    let first = found.first()?;
    let line = Source::line(first.whole);
    let splices: Vec<Splice> = found
        .iter()
        .map(|sleep| {
            let amount = source.slice(sleep.duration);
            let awaited = if mover.awaited { "await " } else { "" };
            Splice::replace(
                sleep.whole.byte_range(),
                format!("{awaited}{}({amount})", mover.call),
            )
        })
        .collect();
    Some(Finding::Try(rewrite(
        Strategy::TimingAdjustment,
        format!(
            "{path}:{line}: the test moves its own fake timers by as much as it slept, during which they stood still"
        ),
        vec![Edit {
            path: path.to_owned(),
            text: apply(source.text(), &splices)?,
        }],
        rank::FIXTURE,
    )))
}

/// What moves the timers that this test, or a hook around it, has made fake; `None` where they are not, or real again.
fn mover(case: &Case<'_>, source: &Source, body: Node<'_>) -> Option<Mover> {
    let own = test_around(source, body).map(|test| test.id());
    let concerns = |call: Node<'_>| {
        let of = test_around(source, call).map(|test| test.id());
        of.is_none() || of == own
    };
    let calls: Vec<(Node<'_>, &str)> = source.calls().filter(|(call, _)| concerns(*call)).collect();
    let real_again = calls.iter().any(|(call, called)| {
        body.byte_range().contains(&call.start_byte())
            && matches!(
                called.rsplit('.').next(),
                Some("useRealTimers" | "restore" | "reset" | "uninstall")
            )
    });
    if real_again {
        return None;
    }
    calls.iter().find_map(|(call, called)| {
        let arguments = source.slice(call.child_by_field_name("arguments")?);
        match *called {
            "jest.useFakeTimers" if !arguments.contains("legacy") => {
                let asynchronous = version(case, "jest").is_some_and(|known| known >= (29, 5));
                let name = if asynchronous {
                    "advanceTimersByTimeAsync"
                } else {
                    "advanceTimersByTime"
                };
                Some(Mover {
                    call: format!("jest.{name}"),
                    awaited: asynchronous,
                })
            }
            "vi.useFakeTimers" => Some(Mover {
                call: "vi.advanceTimersByTimeAsync".to_owned(),
                awaited: true,
            }),
            "mock.timers.enable" | "t.mock.timers.enable" | "context.mock.timers.enable" => {
                let timers = called.strip_suffix(".enable")?;
                // The context's name is the test's own.
                let known = !timers.starts_with("t.") && !timers.starts_with("context.")
                    || body.byte_range().contains(&call.start_byte());
                known.then(|| Mover {
                    call: format!("{timers}.tick"),
                    awaited: false,
                })
            }
            _ if called.ends_with(".useFakeTimers") => {
                let clock = holder(source, *call)?;
                Some(Mover {
                    call: format!("{clock}.tickAsync"),
                    awaited: true,
                })
            }
            _ => None,
        }
    })
}

/// What the clock that a call makes is kept in.
fn holder<'s>(source: &'s Source, call: Node<'_>) -> Option<&'s str> {
    let up = call.parent()?;
    let field = match up.kind() {
        "variable_declarator" => "name",
        "assignment_expression" => "left",
        _ => return None,
    };
    // One that a hook declares is not seen from the test.
    let declared_in = ancestors(up).find(|outer| is_function(*outer));
    if up.kind() == "variable_declarator" && declared_in.is_some() {
        let hooked = declared_in
            .and_then(|function| function.parent()?.parent())
            .is_some_and(|outer| !is_declaration(source, outer));
        if hooked {
            return None;
        }
    }
    Some(source.slice(up.child_by_field_name(field)?))
}

/// Major and minor version of what is installed.
fn version(case: &Case<'_>, name: &str) -> Option<(u32, u32)> {
    let (_, version) = case
        .installed
        .distributions
        .iter()
        .find(|(known, _)| known == name)?;
    let mut parts = version.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}
