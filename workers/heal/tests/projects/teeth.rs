//! The teeth check on real runs: defects planted below a healed test, each in a process of its own.

use maestro_protocol::heal::{HealCompleted, Verdict};

use crate::project;

const PRODUCT: &str = "def price(amount, member):\n    if amount > 10:\n        amount = amount - 2\n    if member:\n        amount -= 1\n    return amount\n\n\ndef unused(a):\n    return a + 1\n";

/// Heals `test_price`, whose text lacks a colon, below a product.
async fn heal(product: &str, body: &str) -> HealCompleted {
    let test = format!(
        "import unittest\n\nimport price\n\n\nclass PriceTest(unittest.TestCase):\n    def test_price(self)\n{body}"
    );
    project::heal(
        "test_price",
        &[("price.py", product), ("test_price.py", &test)],
    )
    .await
}

#[tokio::test]
async fn defects_are_planted_only_in_lines_that_the_test_runs_and_a_sharp_test_catches_them() {
    let body = "        self.assertEqual(price.price(20, True), 17)\n        self.assertEqual(price.price(10, False), 10)\n";
    let healed = heal(PRODUCT, body).await;
    assert_eq!(healed.verdict, Verdict::Healed, "{healed:#?}");
    let teeth = healed.evidence.teeth.expect("teeth");
    assert_eq!(
        (teeth.planted, teeth.caught_after, teeth.caught_before),
        (4, 4, None),
        "{healed:#?}"
    );
    assert!(healed.timing_ms.teeth.is_some());
    let slipped = |caveat: &String| caveat.contains("does not notice");
    assert!(!healed.evidence.caveats.iter().any(slipped), "{healed:#?}");
}

#[tokio::test]
async fn a_test_that_catches_nothing_is_proposed_and_says_so() {
    let body = "        price.price(20, True)\n        self.assertTrue(True)\n";
    let healed = heal(PRODUCT, body).await;
    assert_eq!(healed.verdict, Verdict::Proposed, "{healed:#?}");
    let teeth = healed.evidence.teeth.expect("teeth");
    assert_eq!(teeth.caught_after, 0);
    assert!(healed.reason.contains("catches none"), "{}", healed.reason);
    assert!(healed.confidence < 0.3, "{}", healed.confidence);
}

#[tokio::test]
async fn a_defect_that_never_ends_counts_as_caught_and_holds_up_nobody() {
    let product = "def price(amount, member):\n    steps = 0\n    while amount > 0:\n        amount = amount - 1\n        steps = steps + 1\n    return steps\n";
    let healed = heal(
        product,
        "        self.assertEqual(price.price(3, True), 3)\n",
    )
    .await;
    assert_eq!(healed.verdict, Verdict::Healed, "{healed:#?}");
    let teeth = healed.evidence.teeth.expect("teeth");
    assert_eq!(teeth.planted, teeth.caught_after, "{healed:#?}");
}

#[tokio::test]
async fn a_test_that_cannot_run_twice_in_one_place_runs_in_a_place_of_its_own_against_each_defect()
{
    let body = "        import os\n        os.mkdir('once')\n        os.mkdir('/tmp/once')\n        self.assertLess(price.price(5, True), 5)\n";
    let healed = heal(PRODUCT, body).await;
    assert_eq!(healed.verdict, Verdict::Healed, "{healed:#?}");
    let teeth = healed.evidence.teeth.expect("teeth");
    assert!(
        (1..teeth.planted).contains(&teeth.caught_after),
        "{teeth:?}"
    );
}
