//! A test that passes or fails with what is drawn at random. Where the test itself draws, and compares by a bound or a
//! tolerance that a draw may miss, it gets draws of its own that are the same in every run; Node's have no seed. What the
//! product draws, and an exact answer to what was drawn, a person has to judge: the failing draw may be the one in a hundred
//! that shows a defect.

use maestro_protocol::heal::Strategy;
use tree_sitter::Node;

use super::super::rewrite;
use super::super::scene::Scene;
use crate::case::{Case, Edit, Finding};
use crate::node::source::{Source, arguments};
use crate::runner::file_of;
use crate::source::descendants;
use crate::source::edit::{Splice, apply};
use crate::strategies::rank;
use crate::unsteady::Unsteady;

/// What is drawn with. No other is tried: of several one would do for a product that is wrong for most draws.
const SEED: u32 = 20_011;
/// Why a person judges it.
const DOUBT: &str = "what is drawn goes into what is tested, so that the failing draw may show a defect of the product";

/// What is offered, or why a person has to decide.
pub(super) fn finding(case: &Case<'_>, unsteady: &Unsteady) -> Finding {
    let of_test = file_of(case.tree, &unsteady.victim);
    let place = unsteady
        .lines
        .iter()
        .filter(|(path, _)| Some(*path) != of_test.as_ref())
        .find_map(|(path, lines)| {
            let text = case.tree.read(path)?;
            let (line, _) = (1..)
                .zip(text.lines())
                .find(|(number, line)| lines.contains(number) && draws(line))?;
            Some(format!("{path}:{line}"))
        });
    if let Some(place) = place {
        return Finding::Refuse(format!(
            "the product draws at random ({place}) where the test expects one answer: which of the two is meant a person has to say"
        ));
    }
    let seeded = Scene::of(case, &unsteady.victim)
        .filter(|scene| is_bounded(case, scene))
        .and_then(|scene| seeded(&scene));
    match seeded {
        Some(edit) => Finding::Propose(
            rewrite(
                Strategy::FlakyTestStabilization,
                format!("{} draws the same in every run", unsteady.victim),
                vec![edit],
                rank::STEADY,
            ),
            DOUBT.to_owned(),
        ),
        None => Finding::Refuse(
            "the test draws at random, and one draw or another shows what may be a defect of the product: a fixed draw would hide it"
                .to_owned(),
        ),
    }
}

fn draws(line: &str) -> bool {
    [
        "Math.random",
        "randomInt(",
        "randomBytes(",
        "randomUUID(",
        "getRandomValues(",
    ]
    .iter()
    .any(|draw| line.contains(draw))
}

/// Whether what failed is a bound or a tolerance, of which a draw may miss by chance, and not an exact expectation.
fn is_bounded(case: &Case<'_>, scene: &Scene) -> bool {
    let line = case.failures.first().and_then(|failure| {
        let frames = failure.frames.iter().rev();
        frames
            .filter(|frame| frame.path == scene.path)
            .map(|frame| frame.line)
            .next()
    });
    let statement = line.and_then(|line| {
        scene
            .source
            .nodes()
            .filter(|node| node.kind() == "expression_statement" && Source::line(*node) == line)
            .last()
    });
    statement
        .and_then(|statement| statement.named_child(0))
        .is_some_and(|claim| is_bound(&scene.source, claim))
}

/// `assert(a < b)`, `expect(a).toBeCloseTo(b)`. A bound that stands deeper says nothing about the claim.
fn is_bound(source: &Source, claim: Node<'_>) -> bool {
    let Some(called) = claim.child_by_field_name("function") else {
        return false;
    };
    let word = source.slice(called);
    match word.rsplit('.').next().unwrap_or(word) {
        "assert" | "ok" | "isTrue" => arguments(claim).first().is_some_and(|condition| {
            condition
                .child_by_field_name("operator")
                .is_some_and(|operator| matches!(source.slice(operator), "<" | ">" | "<=" | ">="))
        }),
        "toBeCloseTo"
        | "toBeGreaterThan"
        | "toBeGreaterThanOrEqual"
        | "toBeLessThan"
        | "toBeLessThanOrEqual"
        | "closeTo"
        | "approximately"
        | "above"
        | "below"
        | "within"
        | "isAbove"
        | "isBelow" => true,
        _ => false,
    }
}

