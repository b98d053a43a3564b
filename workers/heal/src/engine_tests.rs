//! The engine against a laboratory whose tests are a function of the text of two files, and strategies that say what
//! they are told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use maestro_protocol::heal::{
    HealCompleted, HealRequested, RuntimeChanges, Strategy, Touch, Verdict,
};

use super::{Order, heal};
use crate::case::{Candidate, Case, Edit, Finding, Installed, PackageIndex, Repair, Tree as _};
use crate::conditions::Conditions;
use crate::failure::{Failure, Phase, Report, TestOutcome};
use crate::guard::Guard;
use crate::judge::Target;
use crate::laboratory::{Attempt, AttemptError, Laboratory};
use crate::overlay::Overlay;
use crate::roles::Roles;
use crate::search::{Budget, Repairs};
use crate::teeth::{Bites, Defect};

/// `test_a.py` fails with what stands in its first line behind `# fails:`; `test_b.py` is its neighbour; an installed
/// `plugin` makes a line `# needs plugin` harmless.
struct Script {
    runs: AtomicU32,
    /// The run, counted from 1, that fails whatever the text.
    flaps: Option<u32>,
}

impl Script {
    fn new() -> Self {
        Self {
            runs: AtomicU32::new(0),
            flaps: None,
        }
    }
}

struct NoIndex;

impl PackageIndex for NoIndex {
    fn versions(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}

impl Laboratory for Script {
    async fn attempt_under(
        &self,
        tree: &Overlay,
        changes: &RuntimeChanges,
        _: &Conditions,
    ) -> Result<Attempt, AttemptError> {
        let run = self.runs.fetch_add(1, Ordering::Relaxed) + 1;
        if changes
            .install
            .iter()
            .any(|requirement| requirement == "nowhere")
        {
            return Err(AttemptError::Environment(
                "the package index has nothing that satisfies `nowhere`".into(),
            ));
        }
        let mut report = Report::default();
        for file in ["test_a.py", "test_b.py"] {
            let text = tree.read(file).unwrap_or_default();
            let needs =
                text.contains("# needs plugin") && !changes.install.contains(&"plugin".to_owned());
            let fails = text
                .lines()
                .find_map(|line| line.strip_prefix("# fails: "))
                .map(str::to_owned);
            let fails = fails.or(needs.then(|| "no plugin".to_owned()));
            let fails = fails.or((self.flaps == Some(run)).then(|| "now and then".to_owned()));
            let outcome = match &fails {
                None => TestOutcome::Passed,
                Some(_) => TestOutcome::Failed,
            };
            report.outcomes.insert(format!("{file}::t"), outcome);
            report.failures.extend(fails.map(|message| Failure {
                test: Some(format!("{file}::t")),
                phase: Phase::Call,
                exception: Some("ValueError".into()),
                message,
                frames: Vec::new(),
                text: String::new(),
                ..Failure::default()
            }));
        }
        Ok(Attempt {
            report,
            installed: Arc::new(Installed::default()),
            install: Duration::ZERO,
            run: Duration::from_millis(1),
            stopped: None,
            forked: false,
        })
    }

    async fn bite(
        &self,
        _: &Overlay,
        _: &RuntimeChanges,
        _: &[String],
        _: &[Defect],
        _: Duration,
    ) -> Result<Bites, AttemptError> {
        Ok(Bites::default())
    }

    fn index(&self) -> Arc<dyn PackageIndex + Send + Sync> {
        Arc::new(NoIndex)
    }
}

/// Answers a failure's message with edits and requirements.
struct Says(fn(&str) -> Vec<Finding>);

impl Repair for Says {
    fn strategy(&self) -> Strategy {
        Strategy::SyntaxRepair
    }

    fn examine(&self, case: &Case<'_>) -> Vec<Finding> {
        (self.0)(&case.failures[0].message)
    }
}

/// Answers when it is asked for the last resort.
struct SaysLast(fn(&str) -> Vec<Finding>);

impl Repair for SaysLast {
    fn strategy(&self) -> Strategy {
        Strategy::DependencyFix
    }

    fn examine(&self, _: &Case<'_>) -> Vec<Finding> {
        Vec::new()
    }

