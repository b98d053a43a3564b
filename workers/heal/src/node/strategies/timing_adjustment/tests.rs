use super::*;
use crate::case::Installed;
use crate::failure::Compared;
use crate::strategies::fake::{Answer, Files, Index, case, refused};

const PRODUCT: &str = "class Worker {\n  isDone() {\n    return this.done;\n  }\n  next() {\n    this.at += 1;\n    return this.at;\n  }\n}\nclass Cache {\n  constructor(size, ttl) {\n    this.ttl = ttl;\n  }\n}\nmodule.exports = { Worker, Cache };\n";

/// Answers to a failure of this class and text at the line of the test that ends with `// fails`.
fn answers(test: &str, message: &str, installed: &[(&str, &str)]) -> Vec<Answer> {
    let line = (1..)
        .zip(test.lines())
        .find_map(|(line, text)| text.ends_with("// fails").then_some(line));
    let files = Files::new(&[
        ("test/a.test.js", test),
        ("lib/work.js", PRODUCT),
        (
            "test/naps.js",
            "exports.nap = (ms) => new Promise((done) => setTimeout(done, ms));\nexports.work = (ms) => run(ms);\n",
        ),
    ]);
    let failure = Failure {
        test: Some("test/a.test.js::t".to_owned()),
        message: message.to_owned(),
        compared: line.map(|_| Compared::default()),
        frames: line
            .map(|line| crate::failure::Frame {
                path: "test/a.test.js".to_owned(),
                line,
                function: String::new(),
            })
            .into_iter()
            .collect(),
        ..Failure::default()
    };
    let (index, installed) = (
        Index::default(),
        Installed {
            node: (20, 0),
            distributions: installed
                .iter()
                .map(|(name, version)| ((*name).to_owned(), (*version).to_owned()))
                .collect(),
            ..Installed::default()
        },
    );
    Answer::of(
        &TimingAdjustment,
        &case(&[failure], &files, &installed, &index),
    )
}

/// Answers to a failed assertion in the body of a test of Node's own runner.
fn of_body(body: &str) -> Vec<Answer> {
    answers(
        &format!(
            "const test = require('node:test');\nconst sleep = (ms) => new Promise((done) => setTimeout(done, ms));\n\ntest('t', async () => {{\n{body}}});\n"
        ),
        "",
        &[],
    )
}

#[track_caller]
fn proposed(found: &[Answer], part: &str) {
    assert!(
        matches!(found, [Answer::Proposed(text)] if text.contains(part)),
        "{part}: {found:?}"
    );
}

#[test]
fn before_its_sleep_the_test_waits_for_what_it_asserts() {
    let found = of_body(
        "  const worker = start();\n  await sleep(50);\n  assert.ok(worker.ready);\n  assert.ok(worker.done); // fails\n",
    );
    proposed(
        &found,
        "  const worker = start();\n  const deadline = performance.now() + 5000;\n  while (!(worker.done) && performance.now() < deadline) {\n    await sleep(10);\n  }\n  await sleep(50);\n  assert.ok(worker.ready);\n  assert.ok(worker.done); // fails\n",
    );
}

#[test]
fn every_form_of_a_sleep_is_known_and_kept_in_the_tests_own_words() {
    for (head, sleep, pause) in [
        (
            "const { setTimeout: later } = require('node:timers/promises');\n",
            "await later(50)",
            "await later(10);",
        ),
        (
            "const timers = require('timers/promises');\n",
            "await timers.setTimeout(50)",
            "await timers.setTimeout(10);",
        ),
        (
            "",
            "await new Promise((r) => setTimeout(r, 50))",
            "await new Promise((r) => setTimeout(r, 10));",
        ),
        (
            "",
            "await new Promise((r) => { setTimeout(() => r(), 50); })",
            "setTimeout(() => r(), 10); });",
        ),
        (
            "function pause(time) {\n  return new Promise((r) => setTimeout(r, time));\n}\n",
            "await pause(50)",
            "await pause(10);",
        ),
        (
            "const pause = require('util').promisify(setTimeout);\n",
            "await nothing(50)",
            "",
        ),
        (
            "const pause = promisify(setTimeout);\n",
            "await pause(50)",
            "await pause(10);",
        ),
        (
            "const { nap } = require('./naps');\n",
            "await nap(50)",
            "await nap(10);",
        ),
        (
            "const { work } = require('./naps');\n",
            "await work(50)",
            "",
        ),
        (
            "",
            "await new Promise((r) => { begin(); setTimeout(r, 50); })",
            "",
        ),
    ] {
        let found = answers(
            &format!(
                "{head}test('t', async () => {{\n  {sleep};\n  expect(jobs.length).toBe(2); // fails\n}});\n"
            ),
            "",
            &[("jest", "29.7.0")],
        );
        if pause.is_empty() {
            assert_eq!(found, [], "{sleep}");
        } else {
            proposed(&found, pause);
        }
    }
}

