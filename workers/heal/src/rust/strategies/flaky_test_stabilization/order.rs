//! What has no order gets one before it is compared: each process walks through its hash maps and sets in another one
//! (<https://doc.rust-lang.org/std/collections/struct.HashMap.html>), and nothing of it can be set from outside. Only where the
//! test's own code walks through what is a hash map by its type. A list that the product makes of one is the product's to sort.

use maestro_protocol::heal::Strategy;
use tree_sitter::Node;

use super::super::claim::Claim;
use super::super::rewrite;
use super::turns::Module;
use crate::case::{Case, Edit, Finding};
use crate::failure::Failure;
use crate::rust::reach::product;
use crate::rust::report::{TOGETHER, UNSTEADY};
use crate::rust::source::Source;
use crate::source::edit::{Splice, apply};
use crate::source::{ancestors, descendants};
use crate::strategies::rank;

/// What is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hashed {
    Map,
    Set,
}

/// What takes all and asks for no order.
const ORDERLESS: &[&str] = &[
    "all",
    "any",
    "count",
    "len",
    "max",
    "max_by",
    "max_by_key",
    "min",
    "min_by",
    "min_by_key",
    "product",
    "sum",
];

pub(super) fn finding(case: &Case<'_>) -> Option<Finding> {
    let failure = case.failures.first()?;
    let by_chance = matches!(failure.code.as_deref(), Some(UNSTEADY | TOGETHER));
    if !by_chance && !is_permuted(failure) {
        return None;
    }
    let module = Module::of(case, failure.test.as_deref()?)?;
    let (path, source) = module.file();
    let scene = Scene {
        source,
        function: module.victim()?,
        product: product(case.tree).collect(),
    };
    let text = apply(source.text(), &scene.splices())?;
    (text != source.text()).then(|| {
        Finding::Try(rewrite(
            Strategy::FlakyTestStabilization,
            format!(
                "{} walks through what is hashed by the order of its keys, not by that of their hashes",
                source.name(scene.function)
            ),
            vec![Edit {
                path: path.to_owned(),
                text,
            }],
            rank::STEADY,
        ))
    })
}

/// Whether the two sides of an assertion have the very same characters in another order, as those of two lists of the same
/// items have.
fn is_permuted(failure: &Failure) -> bool {
    let letters = |text: &str| {
        let mut letters: Vec<char> = text.chars().filter(|c| c.is_alphanumeric()).collect();
        letters.sort_unstable();
        letters
    };
    failure.compared.as_ref().is_some_and(|compared| {
        compared.actual != compared.expected
            && letters(&compared.actual) == letters(&compared.expected)
    })
}

/// The test, and what is known around it.
struct Scene<'s> {
    source: &'s Source,
    function: Node<'s>,
    product: Vec<Source>,
}

impl<'s> Scene<'s> {
    fn splices(&self) -> Vec<Splice> {
        let mut found = Vec::new();
        let mut derived: Vec<&str> = Vec::new();
        for node in descendants(self.function) {
            let ordered = match node.kind() {
                "call_expression" => self.ordered(self.source, node),
                "for_expression" => self.ordered_loop(node),
                _ => Vec::new(),
            };
            if ordered.is_empty() {
                continue;
            }
            derived.extend(self.filled_by(node));
            found.extend(ordered);
        }
        for statement in descendants(self.function) {
            let in_block = statement.parent().is_some_and(|up| up.kind() == "block");
            let Some(claim) = in_block
                .then(|| Claim::of(self.source, statement))
                .flatten()
            else {
                continue;
            };
            let within: Vec<Splice> = claim
                .operands()
                .flat_map(descendants)
                .filter(|node| node.kind() == "call_expression")
                .flat_map(|call| self.ordered(&claim.source, call))
                .map(|splice| claim.moved(splice))
                .collect();
            let of_derived = claim.operands().any(|operand| {
                descendants(operand).any(|node| {
                    node.kind() == "identifier" && derived.contains(&claim.source.slice(node))
                })
            });
            if !within.is_empty() || of_derived {
                let lists = claim
                    .operands()
                    .filter_map(|side| sorted_list(&claim.source, side));
                found.extend(lists.map(|splice| claim.moved(splice)));
            }
            found.extend(within);
        }
        found
    }

