//! Brings a case's code to the disk: the source distribution from the package index, and its planted faults.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use tokio::process::Command;

use crate::case::{Case, Registry};
use crate::own;

/// Plugins of pytest that cases ask for, and that no index has.
const PLUGINS: [(&str, &str); 1] = [("revplug", include_str!("../plugins/revplug.py"))];
/// Where they are put: `{corpus}` in a case's variables.
pub(crate) const PLUGIN_PLACE: &str = ".corpus-plugins";

/// Unpacks a case's package below `into`, from the archives in `archives` or from the index, and plants its faults.
pub(crate) async fn prepare(case: &Case, archives: &Path, into: &Path) -> anyhow::Result<PathBuf> {
    let place = into.join(&case.id);
    if place.exists() {
        std::fs::remove_dir_all(&place)?;
    }
    std::fs::create_dir_all(&place)?;
    let root = if case.files.is_empty() {
        fetch(case, archives, &place).await?
    } else {
        own::write(case, &place)?
    };
    for (name, text) in PLUGINS {
        if case.asks_for(name) {
            let place = root.join(PLUGIN_PLACE);
            std::fs::create_dir_all(&place)?;
            std::fs::write(place.join(format!("{name}.py")), text)?;
        }
    }
    for mutation in &case.mutation {
        let file = root.join(&mutation.glob);
        let text = std::fs::read_to_string(&file)?;
        ensure!(
            text.contains(&mutation.find),
            "{} has no text to plant the fault in",
            file.display()
        );
        std::fs::write(&file, text.replacen(&mutation.find, &mutation.repl, 1))?;
    }
    own::finish(case, &root)?;
    Ok(root)
}

/// Unpacks the package's source into an empty directory.
async fn fetch(case: &Case, archives: &Path, place: &Path) -> anyhow::Result<PathBuf> {
    let archive = if let Some(archive) = find(case, archives)? {
        archive
    } else {
        match case.registry {
            Registry::Pypi => download(case, archives).await?,
            Registry::Npm => pack(case, archives).await?,
        }
        find(case, archives)?.with_context(|| {
            format!(
                "the registry has no source of {} {}",
                case.package, case.version
            )
        })?
    };
    let zipped = archive
        .extension()
        .is_some_and(|extension| extension == "zip");
    let mut unpack = Command::new(if zipped { "python3" } else { "tar" });
    if zipped {
        unpack
            .args(["-m", "zipfile", "-e"])
            .arg(&archive)
            .arg(place);
    } else {
        unpack
            .args(["--extract", "--no-same-owner", "--file"])
            .arg(&archive)
            .arg("--directory")
            .arg(place);
    }
    let unpacked = unpack.status().await?;
    ensure!(unpacked.success(), "unable to unpack {}", archive.display());
    let root = std::fs::read_dir(place)?
        .next()
        .context("the archive is empty")??
        .path();
    Ok(root)
}

fn find(case: &Case, archives: &Path) -> anyhow::Result<Option<PathBuf>> {
    let wanted = normal(&format!("{}-{}", case.package, case.version));
    for entry in std::fs::read_dir(archives)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let stem = [".tgz", ".tar.gz", ".zip", ".tar.bz2"]
            .iter()
            .find_map(|ending| name.strip_suffix(ending));
        if stem.is_some_and(|stem| normal(stem) == wanted) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

fn normal(name: &str) -> String {
    name.to_ascii_lowercase().replace(['_', '.'], "-")
}

/// The tarball of npm, under the name that npm gives it.
async fn pack(case: &Case, archives: &Path) -> anyhow::Result<()> {
    let output = Command::new("npm")
        .args(["pack", "--silent", "--ignore-scripts", "--pack-destination"])
        .arg(archives)
        .arg(format!("{}@{}", case.package, case.version))
        .current_dir(archives)
        .output()
        .await?;
    downloaded(case, &output, |said| said.lines().next())
}

/// `pip download` runs a `setup.py` for the metadata, which for an old package wants an old interpreter: what pip knows of
/// the index is asked for the file alone.
async fn download(case: &Case, archives: &Path) -> anyhow::Result<()> {
    let pip = python_with_pip(archives).await?;
    let output = Command::new(&pip)
        .args(["-c", include_str!("sdist.py"), &case.package, &case.version])
        .arg(archives)
        .output()
        .await?;
    downloaded(case, &output, |said| said.lines().last())
}

/// Whether a download ended well; of what was said otherwise one line tells why.
fn downloaded(
    case: &Case,
    output: &std::process::Output,
    telling: fn(&str) -> Option<&str>,
) -> anyhow::Result<()> {
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "unable to download {} {}: {}",
        case.package,
        case.version,
        telling(&said).unwrap_or_default()
    );
    Ok(())
}

/// A Python that has pip: Debian's own has none, its virtual environments do.
async fn python_with_pip(archives: &Path) -> anyhow::Result<PathBuf> {
    static MAKING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _one_at_a_time = MAKING.lock().await;
    let place = archives.join("pip");
    let python = place.join("bin/python");
    if !python.exists() {
        let made = Command::new("python3")
            .args(["-m", "venv"])
            .arg(&place)
            .status()
            .await?;
        ensure!(made.success(), "python3 cannot make a virtual environment");
    }
    Ok(python)
}
