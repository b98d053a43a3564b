//! What a command sees: the argument vector of `bwrap`, fixed in form and never seen by a shell.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::super::command::{Command, Network, SYSTEM_PROGRAMS};
use super::super::finished::{Ended, Finished};
use super::super::limits::Limits;
use super::SandboxError;
use super::identity::Identity;
use super::scratch::Scratch;

/// The home of every command: a small file system in memory.
const HOME: &str = "/home/heal";

/// The variable that marks the processes of a run where no namespace holds them together.
pub(super) const MARK: &str = "MAESTRO_RUN";

/// Parts of `/etc` that programs and libraries expect, none of which is a secret. Those missing are skipped.
const CONFIGURATION: &[&str] = &[
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/locale.alias",
    "/etc/mime.types",
    "/etc/protocols",
    "/etc/services",
    "/etc/ssl/openssl.cnf",
    "/etc/ssl/certs",
    "/etc/pki/tls/certs",
    "/etc/pki/ca-trust/extracted",
    "/etc/ca-certificates",
    "/etc/magic",
    "/etc/fonts",
    "/etc/os-release",
    "/etc/debian_version",
];

/// How far a command is set apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Root makes the namespaces, then the command becomes a user of its own.
    OtherUser,
    /// An unprivileged worker makes them through a user namespace.
    UserNamespace,
    /// Nothing is set apart.
    Off,
}

/// The host's programs that a sandbox is made of.
#[derive(Debug, Clone)]
pub(super) struct Programs {
    pub(super) bwrap: Option<PathBuf>,
    pub(super) prlimit: Option<PathBuf>,
    pub(super) setpriv: Option<PathBuf>,
    pub(super) env: Option<PathBuf>,
}

/// Refuses a command that would be understood as something else on its way.
pub(super) fn check(command: &Command) -> Result<(), SandboxError> {
    let unusable = |why: String| Err(SandboxError::Unusable(why));
    let Some(program) = command.argv.first() else {
        return unusable("it has no words".to_owned());
    };
    if program.is_empty() || program.starts_with('-') || program.contains('=') {
        return unusable(format!("`{program}` is not the name of a program"));
    }
    if command.argv.iter().any(|word| word.contains('\0')) {
        return unusable("an argument has a NUL in it".to_owned());
    }
    for (name, value) in &command.variables {
        let good = |c: char| c == '_' || c.is_ascii_alphanumeric();
        if name.is_empty() || !name.chars().all(good) || value.contains('\0') {
            return unusable(format!(
                "`{}` cannot be the name or value of a variable",
                name.escape_default()
            ));
        }
    }
    for path in command
        .writable
        .iter()
        .chain(&command.readable)
        .chain([&command.directory])
    {
        if !path.is_absolute()
            || path
                .components()
                .any(|part| part == std::path::Component::ParentDir)
        {
            return unusable(format!("{} is not an absolute path", path.display()));
        }
        path.symlink_metadata()
            .map_err(|source| SandboxError::Path {
                path: path.clone(),
                source,
            })?;
    }
    if command
        .writable
        .iter()
        .chain(&command.readable)
        .any(|path| path == Path::new("/"))
    {
        return unusable("it was to see the whole file system".to_owned());
    }
    Ok(())
}

/// The environment of the command, complete.
pub(super) fn variables(command: &Command, unconfined: Option<&Scratch>) -> Vec<(String, String)> {
    let home = unconfined.map_or(HOME.to_owned(), |scratch| {
        scratch.home().display().to_string()
    });
    let mut variables: Vec<(String, String)> = [
        ("PATH", SYSTEM_PROGRAMS),
        ("HOME", home.as_str()),
        ("USER", "heal"),
        ("LOGNAME", "heal"),
        ("LANG", "C.UTF-8"),
        // A run says the same on every worker.
        ("TZ", "UTC"),
        // The tree of a candidate is thrown away, and the environment is not writable.
        ("PYTHONDONTWRITEBYTECODE", "1"),
    ]
    .into_iter()
    .filter(|(name, _)| !command.variables.contains_key(*name))
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    variables.extend(
        command
            .variables
            .iter()
            .map(|(name, value)| (name.clone(), value.clone())),
    );
    if let Some(scratch) = unconfined {
        variables.push((MARK.to_owned(), scratch.mark()));
    }
    variables
}

