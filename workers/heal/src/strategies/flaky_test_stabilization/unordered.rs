//! What has no order is sorted before it is compared: the items of a set, the entries of a directory. Only where the
//! test's own code walks through it. A list that the product makes of a set is the product's to sort.

use crate::case::{Case, Edit, Finding};
use crate::roles::Role;
use crate::runner::file_of;
use crate::source::edit::{Splice, apply};
use crate::source::names::Names;
use crate::source::{Source, ancestors, arguments, descendants};
use crate::strategies::rank;
use crate::unsteady::{Cause, Unsteady};
use tree_sitter::Node;

use super::{offer, roles};

/// Functions whose answer has the file system's order.
const LISTINGS: [&str; 6] = [
    "os.listdir",
    "os.scandir",
    "os.walk",
    "glob.glob",
    "glob.iglob",
    "os.path.iterdir",
];
/// Methods of `pathlib.Path` likewise.
const LISTING_METHODS: [&str; 3] = ["iterdir", "glob", "rglob"];

/// Candidates that sort what the victim walks through.
pub(super) fn findings(case: &Case<'_>, unsteady: &Unsteady) -> Vec<Finding> {
    if let Some(edit) = edit(case, unsteady) {
        let what = match unsteady.cause {
            Cause::Listing => "the entries of a directory",
            _ => "the items of a set",
        };
        return vec![Finding::Try(offer(
            format!("{} sorts {what} before it compares them", unsteady.victim),
            vec![edit],
            rank::STEADY,
        ))];
    }
    in_product(case, unsteady)
        .map(|place| {
            Finding::Refuse(format!(
                "the product hands out in an order of chance what has none ({place}): it should sort, or the test should not ask for an order; which of the two is meant a person has to say"
            ))
        })
        .into_iter()
        .collect()
}

fn edit(case: &Case<'_>, unsteady: &Unsteady) -> Option<Edit> {
    let path = file_of(case.tree, &unsteady.victim)?;
    let text = case.tree.read(&path)?;
    let source = Source::parse(text.as_str())?;
    let names = Names::of(&source);
    let function = super::fixture::definition(&source, &unsteady.victim)?;
    let scene = Scene {
        case,
        unsteady,
        source: &source,
        names: &names,
        function,
    };
    let mut splices: Vec<Splice> = Vec::new();
    for node in descendants(function) {
        splices.extend(scene.sorted(node));
    }
    if splices.is_empty() {
        return None;
    }
    Some(Edit {
        path,
        text: apply(&text, &splices)?,
    })
}

/// The victim's function, and what is known around it.
struct Scene<'s> {
    case: &'s Case<'s>,
    unsteady: &'s Unsteady,
    source: &'s Source,
    names: &'s Names<'s>,
    function: Node<'s>,
}

