//! A project of a few files, and its heal.

use maestro_heal::{Healer, SandboxChoice, Settings};
use maestro_protocol::heal::HealCompleted;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// Heals the module of tests `test` in a project of these files, each with its path; nothing is left where it was healed.
pub(crate) async fn heal(test: &str, files: &[(&str, &str)]) -> HealCompleted {
    let runtime = json!({ "install": [], "command": ["python", "-m", "unittest", test] });
    let test = json!({ "id": test, "framework": "unittest" });
    heal_as(&json!({ "test": test, "runtime": runtime }), files).await
}

/// Heals what pytest finds in a project of these files.
pub(crate) async fn heal_with_pytest(files: &[(&str, &str)]) -> HealCompleted {
    let runtime = json!({ "install": ["pytest"], "command": ["python", "-m", "pytest", "-q"] });
    heal_as(&json!({ "runtime": runtime }), files).await
}

async fn heal_as(how: &Value, files: &[(&str, &str)]) -> HealCompleted {
    let place = TempDir::new().expect("a directory");
    let project = place.path().join("project");
    for (path, text) in files {
        let file = project.join(path);
        std::fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
        std::fs::write(file, text).expect("a file");
    }
    let work = place.path().join("work");
    let worker = Healer::new(Settings {
        roots: vec![place.path().to_owned()],
        work: work.clone(),
        cache: place.path().join("cache"),
        sandbox: SandboxChoice::Required,
        ..Settings::default()
    })
    .expect("a worker");
    let mut request = json!({
        "project": { "repository": project },
        "kind": "test_failure",
        "message": "a test fails"
    });
    for (key, value) in how.as_object().expect("an object") {
        request[key] = value.clone();
    }
    let request = serde_json::from_value(request).expect("a request");
    let healed = worker
        .heal(&request, CancellationToken::new())
        .await
        .expect("a verdict");
    let left: Vec<_> = std::fs::read_dir(work)
        .expect("the work directory")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert!(left.is_empty(), "{left:?} is left");
    healed
}