/// The whole argument vector.
pub(super) fn arguments(
    programs: &Programs,
    scope: Scope,
    identity: Identity,
    scratch: &Scratch,
    command: &Command,
) -> Vec<String> {
    let mut argv = Vec::new();
    if scope == Scope::Off {
        if let Some(setpriv) = &programs.setpriv {
            // A worker that is killed takes it along.
            argv.extend([
                text(setpriv),
                "--pdeathsig=KILL".to_owned(),
                "--".to_owned(),
            ]);
        }
        if let Some(prlimit) = &programs.prlimit {
            argv.push(text(prlimit));
            argv.extend(resource_limits(&command.limits, scope));
            argv.push("--".to_owned());
        }
        argv.extend(command.argv.iter().cloned());
        return argv;
    }
    argv.extend(programs.bwrap.as_deref().map(text));
    argv.extend(namespaces(scope, identity, command));
    argv.extend(file_system(scratch, command));
    argv.extend([
        "--chdir".to_owned(),
        text(&command.directory),
        "--".to_owned(),
    ]);
    if scope == Scope::OtherUser {
        argv.extend(programs.setpriv.as_deref().map(text));
        argv.extend([
            format!("--reuid={}", identity.user),
            format!("--regid={}", identity.group),
            "--clear-groups".to_owned(),
            "--inh-caps=-all".to_owned(),
            "--bounding-set=-all".to_owned(),
        ]);
    }
    // Set inside the user namespace, since Linux 5.14, the limit on processes counts that namespace's alone.
    argv.extend(programs.prlimit.as_deref().map(text));
    argv.extend(resource_limits(&command.limits, scope));
    argv.push("--".to_owned());
    argv.extend(programs.env.as_deref().map(text));
    argv.push("-i".to_owned());
    argv.extend(
        variables(command, None)
            .into_iter()
            .map(|(name, value)| format!("{name}={value}")),
    );
    argv.extend(command.argv.iter().cloned());
    argv
}

fn resource_limits(limits: &Limits, scope: Scope) -> Vec<String> {
    let seconds = limits.cpu.as_secs().max(1);
    let mut words = vec![
        // The soft limit ends the process by a signal that says why, the hard one a second later by force.
        format!("--cpu={seconds}:{}", seconds + 1),
        // Of private memory, not of addresses: some runtimes reserve far more addresses than they ever use. Twice the
        // amount, so that the watch, which knows the whole tree, comes first and says why.
        format!("--data={}", limits.memory_bytes.saturating_mul(2)),
        format!("--fsize={}", limits.disk_bytes),
        format!("--nofile={}", limits.open_files),
        "--core=0".to_owned(),
    ];
    let bites = match scope {
        Scope::OtherUser => true,
        Scope::UserNamespace => counts_by_namespace(),
        // It would count all of the user's processes, the worker's own as well.
        Scope::Off => false,
    };
    if bites {
        words.push(format!("--nproc={}", limits.processes));
    }
    words
}

/// Whether the kernel counts the processes of a user namespace by themselves, as it does since version 5.14.
fn counts_by_namespace() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release
        .split(['.', '-'])
        .map_while(|part| part.trim().parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(5), Some(14))
}

fn namespaces(scope: Scope, identity: Identity, command: &Command) -> Vec<String> {
    let mut words: Vec<&str> = vec![
        "--unshare-pid",
        "--unshare-ipc",
        "--unshare-uts",
        "--unshare-cgroup-try",
        "--hostname",
        "sandbox",
    ];
    if command.network == Network::None {
        words.push("--unshare-net");
    }
    words.extend([
        "--die-with-parent",
        "--new-session",
        "--clearenv",
        "--cap-drop",
        "ALL",
    ]);
    let mut words: Vec<String> = words.into_iter().map(str::to_owned).collect();
    match scope {
        Scope::OtherUser => {
            for capability in ["CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"] {
                words.extend(["--cap-add".to_owned(), capability.to_owned()]);
            }
        }
        Scope::UserNamespace => {
            words.push("--unshare-user".to_owned());
            words.extend(["--uid".to_owned(), identity.user.to_string()]);
            words.extend(["--gid".to_owned(), identity.group.to_string()]);
        }
        Scope::Off => {}
    }
    words
}

