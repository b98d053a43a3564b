//! What is installed: which distribution brings a module, and which module a file belongs to.

use std::fs;

use crate::case::Installed;
use crate::distribution::normalised;

/// The distribution that brings a top-level module, normalised, and its version. Read from the metadata that lies
/// next to it; by its name where that says nothing.
pub(super) fn distribution_of(installed: &Installed, module: &str) -> Option<(String, String)> {
    let top = module.split('.').next()?;
    let by_name = |name: &str| {
        installed
            .distributions
            .iter()
            .find(|(known, _)| *known == name)
            .cloned()
    };
    if let Some(found) = by_name(&normalised(top)) {
        return Some(found);
    }
    let entries = fs::read_dir(&installed.site_packages).ok()?;
    for entry in entries.flatten() {
        let file = entry.file_name();
        let Some(stem) = file
            .to_str()
            .and_then(|name| name.strip_suffix(".dist-info"))
        else {
            continue;
        };
        let lists = fs::read_to_string(entry.path().join("top_level.txt"))
            .is_ok_and(|text| text.lines().any(|line| line.trim() == top))
            || fs::read_to_string(entry.path().join("RECORD")).is_ok_and(|text| {
                text.lines().any(|line| {
                    line.starts_with(&format!("{top}/")) || line.starts_with(&format!("{top}.py,"))
                })
            });
        if lists {
            return by_name(&normalised(
                stem.rsplit_once('-').map_or(stem, |(name, _)| name),
            ));
        }
    }
    None
}

/// Whether a top-level module is installed beside the standard library.
pub(super) fn has_module(installed: &Installed, top: &str) -> bool {
    let at = &installed.site_packages;
    !at.as_os_str().is_empty() && (at.join(top).is_dir() || at.join(format!("{top}.py")).is_file())
}

/// The top-level module of an installed package that a traceback's path lies in.
pub(super) fn module_of_path(path: &str) -> Option<&str> {
    let (_, rest) = path.rsplit_once("/site-packages/")?;
    let top = rest.split('/').next()?;
    Some(top.strip_suffix(".py").unwrap_or(top))
}