#[test]
fn what_runners_assert_with_is_a_condition() {
    for (claim, condition) in [
        ("assert(worker.done)", "!(worker.done)"),
        ("assert.strictEqual(seen.length, 2)", "!(seen.length === 2)"),
        (
            "assert.deepStrictEqual(seen, ['a'])",
            "!(JSON.stringify(seen) === JSON.stringify(['a']))",
        ),
        ("t.assert.match(log, /done/)", "!(/done/.test(log))"),
        (
            "expect(worker.state).toBe('idle')",
            "!(worker.state === 'idle')",
        ),
        ("expect(seen).not.toContain(3)", "!(!(seen.includes(3)))"),
        ("expect(seen).toHaveLength(3)", "!(seen.length === 3)"),
        (
            "expect(spy).toHaveBeenCalledTimes(2)",
            "!(spy.mock.calls.length === 2)",
        ),
        (
            "expect(worker.isDone()).toBe(true)",
            "!(worker.isDone() === true)",
        ),
        ("expect(worker.done).to.be.true", "!(worker.done === true)"),
        ("expect(seen).to.deep.equal([1])", "JSON.stringify([1])"),
        ("expect(seen).to.have.lengthOf(1)", "!(seen.length === 1)"),
    ] {
        let found = of_body(&format!("  await sleep(50);\n  {claim}; // fails\n"));
        proposed(&found, condition);
    }
}

#[test]
fn a_condition_that_takes_something_is_not_asked_again() {
    for claim in [
        "assert.equal(worker.next(), 1)",
        "assert.equal(queue.shift(), 1)",
        "assert.equal(await worker.result(), 1)",
        "assert.equal(at++, 1)",
        "assert.equal(1, 2)",
        "expect(worker.took).toBeLessThan(2)",
    ] {
        let found = of_body(&format!("  await sleep(50);\n  {claim}; // fails\n"));
        assert_eq!(found, [], "{claim}");
    }
}

#[test]
fn an_assertion_without_a_sleep_right_before_it_is_not_a_matter_of_time() {
    assert_eq!(of_body("  assert(worker.done); // fails\n"), []);
    assert_eq!(
        of_body("  await sleep(50);\n  worker.finish();\n  assert(worker.done); // fails\n"),
        []
    );
}

#[test]
fn a_product_that_had_more_time_than_it_was_given_is_late() {
    for given in [
        "const cache = new Cache({ ttl: 20 })",
        "const cache = new Cache(500, 20)",
        "const cache = debounce(() => {}, 20)",
    ] {
        let found = of_body(&format!(
            "  {given};\n  await sleep(50);\n  assert.equal(cache.size, 0); // fails\n"
        ));
        refused(&found, "the product is late");
    }
    // A count is no time, and a sleep below what was given was never long enough.
    for given in [
        "const cache = new Cache(20)",
        "const cache = new Cache({ ttl: 200 })",
    ] {
        let found = of_body(&format!(
            "  {given};\n  await sleep(50);\n  assert.equal(cache.size, 0); // fails\n"
        ));
        proposed(&found, "cache.size === 0");
    }
}

#[test]
fn what_a_test_is_about_by_its_title_is_not_given_more_time() {
    for title in [
        "times out",
        "is fast",
        "the answer comes within 50 ms",
        "after 50 ms all is done",
    ] {
        let found = answers(
            &format!(
                "test('{title}', async () => {{\n  await new Promise((r) => setTimeout(r, 50));\n  expect(worker.done).toBe(true); // fails\n}});\n"
            ),
            "",
            &[],
        );
        refused(&found, "the duration is what is tested");
    }
}

#[test]
fn the_wait_ends_before_the_runners_own_limit() {
    let test = "it('t', async () => {\n  await new Promise((r) => setTimeout(r, 100));\n  expect(worker.done).to.be.true; // fails\n});\n";
    proposed(&answers(test, "", &[("mocha", "10.0.0")]), "+ 1600;");
    proposed(&answers(test, "", &[("jest", "29.0.0")]), "+ 4300;");
    let long = test.replace("100", "1500");
    assert_eq!(answers(&long, "", &[("mocha", "10.0.0")]), []);
}