    fn last_resort(&self, case: &Case<'_>) -> Vec<Finding> {
        (self.0)(&case.failures[0].message)
    }
}

fn edit(path: &str, text: &str) -> Finding {
    Finding::Try(Candidate {
        strategy: Strategy::SyntaxRepair,
        description: format!("{path} becomes {text:?}"),
        edits: vec![Edit {
            path: path.into(),
            text: text.into(),
        }],
        runtime: RuntimeChanges::default(),
        rank: 1,
    })
}

fn install(requirement: &str) -> Finding {
    Finding::Try(Candidate {
        strategy: Strategy::DependencyFix,
        description: format!("install {requirement}"),
        edits: Vec::new(),
        runtime: RuntimeChanges {
            install: vec![requirement.into()],
            ..RuntimeChanges::default()
        },
        rank: 2,
    })
}

async fn run(script: Script, test: &str, product: bool, repairs: Repairs) -> (HealCompleted, u32) {
    let answer = attempt(&script, test, product, repairs).await.unwrap();
    (answer, script.runs.load(Ordering::Relaxed))
}

async fn attempt(
    script: &Script,
    test: &str,
    product: bool,
    repairs: Repairs,
) -> Result<HealCompleted, AttemptError> {
    let base = tempfile::tempdir().unwrap();
    std::fs::write(base.path().join("test_a.py"), test).unwrap();
    std::fs::write(base.path().join("test_b.py"), "fine\n").unwrap();
    std::fs::write(base.path().join("product.py"), "x\n").unwrap();
    let request: HealRequested = serde_json::from_value(serde_json::json!({
        "project": {"repository": "/r"}, "kind": "test_failure", "message": "m"
    }))
    .unwrap();
    let order = Order {
        request: &request,
        tree: Overlay::new(base.path()).unwrap(),
        target: Target::Test("test_a.py::t".into()),
        guard: Guard::new(&[], product, Roles::default()).unwrap(),
        budget: Budget {
            runs: 20,
            for_flaky: 100,
            deadline: Instant::now() + Duration::from_mins(1),
        },
        repairs,
        known: maestro_memory::Known::default(),
        checkout: Duration::ZERO,
    };
    heal(script, order).await
}

#[tokio::test]
async fn a_repair_that_holds_is_healed_with_its_counted_evidence() {
    static REPAIRS: Repairs = &[&Says(|_| vec![edit("test_a.py", "fine\n")])];
    let (answer, runs) = run(Script::new(), "# fails: boom\n", true, REPAIRS).await;
    assert_eq!(answer.verdict, Verdict::Healed);
    assert_eq!(
        (
            answer.evidence.reproduced.as_str(),
            answer.evidence.after.as_str()
        ),
        ("2/2", "3/3")
    );
    assert_eq!(answer.touches, [Touch::Test]);
    assert_eq!(answer.evidence.neighbours.after.passed, 1);
    assert!(answer.patch.unwrap().contains("-# fails: boom\n+fine\n"));
    assert_eq!(runs, 5);
    assert!(answer.confidence > 0.5 && answer.confidence < 1.0);
}

#[tokio::test]
async fn a_repair_of_the_product_is_proposed_and_never_healed() {
    static REPAIRS: Repairs = &[&Says(|_| {
        let Finding::Try(mut both) = edit("test_a.py", "fine\n") else {
            return Vec::new();
        };
        both.edits.push(Edit {
            path: "product.py".into(),
            text: "y\n".into(),
        });
        vec![Finding::Try(both)]
    })];
    let (answer, _) = run(Script::new(), "# fails: boom\n", true, REPAIRS).await;
    assert_eq!(answer.verdict, Verdict::Proposed);
    assert_eq!(answer.touches, [Touch::Test, Touch::Product]);
    let (answer, _) = run(Script::new(), "# fails: boom\n", false, REPAIRS).await;
    assert!(matches!(answer.verdict, Verdict::NoFix | Verdict::Refused));
    assert!(answer.patch.is_none());
}

#[tokio::test]
async fn a_repair_that_breaks_a_neighbour_is_rejected_and_the_next_is_tried() {
    static REPAIRS: Repairs = &[&Says(|_| {
        let Finding::Try(mut bad) = edit("test_a.py", "fine\n") else {
            return Vec::new();
        };
        bad.edits.push(Edit {
            path: "test_b.py".into(),
            text: "# fails: now b\n".into(),
        });
        bad.rank = 0;
        vec![Finding::Try(bad), edit("test_a.py", "also fine\n")]
    })];
    let (answer, _) = run(Script::new(), "# fails: boom\n", true, REPAIRS).await;
    assert_eq!(answer.verdict, Verdict::Healed);
    assert!(answer.patch.unwrap().contains("also fine"));
}

#[tokio::test]
async fn a_failure_behind_a_failure_is_followed_and_dead_ends_are_left() {
    static REPAIRS: Repairs = &[&Says(|message| match message {
        // The first way leads to a failure that nothing repairs.
        "one" => vec![
            edit("test_a.py", "# fails: dead end\n"),
            edit("test_a.py", "# needs plugin\n"),
        ],
        "no plugin" => vec![install("nowhere"), install("plugin")],
        _ => Vec::new(),
    })];
    let (answer, _) = run(Script::new(), "# fails: one\n", true, REPAIRS).await;
    assert_eq!(answer.verdict, Verdict::Healed, "{}", answer.reason);
    assert_eq!(answer.steps.len(), 2);
    assert_eq!(answer.touches, [Touch::Test, Touch::Environment]);
    assert_eq!(answer.runtime_changes.unwrap().install, ["plugin"]);
}

#[tokio::test]
async fn the_last_resort_is_asked_for_where_a_chain_ended_and_then_at_its_beginning() {
    static REPAIRS: Repairs = &[
        &Says(|message| match message {
            "one" => vec![edit("test_a.py", "# needs plugin\n")],
            "two" => vec![edit("test_a.py", "# fails: dead end\n")],
            _ => Vec::new(),
        }),
        &SaysLast(|message| match message {
            "no plugin" => vec![install("plugin")],
            "two" => vec![edit("test_a.py", "fine\n")],
            _ => Vec::new(),
        }),
    ];
    let (answer, _) = run(Script::new(), "# fails: one\n", true, REPAIRS).await;
    assert_eq!(answer.verdict, Verdict::Healed, "{}", answer.reason);
    assert_eq!(answer.steps.len(), 2);
    let (answer, _) = run(Script::new(), "# fails: two\n", true, REPAIRS).await;
    assert_eq!(answer.verdict, Verdict::Healed, "{}", answer.reason);
    assert_eq!(answer.steps.len(), 1);
}

#[tokio::test]
async fn a_search_that_tries_a_lot_leaves_runs_for_the_last_resort() {
    static REPAIRS: Repairs = &[
        &Says(|message| {
            let deeper = |step: usize| edit("test_a.py", &format!("# fails: {message}{step}\n"));
            (0..9).map(deeper).collect()
        }),
        &SaysLast(|message| match message {
            "one" => vec![edit("test_a.py", "fine\n")],
            _ => Vec::new(),
        }),
    ];
    let (answer, _) = run(Script::new(), "# fails: one\n", true, REPAIRS).await;
    assert_eq!(answer.verdict, Verdict::Healed, "{}", answer.reason);
}

#[tokio::test]
async fn what_a_person_has_to_decide_is_no_case_for_the_last_resort() {
    static REPAIRS: Repairs = &[
        &Says(|_| vec![Finding::Refuse("a person's decision".into())]),
        &SaysLast(|_| vec![edit("test_a.py", "fine\n")]),
    ];
    let (answer, _) = run(Script::new(), "# fails: boom\n", true, REPAIRS).await;
    assert_eq!(answer.verdict, Verdict::Refused);
}

#[tokio::test]
async fn a_partial_repair_is_reported_as_such() {
    static REPAIRS: Repairs = &[&Says(|message| match message {
        "one" => vec![edit("test_a.py", "# fails: two\n")],
        _ => Vec::new(),
    })];
    let (answer, _) = run(Script::new(), "# fails: one\n", true, REPAIRS).await;
    assert!(matches!(answer.verdict, Verdict::NoFix | Verdict::Refused));
    assert!(
        answer.reason.contains("behind it stands another"),
        "{}",
        answer.reason
    );
    assert_eq!(answer.steps.len(), 1);
}

#[tokio::test]
async fn a_reason_why_a_person_must_decide_is_a_refusal() {
    static REPAIRS: Repairs = &[&Says(|_| {
        vec![Finding::Refuse(
            "choosing a side is a person's decision".into(),
        )]
    })];
    let (answer, _) = run(Script::new(), "# fails: boom\n", true, REPAIRS).await;
    assert_eq!(answer.verdict, Verdict::Refused);
    assert!(answer.reason.contains("a person's decision"));
}

#[tokio::test]
async fn a_repair_that_a_person_has_to_judge_is_proposed_with_the_reason() {
    static REPAIRS: Repairs = &[&Says(|_| {
        let Finding::Try(candidate) = edit("test_a.py", "fine\n") else {
            return Vec::new();
        };
        vec![Finding::Propose(
            candidate,
            "the product may have become slow".into(),
        )]
    })];
    let (answer, _) = run(Script::new(), "# fails: boom\n", true, REPAIRS).await;
    assert_eq!(answer.verdict, Verdict::Proposed);
    assert!(answer.patch.is_some());
    assert!(
        answer.reason.contains("the product may have become slow"),
        "{}",
        answer.reason
    );
}

#[tokio::test]
async fn what_is_lacking_is_named_and_is_no_fault_of_the_product() {
    static REPAIRS: Repairs = &[&Says(|_| {
        vec![Finding::Lacking("nothing says what `X` is".into())]
    })];
    let (answer, _) = run(Script::new(), "# fails: boom\n", true, REPAIRS).await;
    assert_eq!(answer.verdict, Verdict::NoFix);
    assert_eq!(answer.reason, "nothing says what `X` is");
}

#[tokio::test]
async fn a_green_test_is_run_in_other_orders_before_it_is_called_green() {
    static REPAIRS: Repairs = &[];
    let (answer, runs) = run(Script::new(), "fine\n", true, REPAIRS).await;
    assert_eq!((answer.verdict, runs), (Verdict::NotReproduced, 11));
    assert_eq!(answer.evidence.after, "11/11");
    assert!(
        answer.reason.contains("in other orders"),
        "{}",
        answer.reason
    );
}

#[tokio::test]
async fn a_failure_that_comes_and_goes_is_not_healed_by_luck() {
    static REPAIRS: Repairs = &[&Says(|_| vec![edit("test_a.py", "fine\n")])];
    let (answer, _) = run(
        Script {
            flaps: Some(1),
            ..Script::new()
        },
        "fine\n",
        true,
        REPAIRS,
    )
    .await;
    assert_eq!(answer.verdict, Verdict::NoFix);
    assert_eq!(answer.evidence.reproduced, "1/2");
    // It passes when it is tried, and fails once while it is confirmed.
    let (answer, _) = run(
        Script {
            flaps: Some(4),
            ..Script::new()
        },
        "# fails: boom\n",
        true,
        REPAIRS,
    )
    .await;
    assert_eq!(answer.verdict, Verdict::NoFix);
    assert_eq!(answer.evidence.after, "1/2");
    assert!(answer.patch.is_none());
}

#[tokio::test]
async fn a_matter_of_time_that_does_not_hold_on_a_busy_machine_is_a_persons() {
    static REPAIRS: Repairs = &[&Says(|_| {
        let Finding::Try(mut candidate) = edit("test_a.py", "fine\n") else {
            return Vec::new();
        };
        candidate.strategy = Strategy::TimingAdjustment;
        vec![Finding::Try(candidate)]
    })];
    let (answer, _) = run(Script::new(), "# fails: boom\n", true, REPAIRS).await;
    assert_eq!(
        (answer.verdict, answer.evidence.after.as_str()),
        (Verdict::Healed, "6/6")
    );
    // The seventh run is one of the three that run at once.
    let (answer, _) = run(
        Script {
            flaps: Some(7),
            ..Script::new()
        },
        "# fails: boom\n",
        true,
        REPAIRS,
    )
    .await;
    assert_eq!(
        (answer.verdict, answer.evidence.after.as_str()),
        (Verdict::Proposed, "3/3")
    );
    assert!(
        answer.reason.contains("of three runs at once 2 passed"),
        "{}",
        answer.reason
    );
}

#[tokio::test]
async fn a_patch_bomb_is_refused_with_its_size() {
    static REPAIRS: Repairs = &[&Says(|_| {
        vec![edit("test_a.py", &"fine\n".repeat(200_000))]
    })];
    let error = attempt(&Script::new(), "# fails: boom\n", true, REPAIRS)
        .await
        .unwrap_err();
    assert!(matches!(error, AttemptError::Patch(_)));
    assert!(error.to_string().contains("the limit is"), "{error}");
}
