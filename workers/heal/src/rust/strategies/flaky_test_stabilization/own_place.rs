//! Tests that write to one place, because their own code names it, get one each: the directory or file below the system's
//! temporary directory has the test's name behind its own. What the product makes of a place that another caller uses as well,
//! the tests no longer show by accident, so that a person judges it.

use tree_sitter::Node;

use super::turns::Module;
use crate::case::{Case, Edit};
use crate::rust::reach::product;
use crate::rust::source::Source;
use crate::source::descendants;
use crate::source::edit::{Splice, apply};

/// Why a person judges it.
pub(super) const DOUBT: &str = "whether the product is made for two callers at one place, or for what it finds there, is no longer seen by it";

/// The place that the victim and others name, and the file in which each test has one of its own.
pub(super) fn edit(case: &Case<'_>, module: &Module, others: &[&str]) -> Option<(String, Edit)> {
    let (path, source) = module.file();
    let victim = module.victim()?;
    let named: Vec<&str> = places(source, victim)
        .map(|place| source.slice(place))
        .collect();
    let shared = module
        .others(others)
        .flat_map(|other| places(source, other))
        .map(|place| source.slice(place))
        .find(|place| named.contains(place))?;
    // A place that the product knows is the product's.
    let is_the_products = product(case.tree).any(|file| {
        file.nodes().any(|node| {
            let said = match node.kind() {
                "string_literal" => file.slice(node) == shared,
                "identifier" => file.slice(node) == "temp_dir",
                _ => false,
            };
            said && !file.is_in_test(node.start_byte())
        })
    });
    if is_the_products {
        return None;
    }
    let splices: Vec<Splice> = module
        .all()
        .flat_map(|(test, name)| places(source, test).map(move |place| (place, name)))
        .filter(|(place, _)| source.slice(*place) == shared)
        .map(|(place, name)| {
            let text = shared.trim_end_matches('"');
            let (stem, ending) = match text.rsplit_once('.') {
                Some((stem, ending)) if !stem.ends_with('"') => (stem, format!(".{ending}")),
                _ => (text, String::new()),
            };
            Splice::replace(place.byte_range(), format!("{stem}-{name}{ending}\""))
        })
        .collect();
    Some((
        shared.trim_matches('"').to_owned(),
        Edit {
            path: path.to_owned(),
            text: apply(source.text(), &splices)?,
        },
    ))
}

/// The literals behind `temp_dir().join(…)` in a test.
fn places<'s>(source: &'s Source, test: Node<'s>) -> impl Iterator<Item = Node<'s>> {
    descendants(test)
        .filter(|node| node.kind() == "call_expression")
        .filter_map(|call| {
            let function = call.child_by_field_name("function")?;
            let of = source.slice(function.child_by_field_name("value")?);
            let joins = source.slice(function.child_by_field_name("field")?) == "join";
            let place = call.child_by_field_name("arguments")?.named_child(0)?;
            (joins && of.ends_with("temp_dir()") && place.kind() == "string_literal")
                .then_some(place)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Installed;
    use crate::strategies::fake::{Files, Index, case};

    const TESTS: &str = "use own::Store;\n\n#[test]\nfn begins_empty() {\n    let place = std::env::temp_dir().join(\"own-store\");\n    assert_eq!(Store::open(&place).len(), 0);\n}\n\n#[test]\nfn keeps() {\n    let place = std::env::temp_dir().join(\"own-store\");\n    Store::open(&place).put(1);\n}\n\n#[test]\nfn elsewhere() {\n    let place = std::env::temp_dir().join(\"own-other.txt\");\n}\n";

    fn edited(product: &str, tests: &str) -> Option<String> {
        let tree = Files::new(&[("src/lib.rs", product), ("tests/store.rs", tests)]);
        let (index, installed) = (Index::default(), Installed::default());
        let case = case(&[], &tree, &installed, &index);
        let module = Module::of(&case, "tests/store.rs::begins_empty")?;
        Some(edit(&case, &module, &["tests/store.rs::keeps"])?.1.text)
    }

    #[test]
    fn tests_that_name_one_place_get_one_each_and_others_keep_theirs() {
        let expected = TESTS
            .replacen("own-store", "own-store-begins_empty", 1)
            .replacen("\"own-store\"", "\"own-store-keeps\"", 1);
        assert_eq!(edited("pub fn a() {}\n", TESTS), Some(expected));
        let file = TESTS.replace("own-store", "own.store.db");
        let text = edited("pub fn a() {}\n", &file).unwrap();
        assert!(text.contains("\"own.store-keeps.db\""), "{text}");
    }

    #[test]
    fn a_place_that_the_product_names_or_that_nobody_shares_stays() {
        for product in [
            "pub fn a() -> &'static str {\n    \"own-store\"\n}\n",
            "pub fn a() -> std::path::PathBuf {\n    std::env::temp_dir()\n}\n",
        ] {
            assert_eq!(edited(product, TESTS), None, "{product}");
        }
        let apart = TESTS.replacen("own-store", "own-shelf", 1);
        assert_eq!(edited("pub fn a() {}\n", &apart), None);
    }
}
