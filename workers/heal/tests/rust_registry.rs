//! Tests of Rust whose crates come from the real registry: what is fetched and shared, how it is asked about, and a
//! repair of each kind that needs one.

use std::path::Path;

use maestro_heal::edge::{
    CargoIndex, CargoSettings, EnvironmentError, Environments, Index, IndexError, IndexSettings,
    Interpreters, Limits, RustProject, Sandbox, SandboxChoice,
};
use maestro_heal::{Healer, Settings};
use maestro_protocol::heal::{HealCompleted, Strategy, Verdict};
use serde_json::json;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

fn lay(place: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let file = place.join("project").join(path);
        std::fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
        std::fs::write(file, text).expect("a file");
    }
}

async fn heal(files: &[(&str, &str)], id: &str) -> HealCompleted {
    let place = TempDir::new().expect("a directory");
    lay(place.path(), files);
    let healer = Healer::new(Settings {
        roots: vec![place.path().to_owned()],
        work: place.path().join("work"),
        cache: place.path().join("cache"),
        sandbox: SandboxChoice::Required,
        ..Settings::default()
    })
    .expect("a healer");
    let request = json!({
        "project": { "repository": place.path().join("project") },
        "kind": "build_error",
        "message": "a test fails",
        "test": { "id": id, "framework": "cargo" }
    });
    healer
        .heal(
            &serde_json::from_value(request).expect("a request"),
            CancellationToken::new(),
        )
        .await
        .expect("a verdict")
}

fn manifest(more: &str) -> String {
    format!("[package]\nname = \"own\"\nversion = \"0.1.0\"\nedition = \"2021\"\n{more}")
}

const PRODUCT: &str = "pub fn digits(n: u32) -> String {\n    n.to_string()\n}\n\npub fn slug(title: &str) -> String {\n    title.to_lowercase().replace(' ', \"-\")\n}\n";

#[tokio::test]
async fn a_crate_that_a_test_uses_is_added_for_tests_and_one_that_the_product_uses_is_proposed() {
    let test =
        "#[test]\nfn t() {\n    assert_eq!(own::digits(7), itoa::Buffer::new().format(7));\n}\n";
    let healed = heal(
        &[
            ("Cargo.toml", &manifest("")),
            ("src/lib.rs", PRODUCT),
            ("tests/t.rs", test),
        ],
        "tests/t.rs::t",
    )
    .await;
    assert_eq!(healed.verdict, Verdict::Healed, "{healed:#?}");
    assert_eq!(healed.strategy, Some(Strategy::DependencyFix));
    let patch = healed.patch.expect("a patch");
    assert!(
        patch.contains("+[dev-dependencies]\n+itoa = \"1."),
        "{patch}"
    );
    let uses = "pub fn digits(n: u32) -> String {\n    itoa::Buffer::new().format(n).to_string()\n}\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn t() {\n        assert_eq!(super::digits(7), \"7\");\n    }\n}\n";
    let proposed = heal(
        &[("Cargo.toml", &manifest("")), ("src/lib.rs", uses)],
        "tests::t",
    )
    .await;
    assert_eq!(proposed.verdict, Verdict::Proposed, "{proposed:#?}");
    assert!(
        proposed
            .reason
            .contains("what the product itself depends on"),
        "{}",
        proposed.reason
    );
}

#[tokio::test]
async fn what_a_crate_renamed_is_renamed_in_the_test_and_a_bug_behind_it_is_refused() {
    let asks = manifest("\n[dev-dependencies]\nheck = \"0.5\"\n");
    let test = "use heck::KebabCase;\n\n#[test]\nfn t() {\n    assert_eq!(own::slug(\"Hello World\"), \"Hello World\".to_kebab_case());\n}\n";
    let files = |product: &'static str| {
        [
            ("Cargo.toml", asks.as_str()),
            ("src/lib.rs", product),
            ("tests/t.rs", test),
        ]
    };
    let healed = heal(&files(PRODUCT), "t").await;
    assert_eq!(healed.verdict, Verdict::Healed, "{healed:#?}");
    assert!(
        healed
            .patch
            .expect("a patch")
            .contains("+use heck::ToKebabCase;"),
    );
    let broken = "pub fn slug(title: &str) -> String {\n    title.replace(' ', \"-\")\n}\n";
    let refused = heal(&files(broken), "t").await;
    assert_eq!(refused.verdict, Verdict::Refused, "{refused:#?}");
}

