//! Where the programs of a control plane are.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Error, Version};

/// The convention of controller-runtime's envtest.
const ASSETS: &str = "KUBEBUILDER_ASSETS";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/control-plane.sh");

/// The programs of one release.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    pub(crate) etcd: PathBuf,
    pub(crate) api_server: PathBuf,
    pub(crate) controller_manager: PathBuf,
    pub(crate) scheduler: PathBuf,
    /// Kubernetes' own hollow node. No release's archive carries it.
    pub(crate) kubemark: Option<PathBuf>,
    pub(crate) version: Version,
}

impl Programs {
    /// Blocks, for minutes if they must be built first, which `deploy/setup.sh test` has done before.
    pub(crate) fn find() -> Result<Self, Error> {
        if let Some(directory) = std::env::var_os(ASSETS).filter(|named| !named.is_empty()) {
            match missing(Path::new(&directory)).as_slice() {
                [] => return Self::of(Path::new(&directory)),
                // setup-envtest fetches etcd and kube-apiserver alone; nothing would be scheduled, and no namespace would end.
                lacking => note(&format!(
                    "{ASSETS} has no {}; taking the control plane that deploy/control-plane.sh builds",
                    lacking.join(", no ")
                )),
            }
        }
        Self::of(&built()?)
    }

    fn of(directory: &Path) -> Result<Self, Error> {
        let api_server = directory.join("kube-apiserver");
        let output = Command::new(&api_server)
            .arg("--version")
            .output()
            .map_err(|source| Error::Spawn {
                program: api_server.clone(),
                source,
            })?;
        let kubemark = directory.join("kubemark");
        Ok(Self {
            version: Version::read(&String::from_utf8_lossy(&output.stdout))?,
            etcd: directory.join("etcd"),
            api_server,
            controller_manager: directory.join("kube-controller-manager"),
            scheduler: directory.join("kube-scheduler"),
            kubemark: kubemark.is_file().then_some(kubemark),
        })
    }
}

fn missing(directory: &Path) -> Vec<&'static str> {
    let needed = [
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
    ];
    needed
        .into_iter()
        .filter(|name| !directory.join(name).is_file())
        .collect()
}

/// The script alone knows where they are kept and how they are built; it is quick when they are there.
fn built() -> Result<PathBuf, Error> {
    let script = PathBuf::from(SCRIPT);
    let output = Command::new("sh")
        .arg(&script)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| Error::Spawn {
            program: script.clone(),
            source,
        })?;
    let directory = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() && !directory.is_empty() {
        Ok(PathBuf::from(directory))
    } else {
        Err(Error::NotBuilt { script })
    }
}

/// One line for whoever runs the tests. Not by a macro: libtest would keep that back when the test passes.
pub(crate) fn note(line: &str) {
    // A closed stderr has no reader.
    drop(writeln!(std::io::stderr(), "test cluster: {line}"));
}
