use super::*;
use crate::case::Installed;
use crate::failure::Phase;
use crate::strategies::fake::{Files, Index, case, failure};

fn installs(
    files: &[(&str, &str)],
    python: (u8, u8),
    line: &str,
    index: &[(&str, &[&str])],
    distributions: &[(&str, &str)],
) -> Vec<Vec<String>> {
    let files = Files::new(files);
    let installed = Installed {
        python,
        distributions: distributions
            .iter()
            .map(|(name, version)| ((*name).to_owned(), (*version).to_owned()))
            .collect(),
        ..Installed::default()
    };
    let index = Index::new(index);
    let failures = [failure(
        Some("tests/test_a.py::test"),
        Phase::Collection,
        line,
        &[("tests/test_a.py", 1)],
    )];
    let mut found: Vec<Candidate> = DependencyFix
        .examine(&case(&failures, &files, &installed, &index))
        .into_iter()
        .filter_map(|finding| match finding {
            Finding::Try(candidate) => Some(candidate),
            Finding::Propose(..) | Finding::Refuse(_) | Finding::Lacking(_) => None,
        })
        .collect();
    found.sort_by_key(|candidate| candidate.rank);
    found
        .into_iter()
        .map(|candidate| candidate.runtime.install)
        .collect()
}

#[test]
fn a_module_with_another_name_than_its_distribution_is_found_in_the_table() {
    let missing = |module: &str| {
        installs(
            &[],
            (3, 13),
            &format!("ModuleNotFoundError: No module named '{module}'"),
            &[],
            &[],
        )
    };
    assert_eq!(missing("pkg_resources"), [["setuptools<81"]]);
    assert_eq!(missing("yaml"), [["PyYAML"]]);
    assert_eq!(missing("cgi"), [["legacy-cgi"]]);
    assert_eq!(missing("nose"), [["pynose"]]);
    assert_eq!(missing("imp"), [] as [[&str; 1]; 0]);
}

#[test]
fn a_module_that_is_still_in_the_standard_library_is_not_replaced() {
    assert!(
        installs(
            &[],
            (3, 12),
            "ModuleNotFoundError: No module named 'cgi'",
            &[],
            &[]
        )
        .is_empty()
    );
}

#[test]
fn the_projects_own_version_of_a_requirement_comes_first() {
    let setup = [
        ("setup.py", "setup(tests_require=['pytest-relaxed<2'])\n"),
        ("tests/test_a.py", "import pytest_relaxed\n"),
    ];
    let found = installs(
        &setup,
        (3, 9),
        "ModuleNotFoundError: No module named 'pytest_relaxed'",
        &[],
        &[],
    );
    assert_eq!(found, [["pytest-relaxed<2"]]);
}

#[test]
fn the_newest_version_comes_before_older_majors() {
    let found = installs(
        &[],
        (3, 9),
        "ModuleNotFoundError: No module named 'pytest_relaxed'",
        &[("pytest-relaxed", &["2.0.2", "2.0", "1.1.5"])],
        &[],
    );
    assert_eq!(found, [["pytest-relaxed"], ["pytest-relaxed<2"]]);
}

#[test]
fn the_projects_own_module_and_python_2_modules_are_never_fetched() {
    let own = [
        ("src/own/__init__.py", ""),
        ("tests/test_a.py", "import own, ConfigParser\n"),
    ];
    let index: &[(&str, &[&str])] = &[("own", &["1"]), ("configparser", &["7"])];
    let nothing: &[String] = &[];
    assert_eq!(
        installs(
            &own,
            (3, 11),
            "ModuleNotFoundError: No module named 'own'",
            index,
            &[]
        ),
        [nothing]
    );
    assert!(
        installs(
            &own,
            (3, 11),
            "ModuleNotFoundError: No module named 'ConfigParser'",
            index,
            &[]
        )
        .is_empty()
    );
}

#[test]
fn a_guess_by_name_needs_an_import_and_an_exact_name() {
    let files = [("tests/test_a.py", "import deepthing\n")];
    let line = "ModuleNotFoundError: No module named 'deepthing'";
    assert_eq!(
        installs(&files, (3, 11), line, &[("deepthing", &["1.0"])], &[]),
        [["deepthing"]]
    );
    assert!(installs(&files, (3, 11), line, &[("deepthings", &["1.0"])], &[]).is_empty());
    assert!(installs(&[], (3, 11), line, &[("deepthing", &["1.0"])], &[]).is_empty());
}

#[test]
fn fixtures_and_options_name_their_plugins() {
    assert_eq!(
        installs(&[], (3, 11), "fixture 'mocker' not found", &[], &[]),
        [["pytest-mock"]]
    );
    assert_eq!(
        installs(
            &[],
            (3, 11),
            "ERROR: usage: pytest\npytest: error: unrecognized arguments: --cov-append --cov-report --cov pkg -n 2 tests/a.py",
            &[],
            &[]
        ),
        [["pytest-cov", "pytest-xdist"]]
    );
    let declares = [("tox.ini", "[testenv]\ndeps = syrupy\n")];
    assert_eq!(
        installs(&declares, (3, 11), "fixture 'snapshot' not found", &[], &[])[0],
        ["syrupy"]
    );
}

