use super::*;
use crate::case::Installed;
use crate::failure::{Compared, Compiled, Span};
use crate::strategies::fake::{Files, Index, case};

const PRODUCT: &str = "pub struct Cart;\n\npub fn price(n: u32) -> u32 {\n    n * 3\n}\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn doubles() {\n        assert_eq!(super::price(2), 4);\n    }\n}\n";
const MANIFEST: &str = "[package]\nname = \"my-shop\"\n";

fn leans(failure: Failure) -> Leaning {
    let tree = Files::new(&[
        ("Cargo.toml", MANIFEST),
        ("src/lib.rs", PRODUCT),
        (
            "tests/price.rs",
            "#[test]\nfn doubles() {\n    let n = my_shop::price(2);\n    assert_eq!(n, 4);\n}\n",
        ),
    ]);
    let (installed, index) = (Installed::default(), Index::default());
    diagnose(&case(&[failure], &tree, &installed, &index))
        .expect("a diagnosis")
        .leaning
}

fn refused(failure: Failure) -> String {
    match leans(failure) {
        Leaning::Refuse(reason) => reason,
        other => panic!("{other:?}"),
    }
}

fn frame(path: &str, line: u32) -> Frame {
    Frame {
        path: path.to_owned(),
        line,
        function: String::new(),
    }
}

fn asserts(path: &str, line: u32) -> Failure {
    Failure {
        test: Some(format!("{path}::doubles")),
        exception: Some("assertion".to_owned()),
        message: "assertion `left == right` failed\n  left: 6\n right: 4".to_owned(),
        frames: vec![frame(path, line)],
        compared: Some(Compared {
            actual: "6".to_owned(),
            expected: "4".to_owned(),
            by: "left == right".to_owned(),
        }),
        ..Failure::default()
    }
}

#[test]
fn an_assertion_is_refused_with_both_values_and_the_function_they_come_from() {
    for (path, line) in [("tests/price.rs", 4), ("src/lib.rs", 11)] {
        let reason = refused(asserts(path, line));
        for part in [
            format!("{path}:{line}"),
            "left is 6, right is 4".to_owned(),
            "`price` (src/lib.rs:3)".to_owned(),
        ] {
            assert!(reason.contains(&part), "{part} in {reason}");
        }
    }
}

#[test]
fn what_the_project_lost_of_itself_is_refused() {
    let lost = |code: &str, message: &str| {
        refused(Failure {
            phase: Phase::Collection,
            code: Some(code.to_owned()),
            message: message.to_owned(),
            compiled: Some(Compiled {
                spans: vec![Span::default()],
                ..Compiled::default()
            }),
            ..Failure::default()
        })
    };
    let function = lost("E0425", "cannot find function `total` in crate `my_shop`");
    assert!(function.contains("`my_shop` has no `total`"), "{function}");
    let method = lost(
        "E0599",
        "no method named `total` found for struct `Cart` in the current scope",
    );
    assert!(method.contains("`Cart` (src/lib.rs:1)"), "{method}");
}

#[test]
fn a_product_that_does_not_compile_or_no_longer_fits_its_test_is_refused() {
    let at = |path: &str, line: u32, bytes: usize| Span {
        path: path.to_owned(),
        bytes: bytes..bytes + 1,
        line,
        ..Span::default()
    };
    let failing = |spans: Vec<Span>| Failure {
        phase: Phase::Collection,
        code: Some("E0308".to_owned()),
        message: "mismatched types".to_owned(),
        frames: vec![frame(&spans[0].path, spans[0].line)],
        compiled: Some(Compiled {
            spans,
            ..Compiled::default()
        }),
        ..Failure::default()
    };
    let product = PRODUCT.find("n * 3").expect("a place");
    let broken = refused(failing(vec![at("src/lib.rs", 4, product)]));
    assert!(broken.contains("does not compile"), "{broken}");
    let signature = failing(vec![
        at("tests/price.rs", 3, 40),
        at("src/lib.rs", 3, PRODUCT.find("price").expect("a place")),
    ]);
    let apart = refused(signature);
    assert!(
        apart.contains("no longer fit") && apart.contains("src/lib.rs:3"),
        "{apart}"
    );
    let calls_the_product = refused(failing(vec![at("tests/price.rs", 3, 40)]));
    assert!(
        calls_the_product.contains("src/lib.rs:3"),
        "{calls_the_product}"
    );
    let test_alone = failing(vec![at("tests/price.rs", 4, 60)]);
    assert_eq!(leans(test_alone), Leaning::Heal);
}

#[test]
fn a_variable_that_the_product_reads_is_refused_and_one_that_a_test_reads_is_open() {
    let reads = |path: &str, line: u32| Failure {
        test: Some("tests/price.rs::doubles".to_owned()),
        exception: Some("panic".to_owned()),
        message: "called `Result::unwrap()` on an `Err` value: NotPresent".to_owned(),
        frames: vec![frame(path, line)],
        ..Failure::default()
    };
    assert!(refused(reads("src/lib.rs", 4)).contains("src/lib.rs:4"));
    assert_eq!(leans(reads("tests/price.rs", 3)), Leaning::Open);
}
