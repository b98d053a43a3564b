//! Where strangers' code runs: [`Sandbox::run`] takes a command to its end within its limits, and leaves nothing of
//! it behind. [`arguments`] says what the command sees, [`supervise`] holds it to its limits.

mod arguments;
mod identity;
mod process_table;
mod scratch;
mod supervise;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::command::Command;
use super::finished::{Ended, Finished};
use super::program;
use arguments::{Programs, Scope};
use identity::Identity;
use scratch::Scratch;

/// What the worker was told about sandboxing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SandboxChoice {
    /// Strangers' code runs in a sandbox or not at all.
    #[default]
    Required,
    /// Somebody said aloud that it may run without one.
    Off,
}

/// What holds a command in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confinement {
    /// Namespaces made by `bwrap`.
    Bubblewrap,
    /// Only a scrubbed environment, a process group and resource limits.
    Off,
}

/// Why a command could not be run. How a command that ran has ended is never an error.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A program that the sandbox is made of is not there.
    #[error(
        "the sandbox needs `{program}`, which is not on the PATH; install the package {package}, or accept that \
             strangers' code runs unconfined with --sandbox=off"
    )]
    NotInstalled {
        /// What was looked for.
        program: &'static str,
        /// The package that has it.
        package: &'static str,
    },
    /// The kernel, or the container around the worker, does not let the sandbox be made.
    #[error(
        "the sandbox cannot be made here ({said}); allow user namespaces to this process, or accept that \
             strangers' code runs unconfined with --sandbox=off"
    )]
    NotAllowed {
        /// What `bwrap` said.
        said: String,
    },
    /// The command itself cannot be run as it stands.
    #[error("the command cannot be run in the sandbox: {0}")]
    Unusable(String),
    /// A path that the command was to see is not there.
    #[error("the command was to see {}, which cannot be read: {source}", path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The sandbox's own small files could not be written.
    #[error("unable to write the sandbox's own files below {}: {source}", path.display())]
    Scratch {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The process could not be started.
    #[error("unable to start {program}: {source}")]
    Spawn {
        /// What was started.
        program: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The sandbox failed before the command began.
    #[error("the sandbox failed before the command began: {0}")]
    Setup(String),
    /// A process did not go away when it was killed.
    #[error("process {0} does not end although it was killed")]
    Unkillable(u32),
}

/// The way commands are run; cheap to clone.
#[derive(Debug, Clone)]
pub struct Sandbox {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    programs: Programs,
    scope: Scope,
}

impl Sandbox {
    /// Finds out by trying whether strangers' code can be confined here.
    ///
    /// # Errors
    /// With [`SandboxChoice::Required`], when it cannot.
    pub fn detect(choice: SandboxChoice) -> Result<Self, SandboxError> {
        if choice == SandboxChoice::Off {
            let programs = Programs {
                bwrap: None,
                prlimit: program::find("prlimit"),
                setpriv: program::find("setpriv"),
                env: None,
            };
            return Ok(Self::with(programs, Scope::Off));
        }
        let need = |program, package| {
            program::find(program).ok_or(SandboxError::NotInstalled { program, package })
        };
        let programs = Programs {
            bwrap: Some(need("bwrap", "bubblewrap")?),
            prlimit: Some(need("prlimit", "util-linux")?),
            setpriv: program::find("setpriv"),
            env: Some(need("env", "coreutils")?),
        };
        // Real root is exempt from the kernel's limit on processes, so root makes the namespaces itself and hands the
        // command to a user that exists nowhere else. Root of a container may lack what that needs.
        let scopes: &[Scope] = if rustix::process::geteuid().is_root() && programs.setpriv.is_some()
        {
            &[Scope::OtherUser, Scope::UserNamespace]
        } else {
            &[Scope::UserNamespace]
        };
        let mut said = String::new();
        for scope in scopes {
            let sandbox = Self::with(programs.clone(), *scope);
            match sandbox.try_out() {
                Ok(()) => return Ok(sandbox),
                Err(SandboxError::NotAllowed { said: last }) => said = last,
                Err(other) => return Err(other),
            }
        }
        Err(SandboxError::NotAllowed { said })
    }

    fn with(programs: Programs, scope: Scope) -> Self {
        Self {
            inner: Arc::new(Inner { programs, scope }),
        }
    }

    /// What holds a command in.
    pub fn confinement(&self) -> Confinement {
        match self.inner.scope {
            Scope::Off => Confinement::Off,
            Scope::OtherUser | Scope::UserNamespace => Confinement::Bubblewrap,
        }
    }

    /// Runs `true` the way that every command will be run.
    fn try_out(&self) -> Result<(), SandboxError> {
        let command = Command {
            writable: Vec::new(),
            ..Command::new(["true"], "/")
        };
        let prepared = self.prepare(&command)?;
        let output = prepared
            .process()
            .output()
            .map_err(|source| prepared.spawn_error(source))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr)
            .trim()
            .replace('\n', "; ");
        Err(SandboxError::NotAllowed { said })
    }

    /// Runs a command to its end. When this returns, or is dropped, none of the command's processes is left.
    ///
    /// # Errors
    /// When the command could not be started; how it ended is in the answer.
    pub async fn run(
        &self,
        command: &Command,
        cancel: &CancellationToken,
    ) -> Result<Finished, SandboxError> {
        let prepared = {
            let (this, command) = (self.clone(), command.clone());
            tokio::task::spawn_blocking(move || this.prepare(&command))
                .await
                .map_err(|panic| SandboxError::Setup(panic.to_string()))??
        };
        let mut finished = supervise::supervise(&prepared, command, cancel).await?;
        if self.confinement() == Confinement::Bubblewrap {
            finished.ended = arguments::as_seen_inside(finished.ended);
            if let Some(said) = arguments::setup_failure(&finished) {
                return Err(SandboxError::Setup(said));
            }
        }
        finished.ended = match finished.ended {
            // What the kernel sends at the limits of processor time and of a file's size.
            Ended::Signalled(supervise::SIGXCPU) => Ended::TimedOut,
            Ended::Signalled(supervise::SIGXFSZ) => Ended::DiskFull,
            other => other,
        };
        Ok(finished)
    }

    /// Makes a tree writable for a command that runs already and may write the directory that it lies in.
    ///
    /// # Errors
    /// When the tree cannot be read, or is somebody else's.
    pub fn hand_over(&self, tree: &Path, writable: &Path) -> std::io::Result<()> {
        match self.inner.scope {
            Scope::OtherUser => Identity::owner_of(&[writable.to_owned()]).take_over(tree),
            Scope::UserNamespace | Scope::Off => Ok(()),
        }
    }

    fn prepare(&self, command: &Command) -> Result<Prepared, SandboxError> {
        arguments::check(command)?;
        let identity = match self.inner.scope {
            Scope::OtherUser => Identity::owner_of(&command.writable),
            Scope::UserNamespace => Identity::inside_a_user_namespace(),
            Scope::Off => Identity::of_this_process(),
        };
        if self.inner.scope == Scope::OtherUser {
            for path in &command.writable {
                identity
                    .take_over(path)
                    .map_err(|source| SandboxError::Path {
                        path: path.clone(),
                        source,
                    })?;
            }
        }
        let scratch = Scratch::new(identity)?;
        let argv = arguments::arguments(
            &self.inner.programs,
            self.inner.scope,
            identity,
            &scratch,
            command,
        );
        let variables = match self.inner.scope {
            // Under bubblewrap they go to the command alone: `/proc/1/environ` inside shows what `bwrap` got, and
            // a preloaded library must not reach `setpriv` while that is still root.
            Scope::OtherUser | Scope::UserNamespace => Vec::new(),
            Scope::Off => arguments::variables(command, Some(&scratch)),
        };
        let directory = match self.inner.scope {
            Scope::Off => command.directory.clone(),
            Scope::OtherUser | Scope::UserNamespace => PathBuf::from("/"),
        };
        Ok(Prepared {
            argv,
            variables,
            directory,
            scratch,
            scope: self.inner.scope,
        })
    }
}

/// A command made ready: the real argument vector, and the files that it refers to.
struct Prepared {
    argv: Vec<String>,
    variables: Vec<(String, String)>,
    directory: PathBuf,
    scratch: Scratch,
    scope: Scope,
}

impl Prepared {
    fn process(&self) -> std::process::Command {
        use std::os::unix::process::CommandExt;
        let mut process = std::process::Command::new(&self.argv[0]);
        process
            .args(&self.argv[1..])
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.directory)
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            // A signal to the worker's group, such as ^C in a terminal, is the worker's to act upon.
            .process_group(0);
        process
    }

    fn members(&self) -> watch::Members {
        watch::Members::of(self.scope, &self.scratch)
    }

    fn spawn_error(&self, source: std::io::Error) -> SandboxError {
        let program = Path::new(&self.argv[0]).display().to_string();
        SandboxError::Spawn { program, source }
    }
}
