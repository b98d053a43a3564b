//! What a fixed sleep looks like: that of a thread, that of a task, and the functions that people write around one.

use tree_sitter::Node;

use super::number;
use crate::rust::source::{Source, body_of};
use crate::source::descendants;

/// A statement that sleeps.
#[derive(Clone, Copy)]
pub(super) struct Sleep<'s> {
    /// The statement.
    pub(super) statement: Node<'s>,
    /// Where its time stands: a `Duration`, or the number that a function around a sleep is given.
    pub(super) duration: Node<'s>,
    pub(super) seconds: f64,
    /// Whether it is a task that sleeps.
    pub(super) awaited: bool,
}

impl Sleep<'_> {
    /// The same for ten milliseconds, in the test's own words; `None` where they do not say in which unit.
    pub(super) fn short(&self, source: &Source) -> Option<String> {
        let whole = source.slice(self.statement);
        let from = self.duration.start_byte() - self.statement.start_byte();
        let to = self.duration.end_byte() - self.statement.start_byte();
        let text = source.slice(self.duration);
        let short = match text.rsplit_once("::from_") {
            Some((of, _)) => format!("{of}::from_millis(10)"),
            None => "10".to_owned(),
        };
        Some(format!("{}{short}{}", whole.get(..from)?, whole.get(to..)?))
    }
}

/// The sleep that a statement is.
pub(super) fn of<'s>(source: &'s Source, statement: Node<'s>) -> Option<Sleep<'s>> {
    if statement.kind() != "expression_statement" {
        return None;
    }
    let inner = statement.named_child(0)?;
    let (call, awaited) = match inner.kind() {
        "await_expression" => (inner.named_child(0)?, true),
        _ => (inner, false),
    };
    if call.kind() != "call_expression" {
        return None;
    }
    let called = source.slice(call.child_by_field_name("function")?);
    let list = call.child_by_field_name("arguments")?;
    let given = list
        .named_child(0)
        .filter(|_| list.named_child_count() == 1)?;
    let seconds = if is_sleep(source, called, awaited) {
        seconds_of(source, given)?
    } else {
        around_sleep(source, called, awaited)?;
        number(source, given)? / 1000.0
    };
    (seconds > 0.0).then_some(Sleep {
        statement,
        duration: given,
        seconds,
        awaited,
    })
}

/// Whether a path names a sleep: of a thread, or of a task where it is awaited.
fn is_sleep(source: &Source, called: &str, awaited: bool) -> bool {
    let (of_thread, of_task) = (
        ["std::thread::sleep", "thread::sleep"],
        [
            "tokio::time::sleep",
            "time::sleep",
            "async_std::task::sleep",
            "task::sleep",
        ],
    );
    let known: &[&str] = if awaited { &of_task } else { &of_thread };
    if known.contains(&called) {
        return true;
    }
    // Brought in by name.
    called == "sleep"
        && source.nodes().any(|node| {
            let text = source.slice(node);
            let of = if awaited {
                ["tokio::time", "async_std::task"]
            } else {
                ["std::thread", "std::{thread"]
            };
            node.kind() == "use_declaration"
                && of.iter().any(|of| text.contains(of))
                && crate::rust::source::words(text).any(|word| word == "sleep")
        })
}

/// Whether a function of the file does nothing but sleep for as many milliseconds as it is given.
fn around_sleep(source: &Source, called: &str, awaited: bool) -> Option<()> {
    let function = source
        .functions()
        .find(|function| source.name(*function) == called)?;
    let body = body_of(function)?;
    let parameter = descendants(function.child_by_field_name("parameters")?)
        .find(|node| node.kind() == "parameter")?
        .child_by_field_name("pattern")?;
    let text: String = source.slice(body).split_whitespace().collect();
    let inside = text
        .strip_prefix('{')?
        .strip_suffix('}')?
        .trim_end_matches(';');
    let inside = if awaited {
        inside.strip_suffix(".await")?
    } else {
        inside
    };
    let (path, rest) = inside.split_once('(')?;
    let given = rest.strip_suffix(')')?;
    let millis = format!("Duration::from_millis({})", source.slice(parameter));
    (is_sleep(source, path, awaited) && given.ends_with(&millis) && !given.contains(','))
        .then_some(())
}

/// The seconds of `Duration::from_millis(50)`, and of its like.
pub(super) fn seconds_of(source: &Source, node: Node<'_>) -> Option<f64> {
    if node.kind() != "call_expression" {
        return None;
    }
    let called = source.slice(node.child_by_field_name("function")?);
    let (of, unit) = called.rsplit_once("::")?;
    if of.rsplit("::").next() != Some("Duration") {
        return None;
    }
    let amount = number(
        source,
        node.child_by_field_name("arguments")?.named_child(0)?,
    )?;
    let per_second = match unit {
        "from_secs" | "from_secs_f64" | "from_secs_f32" => 1.0,
        "from_millis" => 1e3,
        "from_micros" => 1e6,
        "from_nanos" => 1e9,
        _ => return None,
    };
    Some(amount / per_second)
}