    /// The edits by which a call that walks through what is hashed does so by the order of its keys.
    fn ordered(&self, source: &Source, call: Node<'_>) -> Vec<Splice> {
        let Some((receiver, method)) = method_of(source, call) else {
            return Vec::new();
        };
        if !matches!(
            method,
            "iter" | "into_iter" | "keys" | "into_keys" | "values" | "into_values" | "drain"
        ) || is_orderless(source, call)
        {
            return Vec::new();
        }
        let Some(hashed) = self.hashed(source, receiver, 0) else {
            return Vec::new();
        };
        let text = source.slice(receiver);
        let by = |hashed: Hashed| match hashed {
            Hashed::Map => ".collect::<std::collections::BTreeMap<_, _>>()",
            Hashed::Set => ".collect::<std::collections::BTreeSet<_>>()",
        };
        match method {
            "values" | "into_values" => {
                let walk = if method == "values" {
                    "iter"
                } else {
                    "into_iter"
                };
                let now = format!("{text}.{walk}(){}.into_values()", by(Hashed::Map));
                vec![Splice::replace(call.byte_range(), now)]
            }
            "keys" | "into_keys" => {
                vec![Splice::insert(
                    call.end_byte(),
                    format!("{}.into_iter()", by(Hashed::Set)),
                )]
            }
            _ => vec![Splice::insert(
                call.end_byte(),
                format!("{}.into_iter()", by(hashed)),
            )],
        }
    }

    /// `for item in &set`.
    fn ordered_loop(&self, node: Node<'_>) -> Vec<Splice> {
        let Some(value) = node.child_by_field_name("value") else {
            return Vec::new();
        };
        let text = self.source.slice(value);
        if !matches!(
            value.kind(),
            "identifier" | "reference_expression" | "field_expression"
        ) || text.starts_with("&mut")
        {
            return Vec::new();
        }
        let Some(hashed) = self.hashed(self.source, value, 0) else {
            return Vec::new();
        };
        let into = match hashed {
            Hashed::Map => "collect::<std::collections::BTreeMap<_, _>>()",
            Hashed::Set => "collect::<std::collections::BTreeSet<_>>()",
        };
        let (walk, name) = match text.strip_prefix('&') {
            Some(name) => ("iter", name),
            None => ("into_iter", text),
        };
        vec![Splice::replace(
            value.byte_range(),
            format!("{name}.{walk}().{into}"),
        )]
    }

