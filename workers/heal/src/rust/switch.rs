//! Several defects in one build: each place where one is planted asks a variable whether it is its turn, so that one compilation serves
//! all of them. "Mutation Analysis Using Mutant Schemata", Untch, Offutt and Harrold, 1993.
//!
//! What cannot ask (a constant, a pattern, a macro's words) is left out, and a text that the compiler refuses is nobody's: the defects are then
//! built one at a time.

use std::fmt::Write as _;
use std::ops::Range;

use tree_sitter::Node;

use super::source::Source;
use crate::source::ancestors;
use crate::teeth::Defect;

/// The variable by which the driver of test programs says whose turn it is, by its number.
const VARIABLE: &str = "MAESTRO_DEFECT";

/// Expressions that may give way to a choice between two of their kind.
const CHOICES: &[&str] = &[
    "binary_expression",
    "call_expression",
    "compound_assignment_expr",
    "if_expression",
    "while_expression",
    "return_expression",
];
/// Where nothing can be asked, or where what stands is no expression.
const FIXED: &[&str] = &[
    "const_item",
    "static_item",
    "const_block",
    "array_type",
    "match_pattern",
    "attribute_item",
    "macro_invocation",
    "macro_definition",
];

/// One defect in the text: the range that gives way, and to what.
struct Choice {
    number: usize,
    range: Range<usize>,
    other: String,
    /// Whether it stands where a statement does.
    is_statement: bool,
}

/// A text with defects in it, none of which is there before its turn.
pub(super) struct Switched {
    pub(super) text: String,
    /// By number, where each stands in the text.
    pub(super) turns: Vec<(usize, Range<usize>)>,
}

/// The text with those of the defects in it that can be switched; `None` where none can.
pub(super) fn switched(text: &str, defects: &[(usize, &Defect)]) -> Option<Switched> {
    let source = Source::parse(text).filter(Source::is_whole)?;
    let mut choices: Vec<Choice> = defects
        .iter()
        .filter_map(|(number, defect)| choice(&source, *number, &defect.text))
        .collect();
    if choices.is_empty() {
        return None;
    }
    // What holds others comes before them.
    choices.sort_by_key(|choice| (choice.range.start, std::cmp::Reverse(choice.range.end)));
    let text = render(text, 0..text.len(), &choices);
    let turns = choices
        .iter()
        .filter_map(|choice| {
            let mark = turn(choice.number);
            let start = text.find(&mark)? + mark.len();
            Some((choice.number, start..start + choice.other.len()))
        })
        .collect();
    Some(Switched { text, turns })
}

/// What stands in front of a defect, and in front of no other.
fn turn(number: usize) -> String {
    format!("turn == \"{number}\")) {{ ")
}

fn choice(source: &Source, number: usize, other: &str) -> Option<Choice> {
    let text = source.text();
    let (changed, inserted) = difference(text, other);
    let around = changed.start.saturating_sub(1)..(changed.end + 1).min(text.len());
    let node = source.at(&around)?;
    let node = std::iter::once(node)
        .chain(ancestors(node))
        .find(|node| CHOICES.contains(&node.kind()) || is_body(*node))?;
    if is_fixed(source, node) {
        return None;
    }
    let range = node.byte_range();
    let (before, after) = (range.start..changed.start, changed.end..range.end);
    let other = format!("{}{inserted}{}", text.get(before)?, text.get(after)?);
    let parent = node.parent()?.kind();
    Some(Choice {
        number,
        range,
        other,
        is_statement: is_body(node) || matches!(parent, "expression_statement" | "block"),
    })
}

/// The range of `text` in which `other` differs, and what stands there.
fn difference<'t>(text: &str, other: &'t str) -> (Range<usize>, &'t str) {
    let same = |(a, b): &(char, char)| a == b;
    let width = |(a, _): (char, char)| a.len_utf8();
    let start: usize = text
        .chars()
        .zip(other.chars())
        .take_while(same)
        .map(width)
        .sum();
    let (rest, of_other) = (&text[start..], &other[start..]);
    let end: usize = rest
        .chars()
        .rev()
        .zip(of_other.chars().rev())
        .take_while(same)
        .map(width)
        .sum();
    (start..text.len() - end, &of_other[..of_other.len() - end])
}

fn is_body(node: Node<'_>) -> bool {
    node.kind() == "block" && node.parent().is_some_and(|up| up.kind() == "function_item")
}

