//! Each cause on real syntax trees: what is offered, and what is left to a person.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::case::Installed;
use crate::conditions::Conditions;
use crate::failure::{Failure, Phase};
use crate::strategies::fake::{Files, Index, failure};

const VICTIM: &str = "test_a.py::test_victim";
const OTHER: &str = "test_a.py::test_other";

fn unsteady(cause: Cause, lines: &[(&str, &[u32])]) -> Unsteady {
    Unsteady {
        victim: VICTIM.to_owned(),
        failing: Conditions::default(),
        cause,
        lines: lines
            .iter()
            .map(|(path, lines)| ((*path).to_owned(), lines.iter().copied().collect()))
            .collect::<BTreeMap<String, BTreeSet<u32>>>(),
    }
}

fn change(kind: &str, owner: &str, name: &str, how: &str, shape: &str, path: &str) -> Change {
    Change {
        kind: kind.to_owned(),
        owner: owner.to_owned(),
        name: name.to_owned(),
        how: how.to_owned(),
        shape: shape.to_owned(),
        closer: String::new(),
        path: path.to_owned(),
    }
}

fn left(changes: Vec<Change>) -> Vec<Left> {
    vec![Left {
        test: OTHER.to_owned(),
        passed: true,
        changes,
    }]
}

fn examine(files: &[(&str, &str)], failures: &[Failure], unsteady: &Unsteady) -> Vec<Finding> {
    let tree = Files::new(files);
    FlakyTestStabilization.examine(&Case {
        failures,
        tree: &tree,
        installed: &Installed::default(),
        index: &Index::default(),
        past: &crate::past::NoPast,
        unsteady: Some(unsteady),
    })
}

fn polluted_by(files: &[(&str, &str)], changes: Vec<Change>) -> Vec<Finding> {
    examine(files, &[], &unsteady(Cause::Polluted(left(changes)), &[]))
}

fn text(finding: &Finding) -> &str {
    match finding {
        Finding::Try(candidate) | Finding::Propose(candidate, _) => &candidate.edits[0].text,
        other => panic!("{other:?}"),
    }
}