    /// The names that hold what came by a walk: of the declaration that it stands in, and what a loop puts into.
    fn filled_by(&self, node: Node<'s>) -> Vec<&'s str> {
        let declared = ancestors(node)
            .find(|outer| outer.kind() == "let_declaration")
            .and_then(|outer| outer.child_by_field_name("pattern"))
            .map(|pattern| self.source.slice(pattern).trim_start_matches("mut "));
        let around = std::iter::once(node)
            .chain(ancestors(node))
            .find(|outer| outer.kind() == "for_expression");
        let filled = around
            .into_iter()
            .flat_map(descendants)
            .filter(|inner| inner.kind() == "call_expression")
            .filter_map(|call| method_of(self.source, call))
            .filter(|(_, method)| matches!(*method, "push" | "push_str" | "extend"))
            .map(|(receiver, _)| self.source.slice(receiver));
        declared.into_iter().chain(filled).collect()
    }

    /// Whether an expression is hashed, by all that the code says.
    fn hashed(&self, source: &Source, node: Node<'_>, depth: u8) -> Option<Hashed> {
        if depth > 4 {
            return None;
        }
        match node.kind() {
            "reference_expression" | "parenthesized_expression" | "try_expression" => {
                let inner = node
                    .child_by_field_name("value")
                    .or_else(|| node.named_child(0))?;
                self.hashed(source, inner, depth + 1)
            }
            "identifier" => {
                let name = source.slice(node);
                let declaration = descendants(self.function)
                    .filter(|node| node.kind() == "let_declaration")
                    .filter(|node| {
                        node.child_by_field_name("pattern").is_some_and(|pattern| {
                            self.source.slice(pattern).trim_start_matches("mut ") == name
                        })
                    })
                    .last()?;
                if let Some(of) = declaration.child_by_field_name("type") {
                    return of_type(self.source.slice(of));
                }
                let value = declaration.child_by_field_name("value")?;
                self.hashed(self.source, value, depth + 1)
            }
            "field_expression" => {
                let field = source.slice(node.child_by_field_name("field")?);
                self.agreed("field_declaration", field, "type")
            }
            "call_expression" => {
                let called = source.slice(node.child_by_field_name("function")?);
                if let Some((_, collected)) = called.rsplit_once("collect::<") {
                    return of_type(collected);
                }
                if let Some((of, _)) = called.rsplit_once("::")
                    && let Some(hashed) = of_type(of)
                {
                    return Some(hashed);
                }
                if let Some((receiver, "unwrap" | "expect" | "clone" | "unwrap_or_default")) =
                    method_of(source, node)
                {
                    return self.hashed(source, receiver, depth + 1);
                }
                let name = called.rsplit(['.', ':']).next()?;
                self.agreed("function_item", name, "return_type")
            }
            _ => None,
        }
    }

    /// The type that all of the product's items of this kind and name have.
    fn agreed(&self, kind: &str, name: &str, of: &str) -> Option<Hashed> {
        let mut types = self.product.iter().flat_map(|source| {
            source
                .nodes()
                .filter(|node| node.kind() == kind && source.name(*node) == name)
                .map(|node| of_type(source.slice(node.child_by_field_name(of)?)))
        });
        let first = types.next()??;
        types.all(|other| other == Some(first)).then_some(first)
    }
}

/// What is called, and by which method.
fn method_of<'s, 't>(source: &'s Source, call: Node<'t>) -> Option<(Node<'t>, &'s str)> {
    let function = call.child_by_field_name("function")?;
    let receiver = function.child_by_field_name("value")?;
    Some((
        receiver,
        source.slice(function.child_by_field_name("field")?),
    ))
}

/// Whether a type is one of the standard library's hashed ones, or an answer that holds one.
fn of_type(text: &str) -> Option<Hashed> {
    let text = text.trim_start_matches(['&', ' ']);
    let text = match text.strip_prefix('\'') {
        Some(lifetime) => lifetime.split_once(' ')?.1,
        None => text,
    };
    let (path, inner) = text.split_once('<').unwrap_or((text, ""));
    match path.trim().trim_end_matches("::").rsplit("::").next()? {
        "HashMap" => Some(Hashed::Map),
        "HashSet" => Some(Hashed::Set),
        "Result" | "Option" | "Arc" | "Rc" | "Box" => of_type(inner),
        _ => None,
    }
}

/// Whether what follows a call in its chain asks for no order, or is without one as well.
fn is_orderless(source: &Source, call: Node<'_>) -> bool {
    let mut node = call;
    while let Some(up) = node.parent() {
        match up.kind() {
            "field_expression" => {
                let method = up
                    .child_by_field_name("field")
                    .map_or("", |field| source.slice(field));
                if ORDERLESS.contains(&method) {
                    return true;
                }
            }
            "generic_function" | "call_expression" => {
                let collects = source.slice(up);
                if collects.contains("collect::<Hash") || collects.contains("collect::<BTree") {
                    return true;
                }
            }
            _ => return false,
        }
        node = up;
    }
    false
}

/// A list of literals in the order of its items: what is expected of what comes by the order of its keys.
fn sorted_list(source: &Source, side: Node<'_>) -> Option<Splice> {
    let list = descendants(side).find(|node| {
        let of_vec = || {
            node.parent()
                .is_some_and(|up| source.slice(up).starts_with("vec!"))
        };
        node.kind() == "array_expression" || node.kind() == "token_tree" && of_vec()
    })?;
    let range = list.start_byte() + 1..list.end_byte() - 1;
    let inside = source.text().get(range.clone())?;
    let parsed = Source::parse(format!("const A: B = [{inside}];"))?;
    let array = parsed
        .nodes()
        .find(|node| node.kind() == "array_expression")?;
    let mut cursor = array.walk();
    let items: Vec<Node<'_>> = array.named_children(&mut cursor).collect();
    let of_kind = |kind: &str| items.iter().all(|item| item.kind() == kind);
    let mut texts: Vec<&str> = items.iter().map(|item| parsed.slice(*item)).collect();
    let before = texts.clone();
    if of_kind("string_literal") {
        texts.sort_unstable();
    } else if of_kind("integer_literal") {
        texts.sort_by_key(|text| text.replace('_', "").parse::<i128>().unwrap_or_default());
    } else {
        return None;
    }
    (texts != before && !inside.contains('\n')).then(|| Splice::replace(range, texts.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Installed;
    use crate::failure::Compared;
    use crate::strategies::fake::{Files, Index, case};

    const PRODUCT: &str = "use std::collections::{HashMap, HashSet};\n\npub fn counts(text: &str) -> HashMap<String, usize> {\n    todo!()\n}\npub fn read() -> Result<HashSet<String>, Error> {\n    todo!()\n}\npub fn unique(text: &str) -> Vec<String> {\n    todo!()\n}\npub struct Report {\n    pub seen: HashSet<u32>,\n    pub list: Vec<u32>,\n}\n";

    fn ordered(body: &str, sides: Option<(&str, &str)>, code: Option<&str>) -> Option<String> {
        let text = format!("#[test]\nfn t() {{\n{body}}}\n");
        let tree = Files::new(&[("src/lib.rs", PRODUCT), ("tests/a.rs", &text)]);
        let failure = Failure {
            test: Some("tests/a.rs::t".to_owned()),
            code: code.map(str::to_owned),
            compared: sides.map(|(actual, expected)| Compared {
                actual: actual.to_owned(),
                expected: expected.to_owned(),
                by: "left == right".to_owned(),
            }),
            ..Failure::default()
        };
        let (index, installed) = (Index::default(), Installed::default());
        match finding(&case(&[failure], &tree, &installed, &index))? {
            Finding::Try(mut candidate) => {
                let text = candidate.edits.pop()?.text;
                assert!(Source::parse(text.as_str())?.is_whole(), "{text}");
                Some(text)
            }
            other => panic!("{other:?}"),
        }
    }

    const PERMUTED: Option<(&str, &str)> = Some(("[\"b\", \"a\"]", "[\"a\", \"b\"]"));

    #[test]
    fn what_the_test_itself_walks_through_is_walked_through_by_the_order_of_its_keys() {
        for (body, repaired) in [
            (
                "    let names: Vec<_> = counts(\"b a\").into_keys().collect();\n    assert_eq!(names, [\"b\", \"a\"]);\n",
                "    let names: Vec<_> = counts(\"b a\").into_keys().collect::<std::collections::BTreeSet<_>>().into_iter().collect();\n    assert_eq!(names, [\"a\", \"b\"]);\n",
            ),
            (
                "    let found = read().unwrap();\n    assert_eq!(found.iter().cloned().collect::<Vec<_>>().join(\" \"), \"a b\");\n",
                "found.iter().collect::<std::collections::BTreeSet<_>>().into_iter().cloned().collect::<Vec<_>>()",
            ),
            (
                "    let mut text = String::new();\n    let found = counts(\"b a\");\n    for (name, count) in &found {\n        text.push_str(name);\n    }\n    assert_eq!(text, \"ab\");\n",
                "    for (name, count) in found.iter().collect::<std::collections::BTreeMap<_, _>>() {\n",
            ),
            (
                "    let sizes: Vec<_> = counts(\"b a\").values().copied().collect();\n    assert_eq!(sizes, vec![1, 2]);\n",
                "counts(\"b a\").iter().collect::<std::collections::BTreeMap<_, _>>().into_values().copied().collect();\n",
            ),
            (
                "    let report = Report::default();\n    let mut all = Vec::new();\n    for one in report.seen {\n        all.push(one);\n    }\n    assert_eq!(all, vec![2, 10, 1]);\n",
                "    for one in report.seen.into_iter().collect::<std::collections::BTreeSet<_>>() {\n        all.push(one);\n    }\n    assert_eq!(all, vec![1, 2, 10]);\n",
            ),
        ] {
            let found = ordered(body, PERMUTED, None).unwrap();
            assert!(found.contains(repaired), "{found}");
        }
    }

    #[test]
    fn a_list_of_the_products_own_and_what_asks_for_no_order_stay_as_they_are() {
        for body in [
            "    assert_eq!(unique(\"b a\"), [\"a\", \"b\"]);\n",
            "    let all: Vec<_> = unique(\"b a\").into_iter().collect();\n    assert_eq!(all, [\"a\", \"b\"]);\n",
            "    let sum: usize = counts(\"b a\").values().sum();\n    assert_eq!(sum, 2);\n",
            "    let list = Report::default().list;\n    for one in &list {\n        check(one);\n    }\n",
            "    let all = read().unwrap().into_iter().collect::<BTreeSet<_>>();\n    assert_eq!(all, known);\n",
        ] {
            assert_eq!(ordered(body, PERMUTED, None), None, "{body}");
        }
    }

    #[test]
    fn other_items_are_no_matter_of_order_and_what_comes_and_goes_may_be() {
        let body = "    let names: Vec<_> = counts(\"b a\").into_keys().collect();\n    assert_eq!(names, [\"a\", \"b\"]);\n";
        assert_eq!(
            ordered(body, Some(("[\"a\"]", "[\"a\", \"b\"]")), None),
            None
        );
        assert_eq!(ordered(body, None, None), None);
        assert!(ordered(body, None, Some(UNSTEADY)).is_some());
    }
}
