//! Environments of Node, installed from the real registry, and shared.

use maestro_heal::edge::{
    EnvironmentError, Environments, Index, IndexError, IndexSettings, Interpreters, Limits,
    Manifest, NodeEnvironment, NodeSpec, NpmIndex, NpmSettings, Sandbox, SandboxChoice,
};
use serde_json::json;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

fn environments() -> (TempDir, Environments) {
    let cache = tempfile::tempdir().expect("a directory");
    let sandbox = Sandbox::detect(SandboxChoice::Required).expect("a sandbox on this machine");
    let settings = IndexSettings::of_this_process();
    let made = Environments::new(cache.path(), sandbox, Interpreters::new(), settings);
    (cache, made)
}

async fn prepare(
    environments: &Environments,
    spec: &NodeSpec,
) -> Result<NodeEnvironment, EnvironmentError> {
    environments
        .prepare_node(
            spec,
            &NpmSettings::of_this_process(),
            &Limits::for_installation(),
            &CancellationToken::new(),
        )
        .await
}

fn of_project(package: &serde_json::Value) -> NodeSpec {
    NodeSpec {
        project: Some(Manifest {
            package: package.to_string(),
            ..Manifest::default()
        }),
        ..NodeSpec::default()
    }
}

fn version<'e>(environment: &'e NodeEnvironment, name: &str) -> Option<&'e str> {
    environment
        .installed
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, version)| version.as_str())
}

#[tokio::test]
async fn what_a_lock_says_is_installed_and_once_for_all_who_ask() {
    let (_cache, environments) = environments();
    let package =
        json!({"name": "locked", "version": "1.0.0", "devDependencies": {"ms": "^2.0.0"}});
    let lock = json!({
        "name": "locked", "version": "1.0.0", "lockfileVersion": 3, "requires": true,
        "packages": {
            "": {"name": "locked", "version": "1.0.0", "devDependencies": {"ms": "^2.0.0"}},
            "node_modules/ms": {"version": "2.1.1", "dev": true}
        }
    });
    let mut spec = of_project(&package);
    spec.project.as_mut().expect("a manifest").lock = Some(lock.to_string());
    let first = prepare(&environments, &spec).await.expect("an environment");
    assert_eq!(version(&first, "ms"), Some("2.1.1"));
    let again = prepare(&environments, &spec).await.expect("an environment");
    assert_eq!(first.root, again.root);
    // A requirement beside the lock goes with it.
    spec.install = vec!["escape-html@1".to_owned()];
    let more = prepare(&environments, &spec).await.expect("an environment");
    assert_eq!(version(&more, "ms"), Some("2.1.1"));
    assert!(version(&more, "escape-html").is_some_and(|version| version.starts_with("1.")));
}

#[tokio::test]
async fn a_package_for_development_that_is_gone_is_left_out_and_said_so_and_one_that_is_asked_for_is_not()
 {
    let (_cache, environments) = environments();
    let gone = "maestro-no-such-package-of-anybody";
    let package =
        json!({"devDependencies": {"ms": "2", gone: "1"}, "dependencies": {"escape-html": "1"}});
    let made = prepare(&environments, &of_project(&package))
        .await
        .expect("an environment");
    assert!(version(&made, "ms").is_some() && version(&made, "escape-html").is_some());
    assert!(made.left_out.expect("a sentence").contains(gone));
    let mut without = of_project(&package);
    without.project.as_mut().expect("a manifest").without_dev = true;
    let made = prepare(&environments, &without)
        .await
        .expect("an environment");
    assert_eq!(version(&made, "ms"), None);
    assert!(version(&made, "escape-html").is_some());
    let asked = NodeSpec {
        install: vec![gone.to_owned()],
        ..NodeSpec::default()
    };
    let error = prepare(&environments, &asked)
        .await
        .expect_err("no package");
    assert!(
        matches!(&error, EnvironmentError::NoMatchingDistribution { requirement } if requirement.contains(gone)),
        "{error}"
    );
}

#[tokio::test]
async fn the_registry_names_versions_newest_first_and_knows_what_it_has_not() {
    let (_cache, environments) = environments();
    let index = NpmIndex::new(&environments, &NpmSettings::of_this_process());
    let versions = index.versions("escape-html").expect("versions");
    assert_eq!(versions.last().map(String::as_str), Some("0.0.1"));
    assert!(versions[0].starts_with("1."));
    let missing = index.versions("maestro-no-such-package-of-anybody");
    assert!(
        matches!(missing, Err(IndexError::Missing(_))),
        "{missing:?}"
    );
    let option = index.versions("--registry=http://127.0.0.1:1");
    assert!(matches!(option, Err(IndexError::Missing(_))), "{option:?}");
}

#[tokio::test]
async fn a_registry_that_cannot_be_reached_is_told_from_one_that_has_nothing() {
    let (_cache, environments) = environments();
    let nobody = NpmSettings::with([(
        "npm_config_registry".to_owned(),
        "http://127.0.0.1:9/".to_owned(),
    )]);
    let spec = NodeSpec {
        install: vec!["ms".to_owned()],
        ..NodeSpec::default()
    };
    let error = environments
        .prepare_node(
            &spec,
            &nobody,
            &Limits::for_installation(),
            &CancellationToken::new(),
        )
        .await
        .expect_err("nobody listens there");
    assert!(
        matches!(error, EnvironmentError::Unreachable { .. }),
        "{error}"
    );
}
