//! Three strategies on real runs: what the environment lacks, waits that are too short, and texts that drifted; and
//! beside each a product that only looks like it.

use maestro_protocol::heal::{Strategy, Verdict};

use crate::project::heal;

fn test(body: &str) -> String {
    format!(
        "import time\nimport unittest\n\nimport shop\n\n\nclass ShopTest(unittest.TestCase):\n    def test_shop(self):\n{body}"
    )
}

#[tokio::test]
async fn a_variable_is_set_as_the_projects_runner_sets_it_and_no_name_that_the_product_has_wrong() {
    let product = "import os\n\n\ndef limit(pieces):\n    if os.environ['SHOP_MODE'] == 'test':\n        return pieces * 2\n    return pieces\n";
    let body = test("        self.assertEqual(shop.limit(3), 6)\n");
    let tox = ("tox.ini", "[testenv]\nsetenv =\n    SHOP_MODE = test\n");
    let healed = heal(
        "test_shop",
        &[("shop.py", product), ("test_shop.py", &body), tox],
    )
    .await;
    assert_eq!(healed.verdict, Verdict::Healed, "{healed:#?}");
    assert_eq!(healed.strategy, Some(Strategy::EnvironmentHealing));
    let changes = healed.runtime_changes.expect("changes of the environment");
    assert_eq!(changes.variables["SHOP_MODE"], "test");
    assert_eq!(healed.patch, None);

    let wrong = product.replace("SHOP_MODE", "SHOP_MDOE");
    let refused = heal(
        "test_shop",
        &[("shop.py", &wrong), ("test_shop.py", &body), tox],
    )
    .await;
    assert_eq!(refused.verdict, Verdict::Refused, "{refused:#?}");
    assert!(refused.reason.contains("`SHOP_MODE`"), "{}", refused.reason);

    let behind = product.replace("pieces * 2", "pieces * 3");
    let refused = heal(
        "test_shop",
        &[("shop.py", &behind), ("test_shop.py", &body), tox],
    )
    .await;
    assert_eq!(refused.verdict, Verdict::Refused, "{refused:#?}");
}

#[tokio::test]
async fn a_variable_of_which_nothing_is_known_and_a_secret_are_named_and_not_made_up() {
    let product =
        "import os\n\n\ndef limit(pieces):\n    return os.environ['SHOP_TOKEN'] and pieces\n";
    let body = test("        self.assertEqual(shop.limit(3), 3)\n");
    let tox = ("tox.ini", "[testenv]\nsetenv =\n    SHOP_TOKEN = abc\n");
    let answer = heal(
        "test_shop",
        &[("shop.py", product), ("test_shop.py", &body), tox],
    )
    .await;
    assert_eq!(answer.verdict, Verdict::NoFix, "{answer:#?}");
    assert!(
        answer.reason.contains("`SHOP_TOKEN`") && answer.reason.contains("secret"),
        "{}",
        answer.reason
    );
    let unknown = product.replace("SHOP_TOKEN", "SHOP_MODE");
    let answer = heal(
        "test_shop",
        &[("shop.py", &unknown), ("test_shop.py", &body)],
    )
    .await;
    assert_eq!(answer.verdict, Verdict::NoFix, "{answer:#?}");
    assert!(answer.reason.contains("`SHOP_MODE`"), "{}", answer.reason);
}

#[tokio::test]
async fn a_test_that_sleeps_too_little_waits_for_what_it_asserts_and_holds_on_a_busy_machine() {
    let product = "import threading\n\n\nclass Worker:\n    done = False\n\n    def start(self):\n        threading.Timer(0.5, self.work).start()\n\n    def work(self):\n        self.done = True\n";
    let body = test(
        "        worker = shop.Worker()\n        worker.start()\n        time.sleep(0.05)\n        self.assertTrue(worker.done)\n",
    );
    let proposed = heal(
        "test_shop",
        &[("shop.py", product), ("test_shop.py", &body)],
    )
    .await;
    assert_eq!(proposed.verdict, Verdict::Proposed, "{proposed:#?}");
    assert_eq!(proposed.strategy, Some(Strategy::TimingAdjustment));
    assert_eq!(proposed.evidence.after, "6/6", "three of them at once");
    assert!(
        proposed.reason.contains("become slower"),
        "{}",
        proposed.reason
    );
    let patch = proposed.patch.expect("a patch");
    assert!(
        patch.contains("+        while not (worker.done)"),
        "{patch}"
    );
    assert!(!patch.contains("-        time.sleep"), "{patch}");

    let never = product.replace("self.done = True", "self.done = False");
    let refused = heal("test_shop", &[("shop.py", &never), ("test_shop.py", &body)]).await;
    assert_eq!(refused.verdict, Verdict::Refused, "{refused:#?}");
    assert_eq!(refused.patch, None);
}

#[tokio::test]
async fn a_text_that_the_changelog_says_was_changed_is_proposed_and_any_other_is_refused() {
    let product = "def check(amount):\n    if amount <= 0:\n        return 'the amount must be positive here'\n    return 'fine'\n";
    let body = test("        self.assertEqual(shop.check(0), 'the amount is not valid here')\n");
    let changes = (
        "CHANGES.rst",
        "2.0\n---\n- ``check`` says ``must be positive`` where it said ``is not valid``.\n",
    );
    let proposed = heal(
        "test_shop",
        &[("shop.py", product), ("test_shop.py", &body), changes],
    )
    .await;
    assert_eq!(proposed.verdict, Verdict::Proposed, "{proposed:#?}");
    assert_eq!(proposed.strategy, Some(Strategy::AssertionUpdate));
    assert!(
        proposed.reason.contains("CHANGES.rst"),
        "{}",
        proposed.reason
    );
    let refused = heal(
        "test_shop",
        &[("shop.py", product), ("test_shop.py", &body)],
    )
    .await;
    assert_eq!(refused.verdict, Verdict::Refused, "{refused:#?}");
    let typo = product.replace("positive", "positve");
    let refused = heal(
        "test_shop",
        &[("shop.py", &typo), ("test_shop.py", &body), changes],
    )
    .await;
    assert_eq!(refused.verdict, Verdict::Refused, "{refused:#?}");
}
