use super::*;
use crate::case::Installed;
use crate::failure::Frame;
use crate::rust::panics::ASSERTION;
use crate::strategies::fake::{Answer, Files, Index, case, refused};

const PRODUCT: &str = "impl Worker {\n    pub fn done(&self) -> bool {\n        self.done.load(Ordering::SeqCst)\n    }\n    pub fn get(&self) -> u32 {\n        self.at.fetch_add(1, Ordering::SeqCst)\n    }\n    pub fn next(&mut self) -> u32 {\n        self.at\n    }\n}\npub fn cache(size: usize, ttl_ms: u64) -> Cache {\n    Cache::default()\n}\n";

/// Answers to a failed assertion at the line of the test that ends with `// fails`.
fn answers(test: &str) -> Vec<Answer> {
    let line = (1..)
        .zip(test.lines())
        .find_map(|(line, text)| text.ends_with("// fails").then_some(line))
        .unwrap();
    let files = Files::new(&[("src/lib.rs", PRODUCT), ("tests/work.rs", test)]);
    let failure = Failure {
        test: Some("tests/work.rs::t".to_owned()),
        exception: Some(ASSERTION.to_owned()),
        message: "assertion failed".to_owned(),
        frames: vec![Frame {
            path: "tests/work.rs".to_owned(),
            line,
            function: String::new(),
        }],
        ..Failure::default()
    };
    let (index, installed) = (Index::default(), Installed::default());
    Answer::of(
        &TimingAdjustment,
        &case(&[failure], &files, &installed, &index),
    )
}

fn of_body(body: &str) -> Vec<Answer> {
    answers(&format!(
        "use std::thread;\nuse std::time::{{Duration, Instant}};\n\n#[test]\nfn t() {{\n{body}}}\n"
    ))
}

#[track_caller]
fn proposed(found: &[Answer], part: &str) {
    let [Answer::Proposed(text)] = found else {
        panic!("{part}: {found:?}");
    };
    assert!(text.contains(part), "{text}");
    assert!(Source::parse(text.as_str()).unwrap().is_whole(), "{text}");
}

#[test]
fn before_its_sleep_the_test_waits_for_what_it_asserts() {
    let found = of_body(
        "    let worker = start();\n    thread::sleep(Duration::from_millis(50));\n    assert!(worker.ready);\n    assert_eq!(worker.seen.lock().unwrap().len(), 2, \"all of them\"); // fails\n",
    );
    proposed(
        &found,
        "    let worker = start();\n    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);\n    while worker.seen.lock().unwrap().len() != 2 && std::time::Instant::now() < deadline {\n        thread::sleep(Duration::from_millis(10));\n    }\n    thread::sleep(Duration::from_millis(50));\n    assert!(worker.ready);\n",
    );
}

#[test]
fn every_form_of_a_sleep_is_known_and_kept_in_the_tests_own_words() {
    for (head, sleep, pause) in [
        (
            "",
            "std::thread::sleep(std::time::Duration::from_secs(1));",
            "std::thread::sleep(std::time::Duration::from_millis(10));",
        ),
        (
            "use std::thread::{self, sleep};\n",
            "sleep(Duration::from_millis(50));",
            "        sleep(Duration::from_millis(10));",
        ),
        (
            "",
            "tokio::time::sleep(Duration::from_secs_f64(0.05)).await;",
            "tokio::time::sleep(Duration::from_millis(10)).await;",
        ),
        (
            "use tokio::time::{sleep, Instant};\n",
            "sleep(Duration::from_millis(50)).await;",
            "sleep(Duration::from_millis(10)).await;",
        ),
        (
            "fn nap(ms: u64) {\n    thread::sleep(Duration::from_millis(ms));\n}\n",
            "nap(50);",
            "        nap(10);",
        ),
        (
            "fn nap(ms: u64) {\n    begin();\n    thread::sleep(Duration::from_millis(ms));\n}\n",
            "nap(50);",
            "",
        ),
        ("", "sleep(Duration::from_millis(50));", ""),
        (
            "use tokio::time::sleep;\n",
            "sleep(Duration::from_millis(50));",
            "",
        ),
    ] {
        let found = answers(&format!(
            "use std::thread;\n{head}\nasync fn t() {{\n    {sleep}\n    assert!(worker.done()); // fails\n}}\n"
        ));
        if pause.is_empty() {
            assert_eq!(found, [], "{head}{sleep}");
        } else {
            proposed(&found, pause);
        }
    }
}

#[test]
fn a_condition_that_takes_something_is_not_asked_again() {
    for claim in [
        // The product's own, whatever its name promises.
        "assert_eq!(worker.get(), 1)",
        "assert_eq!(worker.next(), 1)",
        "assert_eq!(queue.pop(), Some(1))",
        "assert!(channel.try_recv().is_ok())",
        "assert!(matches!(channel.recv(), Ok(1)))",
        "assert_eq!({ at += 1; at }, 1)",
        "assert!(false)",
        "check!(worker.done())",
    ] {
        let found = of_body(&format!(
            "    thread::sleep(Duration::from_millis(50));\n    {claim}; // fails\n"
        ));
        assert_eq!(found, [], "{claim}");
    }
    for claim in [
        "assert!(matches!(worker.state, State::Done))",
        "assert!(worker.seen.iter().all(|one| *one > 0))",
        "assert_ne!(worker.state.as_str(), \"idle\")",
    ] {
        let found = of_body(&format!(
            "    thread::sleep(Duration::from_millis(50));\n    {claim}; // fails\n"
        ));
        proposed(&found, "while ");
    }
}

