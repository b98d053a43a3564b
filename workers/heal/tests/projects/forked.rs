//! Runs that are forked from one process: what one does reaches no other, and what comes out otherwise than by itself is not believed.

use maestro_protocol::heal::{HealCompleted, Verdict};

use crate::project;

const PRODUCT: &str =
    "def price(amount, member):\n    if member:\n        amount -= 1\n    return amount\n";

/// Heals `test_price`, whose first line lacks a colon.
async fn heal(body: &str) -> HealCompleted {
    let body = body.replace('\n', "\n        ");
    let test = format!(
        "import os\nimport signal\nimport socket\nimport sys\nimport time\nimport unittest\n\nimport price\n\n\nclass PriceTest(unittest.TestCase):\n    def test_price(self)\n        {body}\n"
    );
    project::heal(
        "test_price",
        &[("price.py", PRODUCT), ("test_price.py", &test)],
    )
    .await
}

fn is_healed_with_teeth(healed: &HealCompleted) {
    assert_eq!(healed.verdict, Verdict::Healed, "{healed:#?}");
    assert_eq!(healed.evidence.after, "3/3");
    let teeth = healed.evidence.teeth.expect("teeth");
    assert_eq!(teeth.planted, teeth.caught_after, "{healed:#?}");
}

const ASSERTS: &str =
    "self.assertEqual(price.price(2, True), 1)\nself.assertEqual(price.price(2, False), 2)";

#[tokio::test]
async fn a_test_that_kills_the_process_that_it_was_forked_from_has_one_of_its_own() {
    // What stands above a run in a process of its own belongs to somebody else.
    let kills = "try:\n    os.kill(os.getppid(), signal.SIGKILL)\nexcept OSError:\n    pass";
    is_healed_with_teeth(&heal(&format!("{ASSERTS}\n{kills}")).await);
}

#[tokio::test]
async fn what_a_test_leaves_running_and_in_the_temporary_directory_is_gone_for_the_next() {
    let leaves = "server = socket.socket()\nserver.bind(('127.0.0.1', 6199))\nserver.listen(1)\nos.mkdir('/tmp/once')\nif not os.fork():\n    os.setsid()\n    time.sleep(600)\n    os._exit(0)";
    is_healed_with_teeth(&heal(&format!("{ASSERTS}\n{leaves}")).await);
}

#[tokio::test]
async fn a_failure_of_forked_runs_alone_is_none() {
    // The process that is forked has loaded it; one of its own has not.
    is_healed_with_teeth(
        &heal(&format!(
            "{ASSERTS}\nself.assertNotIn('ctypes', sys.modules)"
        ))
        .await,
    );
}

#[tokio::test]
async fn a_forked_run_has_the_programs_name_and_directory_that_one_of_its_own_has() {
    is_healed_with_teeth(&heal(&format!("{ASSERTS}\nself.assertEqual(sys.path[0], os.getcwd())\nself.assertIn('unittest', sys.argv[0])")).await);
}
