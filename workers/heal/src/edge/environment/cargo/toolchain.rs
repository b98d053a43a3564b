//! The Rust of a host: a compiler with its cargo, found behind whatever manages it.

use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};

use super::super::super::program;
use super::super::EnvironmentError;

/// A Rust of the host. Its cargo is called by its own path, so that nothing which a project says picks another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toolchain {
    /// Where it lies: what a command must be able to read.
    pub sysroot: PathBuf,
    /// Its cargo.
    pub cargo: PathBuf,
    /// Its whole version: `1.95.0`.
    pub release: String,
    /// Major and minor version.
    pub version: (u32, u32),
    /// The triple that it compiles for.
    pub host: String,
}

impl Toolchain {
    /// Where its programs lie.
    pub fn programs(&self) -> PathBuf {
        self.sysroot.join("bin")
    }
}

/// The toolchain that is asked for, where a manager has it beside others; else the default one.
pub(super) fn find(channel: Option<&str>) -> Result<Toolchain, EnvironmentError> {
    let default = candidates()
        .into_iter()
        .find_map(|rustc| at(&sysroot(&rustc)?))
        .ok_or_else(|| {
            EnvironmentError::NoRust(
                "the tests need Rust, and there is none here; on Debian that is the package cargo, elsewhere https://rustup.rs"
                    .to_owned(),
            )
        })?;
    let asked = channel
        .filter(|channel| {
            channel.starts_with(|c: char| c.is_ascii_alphanumeric())
                && channel
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-')
        })
        .and_then(|channel| {
            let beside = default.sysroot.parent()?;
            at(&beside.join(format!("{channel}-{}", default.host)))
                .or_else(|| at(&beside.join(channel)))
        });
    Ok(asked.unwrap_or(default))
}

fn candidates() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = program::directories()
        .into_iter()
        .map(|directory| directory.join("rustc"))
        .collect();
    if let Some(home) = std::env::var_os("HOME").map(PathBuf::from) {
        found.push(home.join(".cargo/bin/rustc"));
    }
    found.retain(|path| program::is_executable(path));
    found
}

/// What a compiler, or the manager that goes by its name, says of itself. The variables by which a manager finds its
/// toolchains are the only ones it gets.
fn ask(rustc: &Path, words: &[&str]) -> Option<String> {
    let manager = [
        "PATH",
        "HOME",
        "RUSTUP_HOME",
        "RUSTUP_TOOLCHAIN",
        "CARGO_HOME",
    ];
    let output = Process::new(rustc)
        .args(words)
        .env_clear()
        .envs(std::env::vars_os().filter(|(name, _)| manager.iter().any(|known| name == known)))
        // Not where a file of a project could say which toolchain it is.
        .current_dir("/")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8(output.stdout).ok())?
}

fn sysroot(rustc: &Path) -> Option<PathBuf> {
    PathBuf::from(ask(rustc, &["--print", "sysroot"])?.trim())
        .canonicalize()
        .ok()
}

/// The toolchain of one directory.
fn at(sysroot: &Path) -> Option<Toolchain> {
    let said = ask(&sysroot.join("bin/rustc"), &["--version", "--verbose"])?;
    let value = |name: &str| {
        said.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
            .map(str::to_owned)
    };
    let release = value("release")?;
    let mut numbers = release
        .split(['.', '-'])
        .map_while(|part| part.parse().ok());
    let version = (numbers.next()?, numbers.next()?);
    let beside = sysroot.join("bin/cargo");
    let cargo = if program::is_executable(&beside) {
        beside
    } else {
        program::find("cargo")?.canonicalize().ok()?
    };
    Some(Toolchain {
        cargo,
        version,
        host: value("host")?,
        sysroot: sysroot.to_owned(),
        release,
    })
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn the_toolchain_behind_its_manager_is_found_and_a_channel_that_is_not_here_gives_the_default()
    {
        let default = find(None).unwrap();
        assert!(default.cargo.is_absolute() && default.version >= (1, 70));
        assert_eq!(find(Some("9.99")).unwrap(), default);
        assert_eq!(find(Some("../../evil")).unwrap(), default);
    }
}
