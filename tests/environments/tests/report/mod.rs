//! A log as `maestro-entry` leaves it: what the tests printed, then their JUnit report as a block.

use maestro_entry::block::{Nonce, write};

/// One test that passed and one that failed.
pub(crate) const JUNIT: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" errors="0" failures="1" skipped="0" tests="2" time="0.05">
<testcase classname="tests.test_cart" name="test_empty" file="tests/test_cart.py" line="3" time="0.001"/>
<testcase classname="tests.test_cart" name="test_total" file="tests/test_cart.py" line="9" time="0.002">
<failure message="assert 3 == 4">def test_total():
&gt;       assert total([1, 2]) == 4
E       assert 3 == 4

tests/test_cart.py:11: AssertionError</failure></testcase>
</testsuite></testsuites>
"#;

/// What was printed, and this report.
pub(crate) fn log(printed: &str, report: &str) -> Vec<u8> {
    let mut log = printed.as_bytes().to_vec();
    write(report.as_bytes(), Nonce::random(), &mut log).expect("a block");
    log
}