fn is_fixed(source: &Source, node: Node<'_>) -> bool {
    ancestors(node).any(|up| {
        FIXED.contains(&up.kind())
            || up.kind() == "function_item"
                && up.children(&mut up.walk()).any(|part| {
                    part.kind() == "function_modifiers" && source.slice(part).contains("const")
                })
    })
}

/// A range of the text, with the choices in it.
fn render(text: &str, range: Range<usize>, choices: &[Choice]) -> String {
    let mut said = String::new();
    let mut at = range.start;
    let mut rest = choices;
    while let Some((choice, more)) = rest.split_first() {
        let inside = more
            .iter()
            .take_while(|other| other.range.start < choice.range.end)
            .count();
        let (inside, more) = more.split_at(inside);
        said.push_str(&text[at..choice.range.start]);
        let (open, close) = if choice.is_statement {
            ("{", "}")
        } else {
            ("(", ")")
        };
        let as_it_is = render(text, choice.range.clone(), inside);
        let _ = write!(
            said,
            "{open} if *{{ static TURN: ::std::sync::OnceLock<bool> = ::std::sync::OnceLock::new(); &TURN }}.get_or_init(|| ::std::env::var_os(\"{VARIABLE}\").is_some_and(|turn| {}{} }} else {{ {as_it_is} }} {close}",
            turn(choice.number),
            choice.other
        );
        at = choice.range.end;
        rest = more;
    }
    said.push_str(&text[at..range.end]);
    said
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::rust::plant::defects;

    const TEXT: &str = "pub fn price(amount: u32, member: bool) -> u32 {\n    if member && amount > 10 {\n        return amount - 2;\n    }\n    amount.min(99)\n}\n\npub const fn fixed(a: u32) -> u32 {\n    a + 1\n}\n";

    fn all() -> Vec<Defect> {
        defects("src/lib.rs", TEXT, &(1..=20).collect::<BTreeSet<u32>>())
    }

    #[test]
    fn each_defect_that_can_be_asked_for_has_a_branch_and_the_text_still_parses() {
        let defects = all();
        let numbered: Vec<(usize, &Defect)> = defects.iter().enumerate().collect();
        let Switched { text, turns } = switched(TEXT, &numbered).unwrap();
        assert!(Source::parse(text.as_str()).unwrap().is_whole(), "{text}");
        for (number, defect) in numbered {
            // A constant function cannot ask a variable.
            let asks = defect.line < 8;
            let turn = turns.iter().find(|(of, _)| *of == number);
            assert_eq!(turn.is_some(), asks, "{defect:?}");
            if let Some((_, range)) = turn {
                let word = defect.what.rsplit(' ').next().unwrap();
                assert!(
                    text[range.clone()].contains(word) || word == "nothing",
                    "{defect:?}"
                );
            }
        }
    }

    #[test]
    fn the_compiler_takes_it_and_the_one_asked_for_takes_its_turn() {
        let defects = all();
        let numbered: Vec<(usize, &Defect)> = defects.iter().enumerate().collect();
        let Switched { text, turns } = switched(TEXT, &numbered).unwrap();
        let place = tempfile::TempDir::new().unwrap();
        let run = |name: &str, text: &str, turn: Option<usize>| {
            let main = "\nfn main() {\n    for (amount, member) in [(5, true), (12, true), (12, false), (100, false)] {\n        print!(\"{} \", price(amount, member));\n    }\n}\n";
            let (file, program) = (
                place.path().join(format!("{name}.rs")),
                place.path().join(name),
            );
            if !program.exists() {
                std::fs::write(&file, format!("{text}{main}")).unwrap();
                let built = std::process::Command::new("rustc")
                    .args(["--edition=2021", "-o"])
                    .args([&program, &file])
                    .output()
                    .unwrap();
                assert!(
                    built.status.success(),
                    "{}",
                    String::from_utf8_lossy(&built.stderr)
                );
            }
            let mut program = std::process::Command::new(program);
            program.env_remove(VARIABLE);
            program.envs(turn.map(|turn| (VARIABLE, turn.to_string())));
            String::from_utf8(program.output().unwrap().stdout).unwrap()
        };
        assert_eq!(run("all", &text, None), "5 10 12 99 ");
        for (number, _) in turns {
            let alone = run(&format!("alone{number}"), &defects[number].text, None);
            assert_eq!(
                run("all", &text, Some(number)),
                alone,
                "{:?}",
                defects[number]
            );
        }
    }
}
