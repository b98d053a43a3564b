//! The condition that an assertion demands, as an expression: of `node:assert`, of `expect` as jest, vitest and chai have
//! it, and of the object that a test is handed.

use tree_sitter::Node;

use super::looks::Product;
use crate::node::source::{Source, arguments};
use crate::source::descendants;

/// The condition; `None` where asking it again may change something, where it is a constant, or where its words are unknown.
pub(super) fn of(source: &Source, product: &Product, statement: Node<'_>) -> Option<String> {
    if statement.kind() != "expression_statement" {
        return None;
    }
    let claim = statement.named_child(0)?;
    let asked = operands(claim);
    let looks = asked.iter().all(|node| product.only_looks(source, *node));
    // A constant never becomes true by waiting.
    let varies = asked.iter().any(|node| {
        descendants(*node)
            .any(|inner| matches!(inner.kind(), "identifier" | "member_expression" | "this"))
    });
    if !looks || !varies {
        return None;
    }
    expectation(source, claim).or_else(|| assertion(source, claim))
}

/// The expressions in a claim that are the test's own.
fn operands(claim: Node<'_>) -> Vec<Node<'_>> {
    let mut found = Vec::new();
    let mut node = claim;
    loop {
        match node.kind() {
            "call_expression" => {
                found.extend(arguments(node));
                let Some(function) = node.child_by_field_name("function") else {
                    return found;
                };
                node = function;
            }
            "member_expression" => {
                let Some(object) = node.child_by_field_name("object") else {
                    return found;
                };
                node = object;
            }
            // What stands at the head is the library.
            "identifier" | "this" => return found,
            _ => {
                found.push(node);
                return found;
            }
        }
    }
}

/// `assert(x)`, `assert.equal(a, b)`, `t.ok(x)`, `t.assert.strictEqual(a, b)`.
fn assertion(source: &Source, claim: Node<'_>) -> Option<String> {
    if claim.kind() != "call_expression" {
        return None;
    }
    let called = source.slice(claim.child_by_field_name("function")?);
    let mut parts = called.split('.');
    let head = parts.next()?;
    if !head.starts_with("assert") && !matches!(head, "t" | "test" | "context") {
        return None;
    }
    let given = arguments(claim);
    let text = |at: usize| given.get(at).map(|node| source.slice(*node));
    let join = |operator: &str| Some(format!("{} {operator} {}", text(0)?, text(1)?));
    match parts.next_back().unwrap_or(head) {
        "assert" | "ok" | "true" | "isTrue" | "truthy" => text(0).map(str::to_owned),
        "notOk" | "false" | "isFalse" | "falsy" => Some(format!("!({})", text(0)?)),
        "equal" | "strictEqual" | "is" | "same" => join("==="),
        "notEqual" | "notStrictEqual" => join("!=="),
        "deepEqual" | "deepStrictEqual" => Some(written(text(0)?, text(1)?)),
        "match" => Some(format!("{}.test({})", text(1)?, text(0)?)),
        "exists" => Some(format!("{} != null", text(0)?)),
        _ => None,
    }
}

/// `expect(a).toBe(b)`, `expect(a).to.equal(b)`, `expect(a).to.be.true`.
fn expectation(source: &Source, claim: Node<'_>) -> Option<String> {
    let (chain, given) = match claim.kind() {
        "call_expression" => (claim.child_by_field_name("function")?, arguments(claim)),
        _ => (claim, Vec::new()),
    };
    let mut words = Vec::new();
    let mut node = chain;
    while node.kind() == "member_expression" {
        words.push(source.slice(node.child_by_field_name("property")?));
        node = node.child_by_field_name("object")?;
    }
    words.reverse();
    let is_expect = node.kind() == "call_expression"
        && node
            .child_by_field_name("function")
            .is_some_and(|called| source.slice(called) == "expect");
    if !is_expect {
        return None;
    }
    let subject = arguments(node).first().copied()?;
    let actual = source.slice(subject);
    let expected = given.first().map(|node| source.slice(*node));
    let compare = |operator: &str| Some(format!("{actual} {operator} {}", expected?));
    let negated = words.contains(&"not");
    words.retain(|word| !matches!(*word, "not" | "to" | "be" | "been" | "is" | "have" | "that"));
    let condition = match words.as_slice() {
        ["toBe" | "toStrictEqual" | "toEqual" | "equal" | "equals" | "eql"] => {
            let plain = given
                .first()
                .is_none_or(|node| !matches!(node.kind(), "array" | "object"));
            match words[0] {
                "toStrictEqual" | "toEqual" | "eql" => Some(written(actual, expected?)),
                _ if plain => compare("==="),
                _ => None,
            }
        }
        ["deep", "equal" | "equals"] => Some(written(actual, expected?)),
        ["toBeTruthy" | "ok"] => Some(actual.to_owned()),
        ["true"] => Some(format!("{actual} === true")),
        ["false"] => Some(format!("{actual} === false")),
        ["toBeFalsy"] => Some(format!("!({actual})")),
        ["toBeNull" | "null"] => Some(format!("{actual} === null")),
        ["toBeUndefined" | "undefined"] => Some(format!("{actual} === undefined")),
        ["toBeDefined"] => Some(format!("{actual} !== undefined")),
        ["exist"] => Some(format!("{actual} != null")),
        ["toHaveLength" | "lengthOf" | "length"] => {
            Some(format!("{actual}.length === {}", expected?))
        }
        ["toContain" | "include" | "contain"] => Some(format!("{actual}.includes({})", expected?)),
        ["toMatch" | "match"] if expected?.starts_with('/') => {
            Some(format!("{}.test({actual})", expected?))
        }
        ["toBeGreaterThan" | "above"] => compare(">"),
        ["toBeGreaterThanOrEqual" | "least"] => compare(">="),
        ["toHaveBeenCalled"] => Some(format!("{actual}.mock.calls.length > 0")),
        ["toHaveBeenCalledTimes"] => Some(format!("{actual}.mock.calls.length === {}", expected?)),
        _ => None,
    }?;
    Some(if negated {
        format!("!({condition})")
    } else {
        condition
    })
}

/// Two values with something in them are alike for a wait where they are written alike; the assertion behind it says the rest.
fn written(actual: &str, expected: &str) -> String {
    format!("JSON.stringify({actual}) === JSON.stringify({expected})")
}