#[test]
fn something_gone_from_an_installed_package_is_looked_for_in_older_ones() {
    let found = installs(
        &[],
        (3, 9),
        "ImportError: cannot import name 'x' from 'thing.deep' (/x/thing/deep.py)",
        &[("thing", &["1.1", "1.0.1", "0.9"])],
        &[("thing", "1.1")],
    );
    assert_eq!(found, [["thing==1.0.1"], ["thing==0.9"]]);
}

#[test]
fn metadata_of_the_project_itself_is_had_by_installing_it() {
    let own = [("setup.py", "setup(name='My.Pkg')\n")];
    assert_eq!(
        installs(
            &own,
            (3, 12),
            "pkg_resources.DistributionNotFound: The 'my-pkg' distribution was not found and is required by the application",
            &[],
            &[]
        ),
        [["."]]
    );
}

#[test]
fn a_hook_whose_arguments_went_is_known_to_the_pytest_before() {
    let line = "pluggy._manager.PluginValidationError: Plugin 'conftest.py' for hook 'pytest_ignore_collect'\nhookimpl definition: pytest_ignore_collect(path, config)\nArgument(s) {'path'} are declared in the hookimpl but can not be found in the hookspec";
    assert_eq!(
        installs(&[], (3, 12), line, &[], &[("pytest", "9.0.1")]),
        [["pytest<9"], ["pytest<8"]]
    );
}

#[test]
fn a_missing_part_of_the_interpreter_is_refused() {
    let failures = [failure(
        None,
        Phase::Call,
        "ModuleNotFoundError: No module named '_dbm'",
        &[],
    )];
    let files = Files::new(&[]);
    let (installed, index) = (
        Installed {
            python: (3, 11),
            ..Installed::default()
        },
        Index::default(),
    );
    let found = DependencyFix.examine(&case(&failures, &files, &installed, &index));
    assert!(
        matches!(found.as_slice(), [Finding::Refuse(reason)] if reason.contains("_dbm")),
        "{found:?}"
    );
}

#[test]
fn what_a_message_says_to_install_is_installed_where_the_project_or_a_table_knows_it() {
    let said = |name: &str, files: &[(&str, &str)]| {
        installs(
            files,
            (3, 13),
            &format!(
                "CommandLineError: No such package found. To read it, run: pip install {name}"
            ),
            &[],
            &[],
        )
    };
    assert_eq!(said("PyYAML", &[]), [["PyYAML"]]);
    assert_eq!(said("somebodys-own", &[]), [] as [[&str; 1]; 0]);
    assert_eq!(
        said(
            "somebodys-own.",
            &[("requirements.txt", "somebodys-own>=2\n")]
        ),
        [["somebodys-own>=2"]]
    );
    let line = "ValueError: data.yaml is a YAML file, please install PyYAML";
    assert_eq!(installs(&[], (3, 13), line, &[], &[]), [["PyYAML"]]);
}

#[test]
fn what_an_extra_asks_for_beside_a_package_is_installed_before_an_older_one() {
    let setup = "signed = ['cryptography', 'pyjwt>=1.0.0']\nsetup(name='a', extras_require={'signed': signed})\n"
        .replace("signed =", "signed_require =");
    let found = installs(
        &[("setup.py", &setup)],
        (3, 13),
        "ImportError: cannot import name 'RSAAlgorithm' from 'pyjwt.algorithms' (/v/site-packages/pyjwt/algorithms.py)",
        &[("pyjwt", &["2.0.0", "1.0.0"])],
        &[("pyjwt", "2.0.0")],
    );
    assert_eq!(found[0], ["cryptography"]);
}

#[test]
fn the_projects_own_module_below_its_sources_is_found_by_the_path_and_never_fetched() {
    let found = |path: &str| {
        let files = Files::new(&[(path, ""), ("tests/test_a.py", "import shop\n")]);
        let failures = [failure(
            Some("tests/test_a.py"),
            Phase::Collection,
            "ModuleNotFoundError: No module named 'shop'",
            &[("tests/test_a.py", 1)],
        )];
        let (installed, index) = (Installed::default(), Index::new(&[("shop", &["1.0"])]));
        let found = DependencyFix.examine(&case(&failures, &files, &installed, &index));
        found
            .into_iter()
            .map(|finding| match finding {
                Finding::Try(candidate) => candidate.runtime,
                _ => RuntimeChanges::default(),
            })
            .collect::<Vec<_>>()
    };
    let sources = found("src/shop/__init__.py");
    assert_eq!(sources[0].variables["PYTHONPATH"], "src");
    assert_eq!(sources.len(), 1);
    assert!(sources[0].install.is_empty());
    assert!(found("shop/__init__.py").is_empty());
}

#[test]
fn a_project_that_the_table_knows_is_found_in_its_own_sources_and_not_fetched() {
    let files = |name: &str| {
        let setup = format!("setup(name='{name}')\n");
        installs(
            &[("setup.py", setup.as_str()), ("src/syrupy/__init__.py", "")],
            (3, 12),
            "ModuleNotFoundError: No module named 'syrupy'",
            &[],
            &[],
        )
    };
    assert_eq!(files("Syrupy"), [[""; 0]]);
    assert_eq!(files("another"), [["syrupy"]]);
}

