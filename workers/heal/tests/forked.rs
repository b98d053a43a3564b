//! Runs that are forked from one process: what one does reaches no other, and what comes out otherwise than by itself is not believed. `unittest` is
//! enough for it, so nothing is installed.

use maestro_heal::{Healer, SandboxChoice, Settings};
use maestro_protocol::heal::{HealCompleted, Verdict};
use serde_json::json;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

const PRODUCT: &str =
    "def price(amount, member):\n    if member:\n        amount -= 1\n    return amount\n";

/// Heals `test_price`, whose first line lacks a colon.
async fn heal(body: &str) -> HealCompleted {
    let place = TempDir::new().expect("a directory");
    let project = place.path().join("project");
    std::fs::create_dir(&project).expect("a directory");
    std::fs::write(project.join("price.py"), PRODUCT).expect("a file");
    let body = body.replace('\n', "\n        ");
    let test = format!(
        "import os\nimport signal\nimport socket\nimport sys\nimport time\nimport unittest\n\nimport price\n\n\nclass PriceTest(unittest.TestCase):\n    def test_price(self)\n        {body}\n"
    );
    std::fs::write(project.join("test_price.py"), test).expect("a file");
    let worker = Healer::new(Settings {
        roots: vec![place.path().to_owned()],
        work: place.path().join("work"),
        cache: place.path().join("cache"),
        sandbox: SandboxChoice::Required,
        ..Settings::default()
    })
    .expect("a worker");
    let healed = worker
        .heal(
            &serde_json::from_value(json!({
                "project": { "repository": project },
                "kind": "test_failure",
                "message": "SyntaxError: expected ':'",
                "test": { "id": "test_price", "framework": "unittest" },
                "runtime": { "install": [], "command": ["python", "-m", "unittest", "test_price"] }
            }))
            .expect("a request"),
            CancellationToken::new(),
        )
        .await
        .expect("a verdict");
    let left: Vec<_> = std::fs::read_dir(place.path().join("work"))
        .expect("the work directory")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert!(left.is_empty(), "{left:?} is left");
    healed
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
