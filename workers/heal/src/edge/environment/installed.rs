//! What an environment has in it, read from the files that installers leave (PEP 376, PEP 627): no process runs.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::EnvironmentError;

/// Names and versions stand at the top of a distribution's metadata.
const METADATA_BYTES: u64 = 16 << 10;

/// `lib/python3.11/site-packages`, or what another implementation calls it.
pub(super) fn site_packages(root: &Path) -> Result<PathBuf, EnvironmentError> {
    let lib = root.join("lib");
    let failed = |source| EnvironmentError::Io {
        path: lib.clone(),
        source,
    };
    lib.read_dir()
        .map_err(failed)?
        .filter_map(|entry| Some(entry.ok()?.path().join("site-packages")))
        .find(|path| path.is_dir())
        .ok_or_else(|| failed(std::io::ErrorKind::NotFound.into()))
}

/// Every distribution, name and version, sorted.
pub(super) fn distributions(
    site_packages: &Path,
) -> Result<Vec<(String, String)>, EnvironmentError> {
    let entries = site_packages
        .read_dir()
        .map_err(|source| EnvironmentError::Io {
            path: site_packages.to_owned(),
            source,
        })?;
    let mut found: Vec<(String, String)> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let metadata = match path.extension()?.to_str()? {
                "dist-info" => path.join("METADATA"),
                "egg-info" if path.is_dir() => path.join("PKG-INFO"),
                "egg-info" => path,
                _ => return None,
            };
            name_and_version(&metadata)
        })
        .collect();
    found.sort();
    Ok(found)
}

fn name_and_version(metadata: &Path) -> Option<(String, String)> {
    // A stranger's package wrote it: a pipe in its place would hold up the reader for ever.
    if !metadata.symlink_metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(metadata)
        .ok()?
        .take(METADATA_BYTES)
        .read_to_end(&mut bytes)
        .ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name))
            .map(|value| value.trim().to_owned())
    };
    Some((field("Name:")?, field("Version:")?))
}