impl<'s> Scene<'s> {
    /// The edits that sort one place where something without an order gets one.
    fn sorted(&self, node: Node<'s>) -> Vec<Splice> {
        match node.kind() {
            // `list(a_set)`, `tuple(a_set)`, `", ".join(a_set)`.
            "call" => {
                let Some(called) = node.child_by_field_name("function") else {
                    return Vec::new();
                };
                let given = arguments(node);
                let [only] = given.as_slice() else {
                    return Vec::new();
                };
                let word = self.source.slice(called);
                if !self.is_unordered(*only) {
                    return Vec::new();
                }
                if word == "list" {
                    let mut splices = vec![Splice::replace(called.byte_range(), "sorted")];
                    splices.extend(self.other_side(node));
                    return splices;
                }
                if matches!(
                    word.rsplit('.').next(),
                    Some("tuple" | "join" | "enumerate")
                ) {
                    return self.wrapped(*only);
                }
                Vec::new()
            }
            // `[f(x) for x in a_set]`, `for x in a_set:`.
            "for_in_clause" | "for_statement" => {
                let generator = node
                    .parent()
                    .is_some_and(|outer| matches!(outer.kind(), "set_comprehension"));
                match node.child_by_field_name("right") {
                    Some(right) if !generator && self.is_unordered(right) => self.wrapped(right),
                    _ => Vec::new(),
                }
            }
            // `os.listdir(p) == ["a", "b"]`.
            "comparison_operator" => {
                let equal = {
                    let mut cursor = node.walk();
                    node.children(&mut cursor).any(|child| child.kind() == "==")
                };
                let sides: Vec<Node<'s>> = [node.named_child(0), node.named_child(1)]
                    .into_iter()
                    .flatten()
                    .collect();
                let [left, right] = sides.as_slice() else {
                    return Vec::new();
                };
                for (one, other) in [(left, right), (right, left)] {
                    if equal && self.is_listing(*one) && is_sequence(*other) {
                        let mut splices = self.wrapped(*one);
                        splices.extend(self.sorted_literal(*other));
                        return splices;
                    }
                }
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn wrapped(&self, node: Node<'s>) -> Vec<Splice> {
        let already = node
            .parent()
            .and_then(|list| list.parent())
            .and_then(|call| call.child_by_field_name("function"))
            .is_some_and(|function| self.source.slice(function) == "sorted");
        if already {
            return Vec::new();
        }
        vec![
            Splice::insert(node.start_byte(), "sorted("),
            Splice::insert(node.end_byte(), ")"),
        ]
    }

    /// The list that a sorted one is compared with is sorted too, unless it is already.
    fn other_side(&self, node: Node<'s>) -> Vec<Splice> {
        let Some(comparison) = node
            .parent()
            .filter(|parent| parent.kind() == "comparison_operator")
        else {
            return Vec::new();
        };
        [comparison.named_child(0), comparison.named_child(1)]
            .into_iter()
            .flatten()
            .filter(|side| side.id() != node.id() && is_sequence(*side))
            .flat_map(|side| self.sorted_literal(side))
            .collect()
    }

    fn sorted_literal(&self, list: Node<'s>) -> Vec<Splice> {
        let mut cursor = list.walk();
        let items: Vec<&str> = list
            .named_children(&mut cursor)
            .map(|item| self.source.slice(item))
            .collect();
        let strings = items.iter().all(|item| item.starts_with(['"', '\'']));
        let unquoted: Vec<&str> = items
            .iter()
            .map(|item| item.trim_matches(['"', '\'']))
            .collect();
        if strings && unquoted.is_sorted() {
            return Vec::new();
        }
        self.wrapped(list)
    }

    /// Whether an expression is a set, or the entries of a directory, by all that the code says.
    fn is_unordered(&self, node: Node<'s>) -> bool {
        match self.unsteady.cause {
            Cause::Listing => self.is_listing(node),
            _ => self.is_set(node, 0),
        }
    }

    fn is_listing(&self, node: Node<'s>) -> bool {
        if node.kind() != "call" || self.unsteady.cause != Cause::Listing {
            return false;
        }
        let Some(function) = node.child_by_field_name("function") else {
            return false;
        };
        if self
            .names
            .resolve(function)
            .is_some_and(|used| LISTINGS.contains(&used.qualified.as_str()))
        {
            return true;
        }
        function.kind() == "attribute"
            && function
                .child_by_field_name("attribute")
                .is_some_and(|name| LISTING_METHODS.contains(&self.source.slice(name)))
    }

    fn is_set(&self, node: Node<'s>, depth: u8) -> bool {
        if depth > 3 {
            return false;
        }
        match node.kind() {
            "set" | "set_comprehension" => true,
            "parenthesized_expression" => node
                .named_child(0)
                .is_some_and(|inner| self.is_set(inner, depth + 1)),
            "binary_operator" => {
                let both = ["left", "right"]
                    .iter()
                    .filter_map(|side| node.child_by_field_name(side))
                    .any(|side| self.is_set(side, depth + 1));
                both && ["|", "&", "-", "^"].iter().any(|sign| {
                    node.child_by_field_name("operator")
                        .is_some_and(|operator| operator.kind() == *sign)
                })
            }
            "identifier" => self
                .assigned(node)
                .is_some_and(|value| self.is_set(value, depth + 1)),
            "call" => {
                let Some(function) = node.child_by_field_name("function") else {
                    return false;
                };
                let word = self.source.slice(function);
                matches!(word, "set" | "frozenset")
                    || self
                        .names
                        .resolve(function)
                        .is_some_and(|used| self.returns_set(&used.qualified))
                    || function
                        .child_by_field_name("attribute")
                        .is_some_and(|name| self.method_returns_set(self.source.slice(name)))
            }
            _ => false,
        }
    }

    /// The only value that the victim gives to a name.
    fn assigned(&self, name: Node<'s>) -> Option<Node<'s>> {
        let word = self.source.slice(name);
        let mut values = descendants(self.function)
            .filter(|node| node.kind() == "assignment")
            .filter(|node| {
                node.child_by_field_name("left").is_some_and(|left| {
                    left.kind() == "identifier" && self.source.slice(left) == word
                })
            })
            .filter_map(|node| node.child_by_field_name("right"));
        let first = values.next()?;
        values.next().is_none().then_some(first)
    }

    /// Whether a function of the project returns nothing but sets.
    fn returns_set(&self, qualified: &str) -> bool {
        let Some((module, name)) = qualified.rsplit_once('.') else {
            return false;
        };
        let path = module.replace('.', "/");
        self.case
            .tree
            .paths()
            .iter()
            .filter(|file| {
                ["", "src/", "lib/"].iter().any(|root| {
                    file.strip_prefix(root)
                        .and_then(|rest| rest.strip_prefix(path.as_str()))
                        .is_some_and(|rest| rest == ".py" || rest == "/__init__.py")
                })
            })
            .any(|file| self.defines_set(file, name))
    }

    /// Whether every method of this name in the product files that ran returns nothing but sets.
    fn method_returns_set(&self, name: &str) -> bool {
        self.unsteady
            .lines
            .keys()
            .any(|file| self.defines_set(file, name))
    }

    fn defines_set(&self, file: &str, name: &str) -> bool {
        let Some(source) = self.case.tree.read(file).and_then(Source::parse) else {
            return false;
        };
        let mut functions = source
            .nodes()
            .filter(|node| {
                node.kind() == "function_definition"
                    && node
                        .child_by_field_name("name")
                        .is_some_and(|known| source.slice(known) == name)
            })
            .peekable();
        functions.peek().is_some() && functions.all(|function| only_sets(&source, function))
    }
}

/// Whether a function's annotation, or all that it returns, is a set.
fn only_sets(source: &Source, function: Node<'_>) -> bool {
    if let Some(annotation) = function.child_by_field_name("return_type") {
        let text = source.slice(annotation).trim_matches(['"', '\'']);
        let head = text.split('[').next().unwrap_or(text);
        return matches!(
            head.rsplit('.').next().unwrap_or(head),
            "set" | "frozenset" | "Set" | "FrozenSet" | "AbstractSet" | "MutableSet"
        );
    }
    let mut returns = descendants(function)
        .filter(|node| node.kind() == "return_statement")
        .filter(|node| {
            ancestors(*node)
                .find(|outer| outer.kind() == "function_definition")
                .is_some_and(|outer| outer.id() == function.id())
        })
        .peekable();
    returns.peek().is_some()
        && returns.all(|node| {
            node.named_child(0).is_some_and(|value| match value.kind() {
                "set" | "set_comprehension" => true,
                "call" => value
                    .child_by_field_name("function")
                    .is_some_and(|function| matches!(source.slice(function), "set" | "frozenset")),
                _ => false,
            })
        })
}

fn is_sequence(node: Node<'_>) -> bool {
    matches!(node.kind(), "list" | "tuple")
}

/// A line of the product, run by the victim, that walks through a set or a directory: `path:line`.
fn in_product(case: &Case<'_>, unsteady: &Unsteady) -> Option<String> {
    let roles = roles(unsteady, &[]);
    let words: &[&str] = match unsteady.cause {
        Cause::Listing => &["listdir(", "scandir(", "glob(", "iterdir(", "os.walk("],
        _ => &["set(", "frozenset(", "{"],
    };
    let run: Vec<(&String, u32, String)> = unsteady
        .lines
        .iter()
        .filter(|(path, _)| roles.of(path) == Role::Product)
        .flat_map(|(path, lines)| {
            let text = case.tree.read(path).unwrap_or_default();
            let rows: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.iter().filter_map(move |line| {
                let row = rows.get(usize::try_from(*line).ok()?.checked_sub(1)?)?;
                Some((path, *line, row.clone()))
            })
        })
        .collect();
    run.iter()
        .find(|(_, _, row)| words.iter().any(|word| row.contains(word)))
        .or(run.last())
        .map(|(path, line, _)| format!("{path}:{line}"))
}