fn file_system(scratch: &Scratch, command: &Command) -> Vec<String> {
    let mut words = Vec::new();
    let mut say = |parts: &[&str]| words.extend(parts.iter().map(|&part| part.to_owned()));
    say(&["--ro-bind", "/usr", "/usr"]);
    for directory in ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"] {
        // One system has them as links into /usr, another as directories.
        match std::fs::read_link(directory) {
            Ok(target) => say(&["--symlink", &text(&target), directory]),
            Err(_) => say(&["--ro-bind-try", directory, directory]),
        }
    }
    // Left to itself `bwrap` makes missing parents for its own user alone, and the command is another.
    let mut made = BTreeSet::new();
    let parents = CONFIGURATION
        .iter()
        .flat_map(|path| ancestors(Path::new(path)));
    for parent in std::iter::once(PathBuf::from("/etc")).chain(parents) {
        if made.insert(parent.clone()) {
            say(&["--perms", "0755", "--dir", &text(&parent)]);
        }
    }
    for path in CONFIGURATION {
        say(&["--ro-bind-try", path, path]);
    }
    for path in python_configuration() {
        say(&["--ro-bind-try", &path, &path]);
    }
    say(&["--ro-bind", &text(&scratch.passwd()), "/etc/passwd"]);
    say(&["--ro-bind", &text(&scratch.group()), "/etc/group"]);
    say(&[
        "--ro-bind",
        &text(&scratch.nsswitch()),
        "/etc/nsswitch.conf",
    ]);
    match command.network {
        Network::None => say(&["--ro-bind", &text(&scratch.hosts()), "/etc/hosts"]),
        Network::Host => {
            say(&["--ro-bind-try", "/etc/hosts", "/etc/hosts"]);
            say(&["--ro-bind-try", "/etc/resolv.conf", "/etc/resolv.conf"]);
        }
    }
    say(&["--proc", "/proc", "--dev", "/dev"]);
    // These lie in memory, and the watch counts them as such.
    let share = |part: u64| (command.limits.memory_bytes / part).to_string();
    say(&["--perms", "1777", "--size", &share(2), "--tmpfs", "/tmp"]);
    say(&[
        "--perms",
        "1777",
        "--size",
        &share(4),
        "--tmpfs",
        "/dev/shm",
    ]);
    say(&[
        "--perms",
        "0755",
        "--dir",
        "/home",
        "--perms",
        "0777",
        "--size",
        &share(8),
        "--tmpfs",
        HOME,
    ]);
    // What was there before is made unwritable before strangers' own places are laid on top.
    for (path, writable) in places(command) {
        for parent in ancestors(&path) {
            if made.insert(parent.clone()) {
                say(&["--perms", "0755", "--dir", &text(&parent)]);
            }
        }
        say(&[
            if writable { "--bind" } else { "--ro-bind" },
            &text(&path),
            &text(&path),
        ]);
    }
    say(&["--remount-ro", "/dev", "--remount-ro", "/"]);
    words
}

/// Debian keeps Python's `sitecustomize` in `/etc`.
fn python_configuration() -> Vec<String> {
    let Ok(entries) = std::fs::read_dir("/etc") else {
        return Vec::new();
    };
    let mut found: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with("python"))
        .map(|name| format!("/etc/{name}"))
        .collect();
    found.sort();
    found
}

/// The paths of the command, each with whether it may be written, parents before what lies in them; a path reached
/// through a link also at its real place, since links inside the tree lead there.
fn places(command: &Command) -> Vec<(PathBuf, bool)> {
    let mut places: Vec<(PathBuf, bool)> = Vec::new();
    let all = command
        .writable
        .iter()
        .map(|path| (path, true))
        .chain(command.readable.iter().map(|path| (path, false)));
    for (path, writable) in all {
        let real = path.canonicalize().unwrap_or_else(|_| path.clone());
        for place in [path.clone(), real] {
            let system = !writable && place.starts_with("/usr");
            if !system && !places.iter().any(|(known, _)| *known == place) {
                places.push((place, writable));
            }
        }
    }
    places.sort_by_key(|(path, _)| path.components().count());
    places
}

/// The directories above a path, outermost first, without `/` and the places that exist in every sandbox.
fn ancestors(path: &Path) -> Vec<PathBuf> {
    let mut above: Vec<PathBuf> = path.ancestors().skip(1).map(Path::to_owned).collect();
    above.reverse();
    above.retain(|parent| {
        !["/", "/tmp", "/etc", "/home", "/dev", "/proc"]
            .iter()
            .any(|known| parent == Path::new(known))
            && !parent.starts_with("/usr")
    });
    above
}

/// `bwrap` exits with 128 and the number of the signal that ended the command.
pub(super) fn as_seen_inside(ended: Ended) -> Ended {
    match ended {
        Ended::Exited(code @ 129..=192) => Ended::Signalled(code - 128),
        other => other,
    }
}

/// What `bwrap` said when it could not make the sandbox. A command can pretend to this, and gains nothing by it.
pub(super) fn setup_failure(finished: &Finished) -> Option<String> {
    (finished.ended == Ended::Exited(1)
        && finished.stdout.is_empty()
        && finished.stderr.starts_with(b"bwrap: "))
    .then(|| finished.stderr_text().trim().to_owned())
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