fn refusal(findings: &[Finding]) -> &str {
    match findings {
        [Finding::Refuse(reason)] => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn without_a_flaky_test_there_is_nothing_to_say() {
    let tree = Files::new(&[]);
    let found = FlakyTestStabilization.examine(&Case {
        failures: &[],
        tree: &tree,
        installed: &Installed::default(),
        index: &Index::default(),
        past: &crate::past::NoPast,
        unsteady: None,
    });
    assert_eq!(found, []);
}

#[test]
fn a_setting_that_a_test_assigns_is_given_back_by_a_fixture() {
    let test = "from app import settings\n\n\ndef test_other():\n    settings.DEBUG = True\n\n\ndef test_victim():\n    assert not settings.DEBUG\n";
    let found = polluted_by(
        &[("test_a.py", test), ("app/settings.py", "DEBUG = False\n")],
        vec![change(
            "attribute",
            "app.settings",
            "DEBUG",
            "rebound",
            "bool",
            "app/settings.py",
        )],
    );
    assert!(matches!(found.as_slice(), [Finding::Try(_)]), "{found:?}");
    let expected = "import pytest\nfrom app import settings\n\n\n@pytest.fixture(autouse=True)\ndef state_is_given_back():\n    \"\"\"Gives back what a test changes: `app.settings.DEBUG`.\"\"\"\n    debug_before = settings.DEBUG\n    yield\n    settings.DEBUG = debug_before\n\n\ndef test_other():";
    assert!(text(&found[0]).starts_with(expected), "{}", text(&found[0]));
    assert!(
        text(&found[0]).ends_with(test.split_once("import settings\n").unwrap().1.trim_start())
    );
}

#[test]
fn a_container_is_filled_again_as_it_was_and_only_then_deeper() {
    let test = "import app\n\n\ndef test_other():\n    app.TABLE['x'] = 1\n\n\ndef test_victim():\n    assert not app.TABLE\n";
    let found = polluted_by(
        &[("test_a.py", test), ("app.py", "TABLE = {}\n")],
        vec![change(
            "attribute",
            "app",
            "TABLE",
            "changed",
            "dict",
            "app.py",
        )],
    );
    assert_eq!(found.len(), 2);
    assert!(text(&found[0]).contains("    table_before = copy.copy(app.TABLE)\n    yield\n    app.TABLE.clear()\n    app.TABLE.update(table_before)\n"));
    assert!(text(&found[1]).contains("copy.deepcopy(app.TABLE)"));
}

#[test]
fn a_global_of_the_tests_own_file_is_bound_again_and_what_it_held_is_closed() {
    let test = "SERVER = None\n\n\ndef test_other():\n    global SERVER\n    SERVER = listen()\n\n\ndef test_victim():\n    listen()\n";
    let mut server = change(
        "attribute",
        "test_a",
        "SERVER",
        "rebound",
        "NoneType",
        "test_a.py",
    );
    server.closer = "close".to_owned();
    let found = polluted_by(&[("test_a.py", test)], vec![server]);
    assert!(text(&found[0]).contains("    global SERVER\n    server_before = SERVER\n    yield\n    if SERVER is not server_before:\n        SERVER.close()\n    SERVER = server_before\n"), "{}", text(&found[0]));
}

#[test]
fn a_test_of_unittest_cleans_up_after_itself() {
    let test = "import os\nimport unittest\n\n\nclass T(unittest.TestCase):\n    def test_other(self):\n        \"\"\"Sets it.\"\"\"\n        os.environ['A'] = '1'\n\n    def test_victim(self):\n        self.assertNotIn('A', os.environ)\n";
    let cause = Cause::Polluted(vec![Left {
        test: "test_a.T.test_other".to_owned(),
        passed: true,
        changes: vec![change("variable", "os", "A", "added", "", "")],
    }]);
    let mut unsteady = unsteady(cause, &[]);
    unsteady.victim = "test_a.T.test_victim".to_owned();
    let found = examine(&[("test_a.py", test)], &[], &unsteady);
    assert!(matches!(found[0], Finding::Try(_)));
    assert!(text(&found[0]).contains("\"\"\"Sets it.\"\"\"\n        self.addCleanup(os.environ.update, dict(os.environ))\n        self.addCleanup(os.environ.clear)\n        os.environ['A'] = '1'\n"), "{}", text(&found[0]));
}

#[test]
fn what_the_product_keeps_by_itself_is_for_a_person_to_judge() {
    let test = "import registry\n\n\ndef test_other():\n    registry.register('x')\n\n\ndef test_victim():\n    assert not registry.known()\n";
    let found = polluted_by(
        &[
            ("test_a.py", test),
            (
                "registry.py",
                "KNOWN = []\n\n\ndef register(name):\n    KNOWN.append(name)\n",
            ),
        ],
        vec![change(
            "attribute",
            "registry",
            "KNOWN",
            "changed",
            "list",
            "registry.py",
        )],
    );
    let Finding::Propose(_, doubt) = &found[0] else {
        panic!("{found:?}");
    };
    assert!(
        doubt.contains("belongs to the product (registry.py)"),
        "{doubt}"
    );
}

#[test]
fn what_only_waits_for_the_garbage_collector_is_collected() {
    let test = "import app\n\n\ndef test_other():\n    app.connect(object())\n\n\ndef test_victim():\n    assert not app.TABLE\n";
    let found = polluted_by(
        &[("test_a.py", test), ("app.py", "TABLE = {}\n")],
        vec![change("garbage", "gc", "", "added", "", "")],
    );
    assert!(matches!(found.as_slice(), [Finding::Try(_)]), "{found:?}");
    assert!(text(&found[0]).contains("    yield\n    gc.collect()\n"));
}

#[test]
fn a_memory_of_the_product_is_its_defect_only_where_the_victim_asks_it() {
    let files = [
        (
            "test_a.py",
            "import lang\n\n\ndef test_other():\n    lang.switch('ru')\n\n\ndef test_victim():\n    assert lang.now() == 'en'\n",
        ),
        (
            "lang.py",
            "KNOWN = {}\n\n\ndef switch(name):\n    KNOWN[name] = name\n    return KNOWN[name]\n\n\ndef now():\n    return 'en'\n",
        ),
    ];
    let known = change("attribute", "lang", "KNOWN", "changed", "dict", "lang.py");
    let found = |lines: &[u32]| {
        let cause = Cause::Polluted(left(vec![known.clone()]));
        examine(&files, &[], &unsteady(cause, &[("lang.py", lines)]))
    };
    assert!(refusal(&found(&[5, 6, 10])).contains("`switch` (lang.py:4) remembers"));
    assert!(matches!(found(&[10])[0], Finding::Propose(..)));
}

#[test]
fn a_default_argument_that_grows_is_the_products_defect() {
    let found = polluted_by(
        &[
            ("test_a.py", "def test_other(): pass\n"),
            ("basket.py", "def put(a, to=[]): pass\n"),
        ],
        vec![change(
            "defaults",
            "basket",
            "put",
            "changed",
            "",
            "basket.py",
        )],
    );
    assert!(refusal(&found).contains("one object for all calls"));
}

#[test]
fn an_attribute_that_instances_share_is_the_products_defect() {
    let product = "class Jobs:\n    waiting = []\n\n    def add(self, job):\n        self.waiting.append(job)\n";
    let found = polluted_by(
        &[
            (
                "test_a.py",
                "import jobs\n\ndef test_other():\n    jobs.Jobs().add(1)\n",
            ),
            ("jobs.py", product),
        ],
        vec![change(
            "attribute",
            "jobs",
            "Jobs.waiting",
            "changed",
            "list",
            "jobs.py",
        )],
    );
    assert!(
        refusal(&found).contains("`Jobs.waiting` (jobs.py:5)"),
        "{found:?}"
    );
}

#[test]
fn a_test_that_needs_another_sets_up_by_itself_what_that_left_to_it() {
    let test = "STATE = {}\n\n\ndef test_other():\n    STATE['a'] = 1\n    assert STATE\n    STATE['b'] = 2\n\n\ndef test_victim():\n    assert STATE['a'] == 1\n";
    let cause = Cause::Unset(left(vec![change(
        "attribute",
        "test_a",
        "STATE",
        "changed",
        "dict",
        "test_a.py",
    )]));
    let found = examine(&[("test_a.py", test)], &[], &unsteady(cause, &[]));
    let new = text(&found[0]);
    assert!(matches!(found[0], Finding::Try(_)));
    assert!(
        new.contains("    STATE['a'] = 1\n    yield\n    STATE.clear()\n"),
        "{new}"
    );
    assert!(
        new.contains("@pytest.mark.usefixtures(\"set_up_as_needed\")\ndef test_victim():"),
        "{new}"
    );
}

/// What is said of a test that draws, with its last line as the one that failed.
fn drawn(body: &str, product: &str, lines: &[u32]) -> Vec<Finding> {
    let test = format!("import random\n\nimport product\n\n\ndef test_victim():\n{body}");
    let last = u32::try_from(test.lines().count()).unwrap();
    let failures = [failure(
        Some(VICTIM),
        Phase::Call,
        "AssertionError: assert",
        &[("test_a.py", last)],
    )];
    let files = [("test_a.py", test.as_str()), ("product.py", product)];
    examine(
        &files,
        &failures,
        &unsteady(Cause::Randomness, &[("product.py", lines)]),
    )
}

#[test]
fn a_test_that_draws_for_itself_is_seeded_and_the_generator_given_back() {
    let found = drawn(
        "    cards = random.sample(range(3), 3)\n    assert cards != [0, 1, 2]\n",
        "",
        &[],
    );
    assert!(matches!(found[0], Finding::Try(_)), "{found:?}");
    assert!(text(&found[0]).contains(
        "    state = random.getstate()\n    random.seed(0)\n    yield\n    random.setstate(state)\n"
    ));
    assert!(text(&found[0]).contains("@pytest.mark.usefixtures(\"seeded\")\ndef test_victim():"));
}

#[test]
fn a_seed_never_hides_that_the_product_answers_a_draw_wrongly() {
    let product = "def double(value):\n    return value + 2\n";
    let exact = drawn(
        "    value = random.random()\n    assert product.double(value) == value * 2\n",
        product,
        &[2],
    );
    assert!(refusal(&exact).contains("a seed would only hide that"));
    let bound = drawn(
        "    value = random.random()\n    assert product.double(value) < 3\n",
        product,
        &[2],
    );
    assert!(matches!(bound[0], Finding::Propose(..)), "{bound:?}");
}

#[test]
fn a_product_that_draws_is_never_healed_by_a_seed_in_the_test() {
    let product = "import random\n\n\ndef pick(of):\n    return random.choice(of)\n";
    let found = drawn("    assert product.pick([1, 2]) == 1\n", product, &[5]);
    assert!(
        refusal(&found).contains("draws at product.py:5"),
        "{found:?}"
    );
    let found = drawn("    assert product.pick([1, 2]) != 1\n", product, &[5]);
    assert!(matches!(found[0], Finding::Propose(..)), "{found:?}");
}

fn compared(assertion: &str, product: &str, cause: Cause) -> Vec<Finding> {
    let test =
        format!("import os\n\nimport product\n\n\ndef test_victim():\n    assert {assertion}\n");
    let files = [("test_a.py", test.as_str()), ("product.py", product)];
    examine(&files, &[], &unsteady(cause, &[("product.py", &[2])]))
}

#[test]
fn the_items_of_a_set_are_sorted_on_both_sides() {
    let set = "def tags():\n    return {'a', 'b'}\n";
    let found = compared("list(product.tags()) == ['b', 'a']", set, Cause::HashSeed);
    assert!(text(&found[0]).contains("assert sorted(product.tags()) == sorted(['b', 'a'])"));
    let found = compared("','.join(product.tags()) == 'a,b'", set, Cause::HashSeed);
    assert!(text(&found[0]).contains("','.join(sorted(product.tags())) == 'a,b'"));
    let found = compared(
        "[x for x in product.tags()] == ['a', 'b']",
        set,
        Cause::HashSeed,
    );
    assert!(text(&found[0]).contains("[x for x in sorted(product.tags())]"));
}

#[test]
fn a_list_that_the_product_makes_of_a_set_is_the_products_to_sort() {
    let list = "def tags():\n    return list({'a', 'b'})\n";
    let found = compared("product.tags() == ['a', 'b']", list, Cause::HashSeed);
    assert!(refusal(&found).contains("product.py:2"), "{found:?}");
    let found = compared("list(product.tags()) == ['a', 'b']", list, Cause::HashSeed);
    assert!(refusal(&found).contains("product.py:2"), "{found:?}");
}

#[test]
fn the_entries_of_a_directory_are_sorted_where_the_test_asks_for_them() {
    let found = compared("os.listdir('x') == ['a', 'b']", "", Cause::Listing);
    assert!(text(&found[0]).contains("assert sorted(os.listdir('x')) == ['a', 'b']"));
    let product = "def names():\n    return os.listdir('x')\n";
    let found = compared("product.names() == ['a', 'b']", product, Cause::Listing);
    assert!(refusal(&found).contains("product.py:2"));
}

#[test]
fn no_repair_skips_retries_or_drops_an_assertion() {
    let set = "def tags():\n    return {'a', 'b'}\n";
    let found = compared("list(product.tags()) == ['b', 'a']", set, Cause::HashSeed);
    let new = text(&found[0]);
    assert_eq!(crate::assertions::count(new), 1);
    for word in ["skip", "xfail", "flaky", "rerun", "try:"] {
        assert!(!new.contains(word), "{new}");
    }
}

#[test]
fn a_context_manager_that_leaves_something_changed_is_the_products_defect() {
    // Another test of the file sets the variable by hand; that is not this test's doing.
    let test = "import os\n\nfrom product import variable\n\n\ndef test_other():\n    with variable('A', '1'):\n        assert os.environ['A']\n\n\ndef test_third():\n    os.environ['A'] = '2'\n\n\ndef test_victim():\n    assert 'A' not in os.environ\n";
    let product = "import os\n\n\ndef variable(name, value):\n    os.environ[name] = value\n";
    let changes = vec![change("variable", "os", "A", "added", "", "")];
    let found = polluted_by(
        &[("test_a.py", test), ("product.py", product)],
        changes.clone(),
    );
    assert!(
        refusal(&found).contains("context manager `product.variable`"),
        "{found:?}"
    );
    let called = test.replace("with variable('A', '1'):", "if variable('A', '1') is None:");
    let found = polluted_by(&[("test_a.py", &called), ("product.py", product)], changes);
    let [Finding::Propose(_, doubt)] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert!(
        doubt.contains("the product changes the environment variable `A`"),
        "{doubt}"
    );
}

#[test]
fn an_answer_that_is_given_again_to_another_question_is_the_products_defect() {
    let product = "KNOWN = {}\n\n\ndef length(text):\n    if 'l' not in KNOWN:\n        KNOWN['l'] = len(text)\n    return KNOWN['l']\n";
    let test = "import product\n\n\ndef test_other():\n    product.length('a')\n\n\ndef test_victim():\n    assert product.length('') == 0\n";
    let changes = vec![change(
        "attribute",
        "product",
        "KNOWN",
        "changed",
        "dict",
        "product.py",
    )];
    let found = polluted_by(
        &[("test_a.py", test), ("product.py", product)],
        changes.clone(),
    );
    assert!(
        refusal(&found).contains("`length` (product.py:4)"),
        "{found:?}"
    );
    let stubbed = test.replace("def test_other():", "def test_other(monkeypatch):");
    let found = polluted_by(&[("test_a.py", &stubbed), ("product.py", product)], changes);
    assert!(matches!(found[0], Finding::Propose(..)), "{found:?}");
}

#[test]
fn state_of_the_product_is_not_set_up_for_a_test_without_a_person() {
    let test = "import product\n\n\ndef test_other():\n    product.LOUD = True\n    assert product.LOUD\n\n\ndef test_victim():\n    assert product.say() == 'a'\n";
    let changes = vec![change(
        "attribute",
        "product",
        "LOUD",
        "rebound",
        "bool",
        "product.py",
    )];
    let files = [("test_a.py", test), ("product.py", "LOUD = False\n")];
    let found = examine(&files, &[], &unsteady(Cause::Unset(left(changes)), &[]));
    assert!(
        matches!(found.as_slice(), [Finding::Propose(..)]),
        "{found:?}"
    );
    let found = examine(&files, &[], &unsteady(Cause::Unset(Vec::new()), &[]));
    assert_eq!(found, []);
}
