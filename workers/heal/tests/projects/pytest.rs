//! What only pytest's tests have: values that are part of their names, and files that need not be read for others.

use maestro_protocol::heal::Verdict;

use crate::project::heal_with_pytest;

/// Fails where it is run, so that its neighbours run before a repair and after it.
const GONE: &str = "from collections import Mapping\n    assert isinstance({}, Mapping)\n";

#[tokio::test]
async fn a_test_whose_name_has_the_directory_of_the_run_is_the_same_test_in_the_next_run() {
    let named = "import os\n\nimport pytest\n\nHERE = os.path.abspath(__file__)\n\n\n@pytest.mark.parametrize('path', [HERE])\ndef test_path(path):\n    assert os.path.exists(path)\n";
    let broken = format!("def test_a():\n    {GONE}");
    let healed = heal_with_pytest(&[("test_a.py", &broken), ("test_b.py", named)]).await;
    assert_eq!(healed.verdict, Verdict::Healed, "{healed:#?}");
    assert_eq!(healed.evidence.neighbours.after.passed, 2, "{healed:#?}");
}

#[tokio::test]
async fn a_file_that_is_not_asked_about_a_defect_does_not_catch_it() {
    let product = "def price(amount, member):\n    if member:\n        amount = amount - 1\n    return amount\n";
    // It has no teeth of its own; the other file has, and bites while it is read.
    let blunt = format!(
        "import price\n\n\ndef test_price():\n    price.price(2, True)\n    price.price(2, False)\n    {GONE}"
    );
    let sharp = "import price\n\nassert (price.price(2, True), price.price(2, False)) == (1, 2)\n\n\ndef test_other():\n    assert True\n";
    let files = [
        ("price.py", product),
        ("test_blunt.py", blunt.as_str()),
        ("test_sharp.py", sharp),
    ];
    let healed = heal_with_pytest(&files).await;
    let teeth = healed.evidence.teeth.as_ref().expect("teeth");
    assert!(teeth.planted > 0 && teeth.caught_after == 0, "{healed:#?}");
}
