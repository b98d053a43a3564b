use super::*;
use crate::case::Installed;
use crate::failure::Phase;
use crate::strategies::fake::{Answer, Files, Index, case, failure, refused};

/// Answers to a failure at the line of the test that ends with `# fails`.
fn answers(test: &str, said: &str, beyond: &[&str]) -> Vec<Answer> {
    let line = test
        .lines()
        .position(|line| line.ends_with("# fails"))
        .and_then(|at| u32::try_from(at + 1).ok())
        .unwrap();
    let files = Files::new(&[
        ("tests/test_a.py", test),
        ("app.py", "def start():\n    pass\n"),
    ]);
    let mut frames = vec![("tests/test_a.py", line)];
    frames.extend(beyond.iter().map(|path| (*path, 1)));
    let failures = [failure(
        Some("tests/test_a.py::test"),
        Phase::Call,
        said,
        &frames,
    )];
    let (installed, index) = (Installed::default(), Index::default());
    Answer::of(
        &TimingAdjustment,
        &case(&failures, &files, &installed, &index),
    )
}

fn asserted(test: &str) -> Vec<Answer> {
    answers(test, "AssertionError: assert False", &[])
}

#[test]
fn behind_a_sleep_the_test_waits_for_what_it_asserts() {
    let found = asserted(
        "import time\nimport app\n\n\ndef test():\n    worker = app.start()\n    time.sleep(0.1)\n    assert worker.ready\n    assert worker.done  # fails\n",
    );
    assert_eq!(
        found,
        [Answer::Proposed("import time\nimport app\n\n\ndef test():\n    worker = app.start()\n    time.sleep(0.1)\n    assert worker.ready\n    deadline = time.monotonic() + 5\n    while not (worker.done) and time.monotonic() < deadline:\n        time.sleep(0.01)\n    assert worker.done  # fails\n".to_owned())]
    );
}

#[test]
fn the_wait_is_written_in_the_manner_of_the_test() {
    let found = asserted(
        "import asyncio\n\n\nasync def test():\n    await asyncio.sleep(0.5)\n    assert len(seen) == 2  # fails\n",
    );
    let [Answer::Proposed(repaired)] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert!(
        repaired.starts_with("import time\nimport asyncio\n"),
        "{repaired}"
    );
    assert!(
        repaired.contains("    while not (len(seen) == 2) and time.monotonic() < deadline:\n        await asyncio.sleep(0.01)\n"),
        "{repaired}"
    );
    let found = asserted(
        "import unittest\nfrom time import sleep\n\n\nclass TestA(unittest.TestCase):\n  def test(self):\n    sleep(1)\n    self.assertEqual(self.worker.count, 3)  # fails\n",
    );
    let [Answer::Proposed(repaired)] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert!(
        repaired.contains("    while not (self.worker.count == 3) and time.monotonic() < deadline:\n      sleep(0.01)\n"),
        "{repaired}"
    );
}

#[test]
fn a_condition_that_takes_something_is_not_asked_again() {
    for condition in ["worker.next_job() == 1", "queue.get_nowait() == 1", "False"] {
        let found = asserted(&format!(
            "import time\n\n\ndef test():\n    time.sleep(0.1)\n    assert {condition}  # fails\n"
        ));
        assert_eq!(found, [], "{condition}");
    }
}

#[test]
fn an_assertion_without_a_sleep_before_it_is_not_a_matter_of_time() {
    assert_eq!(
        asserted("import time\n\n\ndef test():\n    assert worker.done  # fails\n"),
        []
    );
    let other = "import time\n\n\ndef test():\n    time.sleep(0.1)\n    worker.finish()\n    assert worker.done  # fails\n";
    assert_eq!(asserted(other), []);
}

#[test]
fn a_product_that_had_more_time_than_it_was_given_is_late() {
    for given in ["ttl=0.1", "0.1", "expire_after=0.2"] {
        let found = asserted(&format!(
            "import time\nimport app\n\n\ndef test():\n    cache = app.Cache({given})\n    time.sleep(0.5)\n    assert len(cache) == 0  # fails\n"
        ));
        refused(&found, "the product is late");
    }
    // A sleep below what was given was never long enough.
    let short = asserted(
        "import time\nimport app\n\n\ndef test():\n    cache = app.Cache(ttl=1)\n    time.sleep(0.1)\n    assert len(cache) == 0  # fails\n",
    );
    assert!(
        matches!(short.as_slice(), [Answer::Proposed(_)]),
        "{short:?}"
    );
}

#[test]
fn a_bound_of_a_measured_duration_is_never_moved() {
    for (before, bound) in [
        ("    took = time.time() - start\n", "took < 0.5"),
        ("    end = time.perf_counter()\n", "end - start < 0.5"),
        ("", "time.monotonic() - start < 0.5"),
        ("    took = time.time() - start\n", "abs(took - 0.2) < 0.05"),
    ] {
        let found = asserted(&format!(
            "import time\nimport app\n\n\ndef test():\n    start = time.monotonic()\n    app.start()\n{before}    assert {bound}  # fails\n"
        ));
        assert!(
            matches!(found.as_slice(), [Answer::Refused(_)]),
            "{bound}: {found:?}"
        );
    }
}