#[test]
fn a_plugin_that_fails_inside_itself_and_has_no_newer_version_gets_the_runner_of_its_time() {
    let found = |index: &[(&str, &[&str])]| {
        let files = Files::new(&[]);
        let installed = Installed {
            distributions: [("pytest-lazy", "0.6"), ("pytest", "9.0")]
                .map(|(name, version)| (name.to_owned(), version.to_owned()))
                .into(),
            ..Installed::default()
        };
        let failures = [failure(
            Some("tests/test_a.py"),
            Phase::Collection,
            "AttributeError: 'CallSpec' object has no attribute 'funcargs'",
            &[("/v/lib/site-packages/pytest_lazy.py", 3)],
        )];
        let index = Index::new(index);
        let found = DependencyFix.examine(&case(&failures, &files, &installed, &index));
        found
            .into_iter()
            .map(|finding| match finding {
                Finding::Try(candidate) => candidate.runtime.install,
                _ => Vec::new(),
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(
        found(&[("pytest-lazy", &["0.6", "0.5"])]),
        [["pytest<9"], ["pytest<8"]]
    );
    assert_eq!(
        found(&[("pytest-lazy", &["0.7", "0.6"])]),
        [["pytest-lazy==0.7"]]
    );
}

#[test]
fn asynchronous_tests_without_marks_are_run_in_the_mode_that_takes_them() {
    let found = |text: &str, distributions: &[&str]| {
        let files = Files::new(&[("tests/test_a.py", text)]);
        let installed = Installed {
            distributions: distributions
                .iter()
                .map(|name| ((*name).to_owned(), "1.0".to_owned()))
                .collect(),
            ..Installed::default()
        };
        let failures = [failure(
            Some("tests/test_a.py::test"),
            Phase::Call,
            "Failed: async def functions are not natively supported.",
            &[],
        )];
        let index = Index::default();
        let found = DependencyFix.examine(&case(&failures, &files, &installed, &index));
        found
            .into_iter()
            .filter_map(|finding| match finding {
                Finding::Try(candidate) => {
                    candidate.runtime.variables.get("PYTEST_ADDOPTS").cloned()
                }
                _ => None,
            })
            .collect::<Vec<_>>()
    };
    let plain = "async def test(): pass\n";
    assert_eq!(
        found(plain, &["pytest", "pytest-asyncio"]),
        ["--asyncio-mode=auto"]
    );
    assert!(found(plain, &["pytest"]).is_empty());
    let marked = "@pytest.mark.trio\nasync def test(): pass\n";
    assert!(found(marked, &["pytest", "pytest-asyncio"]).is_empty());
}

#[test]
fn a_stand_in_of_the_tests_gets_a_package_that_asks_no_more_of_it() {
    let found = |path: &str| {
        let files = Files::new(&[(path, "class FakeBuilder:\n    pass\n")]);
        let installed = Installed {
            distributions: vec![("docs".to_owned(), "7.2".to_owned())],
            ..Installed::default()
        };
        let failures = [failure(
            Some("tests/test_a.py::test"),
            Phase::Call,
            "AttributeError: 'FakeBuilder' object has no attribute '_translator'",
            &[
                ("tests/test_a.py", 3),
                ("/v/lib/site-packages/docs/glue.py", 3),
            ],
        )];
        let index = Index::new(&[("docs", &["7.2", "7.1", "6.2"])]);
        let found = DependencyFix.examine(&case(&failures, &files, &installed, &index));
        found
            .into_iter()
            .map(|finding| match finding {
                Finding::Try(candidate) => candidate.runtime.install,
                _ => Vec::new(),
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(found("tests/test_a.py"), [["docs==7.1"], ["docs==6.2"]]);
    assert!(found("builder.py").is_empty());
}

#[test]
fn versions_of_the_projects_time_are_a_persons_to_judge_where_a_comparison_fails() {
    let files = Files::new(&[("PKG-INFO", "Name: shop\nVersion: 1.4\n")]);
    let installed = Installed {
        distributions: vec![("flask".into(), "3.1.0".into())],
        requested: vec!["flask".into()],
        ..Installed::default()
    };
    let index = Index::dated(&[
        ("shop", &[("1.4", "2018-09-28")]),
        ("flask", &[("3.1.0", "2024-11-13"), ("1.0.2", "2018-05-02")]),
    ]);
    let last = |line: &str| {
        let test = Some("tests/test_a.py::test");
        let failures = [failure(test, Phase::Call, line, &[("tests/test_a.py", 1)])];
        DependencyFix.last_resort(&case(&failures, &files, &installed, &index))
    };
    let compared = last("AssertionError: assert 1 == 2");
    assert!(
        matches!(compared.as_slice(), [Finding::Propose(..)]),
        "{compared:?}"
    );
    let raised = last("TypeError: object is not callable");
    assert!(matches!(raised.as_slice(), [Finding::Try(_)]), "{raised:?}");
}
