//! What is read out of the texts that real runners printed.

use maestro_triage::Failure;
use maestro_triage::failure::Language;

macro_rules! text {
    ($name:literal) => {
        include_str!(concat!("texts/", $name, ".txt"))
    };
}

/// Exception, what it says, and the project's frames as `file function`.
fn read(trace: &str) -> (Option<String>, String, Vec<String>, Option<Language>) {
    let Failure {
        exception,
        says,
        frames,
        language,
    } = Failure::read("", Some(trace));
    let frames = frames
        .into_iter()
        .map(|frame| {
            format!("{} {}", frame.file, frame.function)
                .trim()
                .to_owned()
        })
        .collect();
    (exception, says, frames, language)
}

#[track_caller]
fn is_read_as(trace: &str, exception: &str, says: &str, frames: &[&str], language: Language) {
    let seen = read(trace);
    assert_eq!(seen.0.as_deref(), Some(exception));
    assert_eq!(seen.1, says);
    assert_eq!(seen.2, frames);
    assert_eq!(seen.3, Some(language));
}

#[test]
fn pytest_in_its_long_style() {
    is_read_as(
        text!("pytest-long"),
        "ValueError",
        "no items in <shop.cart.Cart object at 0x7fd51b457f90>",
        &[
            "tests/test_cart.py test_total",
            "shop/cart.py total",
            "shop/cart.py _sum",
        ],
        Language::Python,
    );
    is_read_as(
        text!("pytest-long-assert"),
        "AssertionError",
        "assert 0 == 3",
        &["tests/test_cart.py test_len"],
        Language::Python,
    );
}

#[test]
fn pytest_in_its_short_style() {
    is_read_as(
        text!("pytest-short"),
        "ValueError",
        "no items in <shop.cart.Cart object at 0x7f8c16c561d0>",
        &[
            "tests/test_cart.py test_total",
            "shop/cart.py total",
            "shop/cart.py _sum",
        ],
        Language::Python,
    );
    is_read_as(
        text!("pytest-short-library"),
        "JSONDecodeError",
        "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
        &["tests/test_cart.py test_json"],
        Language::Python,
    );
}

#[test]
fn pytest_that_cannot_collect() {
    is_read_as(
        text!("pytest-collect-missing"),
        "ModuleNotFoundError",
        "No module named 'nose'",
        &["tests/test_missing.py <module>"],
        Language::Python,
    );
    is_read_as(
        text!("pytest-collect-syntax"),
        "SyntaxError",
        "Missing parentheses in call to 'print'. Did you mean print(...)?",
        &["/tmp/shop/tests/test_syn.py"],
        Language::Python,
    );
}

#[test]
fn unittest() {
    is_read_as(
        text!("unittest"),
        "ValueError",
        "no items in <shop.cart.Cart object at 0x7fc8f9951790>",
        &[
            "/tmp/shop/tests/test_cart.py test_u",
            "/tmp/shop/shop/cart.py total",
            "/tmp/shop/shop/cart.py _sum",
        ],
        Language::Python,
    );
    is_read_as(
        text!("unittest-import"),
        "ImportError",
        "cannot import name 'Mapping' from 'collections' (/home/ci/.pyenv/versions/3.11.7/lib/python3.11/collections/__init__.py)",
        &["/tmp/shop/tests/test_old.py <module>"],
        Language::Python,
    );
}

#[test]
fn node() {
    is_read_as(
        text!("node-tap"),
        "TypeError",
        "",
        &[
            "file:///srv/cart/cart.test.mjs TestContext.<anonymous>",
            "file:///srv/cart/cart.test.mjs total",
        ],
        Language::Node,
    );
    is_read_as(
        text!("node-missing"),
        "Error",
        "Cannot find module './nope'",
        &["/srv/cart/miss.cjs Object.<anonymous>"],
        Language::Node,
    );
}

#[test]
fn cargo() {
    is_read_as(
        text!("cargo-panic"),
        "panic",
        "assertion `left == right` failed",
        &["src/cart.rs", "./src/cart.rs shop::tests::total"],
        Language::Rust,
    );
    is_read_as(
        text!("cargo-compile"),
        "E0425",
        "cannot find value `items` in this scope",
        &["src/cart.rs"],
        Language::Rust,
    );
}

#[test]
fn a_text_without_any_of_it_is_its_first_line() {
    let failure = Failure::read("\n  it broke \nbadly", None);
    assert_eq!(failure.says, "it broke");
    assert_eq!(failure.exception, None);
    assert_eq!(failure.language, None);
}

#[test]
fn an_exception_in_the_message_alone_is_read_too() {
    let failure = Failure::read("ModuleNotFoundError: No module named 'nose'", None);
    assert_eq!(failure.exception.as_deref(), Some("ModuleNotFoundError"));
    assert_eq!(failure.language, Some(Language::Python));
}

#[test]
fn how_deep_a_recursion_went_makes_no_difference() {
    let recursion = |depth: usize| {
        let inner = "  File \"/srv/shop/tree.py\", line 4, in walk\n    walk(node)\n".repeat(depth);
        let outer = "  File \"/srv/shop/main.py\", line 9, in main\n    walk(tree)\n";
        let says = "RecursionError: maximum recursion depth exceeded";
        read(&format!(
            "Traceback (most recent call last):\n{outer}{inner}{says}\n"
        ))
    };
    assert_eq!(recursion(3), recursion(900));
    assert_eq!(
        recursion(3).2,
        ["/srv/shop/main.py main", "/srv/shop/tree.py walk"]
    );
}

#[test]
fn a_text_made_to_be_slow_is_read_all_the_same() {
    for piece in [
        "/a",
        "a:",
        "E ",
        "0x",
        " at (",
        "\n  File \"",
        "thread 'x' panicked at '",
        "1.1.1.",
        "a.py:1:\n",
        "-",
    ] {
        let text = piece.repeat(900_000 / piece.len());
        let started = std::time::Instant::now();
        let failure = Failure::read(&text, Some(&text));
        assert!(failure.frames.len() <= 64);
        // Unoptimised code on a busy machine takes some hundred milliseconds; a quadratic pattern would take minutes.
        assert!(
            started.elapsed().as_secs() < 30,
            "{piece:?} took {:?}",
            started.elapsed()
        );
    }
}
