//! The manifests as `kubectl kustomize` puts them together.

use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::tools::kubectl;
use crate::{Manifest, documents, repository};

/// The components, one directory each.
pub const COMPONENTS: [&str; 7] = [
    "before-1.30",
    "heal-sandbox",
    "heal-unconfined",
    "hpa",
    "keda",
    "network-policy",
    "redis",
];

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A directory below `deploy/kubernetes`, such as `base`.
///
/// # Panics
/// When it cannot be put together.
pub fn directory(name: &str) -> Vec<Manifest> {
    build(&repository().join("deploy/kubernetes").join(name))
}

/// The base with these components, as an overlay would have it.
///
/// # Panics
/// When it cannot be put together.
pub fn with_components(components: &[&str]) -> Vec<Manifest> {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("maestro-overlay-{}-{number}", std::process::id());
    let overlay = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&overlay).expect("a directory");
    let overlay = overlay.canonicalize().expect("its real place");
    let kubernetes = repository().join("deploy/kubernetes");
    let component = |name: &&str| {
        let path = relative(&overlay, &kubernetes.join("components").join(name));
        format!("  - {path}\n")
    };
    let text = format!(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n  - {}\ncomponents:\n{}",
        relative(&overlay, &kubernetes.join("base")),
        components.iter().map(component).collect::<String>()
    );
    std::fs::write(overlay.join("kustomization.yaml"), text).expect("a file");
    let built = build(&overlay);
    std::fs::remove_dir_all(&overlay).expect("it goes");
    built
}

/// Everything that may be applied together, by name. It is put together once, for kubectl takes a second for each.
///
/// # Panics
/// When something cannot be put together.
pub fn everything() -> &'static [(String, Vec<Manifest>)] {
    static ALL: LazyLock<Vec<(String, Vec<Manifest>)>> = LazyLock::new(|| {
        let together = ["heal-sandbox", "keda", "network-policy", "redis"];
        let components = COMPONENTS.map(|component| vec![component]);
        let components = components.into_iter().chain([together.to_vec()]);
        let components = components.map(|these| (these.join(" + "), with_components(&these)));
        let directories = ["base", "overlays/trial"];
        let directories = directories.map(|name| (name.to_owned(), directory(name)));
        components.chain(directories).collect()
    });
    &ALL
}

/// The Deployments of workers, by name: cleanup, heal, provision, triage.
pub fn workers(manifests: &[Manifest]) -> Vec<&Manifest> {
    manifests.iter().filter(|one| one.is_worker()).collect()
}

/// Kustomize takes no absolute paths.
fn relative(from: &Path, to: &Path) -> String {
    let up = "../".repeat(from.components().count() - 1);
    let to = to
        .canonicalize()
        .unwrap_or_else(|error| panic!("{}: {error}", to.display()));
    format!(
        "{up}{}",
        to.strip_prefix("/").expect("an absolute path").display()
    )
}

fn build(directory: &Path) -> Vec<Manifest> {
    let output = kubectl().arg("kustomize").arg(directory).output();
    let output = output.expect("kubectl starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {said}", directory.display());
    assert!(said.is_empty(), "{}: {said}", directory.display());
    let yaml = String::from_utf8(output.stdout).expect("UTF-8");
    documents(&yaml).into_iter().map(Manifest).collect()
}
