//! The text of a message: its own, or one of its rule by name, with its arguments in the places that are marked for them.

use super::document::{Component, Message, Rule};

/// The message as a person reads it; empty where there is none.
pub(super) fn message(message: &Message, rule: Option<&Rule>, component: &Component) -> String {
    let named = || {
        let id = message.id.as_deref()?;
        rule.and_then(|rule| rule.message_strings.get(id))
            .or_else(|| component.global_message_strings.get(id))
            .map(|string| string.text.as_str())
    };
    match message.text.as_deref().or_else(named) {
        Some(text) => filled(text, &message.arguments),
        None => String::new(),
    }
}

/// `{0}` becomes the first argument, `{{` a bracket (3.11.5). An argument is used as it is, with no places of its own.
fn filled(text: &str, arguments: &[String]) -> String {
    if arguments.is_empty() {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if rest.starts_with("{{") || rest.starts_with("}}") {
            out.push_str(&rest[..1]);
            rest = &rest[2..];
            continue;
        }
        let argument = rest.strip_prefix('{').and_then(|inner| {
            let end = inner.find('}')?;
            let number: usize = inner[..end].parse().ok()?;
            Some((arguments.get(number)?, &inner[end + 1..]))
        });
        if let Some((argument, after)) = argument {
            out.push_str(argument);
            rest = after;
        } else {
            out.push_str(&rest[..1]);
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_stand_where_the_text_has_places_for_them() {
        let arguments = ["os".to_owned(), "{0}".to_owned()];
        assert_eq!(
            filled("{0} is {{unused}}, {1} {2} {", &arguments),
            "os is {unused}, {0} {2} {"
        );
        assert_eq!(filled("{0}", &[]), "{0}");
    }
}
