use super::*;
use crate::strategies::fake::Files;

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

fn made(command: &str, files: &[(&str, &str)]) -> Result<Plan, PlanError> {
    Plan::new(
        Some(&words(command)),
        None,
        BTreeMap::new(),
        &Files::new(files),
    )
}

#[test]
fn the_runner_is_found_behind_what_starts_it() {
    for (command, runner, arguments) in [
        ("node --test", Runner::NodeTest, ""),
        ("node --test test/a.js", Runner::NodeTest, "test/a.js"),
        ("npx --yes jest --verbose src", Runner::Jest, "src"),
        ("vitest run --reporter=verbose", Runner::Vitest, "run"),
        (
            "node_modules/.bin/tape test/a.js",
            Runner::Tape,
            "test/a.js",
        ),
        ("npx c8 mocha test/a.js", Runner::Mocha, "test/a.js"),
        ("node test/index.js", Runner::Script, "test/index.js"),
        ("tape 'test/*.js'", Runner::Tape, "test/*.js"),
        ("pnpm exec vitest --run", Runner::Vitest, "--run"),
    ] {
        let plan = made(command, &[]).unwrap();
        assert_eq!(plan.runner, runner, "{command}");
        assert_eq!(plan.arguments.join(" "), arguments, "{command}");
    }
    let plan = made(
        "node --experimental-vm-modules node_modules/jest/bin/jest.js a.js",
        &[],
    );
    let plan = plan.unwrap();
    assert_eq!(plan.runner, Runner::Jest);
    assert_eq!(plan.node, ["--experimental-vm-modules"]);
    assert_eq!(plan.arguments, ["a.js"]);
}

#[test]
fn a_script_of_the_manifest_is_followed_to_its_runner() {
    let manifest = r#"{"scripts": {"lint": "eslint .", "test": "npm run lint && npm run unit -- -t x", "unit": "cross-env TZ=UTC jest --coverage"}}"#;
    let plan = made("npm test", &[("package.json", manifest)]).unwrap();
    assert_eq!(plan.runner, Runner::Jest);
    assert_eq!(plan.arguments, ["-t", "x"]);
    assert_eq!(plan.variables["TZ"], "UTC");
    let round = r#"{"scripts": {"test": "npm test"}}"#;
    assert!(made("npm test", &[("package.json", round)]).is_err());
}

#[test]
fn files_are_named_by_a_pattern_where_no_shell_does_it() {
    let files = [
        (
            "package.json",
            r#"{"scripts": {"test": "node --test test/*.test.js"}}"#,
        ),
        ("test/a.test.js", ""),
        ("test/b.test.js", ""),
        ("test/deep/c.test.js", ""),
    ];
    let plan = made("npm test", &files).unwrap();
    assert_eq!(plan.arguments, ["test/a.test.js", "test/b.test.js"]);
}

#[test]
fn without_a_command_the_file_of_the_test_is_run_as_the_project_runs_its_tests() {
    let manifest =
        r#"{"scripts": {"test": "node --require ./setup.js --test test/a.js test/b.js"}}"#;
    let tree = Files::new(&[("package.json", manifest), ("test/b.js", "")]);
    let test = Some(("test/b.js > adds", Framework::NodeTest));
    let plan = Plan::new(None, test, BTreeMap::new(), &tree).unwrap();
    assert_eq!(plan.node, ["--require", "./setup.js"]);
    assert_eq!(plan.arguments, ["test/b.js"]);
    assert_eq!(plan.target.as_deref(), Some("test/b.js::adds"));
}

#[test]
fn a_file_that_is_run_by_itself_and_has_nodes_own_tests_is_given_to_their_runner() {
    let files = [("t.js", "const test = require('node:test')\n")];
    assert_eq!(made("node t.js", &files).unwrap().runner, Runner::NodeTest);
    assert_eq!(
        made("node t.js", &[("t.js", "")]).unwrap().runner,
        Runner::Script
    );
}

#[test]
fn what_runs_no_tests_is_refused_by_name() {
    let error = made("npx tsc --noEmit", &[]).unwrap_err().to_string();
    assert!(error.contains("`npx tsc --noEmit`"), "{error}");
}

#[test]
fn the_projects_own_options_of_node_are_kept_behind_the_probe() {
    let given = BTreeMap::from([("NODE_OPTIONS".to_owned(), "--no-warnings".to_owned())]);
    let plan = Plan::new(Some(&words("node --test")), None, given, &Files::new(&[])).unwrap();
    let variables = plan.variables(Path::new("/probes"), Path::new("/out"));
    assert_eq!(
        variables["NODE_OPTIONS"],
        "--require=/probes/maestro_node.cjs --no-warnings"
    );
}