#[test]
fn a_tolerance_that_no_machine_keeps_is_widened_and_a_person_judges() {
    for (comparison, repaired) in [
        (
            "compare(end, start, .8, 3, deltaFixed=.0001) == 0",
            "deltaFixed=0.2)",
        ),
        ("abs((end - start) - 0.2) < 0.001", "< 0.05"),
        ("end - start == pytest.approx(0.4, abs=1e-4)", "abs=0.1)"),
    ] {
        let found = asserted(&format!(
            "import time\nimport app\n\n\ndef test():\n    start = time.time()\n    app.start()\n    end = time.time()\n    assert {comparison}  # fails\n"
        ));
        assert!(
            matches!(found.as_slice(), [Answer::Proposed(text)] if text.contains(repaired)),
            "{comparison}: {found:?}"
        );
    }
    let found = asserted(
        "import time\nimport app\n\n\nclass TestA(unittest.TestCase):\n    def test(self):\n        start = time.time()\n        app.start()\n        self.assertAlmostEqual(time.time() - start, 0.5, places=4)  # fails\n",
    );
    assert!(
        matches!(found.as_slice(), [Answer::Proposed(text)] if text.contains("places=1)")),
        "{found:?}"
    );
}

#[test]
fn a_tolerance_that_a_machine_keeps_shows_a_product_that_is_late() {
    let found = asserted(
        "import time\nimport app\n\n\ndef test():\n    start = time.time()\n    app.start()\n    end = time.time()\n    assert compare(end, start, .8, 3, deltaFixed=.15) == 0  # fails\n",
    );
    refused(&found, "the product is what is late");
}

#[test]
fn a_tolerance_of_something_else_than_time_is_left_alone() {
    let found = asserted(
        "import app\n\n\ndef test():\n    assert abs(app.start() - 0.2) < 0.001  # fails\n",
    );
    assert_eq!(found, []);
}

#[test]
fn a_duration_is_measured_by_the_clock_that_nothing_sets() {
    let found = asserted(
        "import time\nimport app\n\n\ndef test():\n    start = time.time()\n    app.start()\n    took = time.time() - start\n    assert took >= 0.1  # fails\n",
    );
    let [Answer::Tried(repaired)] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert!(
        repaired.contains("start = time.monotonic()")
            && repaired.contains("took = time.monotonic() - start"),
        "{repaired}"
    );
    assert!(!repaired.contains("time.time()"), "{repaired}");
}

#[test]
fn a_time_that_is_compared_with_the_products_own_stays_a_wall_clocks() {
    let found = asserted(
        "import time\nimport app\n\n\ndef test():\n    start = time.time()\n    stamp = app.start()\n    assert start <= stamp <= time.time()  # fails\n",
    );
    refused(&found, "the duration is what is tested");
}

#[test]
fn a_fake_clock_is_moved_in_place_of_a_sleep() {
    let found = asserted(
        "import time\nfrom freezegun import freeze_time\n\n\ndef test():\n    with freeze_time('2020-01-01') as clock:\n        cache = make()\n        time.sleep(5)\n        assert cache.expired  # fails\n",
    );
    assert!(
        matches!(found.first(), Some(Answer::Tried(text)) if text.contains("        clock.tick(5)\n")),
        "{found:?}"
    );
    let found = asserted(
        "import time\nimport time_machine\n\n\ndef test():\n    with time_machine.travel(0, tick=False) as clock:\n        time.sleep(5)\n        assert cache.expired  # fails\n",
    );
    assert!(
        matches!(found.first(), Some(Answer::Tried(text)) if text.contains("        clock.shift(5)\n")),
        "{found:?}"
    );
    // A clock that goes by itself needs no push.
    let found = asserted(
        "import time\nimport time_machine\n\n\ndef test():\n    with time_machine.travel(0, tick=True) as clock:\n        time.sleep(5)\n        assert cache.expired  # fails\n",
    );
    assert!(
        !matches!(found.first(), Some(Answer::Tried(_))),
        "{found:?}"
    );
}

#[test]
fn a_limit_of_the_tests_own_on_a_primitive_is_raised() {
    let found = answers(
        "import queue\nimport app\n\n\ndef test():\n    q = queue.Queue()\n    app.start(q)\n    assert q.get(timeout=0.01) == 1  # fails\n",
        "_queue.Empty: ",
        &["/usr/lib/python3.11/queue.py"],
    );
    assert!(
        matches!(found.as_slice(), [Answer::Proposed(text)] if text.contains("q.get(timeout=10.0)")),
        "{found:?}"
    );
    let found = asserted(
        "import threading\nimport app\n\n\ndef test():\n    done = threading.Event()\n    app.start(done.set)\n    assert done.wait(0.05)  # fails\n",
    );
    assert!(
        matches!(found.as_slice(), [Answer::Proposed(text)] if text.contains("done.wait(10.0)")),
        "{found:?}"
    );
}

#[test]
fn a_limit_that_the_product_gets_or_that_the_test_is_about_is_left_alone() {
    // The product's own wait: the primitive was not called by the test.
    let found = answers(
        "import app\n\n\ndef test():\n    assert app.fetch(timeout=0.01) == 1  # fails\n",
        "_queue.Empty: ",
        &["app.py", "/usr/lib/python3.11/queue.py"],
    );
    assert_eq!(found, []);
    let found = answers(
        "import queue\n\n\ndef test_timeout():\n    assert q.get(timeout=0.01) == 1  # fails\n",
        "_queue.Empty: ",
        &["/usr/lib/python3.11/queue.py"],
    );
    refused(&found, "the duration is what is tested");
    let found = asserted("import app\n\n\ndef test():\n    assert app.Job().wait(0.05)  # fails\n");
    assert_eq!(found, []);
}
