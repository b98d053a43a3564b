//! The syntax of a container image's reference: `[HOST[:PORT]/]NAME[:TAG][@DIGEST]`, as
//! [distribution](https://pkg.go.dev/github.com/distribution/reference) has it. Kubernetes takes any string and fails
//! later, on the node.

/// What is wrong with a reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{shown} is no image reference: {why}")]
pub(crate) struct NoImage {
    shown: String,
    why: &'static str,
}

/// The most characters of a name without tag and digest.
const NAME: usize = 255;
/// The most characters of a tag.
const TAG: usize = 128;

/// Finds what keeps a reference from being one.
pub(crate) fn check(reference: &str) -> Result<(), NoImage> {
    problem(reference).map_or(Ok(()), |why| {
        Err(NoImage {
            shown: crate::shown(reference),
            why,
        })
    })
}

fn problem(reference: &str) -> Option<&'static str> {
    if reference.is_empty() {
        return Some("it is empty");
    }
    if reference.chars().any(char::is_whitespace) {
        return Some("it has blanks");
    }
    if reference.contains("://") {
        return Some("it begins with a scheme, as a URL does");
    }
    let (name, digest) = match reference.split_once('@') {
        None => (reference, None),
        Some((name, digest)) => (name, Some(digest)),
    };
    // A colon before the last slash belongs to the port.
    let tag_at = name.rfind(':').filter(|at| !name[*at..].contains('/'));
    let (name, tag) = match tag_at {
        None => (name, None),
        Some(at) => (&name[..at], Some(&name[at + 1..])),
    };
    if name.is_empty() {
        return Some("it has no name");
    }
    if name.len() > NAME {
        return Some("its name has more than 255 characters");
    }
    if tag.is_some_and(|tag| !is_tag(tag)) {
        return Some(
            "its tag is not 1 to 128 of letters, digits, `_`, `.` and `-` that begin with a letter, a digit or `_`",
        );
    }
    if digest.is_some_and(|digest| !is_digest(digest)) {
        return Some(
            "its digest is not `sha256:` and 64 hexadecimal digits, or of another algorithm",
        );
    }
    let path = match name.split_once('/') {
        Some((host, path)) if is_host_like(host) => {
            if !is_host(host) {
                return Some("its registry is no host name");
            }
            path
        }
        _ => name,
    };
    if path.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Some("its name has upper-case letters");
    }
    if !path.split('/').all(is_component) {
        return Some(
            "its name is not of lower-case letters and digits with single `.`, `_`, `__`, `-` or `/` between them",
        );
    }
    None
}

/// What stands before the first `/` is a registry if it could not be a part of a name.
fn is_host_like(first: &str) -> bool {
    first.contains(['.', ':'])
        || first == "localhost"
        || first.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    };
    let numbered = port.is_none_or(|port| {
        port.parse::<u16>().is_ok() && port.bytes().all(|byte| byte.is_ascii_digit())
    });
    let bracketed = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let named = match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.split('.').all(|part| {
            !part.is_empty()
                && !part.starts_with('-')
                && !part.ends_with('-')
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        }),
    };
    named && numbered
}

/// Lower-case letters and digits, with one of `.`, `_`, `__` or any number of `-` between them.
fn is_component(text: &str) -> bool {
    let mut separator = String::new();
    let mut any = false;
    for c in text.chars() {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            let single = matches!(separator.as_str(), "" | "." | "_" | "__");
            let dashes = separator.bytes().all(|byte| byte == b'-');
            if !(single || dashes) || (!any && !separator.is_empty()) {
                return false;
            }
            separator.clear();
            any = true;
        } else if matches!(c, '.' | '_' | '-') {
            separator.push(c);
        } else {
            return false;
        }
    }
    any && separator.is_empty()
}

fn is_tag(tag: &str) -> bool {
    (1..=TAG).contains(&tag.len())
        && !tag.starts_with(['.', '-'])
        && tag
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

fn is_digest(digest: &str) -> bool {
    let Some((algorithm, digits)) = digest.split_once(':') else {
        return false;
    };
    let named = algorithm.split(['+', '.', '_', '-']).all(|part| {
        part.starts_with(|first: char| first.is_ascii_alphabetic())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    });
    let length = match algorithm {
        "sha256" => digits.len() == 64,
        "sha512" => digits.len() == 128,
        _ => digits.len() >= 32,
    };
    named
        && length
        && digits
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