#[test]
fn a_bound_of_a_measured_duration_is_never_moved() {
    for (before, bound) in [
        ("  const took = Date.now() - start;\n", "assert(took < 500)"),
        (
            "  const took = Date.now() - start;\n",
            "assert(took >= 500)",
        ),
        ("", "expect(performance.now() - start).toBeLessThan(100)"),
        (
            "  const took = Date.now() - start;\n",
            "assert(Math.abs(took - 200) < 50)",
        ),
        (
            "  const [s] = process.hrtime(begin);\n  const took = process.hrtime(begin)[1];\n",
            "assert(Math.abs(took - 200) < 1)",
        ),
    ] {
        let found = of_body(&format!(
            "  const start = Date.now();\n  await sleep(100);\n{before}  {bound}; // fails\n"
        ));
        assert!(
            matches!(found.as_slice(), [Answer::Refused(_)]),
            "{bound}: {found:?}"
        );
    }
}

#[test]
fn a_tolerance_that_no_machine_keeps_is_widened_and_a_person_judges() {
    for (claim, repaired) in [
        ("assert(Math.abs(took - 400) < 1)", "< 100)"),
        (
            "expect(Math.abs(took - 400)).toBeLessThan(0.5)",
            "toBeLessThan(100)",
        ),
        ("expect(took).to.be.closeTo(2000, 1)", "closeTo(2000, 200)"),
        ("assert.approximately(took, 80, 2)", "80, 20)"),
    ] {
        let found = of_body(&format!(
            "  const start = Date.now();\n  await run();\n  const took = Date.now() - start;\n  {claim}; // fails\n"
        ));
        proposed(&found, repaired);
    }
}

#[test]
fn fake_timers_are_moved_in_place_of_a_sleep_that_never_ends() {
    let hanging = "thrown: \"Exceeded timeout of 5000 ms for a test.";
    for (test, installed, repaired) in [
        (
            "beforeEach(() => { jest.useFakeTimers(); });\ntest('t', async () => {\n  await new Promise((r) => setTimeout(r, 50));\n  expect(done).toBe(true);\n});\n",
            ("jest", "29.7.0"),
            "  await jest.advanceTimersByTimeAsync(50);\n",
        ),
        (
            "test('t', async () => {\n  jest.useFakeTimers();\n  await new Promise((r) => setTimeout(r, 50));\n});\n",
            ("jest", "28.0.0"),
            "  jest.advanceTimersByTime(50);\n",
        ),
        (
            "test('t', async () => {\n  vi.useFakeTimers();\n  await new Promise((r) => setTimeout(r, 50));\n});\n",
            ("vitest", "2.0.0"),
            "  await vi.advanceTimersByTimeAsync(50);\n",
        ),
        (
            "test('t', async () => {\n  const clock = sinon.useFakeTimers();\n  await new Promise((r) => setTimeout(r, 50));\n});\n",
            ("sinon", "17.0.0"),
            "  await clock.tickAsync(50);\n",
        ),
        (
            "test('t', async (t) => {\n  t.mock.timers.enable({ apis: ['setTimeout'] });\n  await new Promise((r) => setTimeout(r, 50));\n});\n",
            ("none", "1.0.0"),
            "  t.mock.timers.tick(50);\n",
        ),
    ] {
        let found = answers(test, hanging, &[installed]);
        assert!(
            matches!(found.as_slice(), [Answer::Tried(text)] if text.contains(repaired)),
            "{repaired}: {found:?}"
        );
    }
    for test in [
        // The timers of another test, real ones again, and none at all.
        "test('u', () => { jest.useFakeTimers(); });\ntest('t', async () => {\n  await new Promise((r) => setTimeout(r, 50));\n});\n",
        "test('t', async () => {\n  jest.useFakeTimers();\n  jest.useRealTimers();\n  await new Promise((r) => setTimeout(r, 50));\n});\n",
        "test('t', async () => {\n  await new Promise((r) => setTimeout(r, 50));\n});\n",
    ] {
        assert_eq!(answers(test, hanging, &[("jest", "29.7.0")]), [], "{test}");
    }
}

#[test]
fn a_clock_that_stands_still_while_the_test_sleeps_is_moved() {
    let found = answers(
        "test('t', async () => {\n  const clock = sinon.useFakeTimers({ toFake: ['Date'] });\n  await new Promise((r) => setTimeout(r, 50));\n  expect(cache.size).to.equal(0); // fails\n});\n",
        "",
        &[("mocha", "10.0.0")],
    );
    assert!(
        matches!(found.as_slice(), [Answer::Tried(text)] if text.contains("  await clock.tickAsync(50);\n")),
        "{found:?}"
    );
}
