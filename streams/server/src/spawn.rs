use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{OnceLock, mpsc};
use std::thread;

type Job = (Command, mpsc::Sender<io::Result<Child>>);

/// Starts a child that dies with this process, even by SIGKILL, where util-linux's `setpriv` is installed.
///
/// Linux sends the "parent died" signal when the *thread* that started the child ends (`prctl(2)`, `PR_SET_PDEATHSIG`),
/// so one thread that lives as long as the process starts them all.
pub(crate) fn spawn(command: Command) -> io::Result<Child> {
    static SPAWNER: OnceLock<mpsc::Sender<Job>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (jobs, inbox) = mpsc::channel::<Job>();
        thread::spawn(move || {
            for (mut command, answer) in inbox {
                // A caller that no longer waits has dropped its child's handle with the answer.
                drop(answer.send(command.spawn()));
            }
        });
        jobs
    });
    let (answer, result) = mpsc::channel();
    let gone = || io::Error::other("the thread that starts processes has ended");
    spawner.send((command, answer)).map_err(|_| gone())?;
    result.recv().map_err(|_| gone())?
}

/// The command line that starts `program`, through `setpriv` if there is one.
pub(crate) fn command(program: &Path) -> Command {
    let mut command = match find("setpriv".as_ref()) {
        Some(setpriv) if cfg!(target_os = "linux") => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL", "--"]).arg(program);
            command
        }
        _ => Command::new(program),
    };
    // Ctrl-C at a terminal goes to the whole foreground group; the server has to outlive its owner's last commits.
    command.process_group(0);
    command
}

/// The program's path: as given if it names a directory, otherwise the first one on `PATH`.
pub(crate) fn find(program: &Path) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return program.is_file().then(|| program.to_path_buf());
    }
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|directory| directory.join(program))
        .find(|candidate| candidate.is_file())
}
