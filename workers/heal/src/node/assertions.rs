//! Counts what a test file checks, and finds what would hide a test or make it less strict.

use super::source::{Source, arguments};

/// Methods of the object that tape, ava and tap hand to a test.
const METHODS: &[&str] = &[
    "ok",
    "true",
    "assert",
    "notOk",
    "false",
    "notok",
    "error",
    "ifError",
    "ifErr",
    "iferror",
    "equal",
    "equals",
    "is",
    "isEqual",
    "strictEqual",
    "strictEquals",
    "notEqual",
    "notEquals",
    "not",
    "isNot",
    "deepEqual",
    "deepEquals",
    "isEquivalent",
    "same",
    "notSame",
    "strictSame",
    "notDeepEqual",
    "deepLooseEqual",
    "looseEqual",
    "notLooseEqual",
    "throws",
    "doesNotThrow",
    "notThrows",
    "rejects",
    "match",
    "doesNotMatch",
    "regex",
    "fail",
    "pass",
    "plan",
    "truthy",
    "falsy",
    "like",
    "snapshot",
    "matchSnapshot",
    "type",
    "has",
    "hasStrict",
    "comment",
];

/// The number of checks in a text: calls of `assert` and of what belongs to it, `expect`, chai's `should`, and the checks
/// of a test's own object. A text that does not parse is counted as far as its tree reaches.
pub(super) fn count(path: &str, text: &str) -> u32 {
    let Some(source) = Source::parse(path, text) else {
        return 0;
    };
    let checks = source
        .calls()
        .filter(|(_, called)| is_check(called))
        .count();
    let should = source
        .nodes()
        .filter(|node| node.kind() == "member_expression")
        .filter_map(|node| node.child_by_field_name("property"))
        .filter(|property| source.slice(*property) == "should")
        .count();
    u32::try_from(checks + should).unwrap_or(u32::MAX)
}

fn is_check(called: &str) -> bool {
    let first = called.split(['.', '(', '[']).next().unwrap_or(called);
    let last = called.rsplit('.').next().unwrap_or(called);
    match first {
        "assert" | "assertStrict" | "assertType" | "expectTypeOf" => true,
        // `expect(x)` counts once, whatever is chained behind it; and so do `expect.assertions(2)` and its like.
        "expect" => {
            called == "expect" || matches!(last, "assertions" | "hasAssertions" | "soft" | "poll")
        }
        "t" | "st" | "tt" | "test" | "context" => METHODS.contains(&last) && called != first,
        _ => called.contains(".assert."),
    }
}

/// Members by which a test is not run, run alone, run again, or meant to fail.
const HIDING: &[&str] = &[
    "skip",
    "todo",
    "only",
    "skipIf",
    "runIf",
    "failing",
    "fails",
    "fail_",
    "retries",
    "retryTimes",
    "retry",
];
/// Functions that do so.
const HIDING_NAMES: &[&str] = &[
    "xit",
    "xtest",
    "xdescribe",
    "xcontext",
    "fit",
    "fdescribe",
    "pending",
];
/// Options of a test that do so.
const HIDING_OPTIONS: &[&str] = &["skip", "todo", "only", "retry", "retries", "fails"];
/// What holds of almost anything.
const LOOSE: &[&str] = &[
    "expect.anything",
    "expect.any",
    "expect.not",
    "toBeTruthy",
    "toBeDefined",
    "toBeFalsy",
    "toBeCloseTo",
];

/// What the second text has more of than the first, of all that hides a test, or lets more pass than before.
pub(super) fn hides(path: &str, before: &str, after: &str) -> Option<String> {
    let (before, after) = (marks(path, before), marks(path, after));
    after
        .iter()
        .find(|mark| {
            let times = |marks: &[String]| marks.iter().filter(|other| other == mark).count();
            times(&after) > times(&before)
        })
        .cloned()
}

fn marks(path: &str, text: &str) -> Vec<String> {
    let Some(source) = Source::parse(path, text) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for node in source.nodes() {
        match node.kind() {
            "catch_clause" => found.push("catch".to_owned()),
            "property_identifier"
                if node
                    .parent()
                    .is_some_and(|up| up.kind() == "member_expression") =>
            {
                let name = source.slice(node);
                if HIDING.contains(&name) {
                    found.push(format!(".{name}"));
                }
                if name == "not" {
                    found.push(".not".to_owned());
                }
            }
            "identifier" if HIDING_NAMES.contains(&source.slice(node)) => {
                found.push(source.slice(node).to_owned());
            }
            _ => {}
        }
    }
    for (call, called) in source.calls() {
        let last = called.rsplit('.').next().unwrap_or(called);
        if LOOSE.contains(&last) || LOOSE.contains(&called) {
            found.push(called.rsplit('.').next().unwrap_or(called).to_owned());
        }
        let declares = matches!(
            called.split('.').next().unwrap_or(called),
            "test" | "it" | "describe" | "suite" | "t"
        );
        for argument in arguments(call).into_iter().filter(|_| declares) {
            if argument.kind() != "object" {
                continue;
            }
            let mut cursor = argument.walk();
            for pair in argument.named_children(&mut cursor) {
                let key = pair
                    .child_by_field_name("key")
                    .map(|key| source.slice(key).trim_matches(['\'', '"']));
                if let Some(key) = key.filter(|key| HIDING_OPTIONS.contains(key)) {
                    found.push(format!("{key}:"));
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checks_of_every_kind_of_test_are_counted() {
        let text = "test('a', (t) => {\n  assert(x);\n  assert.strictEqual(a, b);\n  expect(a).toBe(b);\n  expect(a).not.toEqual(b);\n  t.equal(1, 2);\n  t.deepEqual(a, b);\n  expect.assertions(2);\n  a.should.equal(b);\n  console.log(a);\n  t.end();\n});\n";
        assert_eq!(count("a.test.js", text), 8);
    }

    #[test]
    fn what_hides_a_test_or_lets_more_pass_is_seen() {
        let before = "test('a', () => { expect(a).toBe(b); });\n";
        for after in [
            "test.skip('a', () => { expect(a).toBe(b); });\n",
            "xit('a', () => { expect(a).toBe(b); });\n",
            "test('a', { skip: true }, () => { expect(a).toBe(b); });\n",
            "test('a', () => { expect(a).not.toBe(b); });\n",
            "test('a', () => { expect(a).toBeTruthy(); });\n",
            "test('a', () => { try { expect(a).toBe(b); } catch {} });\n",
            "jest.retryTimes(3);\ntest('a', () => { expect(a).toBe(b); });\n",
        ] {
            assert!(hides("a.test.js", before, after).is_some(), "{after}");
        }
        assert_eq!(hides("a.test.js", before, before), None);
    }
}