#[tokio::test]
async fn the_lock_file_that_a_project_keeps_goes_with_its_manifest() {
    let test =
        "#[test]\nfn t() {\n    assert_eq!(own::digits(7), itoa::Buffer::new().format(7));\n}\n";
    let lock = "version = 4\n\n[[package]]\nname = \"own\"\nversion = \"0.1.0\"\n";
    let healed = heal(
        &[
            ("Cargo.toml", &manifest("")),
            ("Cargo.lock", lock),
            ("src/lib.rs", PRODUCT),
            ("tests/t.rs", test),
        ],
        "tests/t.rs::t",
    )
    .await;
    assert_eq!(healed.verdict, Verdict::Healed, "{healed:#?}");
    let patch = healed.patch.expect("a patch");
    // All that cargo writes, and nothing of what was there is gone.
    assert!(!patch.contains("\n-name"), "{patch}");
    for line in [
        "--- a/Cargo.lock\n",
        " version = 4\n",
        "+name = \"itoa\"\n",
        "+dependencies = [\n+ \"itoa\",\n",
    ] {
        assert!(patch.contains(line), "{line}{patch}");
    }
}

fn environments() -> (TempDir, Environments) {
    let cache = tempfile::tempdir().expect("a directory");
    let sandbox = Sandbox::detect(SandboxChoice::Required).expect("a sandbox on this machine");
    let settings = IndexSettings::of_this_process();
    let made = Environments::new(cache.path(), sandbox, Interpreters::new(), settings);
    (cache, made)
}

#[tokio::test]
async fn crates_are_laid_out_once_and_what_cannot_be_met_is_said_in_cargos_words() {
    let (_cache, environments) = environments();
    let place = TempDir::new().expect("a directory");
    lay(
        place.path(),
        &[
            ("Cargo.toml", &manifest("\n[dependencies]\nitoa = \"1\"\n")),
            ("src/lib.rs", PRODUCT),
        ],
    );
    let project = RustProject {
        root: place.path().join("project"),
        project: place.path().join("project"),
        channel: None,
    };
    let prepare = || async {
        environments
            .prepare_rust(
                &project,
                &CargoSettings::of_this_process(),
                &Limits::for_installation(),
                &CancellationToken::new(),
            )
            .await
    };
    let first = prepare().await.expect("an environment");
    assert_eq!(first.installed.len(), 1);
    assert_eq!(first.installed[0].0, "itoa");
    assert_eq!(first.members[0].0, "own");
    assert!(first.lock.is_some() && first.config.is_some());
    assert!(
        !project.root.join("Cargo.lock").exists(),
        "the project was written"
    );
    assert_eq!(prepare().await.expect("the same").root, first.root);
    lay(
        place.path(),
        &[("Cargo.toml", &manifest("\n[dependencies]\nitoa = \"99\"\n"))],
    );
    let Err(EnvironmentError::Conflict { excerpt }) = prepare().await else {
        panic!("met");
    };
    assert!(
        excerpt.contains("for the requirement `itoa = \"^99\"`"),
        "{excerpt}"
    );
}

#[test]
fn the_registry_names_versions_newest_first_and_knows_what_it_has_not() {
    let (_cache, environments) = environments();
    let index = CargoIndex::new(&environments, &CargoSettings::of_this_process());
    let versions = index.versions("heck").expect("versions");
    assert!(versions.contains(&"0.3.3".to_owned()) && versions.contains(&"0.5.0".to_owned()));
    assert!(!versions.iter().any(|version| version.contains("rc")));
    assert!(matches!(
        index.versions("maestro-has-no-such-crate"),
        Err(IndexError::Missing(_))
    ));
    assert!(matches!(
        index.versions("x\"\n[patch]"),
        Err(IndexError::Missing(_))
    ));
}