/// The file in which the test draws from a generator of its own, by [Lehmer](https://doi.org/10.1145/63039.63042).
fn seeded(scene: &Scene) -> Option<Edit> {
    let source = &scene.source;
    let body = scene.body()?;
    let block = body
        .child_by_field_name("body")
        .filter(|block| block.kind() == "statement_block")?;
    let is_draw = |node: &Node<'_>| {
        node.kind() == "member_expression" && source.slice(*node) == "Math.random"
    };
    let own: Vec<Node<'_>> = descendants(block).filter(is_draw).collect();
    // What its helpers draw would go on by chance.
    let others = scene.own().into_iter().filter(is_draw).count() != own.len();
    let taken = source.nodes().any(|node| {
        node.kind() == "identifier" && matches!(source.slice(node), "random" | "drawn")
    });
    if own.is_empty() || others || taken {
        return None;
    }
    let first = block.named_child(0)?;
    let line = source.text()[..first.start_byte()].rsplit('\n').next()?;
    if !line.chars().all(char::is_whitespace) {
        return None;
    }
    let mut splices: Vec<Splice> = own
        .iter()
        .map(|draw| Splice::replace(draw.byte_range(), "random"))
        .collect();
    splices.push(Splice::insert(
        first.start_byte(),
        format!(
            "// The same draws in every run.\n{line}let drawn = {SEED};\n{line}const random = () => (drawn = (drawn * 48271) % 2147483647) / 2147483647;\n{line}"
        ),
    ));
    Some(Edit {
        path: scene.path.clone(),
        text: apply(source.text(), &splices)?,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::case::Installed;
    use crate::conditions::Conditions;
    use crate::failure::{Failure, Frame};
    use crate::strategies::fake::{Files, Index, case};
    use crate::unsteady::Cause;

    fn answer(product: &str, test: &str) -> Finding {
        let line = (1..)
            .zip(test.lines())
            .find_map(|(line, text)| text.contains("// fails").then_some(line))
            .unwrap();
        let tree = Files::new(&[("mean.js", product), ("mean.test.js", test)]);
        let failure = Failure {
            test: Some("mean.test.js::t".to_owned()),
            frames: vec![Frame {
                path: "mean.test.js".to_owned(),
                line,
                function: String::new(),
            }],
            ..Failure::default()
        };
        let unsteady = Unsteady {
            victim: "mean.test.js::t".to_owned(),
            failing: Conditions::default(),
            cause: Cause::Randomness,
            lines: BTreeMap::from([("mean.js".to_owned(), BTreeSet::from([1, 2, 3]))]),
        };
        let (index, installed) = (Index::default(), Installed::default());
        finding(&case(&[failure], &tree, &installed, &index), &unsteady)
    }

    const PRODUCT: &str =
        "exports.mean = (all) =>\n  all.reduce((sum, one) => sum + one, 0) / all.length;\n";
    const TEST: &str = "test('t', () => {\n  const all = Array.from({ length: 50 }, () => Math.random());\n  assert.ok(Math.abs(mean(all) - 0.5) < 0.05); // fails\n});\n";

    #[test]
    fn a_bound_that_a_draw_of_the_tests_own_may_miss_gets_the_same_draws_in_every_run() {
        let Finding::Propose(candidate, why) = answer(PRODUCT, TEST) else {
            panic!("only proposed");
        };
        assert!(why.contains("may show a defect"), "{why}");
        assert_eq!(
            candidate.edits[0].text,
            "test('t', () => {\n  // The same draws in every run.\n  let drawn = 20011;\n  const random = () => (drawn = (drawn * 48271) % 2147483647) / 2147483647;\n  const all = Array.from({ length: 50 }, () => random());\n  assert.ok(Math.abs(mean(all) - 0.5) < 0.05); // fails\n});\n"
        );
    }

    #[test]
    fn an_exact_answer_and_what_the_product_or_a_helper_draws_a_person_judges() {
        let exact = TEST.replace("Math.abs(mean(all) - 0.5) < 0.05", "mean(all) === 0.5");
        let deeper = TEST.replace(
            "assert.ok(Math.abs(mean(all) - 0.5) < 0.05)",
            "assert.strictEqual(mean(all), all[0] < 0.5 ? 1 : 0)",
        );
        let helper = format!(
            "function draw() {{\n  return Math.random();\n}}\n{}",
            TEST.replace("() => Math.random()", "draw")
        );
        let taken = format!("const random = 1;\n{TEST}");
        let product = PRODUCT.replace("sum + one", "sum + one + Math.random()");
        for (product, test) in [
            (PRODUCT, exact.as_str()),
            (PRODUCT, deeper.as_str()),
            (PRODUCT, helper.as_str()),
            (PRODUCT, taken.as_str()),
            (product.as_str(), TEST),
        ] {
            assert!(
                matches!(answer(product, test), Finding::Refuse(_)),
                "{test}"
            );
        }
    }
}
