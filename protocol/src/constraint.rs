//! What a value must satisfy beyond its type. The same limits stand in the published schemas.

use std::collections::BTreeMap;

use crate::violation::{Quoted, Violation, Within};

/// The most characters of a name: a test id, a path, a reference, a version.
pub(crate) const NAME_LENGTH: usize = 4096;
/// The most items of a list.
pub(crate) const ITEMS: usize = 1024;
/// The longest duration that may be asked for, in seconds: thirty days.
pub(crate) const LONGEST_S: u32 = 30 * 24 * 60 * 60;

/// Applies a rule to a member that may be absent.
pub(crate) fn given<T: ?Sized>(
    value: Option<&T>,
    rule: impl FnOnce(&T) -> Result<(), Violation>,
) -> Result<(), Violation> {
    value.map_or(Ok(()), rule)
}

/// Applies a rule to every item of a list, which has at most [`ITEMS`].
pub(crate) fn each<T>(
    items: &[T],
    rule: impl Fn(&T) -> Result<(), Violation>,
) -> Result<(), Violation> {
    if items.len() > ITEMS {
        return Err(Violation::new(
            format!("at most {ITEMS} items"),
            format_args!("{}", items.len()),
        ));
    }
    items
        .iter()
        .enumerate()
        .try_for_each(|(at, item)| rule(item).item(at))
}

/// A name: not empty, no NUL, at most [`NAME_LENGTH`] characters.
pub(crate) fn name(text: &str) -> Result<(), Violation> {
    if text.is_empty() {
        return Err(Violation::new("a string that is not empty", "an empty one"));
    }
    argument(text)?;
    let length = text.chars().count();
    if length > NAME_LENGTH {
        return Err(Violation::new(
            format!("at most {NAME_LENGTH} characters"),
            length,
        ));
    }
    Ok(())
}

/// The fingerprint of a failure: 32 hex digits.
pub(crate) fn fingerprint(text: &str) -> Result<(), Violation> {
    if text.len() == 32 && is_hex(text) {
        return Ok(());
    }
    Err(Violation::of_text("32 hex digits", text))
}

/// Whether a text is hex digits, in lower case.
pub(crate) fn is_hex(text: &str) -> bool {
    text.bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// What can be passed to a program: no NUL.
pub(crate) fn argument(text: &str) -> Result<(), Violation> {
    if text.contains('\0') {
        return Err(Violation::of_text("a string without NUL", text));
    }
    Ok(())
}

/// A command: at least the program.
pub(crate) fn command(arguments: &[String]) -> Result<(), Violation> {
    if arguments.is_empty() {
        return Err(Violation::new(
            "a program and its arguments",
            "an empty array",
        ));
    }
    name(&arguments[0]).item(0)?;
    each(arguments, |each| argument(each))
}

/// Environment variables: names without `=`, values without NUL.
pub(crate) fn variables(variables: &BTreeMap<String, String>) -> Result<(), Violation> {
    if variables.len() > ITEMS {
        return Err(Violation::new(
            format!("at most {ITEMS} variables"),
            variables.len(),
        ));
    }
    variables.iter().try_for_each(|(variable, value)| {
        if variable.is_empty() || variable.contains(['=', '\0']) {
            return Err(Violation::new(
                "names of variables that are not empty and have no `=` and no NUL",
                Quoted(variable),
            ));
        }
        argument(value).member(variable)
    })
}

/// A path that stays below the directory it starts in.
pub(crate) fn path_below(path: &str) -> Result<(), Violation> {
    name(path)?;
    let stays = !path.starts_with(['/', '\\']) && path.split(['/', '\\']).all(|part| part != "..");
    if stays {
        Ok(())
    } else {
        Err(Violation::of_text(
            "a relative path that stays below the repository, without `..`",
            path,
        ))
    }
}

/// A count or a duration that may not be zero.
pub(crate) fn positive(value: u32) -> Result<(), Violation> {
    within(value, 1, u32::MAX)
}

/// A number between two others, both included.
pub(crate) fn within(value: u32, least: u32, most: u32) -> Result<(), Violation> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    let expected = if most == u32::MAX {
        format!("an integer of at least {least}")
    } else {
        format!("an integer between {least} and {most}")
    };
    Err(Violation::new(expected, value))
}

/// A duration in seconds, at most [`LONGEST_S`].
pub(crate) fn seconds(value: u32) -> Result<(), Violation> {
    within(value, 1, LONGEST_S)
}

/// A share between 0 and 1.
pub(crate) fn share(value: f64) -> Result<(), Violation> {
    if (0.0..=1.0).contains(&value) {
        return Ok(());
    }
    Err(Violation::new("a number between 0 and 1", value))
}

/// Numbers with dots between them, for example `3.11`.
pub(crate) fn version(
    text: &str,
    parts: std::ops::RangeInclusive<usize>,
    expected: &str,
) -> Result<(), Violation> {
    let shaped = text.split('.').all(|part| {
        (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    });
    if shaped && parts.contains(&text.split('.').count()) {
        return Ok(());
    }
    Err(Violation::of_text(expected, text))
}

/// A time as RFC 3339 writes it.
pub(crate) fn time(text: &str) -> Result<(), Violation> {
    crate::rfc3339::parse(text)
        .map(|_| ())
        .ok_or_else(|| Violation::of_text("an RFC 3339 time such as `2026-07-01T12:00:00Z`", text))
}
