//! [W3C Trace Context](https://www.w3.org/TR/trace-context/): a context that cannot be read is ignored,
//! the message is not.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// Whether a `traceparent` can be read: version, trace id, parent id and flags, in lower-case hex.
/// Versions after `00` may have more behind these.
pub fn is_traceparent(text: &str) -> bool {
    let mut parts = text.splitn(5, '-');
    let (Some(version), Some(trace), Some(parent), Some(flags), more) = (
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
    ) else {
        return false;
    };
    is_hex(version, 2)
        && version != "ff"
        && is_hex(trace, 32)
        && trace.bytes().any(|digit| digit != b'0')
        && is_hex(parent, 16)
        && parent.bytes().any(|digit| digit != b'0')
        && is_hex(flags, 2)
        && (more.is_none() || version != "00")
}

/// A trace context that can be read: a trace, and the span in it whose children come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    trace: u128,
    span: u64,
    flags: u8,
}

/// The flag that says that whoever began the trace keeps it.
const SAMPLED: u8 = 1;

impl TraceParent {
    /// Reads a `traceparent`; `None` where [`is_traceparent`] is false.
    pub fn parse(text: &str) -> Option<Self> {
        if !is_traceparent(text) {
            return None;
        }
        let mut parts = text.split('-').skip(1);
        Some(Self {
            trace: u128::from_str_radix(parts.next()?, 16).ok()?,
            span: u64::from_str_radix(parts.next()?, 16).ok()?,
            flags: u8::from_str_radix(parts.next()?, 16).ok()?,
        })
    }

    /// The trace of a flow that nobody began one for: all its messages come to the same one, whoever asks. `seed` tells the span.
    #[must_use]
    pub fn of_flow(correlation: &str, seed: &str) -> Self {
        let hash = Sha256::digest(format!("maestro flow {correlation}"));
        let mut trace = [0; 16];
        trace.copy_from_slice(&hash[..16]);
        Self {
            trace: u128::from_be_bytes(trace).max(1),
            span: span(seed),
            flags: SAMPLED,
        }
    }

    /// Another span of this trace. `seed` tells it from all others.
    #[must_use]
    pub fn child(self, seed: &str) -> Self {
        Self {
            span: span(seed),
            ..self
        }
    }

    /// The same, to be kept or not.
    #[must_use]
    pub fn sampled(self, sampled: bool) -> Self {
        let flags = self.flags & !SAMPLED;
        Self {
            flags: if sampled { flags | SAMPLED } else { flags },
            ..self
        }
    }

    /// Whether whoever began the trace keeps it.
    pub fn is_sampled(self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The trace.
    pub fn trace(self) -> u128 {
        self.trace
    }

    /// The span.
    pub fn span(self) -> u64 {
        self.span
    }
}

/// As version `00` of the recommendation writes it.
impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trace, span, flags } = self;
        write!(f, "00-{trace:032x}-{span:016x}-{flags:02x}")
    }
}

/// Zero is no span.
fn span(seed: &str) -> u64 {
    let hash = Sha256::digest(format!("maestro span {seed}"));
    let mut span = [0; 8];
    span.copy_from_slice(&hash[..8]);
    u64::from_be_bytes(span).max(1)
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::{TraceParent, is_traceparent};

    #[test]
    fn a_traceparent_is_what_the_recommendation_says() {
        assert!(is_traceparent(
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        ));
        assert!(is_traceparent(
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes"
        ));
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        ] {
            assert!(!is_traceparent(bad), "{bad}");
        }
    }

    #[test]
    fn a_child_is_of_the_same_trace_and_decision_and_is_written_as_it_is_read() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let parent = TraceParent::parse(text).unwrap();
        assert_eq!(parent.to_string(), text);
        let child = parent.child("1-0");
        assert_eq!(child.trace(), parent.trace());
        assert_ne!(child.span(), parent.span());
        assert!(child.is_sampled());
        assert!(!parent.sampled(false).child("1-0").is_sampled());
        assert_eq!(TraceParent::parse(&child.to_string()), Some(child));
        assert_eq!(TraceParent::parse("00-0-0-0"), None);
    }

    #[test]
    fn every_message_of_a_flow_comes_to_the_same_trace() {
        let (one, other) = (
            TraceParent::of_flow("build-7", "a"),
            TraceParent::of_flow("build-7", "b"),
        );
        assert_eq!(one.trace(), other.trace());
        assert_ne!(one.span(), other.span());
        assert_ne!(one.trace(), TraceParent::of_flow("build-8", "a").trace());
        assert!(is_traceparent(&one.to_string()));
    }
}
