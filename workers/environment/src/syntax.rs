//! What Kubernetes takes as a name, a label or the name of a variable.
//!
//! <https://kubernetes.io/docs/concepts/overview/working-with-objects/names/> and
//! <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set>

/// The most characters of a part of a name, and of a label's value.
const PART: usize = 63;
/// The most characters of a name of several parts.
const WHOLE: usize = 253;

/// A name of one part (RFC 1123 label): a namespace, a Service, a container.
pub(crate) fn is_name(text: &str) -> bool {
    between(text, |byte| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
    })
}

/// A name whose parts have dots between them (RFC 1123 subdomain): most other objects.
pub(crate) fn is_subdomain(text: &str) -> bool {
    // Of a subdomain only the whole is limited; its parts are not.
    text.len() <= WHOLE
        && text.split('.').all(|part| {
            edges(part, |byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit()
            }) && part
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        })
}

/// A label's value; may be empty.
pub(crate) fn is_label_value(text: &str) -> bool {
    text.is_empty() || is_label_name(text)
}

/// A label's key: a name, and before it perhaps a domain and `/`.
pub(crate) fn is_label_key(text: &str) -> bool {
    match text.split_once('/') {
        None => is_label_name(text),
        Some((domain, name)) => is_subdomain(domain) && is_label_name(name),
    }
}

fn is_label_name(text: &str) -> bool {
    between(text, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
    })
}

/// The name of an environment variable as every release takes it; releases from 1.34 take more.
pub(crate) fn is_variable(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|first: char| first.is_ascii_digit())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        && text != "."
        && !text.starts_with("..")
}

/// 1 to [`PART`] characters, all of them allowed, a letter or digit at both ends.
fn between(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    text.len() <= PART
        && edges(text, |byte| byte.is_ascii_alphanumeric())
        && text.bytes().all(allowed)
}

fn edges(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    match text.as_bytes() {
        [] => false,
        [only] => allowed(*only),
        [first, .., last] => allowed(*first) && allowed(*last),
    }
}