#[test]
fn an_assertion_without_a_sleep_right_before_it_is_not_a_matter_of_time() {
    assert_eq!(of_body("    assert!(worker.done()); // fails\n"), []);
    assert_eq!(
        of_body(
            "    thread::sleep(Duration::from_millis(50));\n    worker.finish();\n    assert!(worker.done()); // fails\n"
        ),
        []
    );
}

#[test]
fn a_product_that_had_more_time_than_it_was_given_is_late() {
    for given in [
        "let cache = Cache::new(Duration::from_millis(20));",
        "let cache = cache(100, 20);",
        "let cache = Cache { ttl: Duration::from_millis(20), size: 3 };",
        "let cache = Cache { ttl_ms: 20, size: 3 };",
    ] {
        let found = of_body(&format!(
            "    {given}\n    thread::sleep(Duration::from_millis(50));\n    assert!(cache.is_empty()); // fails\n"
        ));
        refused(&found, "the product is late");
    }
    for given in [
        "let cache = cache(20, 100);",
        "let cache = Cache::new(Duration::from_secs(1));",
    ] {
        let found = of_body(&format!(
            "    {given}\n    thread::sleep(Duration::from_millis(50));\n    assert!(cache.is_empty()); // fails\n"
        ));
        proposed(&found, "!(cache.is_empty())");
    }
    let by_another = answers(
        "const TTL: Duration = Duration::from_millis(20);\n\n#[test]\nfn t() {\n    let cache = Cache::new(TTL);\n    std::thread::sleep(Duration::from_millis(50));\n    assert!(cache.is_empty()); // fails\n}\n",
    );
    refused(&by_another, "the product is late");
}

#[test]
fn what_a_test_is_about_by_its_name_is_not_given_more_time() {
    for name in [
        "it_times_out",
        "answers_within_a_moment",
        "done_after_50_ms",
        "is_fast",
    ] {
        let found = answers(&format!(
            "#[test]\nfn {name}() {{\n    std::thread::sleep(Duration::from_millis(50));\n    assert!(worker.done()); // fails\n}}\n"
        ));
        refused(&found, "the duration is what is tested");
    }
}

#[test]
fn a_bound_of_a_measured_duration_is_never_moved() {
    for (before, bound) in [
        (
            "    let took = start.elapsed();\n",
            "assert!(took < Duration::from_millis(100))",
        ),
        (
            "    let took = start.elapsed();\n",
            "assert!(took >= Duration::from_millis(100))",
        ),
        ("", "assert!(start.elapsed().as_millis() < 100)"),
        (
            "    let end = Instant::now();\n",
            "assert!(end - start < Duration::from_millis(100))",
        ),
        (
            "    let took = start.elapsed().as_millis();\n",
            "assert_eq!(took, 100)",
        ),
        (
            "    let took = start.elapsed().as_millis();\n",
            "assert!(took.abs_diff(200) < 50)",
        ),
    ] {
        let found = of_body(&format!(
            "    let start = Instant::now();\n    thread::sleep(Duration::from_millis(100));\n{before}    {bound}; // fails\n"
        ));
        assert!(
            matches!(found.as_slice(), [Answer::Refused(_)]),
            "{bound}: {found:?}"
        );
    }
}

#[test]
fn a_tolerance_that_no_machine_keeps_is_widened_and_a_person_judges() {
    for (took, claim, repaired) in [
        (
            "as_secs_f64()",
            "assert!((took - 0.4).abs() < 0.00005)",
            "assert!((took - 0.4).abs() < 0.1)",
        ),
        (
            "as_millis()",
            "assert!(took.abs_diff(200) <= 1)",
            "took.abs_diff(200) <= 50)",
        ),
        (
            "as_micros() as f64",
            "assert!((took - 400_000.0).abs() < 10.0, \"{took}\")",
            "< 100000.0, \"{took}\")",
        ),
    ] {
        let found = of_body(&format!(
            "    let start = Instant::now();\n    run();\n    let took = start.elapsed().{took};\n    {claim}; // fails\n"
        ));
        proposed(&found, repaired);
    }
}

#[test]
fn a_paused_clock_is_moved_in_place_of_a_sleep_of_the_thread() {
    let found = answers(
        "#[tokio::test(start_paused = true)]\nasync fn t() {\n    let lease = lease();\n    std::thread::sleep(Duration::from_millis(50));\n    assert!(lease.is_over()); // fails\n}\n",
    );
    assert!(
        matches!(found.as_slice(), [Answer::Tried(text)] if text.contains("    tokio::time::advance(Duration::from_millis(50)).await;\n    assert")),
        "{found:?}"
    );
    // By a paused clock a task sleeps exactly as long as it says.
    let exact = answers(
        "#[tokio::test(start_paused = true)]\nasync fn t() {\n    tokio::time::sleep(Duration::from_millis(50)).await;\n    assert!(worker.done()); // fails\n}\n",
    );
    refused(&exact, "the duration is what is tested");
}
